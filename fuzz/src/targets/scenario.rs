//! Scenario files.

/// A scenario file is read or refused with an error that names the file, never a panic.
pub fn scenario(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = scenarios::scenario::parse("fuzz.yml", &text) {
        assert!(error.to_string().contains("fuzz.yml"), "{error}");
    }
}
