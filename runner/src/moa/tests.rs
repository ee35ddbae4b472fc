//! Vectors from GitLab's documentation of the language (docs.gitlab.com, "Moa expression language"),
//! and properties that every text must keep.

use proptest::prelude::*;
use serde_json::json;

use super::{Kind, Template, Value};

fn scope() -> Vec<(String, Value)> {
    let job = json!({"inputs": {
        "name": "fred", "replicas": 3, "debug": false, "items": ["one", "two"],
        "address": {"line1": "42 Wallaby Way", "with-hyphen": 1}, "empty": "",
    }});
    let secret = Value::plain(Kind::String("hunter2".to_owned())).marked(true);
    let plain = |text: &str| Value::plain(Kind::String(text.to_owned()));
    let pair = vec![
        ("a".to_owned(), secret.clone()),
        ("b".to_owned(), plain("b")),
    ];
    vec![
        ("job".to_owned(), Value::from_json(&job)),
        ("secret".to_owned(), secret),
        ("pair".to_owned(), Value::plain(Kind::Object(pair))),
    ]
}

fn render(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    template
        .render(&scope())
        .map_err(|error| error.in_text(text))
}

/// Templates of the documentation give what it says; the goal is the language as users know it.
#[test]
fn expressions_give_what_the_documentation_says() {
    let vectors = [
        // Templates.
        ("Hello, ${{ job.inputs.name }}", "Hello, fred"),
        ("${{job.inputs.name}}-${{ job.inputs.replicas }}", "fred-3"),
        (r"Use \${{ to start", "Use ${{ to start"),
        ("echo $ $$ ${HOME} ${ {", "echo $ $$ ${HOME} ${ {"),
        // Literals.
        ("${{ null }}", "<null>"),
        ("${{ true }}${{ false }}", "truefalse"),
        (
            "${{ 42 }} ${{ 3.14 }} ${{ 1.5e3 }} ${{ 2E-4 }}",
            "42 3.14 1500 0.0002",
        ),
        ("${{ 1000000 }} ${{ 123456789012 }}", "1000000 123456789012"),
        (r#"${{ "Hello\nWorld" }}"#, "Hello\nWorld"),
        (
            r#"${{ "\\ \" \t \/ \u0041 \uD83D\uDE00 \${{ x" }}"#,
            "\\ \" \t / A 😀 ${{ x",
        ),
        (r#"${{ "\a\b\f\v\r" }}"#, "\u{7}\u{8}\u{c}\u{b}\r"),
        (r#"${{ "<${{ job.inputs.name + "!" }}>" }}"#, "<fred!>"),
        (r"${{ 'It\'s a string' }}", "It's a string"),
        (
            r"${{ 'Literal ${{ not evaluated }}' }}",
            "Literal ${{ not evaluated }}",
        ),
        (r"${{ 'a\nb \\' }}", "a\\nb \\"),
        // Operators.
        ("${{ 2 + 3 }}", "5"),
        (r#"${{ "a" + "b" }}"#, "ab"),
        ("${{ 10 - 4 }}", "6"),
        ("${{ 3 * 4 }}", "12"),
        ("${{ 10 / 4 }}", "2.5"),
        ("${{ 10 % 3 }} ${{ -10 % 3 }}", "1 -1"),
        ("${{ 1 == 1 }} ${{ 1 != 2 }} ${{ 1 < 2 }}", "true true true"),
        ("${{ 2 <= 2 }} ${{ 3 > 2 }} ${{ 3 >= 3 }}", "true true true"),
        (r#"${{ 1 == "1" }}"#, "false"),
        (r#"${{ "a" < "b" }} ${{ false < true }}"#, "true true"),
        ("${{ [1, 2] < [1, 3] }} ${{ [1] == [1] }}", "true true"),
        ("${{ {a: 1, b: 2} == {b: 2, a: 1} }}", "true"),
        ("${{ null == null }}", "true"),
        (r#"${{ job.inputs.empty || "default" }}"#, "default"),
        (r#"${{ job.inputs.name || "default" }}"#, "fred"),
        (r#"${{ job.inputs.debug && "-v" || "" }}"#, ""),
        (
            "${{ +5 }} ${{ -5 }} ${{ !true }} ${{ !!1 }}",
            "5 -5 false true",
        ),
        (
            "${{ 1 + 2 * 3 }} ${{ (1 + 2) * 3 }} ${{ 10 - 4 - 3 }}",
            "7 9 3",
        ),
        ("${{ 1 + 1 == 2 && 3 > 2 || false }}", "true"),
        // A right operand that is not needed is not evaluated.
        (
            "${{ true || nothing.there }} ${{ false && nothing.there }}",
            "true false",
        ),
        // Structures.
        ("${{ [1, 2, 3,][1] }} ${{ [] }}", "2 []"),
        (r#"${{ ["a", 1, true, null] }}"#, r#"["a",1,true,null]"#),
        (
            r#"${{ {name: "runner", version: 1,} }}"#,
            r#"{"name":"runner","version":1}"#,
        ),
        (
            r#"${{ {"string-key": true} }} ${{ {} }}"#,
            r#"{"string-key":true} {}"#,
        ),
        (r"${{ {(job.inputs.name): {b: 1}}.fred.b }}", "1"),
        (
            "${{ job.inputs.items[0] }} ${{ job.inputs.items }}",
            r#"one ["one","two"]"#,
        ),
        (r#"${{ job["inputs"].address["with-hyphen"] }}"#, "1"),
        ("${{ job.inputs.address.line1 }}", "42 Wallaby Way"),
        // Functions.
        (
            "${{ str(42) }} ${{ str(true) }} ${{ str(null) }}",
            "42 true <null>",
        ),
        (r#"${{ num("42") + num("3.14") }}"#, "45.14"),
        (
            r#"${{ bool("hello") }} ${{ bool("") }} ${{ bool(0) }} ${{ bool([1]) }}"#,
            "true false false true",
        ),
        ("a\n${{\n [\n 1,\n 2\n] }}", "a\n[1,2]"),
    ];
    for (text, expected) in vectors {
        let value = render(text).map(|value| value.kind.to_string());
        assert_eq!(value.as_deref(), Ok(expected), "{text}");
    }
}

/// Without text around it an expression keeps its type.
#[test]
fn a_lone_expression_keeps_its_type() {
    assert_eq!(render("${{ 1 + 1 }}").unwrap().kind, Kind::Number(2.0));
    assert_eq!(render("${{ !1 }}").unwrap().kind, Kind::Bool(false));
    assert_eq!(render("${{ 1 }} ").unwrap().kind, Kind::String("1 ".into()));
    assert_eq!(
        render("${{ \"${{ 1 }}\" }}").unwrap().kind,
        Kind::String("1".into())
    );
    assert_eq!(render("").unwrap().kind, Kind::String(String::new()));
}

/// What is wrong is said with its place, and a value is never shown.
#[test]
fn errors_have_a_place() {
    let vectors = [
        (
            "a ${{ 1",
            "parser: the expression is not closed by `}}` at 1:3",
        ),
        ("${{ }}", "parser: expected a value, found `}` at 1:5"),
        (
            "${{ 1 2 }}",
            "parser: expected `}}` or an operator, found `2` at 1:7",
        ),
        (
            "x\n ${{ \"a }}",
            "parser: the string is not closed by `\"` at 2:6",
        ),
        (
            "${{ 'a }}",
            "parser: the string is not closed by `'` at 1:5",
        ),
        (
            "${{ \"\\x\" }}",
            "parser: this escape is not known; known are \\\\ \\\" \\/ \\n \\r \\t \\a \\b \\f \\v \\uXXXX \\${{ at 1:6",
        ),
        ("${{ while }}", "parser: `while` is a reserved word at 1:5"),
        ("${{ 1x }}", "parser: this is no number at 1:5"),
        (
            "${{ 1e }}",
            "parser: the exponent of the number has no digits at 1:5",
        ),
        (
            "${{ (1 }}",
            "parser: expected `)` or an operator, found `}` at 1:8",
        ),
        (
            "${{ [1 2] }}",
            "parser: expected `,` or `]`, found `2` at 1:8",
        ),
        (
            "${{ a. }}",
            "parser: expected the name of a property, found `}` at 1:8",
        ),
        (
            "${{ \"f\"() }}",
            "parser: only a name can be called as a function at 1:8",
        ),
        ("${{ jobs }}", "`jobs` is not defined at 1:5"),
        ("${{ job.inputs.nam }}", "attribute `nam` not found at 1:15"),
        (
            "${{ job.inputs.items[2] }}",
            "index 2 is not in an array of 2 at 1:21",
        ),
        (
            "${{ job.inputs.items[-1] }}",
            "index -1 is not in an array of 2 at 1:21",
        ),
        (
            "${{ job.inputs.items.a }}",
            "array requires number key not string at 1:21",
        ),
        (
            "${{ job[1] }}",
            "object requires string key not number at 1:8",
        ),
        (
            "${{ job.inputs.name.a }}",
            "string has no properties at 1:20",
        ),
        (
            "${{ \"hello\" + 42 }}",
            "`+` does not work on string and number at 1:13",
        ),
        ("${{ 1 / 0 }}", "division by zero at 1:7"),
        ("${{ 1 % 0 }}", "division by zero at 1:7"),
        ("${{ -\"a\" }}", "a sign needs a number, not string at 1:5"),
        (
            "${{ num(secret) }}",
            "`num` was given a string that is no number at 1:5",
        ),
        (
            "${{ now() }}",
            "function `now` is not defined; there are str, num and bool at 1:5",
        ),
        ("${{ str() }}", "`str` takes one argument, not 0 at 1:5"),
        (
            "${{ {(1): 2} }}",
            "the key of an object must be a string, not number at 1:7",
        ),
    ];
    for (text, expected) in vectors {
        let error = render(text).map(|value| value.kind.to_string());
        assert_eq!(error, Err(expected.to_owned()), "{text}");
    }
}

/// Whatever is made from a sensitive value is sensitive; what has nothing to do with it is not.
#[test]
fn the_mark_of_sensitive_values_spreads() {
    let marked = [
        "${{ secret }}",
        "a ${{ secret }} b",
        "${{ secret + \"!\" }}",
        "${{ str(secret) }}",
        "${{ bool(secret) }}",
        "${{ !secret }}",
        "${{ secret == \"x\" }}",
        "${{ secret && \"yes\" || \"no\" }}",
        "${{ [secret] }}",
        "${{ str([secret]) }}",
        "${{ {a: secret} }}",
        "${{ {(secret): 1}.hunter2 }}",
        "${{ pair }}",
        "${{ \"<${{ secret }}>\" }}",
        "${{ {hunter2: 1}[secret] }}",
    ];
    for text in marked {
        assert!(render(text).unwrap().is_sensitive(), "{text}");
    }
    for text in [
        "${{ pair.b }}",
        "${{ true || secret }}",
        "${{ [secret, 1][1] }}",
    ] {
        assert!(!render(text).unwrap().is_sensitive(), "{text}");
    }
}

/// Deep and long expressions are refused before they exhaust the stack.
#[test]
fn depth_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("{a: ", "}"),
        ("\"${{ ", " }}\""),
    ] {
        let text = format!("${{{{ {}1{} }}}}", open.repeat(5000), close.repeat(5000));
        let error = Template::parse(&text).unwrap_err().to_string();
        assert!(error.contains("too deeply nested"), "{open}: {error}");
    }
    for chain in [" + 1", "[0]", ".a", " || 1"] {
        let text = format!("${{{{ a{} }}}}", chain.repeat(100_000));
        let error = Template::parse(&text).unwrap_err().to_string();
        assert!(error.contains("too long"), "{chain}: {error}");
    }
    let fits = format!("${{{{ 0{} }}}}", " + 1".repeat(90));
    assert_eq!(render(&fits).unwrap().kind, Kind::Number(90.0));
}

proptest! {
    /// No text makes the parser or the evaluation panic.
    #[test]
    fn nothing_panics(text in r#"(\$\{\{|\}\}|[a-c0-9"'\\\[\]{}().,:+*/%!=<>&| \n-]|job|inputs|é){0,40}"#) {
        let _ = render(&text);
    }

    /// A text without `${{` is not changed.
    #[test]
    fn texts_without_expressions_stay(text in r"[^{]{0,60}(\{[^{]{0,20}){0,3}") {
        prop_assume!(!text.contains("${{"));
        prop_assert_eq!(render(&text).unwrap().kind, Kind::String(text));
    }

    /// Every string can be written as a literal in either kind of quotes, and comes back.
    #[test]
    fn literals_come_back(text in "\\PC{0,30}") {
        let single = text.replace('\\', r"\\").replace('\'', r"\'");
        let double = text.replace('\\', r"\\").replace('"', "\\\"").replace("${{", r"\${{");
        for literal in [format!("${{{{ '{single}' }}}}"), format!("${{{{ \"{double}\" }}}}")] {
            prop_assert_eq!(&render(&literal).unwrap().kind, &Kind::String(text.clone()), "{}", literal);
        }
    }

    /// Arithmetic follows precedence and grouping: the same as the machine's own.
    #[test]
    fn arithmetic_is_right(a in 0_u32..1000, b in 0_u32..1000, c in 1_u32..1000) {
        let text = format!("${{{{ {a} - {b} - {c} * 2 + {a} / {c} }}}}");
        let (a, b, c) = (f64::from(a), f64::from(b), f64::from(c));
        prop_assert_eq!(render(&text).unwrap().kind, Kind::Number(a - b - c * 2.0 + a / c));
    }
}
