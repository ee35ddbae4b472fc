//! `docs/conformance.md` tells the truth.

use std::path::Path;

use scenarios::conform::docs;

/// Every check is proved or explained, nothing is claimed that does not exist, and the page is the one
/// that the generator makes.
#[test]
fn the_conformance_page_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if let Err(problems) = docs::check(&root) {
        let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", list.join("\n"));
    }
}
