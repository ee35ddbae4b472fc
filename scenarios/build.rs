//! Writes the list of catalogue files, so that a new file is part of the program without being named
//! anywhere else.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// The queueing vectors have a format of their own.
const VECTORS: &str = "queueing.yml";

fn main() -> io::Result<()> {
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("catalogue");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|end| end == "yml") && name != VECTORS {
            names.push(name);
        }
    }
    names.sort();
    let mut code = String::from(
        "/// Names and texts of the catalogue files, by name.\npub const FILES: &[(&str, &str)] = &[\n",
    );
    for name in names {
        let path = folder.join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        let _ = writeln!(
            code,
            "    ({name:?}, include_str!({:?})),",
            path.display().to_string()
        );
    }
    code.push_str("];\n");
    fs::write(
        Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("catalogue.rs"),
        code,
    )
}
