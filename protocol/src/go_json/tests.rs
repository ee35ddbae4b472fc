//! The short way reads what the long way reads, or leaves it alone.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{from_slice_as_go, plain};
use crate::field::Field;
use crate::info::Info;
use crate::{JobPayload, JobRequest, JobUpdate, UpdateState};

/// One of everything that types of the wire are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Everything {
    on: bool,
    small: i32,
    number: i64,
    count: u64,
    ratio: f64,
    text: String,
    texts: Vec<String>,
    table: BTreeMap<String, i64>,
    maybe: Option<Box<Everything>>,
    #[serde(skip_serializing_if = "Field::is_absent")]
    field: Field<Vec<Everything>>,
    kind: Kind,
    wrapped: Wrapped,
    any: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    #[serde(rename = "")]
    None,
    One,
    Two,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wrapped(i64);

fn agree<T: DeserializeOwned + PartialEq + std::fmt::Debug>(body: &[u8]) -> bool {
    match plain::from_slice::<T>(body) {
        Some(short) => {
            let long = from_slice_as_go::<T>(body).expect("the short way took it");
            assert_eq!(short, long, "{}", String::from_utf8_lossy(body));
            true
        }
        None => false,
    }
}

/// JSON text around the members of `Everything`: right and wrong types, names in other cases,
/// repeated members, unknown ones, nulls.
fn json(depth: u32) -> BoxedStrategy<String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<u64>().prop_map(|value| value.to_string()),
        (-9i64..9).prop_map(|value| value.to_string()),
        Just("1.5".to_owned()),
        Just("2.0".to_owned()),
        Just("1e3".to_owned()),
        "[a-z\u{e9}]{0,3}".prop_map(|text| format!("{text:?}")),
        Just(r#""one""#.to_owned()),
        Just(r#""\ud800""#.to_owned()),
    ];
    if depth == 0 {
        return scalar.boxed();
    }
    let name = prop_oneof![
        8 => prop::sample::select(vec![
            "on", "small", "number", "count", "ratio", "text", "texts", "table", "maybe", "field",
            "kind", "wrapped", "any",
        ])
        .prop_map(str::to_owned),
        1 => Just("Text".to_owned()),
        1 => Just("TABLE".to_owned()),
        1 => "[a-z]{1,3}",
    ];
    let item = json(depth - 1);
    prop_oneof![
        2 => scalar,
        1 => prop::collection::vec(item.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        3 => prop::collection::vec((name, item), 0..6).prop_map(|members| {
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{name:?}:{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        }),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn both_ways_agree_on_any_json(body in json(3), tail in prop_oneof![4 => Just(""), 1 => Just(" x")]) {
        agree::<Everything>(format!("{body}{tail}").as_bytes());
    }
}

/// What an encoder of ours writes takes the short way; otherwise it would be no short way.
#[test]
fn encoded_values_are_plain() {
    let everything = Everything {
        on: true,
        small: -1,
        number: i64::MIN,
        count: u64::MAX,
        ratio: 1.5,
        text: "é\n".to_owned(),
        texts: vec![String::new()],
        table: BTreeMap::from([("a".to_owned(), 1)]),
        maybe: Some(Box::default()),
        field: Field::Value(vec![Everything::default()]),
        kind: Kind::Two,
        wrapped: Wrapped(5),
        any: serde_json::json!({"a": [1, null, {"A": 1.5}]}),
    };
    assert!(agree::<Everything>(
        &serde_json::to_vec(&everything).unwrap()
    ));
    assert!(agree::<JobRequest>(
        &serde_json::to_vec(&JobRequest::default()).unwrap()
    ));
    assert!(agree::<JobUpdate>(
        &serde_json::to_vec(&JobUpdate::new(Info::default(), "t", UpdateState::Failed)).unwrap()
    ));
}

/// Bodies of real sessions, as every type that takes an object.
#[test]
fn both_ways_agree_on_recorded_bodies() {
    let (mut short, mut all) = (0, 0);
    for line in include_str!("../../tests/recorded-bodies.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(body) = line["body"].as_str() else {
            continue;
        };
        all += 1;
        short += usize::from(agree::<JobRequest>(body.as_bytes()));
        short += usize::from(agree::<JobPayload>(body.as_bytes()));
        short += usize::from(agree::<JobUpdate>(body.as_bytes()));
    }
    assert!(short > 0 && all > 0, "{short} of {all}");
}

/// Each of these could be read in two ways, so the short way leaves it alone.
#[test]
fn odd_bodies_go_the_long_way() {
    for body in [
        r#"{"Token":"a"}"#,
        r#"{"token":"a","token":"b"}"#,
        r#"{"token":null}"#,
        r#"{"unknown":1}"#,
        r#"{"info":[]}"#,
        "[]",
        r#"{"token":"a"} x"#,
        r#"{"token":"\ud800"}"#,
        "",
        "null",
    ] {
        assert!(
            plain::from_slice::<JobRequest>(body.as_bytes()).is_none(),
            "{body}"
        );
    }
}
