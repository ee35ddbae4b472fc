//! Properties of any output, however it is cut into writes.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use runner::trace::{LogOptions, Masks};

use super::masks::{DEFAULT_PREFIXES, PHRASES};
use super::support::{contains, cut, joined, lines, masked, options, written};

/// What follows a prefix or parameter; it stands nowhere else.
const TOKEN: &str = "tok3n_Value";
const VALUE: &str = "urlv4lue";

/// Pieces that make the masks work: phrases, halves of them, prefixes, parameters, line ends, characters
/// that are not whole.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let whole = prop::sample::select(PHRASES.to_vec()).prop_map(|text| text.as_bytes().to_vec());
    let half = (prop::sample::select(PHRASES.to_vec()), 0usize..24).prop_map(|(text, at)| {
        let bytes = text.as_bytes();
        bytes[..at.min(bytes.len())].to_vec()
    });
    let token = prop::sample::select(DEFAULT_PREFIXES.to_vec())
        .prop_map(|prefix| format!("{prefix}{TOKEN}").into_bytes());
    let bare =
        prop::sample::select(DEFAULT_PREFIXES.to_vec()).prop_map(|text| text.as_bytes().to_vec());
    let url = prop::sample::select(vec!["?private_token=", "&X-Amz-Signature=", "&RSS_token="])
        .prop_map(|name| format!("{name}{VALUE}").into_bytes());
    let other = prop::sample::select(vec![
        &b"\n"[..],
        b"\r",
        b"\r\n",
        b" ",
        b"a",
        b"aa",
        b"x ",
        b"[MASKED]",
        b"[MAS",
        b"\x1b[0m",
        b"\xff",
        b"\xe2\x82",
        b"\xac",
        "漢".as_bytes(),
        b"?private_",
        b"?",
        b"gl",
        b"-",
    ])
    .prop_map(<[u8]>::to_vec);
    let long = (b'.'..=b'/', 0usize..9000).prop_map(|(byte, count)| vec![byte; count]);
    prop_oneof![
        4 => whole,
        4 => half,
        2 => token,
        1 => bare,
        2 => url,
        12 => other,
        1 => long,
    ]
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..30).prop_map(|pieces| pieces.concat())
}

/// Some cuts close together at the start, where most inputs are, and some anywhere.
fn cuts() -> impl Strategy<Value = Vec<usize>> {
    (vec(0usize..120, 0..12), vec(0usize..20_000, 0..6))
        .prop_map(|(near, far)| [near, far].concat())
}

fn log_of(timestamps: bool, writes: &[&[u8]]) -> Vec<u8> {
    // Built once: that takes longer than a case.
    static MASKS: OnceLock<Masks> = OnceLock::new();
    let masks = MASKS.get_or_init(|| Masks::new(PHRASES, DEFAULT_PREFIXES));
    let options = LogOptions {
        masks: masks.clone(),
        ..options(timestamps)
    };
    written(options, writes)
}

/// The text of a stamped log of one stream.
fn text_of(log: &[u8]) -> Vec<u8> {
    if log.is_empty() {
        return Vec::new();
    }
    joined(&lines(log).expect("whole headers"), "01O")
}

/// Phrases masked in the plainest way: every byte of every occurrence, one mask for those that overlap.
fn masked_plainly(input: &[u8], phrases: &[&str]) -> Vec<u8> {
    let mut phrases: Vec<&[u8]> = phrases
        .iter()
        .map(|phrase| phrase.trim().as_bytes())
        .filter(|phrase| !phrase.is_empty())
        .collect();
    phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
    let mut out = Vec::new();
    let mut covered = 0;
    for at in 0..input.len() {
        if let Some(phrase) = phrases
            .iter()
            .find(|phrase| input[at..].starts_with(phrase))
        {
            if at >= covered {
                out.extend_from_slice(b"[MASKED]");
            }
            covered = covered.max(at + phrase.len());
        }
        if at >= covered {
            out.push(input[at]);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Goal: without timestamps, the log is the same for every split into writes.
    ///
    /// Proves RUN-LOG-06, RUN-LOG-10.
    #[test]
    fn the_log_does_not_depend_on_writes(input in input(), cuts in cuts()) {
        let whole = log_of(false, &[&input]);
        prop_assert_eq!(log_of(false, &cut(&input, &cuts)), whole);
    }

    /// Goal: with timestamps, the lines, joined, are the log without timestamps; an open line gets its
    /// newline.
    ///
    /// Proves RUN-LOG-04, RUN-LOG-05.
    #[test]
    fn joined_lines_are_the_text(input in input(), cuts in cuts()) {
        let mut plain = log_of(false, &[&input]);
        if !plain.is_empty() && plain.last() != Some(&b'\n') {
            plain.push(b'\n');
        }
        let stamped = text_of(&log_of(true, &cut(&input, &cuts)));
        prop_assert_eq!(
            String::from_utf8_lossy(&stamped),
            String::from_utf8_lossy(&plain)
        );
    }

    /// Goal: nothing that is to be masked stands in the log or in its joined lines.
    ///
    /// Proves RUN-LOG-06, RUN-LOG-07, RUN-LOG-08.
    #[test]
    fn nothing_masked_appears(input in input(), cuts in cuts()) {
        let writes = cut(&input, &cuts);
        let stamped = log_of(true, &writes);
        for log in [log_of(false, &writes), text_of(&stamped), stamped] {
            for phrase in PHRASES {
                let phrase = phrase.trim().as_bytes();
                prop_assert!(phrase.is_empty() || !contains(&log, phrase), "{:?}", phrase);
            }
            prop_assert!(!contains(&log, TOKEN.as_bytes()));
            prop_assert!(!contains(&log, VALUE.as_bytes()));
        }
    }

    /// Goal: phrases are masked as in the plainest way of doing it.
    ///
    /// Proves RUN-LOG-06.
    #[test]
    fn masking_is_the_plain_one(
        input in vec(prop::sample::select(b"aaabbc".to_vec()), 0..60),
        phrases in vec("[a-c]{1,4}", 0..5),
        cuts in vec(0usize..60, 0..8),
    ) {
        let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
        let seen = written(masked(false, &phrases, &[]), &cut(&input, &cuts));
        let plain = masked_plainly(&input, &phrases);
        prop_assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&plain));
    }

    /// Goal: the same where starts of long phrases are everywhere, so that the search changes its way.
    ///
    /// Proves RUN-LOG-06.
    #[test]
    fn many_false_starts(
        input in vec(prop::sample::select(b"aaaaaaaaaaaaaaaaaaaabc".to_vec()), 0..300),
        phrases in vec("a{2,40}[bc]", 1..4),
        cuts in vec(0usize..300, 0..8),
    ) {
        let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
        let seen = written(masked(false, &phrases, &[]), &cut(&input, &cuts));
        let plain = masked_plainly(&input, &phrases);
        prop_assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&plain));
    }

    /// Goal: the same where phrases overlap everywhere, so that they are searched all at once.
    ///
    /// Proves RUN-LOG-06.
    #[test]
    fn many_overlaps(
        input in vec(prop::sample::select(b"aaaaaaaaaaaabab-".to_vec()), 0..300),
        phrases in vec("a{1,40}|(ab){1,9}|a{0,9}ba{0,9}", 1..5),
        cuts in vec(0usize..300, 0..8),
    ) {
        let phrases: Vec<&str> = phrases.iter().map(String::as_str).collect();
        let seen = written(masked(false, &phrases, &[]), &cut(&input, &cuts));
        let plain = masked_plainly(&input, &phrases);
        prop_assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&plain));
    }

    /// Goal: both pipes of a stage keep their own partial lines, whatever the order of writes.
    ///
    /// Proves RUN-LOG-14.
    #[test]
    fn pipes_do_not_mix(
        writes in vec((any::<bool>(), prop::sample::select(vec!["a", "b\n", "c\r", "d\ne"])), 0..20),
    ) {
        let log = super::support::log(super::support::options(true));
        let (mut out, mut err) = log.stream();
        let mut expected = [String::new(), String::new()];
        for (to_err, text) in &writes {
            expected[usize::from(*to_err)].push_str(text);
            if *to_err { err.write(text.as_bytes()) } else { out.write(text.as_bytes()) }
        }
        drop((out, err));
        log.close();
        let bytes = super::support::bytes(&log);
        let lines = if bytes.is_empty() { Vec::new() } else { lines(&bytes).expect("headers") };
        for (expected, stream) in expected.iter_mut().zip(["01O", "01E"]) {
            if !expected.is_empty() && !expected.ends_with('\n') {
                expected.push('\n');
            }
            let seen = joined(&lines, stream);
            prop_assert_eq!(String::from_utf8_lossy(&seen), expected.as_str());
        }
    }
}

/// A long phrase that overlaps itself at every byte: with a look at each occurrence this would take minutes.
#[test]
fn a_phrase_that_overlaps_itself() {
    let phrase = "a".repeat(8 * 1024);
    let text = "a".repeat(1024 * 1024);
    let log = written(
        masked(false, &[&phrase, "a"], &[]),
        &[text.as_bytes(), b"\n"],
    );
    assert_eq!(String::from_utf8_lossy(&log), "[MASKED]\n");
}
