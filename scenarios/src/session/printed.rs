//! What programs of a job print, without what depends on the machine: head lines of HTTP answers,
//! listings of folders, certificates.

/// The text without what depends on the machine: a log whose time stamps are `<time>` already.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut head: Vec<String> = Vec::new();
    let mut in_head = false;
    let mut in_certificate = false;
    for line in text.split_inclusive('\n') {
        let (stamp, said) = split(line);
        if in_head && said.ends_with("\r\n") && said.contains(": ") {
            head.push(format!("{stamp}{}", header(said)));
            continue;
        }
        // Which header comes first says nothing.
        head.sort();
        out.extend(head.drain(..));
        in_head = said.starts_with("HTTP/1.1 ") && said.ends_with("\r\n");
        in_certificate = in_certificate && is_base64(said);
        if in_certificate {
            out.extend([stamp, "<certificate>\n"]);
            continue;
        }
        in_certificate = said == "-----BEGIN CERTIFICATE-----\n";
        match listed(said) {
            Some(listed) => out.extend([stamp, &listed]),
            None => out.push_str(line),
        }
    }
    head.sort();
    out.extend(head);
    out
}

/// Commands that a debug trace shows at another place in each run, or on some machines only.
const TRACED: [&str; 2] = ["++ git lfs pull\n", "++ git credential reject\n"];

/// Leaves out lines that are there by accident. Where git-lfs is installed, an empty line follows the
/// checkout, and a debug trace shows how it came. A bash says of its child that it was terminated, unless it
/// was terminated first.
pub(super) fn without_accidents(text: &str) -> String {
    let mut after_checkout = false;
    let mut after_lfs = false;
    let lines = text.split_inclusive('\n').filter(|line| {
        let (stamp, said) = split(line);
        if stamp.contains("01E") {
            let echo = std::mem::replace(&mut after_lfs, said == TRACED[0]) && said == "++ echo\n";
            return !echo && said != "Terminated\n" && !TRACED.contains(&said);
        }
        let dropped = after_checkout && said == "\n";
        // What `git clean` says may stand between.
        after_checkout = said.contains("Checking out ")
            && said.contains(" as detached HEAD (ref is ")
            || after_checkout && said.starts_with("Removing ");
        !dropped
    });
    lines.collect()
}

/// Time stamp with stream, and what was said.
fn split(line: &str) -> (&str, &str) {
    const STAMP: usize = "<time> 01O ".len();
    match line.get(STAMP..) {
        Some(said) if line.starts_with("<time> ") => (&line[..STAMP], said),
        _ => ("", line),
    }
}

/// A header line: names in any case are the same, and the date is that of the machine.
fn header(line: &str) -> String {
    let (name, value) = line.split_once(": ").unwrap_or((line, ""));
    let name = name.to_ascii_lowercase();
    if name == "date" {
        return format!("{name}: <date>\r\n");
    }
    format!("{name}: {value}")
}

/// Base64 in the full width of a PEM file. Its last line may stay.
fn is_base64(line: &str) -> bool {
    let line = line.trim_end();
    line.len() == 64
        && line
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// A line of `ls -l` without date, number of links, and size: that of a folder is the file system's,
/// that of a file depends on the length of names of this place.
fn listed(line: &str) -> Option<String> {
    if let Some(total) = line.strip_prefix("total ") {
        let number = total.trim_end();
        let only = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        return only.then(|| "total <size>\n".to_owned());
    }
    let mut fields = line.split_whitespace();
    let mode = fields.next()?;
    let is_mode = mode.len() == 10
        && mode.starts_with(['-', 'd', 'l'])
        && mode[1..].bytes().all(|byte| b"rwxstST-".contains(&byte));
    let _links: u64 = fields.next().filter(|_| is_mode)?.parse().ok()?;
    let (user, group) = (fields.next()?, fields.next()?);
    let size: u64 = fields.next()?.parse().ok()?;
    // Nothing is nothing everywhere.
    let size = if size == 0 { "0" } else { "<size>" };
    let date: Vec<&str> = fields.by_ref().take(3).collect();
    let name: Vec<&str> = fields.collect();
    (date.len() == 3 && !name.is_empty())
        .then(|| format!("{mode} {user} {group} {size} <date> {}\n", name.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accidents_are_left_out() {
        let text = "<time> 01O Checking out 1 as detached HEAD (ref is main)...\n\
            <time> 01E ++ git lfs pull\n<time> 01O \n<time> 01E ++ echo\n<time> 01E ++ echo\n\
            <time> 01E Terminated\n<time> 01O \n<time> 01O Terminated\n";
        assert_eq!(
            without_accidents(text),
            "<time> 01O Checking out 1 as detached HEAD (ref is main)...\n\
             <time> 01E ++ echo\n<time> 01O \n<time> 01O Terminated\n"
        );
    }

    #[test]
    fn headers_are_sorted() {
        let go = "<time> 01O HTTP/1.1 200 OK\r\n<time> 01O Date: Wed, 25 Nov 2026 03:40:08 GMT\r\n\
            <time> 01O Content-Length: 6\r\n<time> 01O \r\n<time> 01O a: b\n";
        let ours = "<time> 01O HTTP/1.1 200 OK\r\n<time> 01O content-length: 6\r\n\
            <time> 01O date: Mon, 30 Nov 2026 23:32:23 GMT\r\n<time> 01O \r\n<time> 01O a: b\n";
        assert_eq!(plain(go), plain(ours));
        assert_ne!(plain(go), plain(&ours.replace('6', "7")));
        assert!(plain(go).ends_with("<time> 01O a: b\n"));
    }

    #[test]
    fn listings_keep_modes_owners_and_names() {
        let line = "<time> 01O -rw-r--r-- 1 root root  375 Nov 25 03:10 .a b\n";
        assert_eq!(
            plain(line),
            "<time> 01O -rw-r--r-- root root <size> <date> .a b\n"
        );
        assert_eq!(plain("total 12\n"), "total <size>\n");
        assert_eq!(plain("total cost 12\n"), "total cost 12\n");
        assert_eq!(plain("- a b c d e f g h\n"), "- a b c d e f g h\n");
    }

    #[test]
    fn certificates_differ() {
        let line = "M".repeat(64);
        let text = format!("-----BEGIN CERTIFICATE-----\n{line}\nMM=\n{line}\n");
        assert_eq!(
            plain(&text),
            format!("-----BEGIN CERTIFICATE-----\n<certificate>\nMM=\n{line}\n")
        );
    }
}
