use runner::moa::{Kind, Template, Value};

/// A text with expressions of job inputs is rendered or refused with a place in it; one without any is
/// not changed; the secret of the scope is in no text that is not marked, and in no error.
pub fn expression(data: &[u8]) {
    const SECRET: &str = "s3cr3t-of-the-scope";
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if text.contains(SECRET) {
        return;
    }
    let inputs =
        serde_json::json!({"inputs": {"a": "x", "n": 2, "list": [1, "b", null], "o": {"k": true}}});
    let secret = Value::plain(Kind::String(SECRET.to_owned())).marked(true);
    let scope = vec![
        ("job".to_owned(), Value::from_json(&inputs)),
        ("secret".to_owned(), secret),
    ];
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => {
            assert!(error.line <= text.matches('\n').count() + 1, "{error}");
            assert!(error.column <= text.chars().count() + 1, "{error}");
            return;
        }
    };
    match template.render(&scope) {
        Ok(value) if value.is_sensitive() => {}
        Ok(value) => {
            let rendered = value.kind.to_string();
            assert!(
                !rendered.contains(SECRET),
                "{text:?} gives the secret without a mark"
            );
            if !text.contains("${{") {
                assert_eq!(rendered, text);
            }
        }
        Err(error) => {
            let error = error.in_text(text);
            assert!(!error.contains(SECRET), "{text:?}: {error}");
        }
    }
}
