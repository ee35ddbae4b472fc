//! The queue vectors against the world itself.

use mock_gitlab::vectors::VectorFile;

fn file() -> VectorFile {
    VectorFile::parse(include_str!("../../scenarios/catalogue/queueing.yml"))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_file_decodes() {
    assert_eq!(file().vectors.len(), 36);
}
