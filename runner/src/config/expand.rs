//! `$X` and `${X}` in `url` and `token` (runner.md 3.1, RUN-CFG-03).

/// Replaces `$NAME` and `${NAME}` by `lookup(NAME)`; what is not defined, `$$` and `$1` become empty.
pub fn expand_with(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        let (name, after) = if let Some(braced) = rest.strip_prefix('{') {
            match braced.find('}') {
                Some(end) => (&braced[..end], &braced[end + 1..]),
                // Go eats the brace of an unclosed form.
                None => ("", braced),
            }
        } else {
            let mut end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            // One special character or digit is a name of its own.
            if let Some(first) = rest.chars().next()
                && (first.is_ascii_digit() || "*#$@!?-".contains(first))
            {
                end = first.len_utf8();
            }
            if end == 0 {
                out.push('$');
            }
            (&rest[..end], &rest[end..])
        };
        if !name.is_empty() {
            out.push_str(&lookup(name).unwrap_or_default());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
