//! Local helper.
use std::path::Path;
fn main() {
    match scenarios::conform::docs::generate(Path::new(".")) {
        Ok(c) => println!("{c:?}"),
        Err(p) => {
            for p in p {
                println!("{p}");
            }
            std::process::exit(1)
        }
    }
}
