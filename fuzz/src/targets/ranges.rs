//! Headers of log patches, URLs and tokens.

use protocol::path::api_base;
use protocol::token::{SHORT_LENGTH, short};
use protocol::trace::{ContentRange, content_range_start, resync_offset};

/// Header values, URLs and tokens of any kind are read without a panic, and what we write ourselves is
/// read back.
pub fn ranges(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let start = content_range_start(&text);
    let offset = resync_offset(Some(&text));
    for (first, length) in [(start.min(u64::MAX / 2), 5), (offset, 1)] {
        let written = ContentRange { first, length }.to_string();
        assert_eq!(content_range_start(&written), first, "{written}");
    }
    if let Ok(base) = api_base(&text) {
        assert!(base.ends_with('/'), "{base}");
        assert!(
            base.starts_with("http://") || base.starts_with("https://"),
            "{base}"
        );
    }
    let shortened = short(&text);
    assert!(shortened.chars().count() <= SHORT_LENGTH);
    assert!(text.contains(shortened));
}
