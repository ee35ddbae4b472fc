//! Writes the lists of catalogue files and recordings, so that a new file is part of the program without
//! being named anywhere else.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The queueing vectors have a format of their own.
const VECTORS: &str = "queueing.yml";

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let root = Path::new(&root);
    let folder = root.join("catalogue");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = sorted(&folder)?;
    names.retain(|name| {
        Path::new(name).extension().is_some_and(|end| end == "yml") && name != VECTORS
    });
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
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("catalogue.rs"), code)?;
    fs::write(Path::new(&out).join("recordings.rs"), recordings(root)?)
}

/// Files of every folder below `recordings`: one compressed piece each, as they are text that repeats.
fn recordings(root: &Path) -> io::Result<String> {
    let folder = root.join("recordings");
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    let mut code = String::from(
        "/// Names and packed files of the recordings, by name.\npub const RECORDINGS: &[(&str, &[u8])] = &[\n",
    );
    for recording in sorted(&folder)? {
        if !folder.join(&recording).is_dir() {
            continue;
        }
        let packed = Path::new(&out).join(format!("{recording}.zz"));
        let mut pack = ZlibEncoder::new(fs::File::create(&packed)?, Compression::default());
        for file in sorted(&folder.join(&recording))? {
            let bytes = fs::read(folder.join(&recording).join(&file))?;
            for part in [file.as_bytes(), &bytes] {
                pack.write_all(
                    &u32::try_from(part.len())
                        .map_err(io::Error::other)?
                        .to_le_bytes(),
                )?;
                pack.write_all(part)?;
            }
        }
        pack.finish()?;
        let _ = writeln!(
            code,
            "    ({recording:?}, include_bytes!({:?})),",
            packed.display().to_string()
        );
    }
    code.push_str("];\n");
    Ok(code)
}

/// Names in a folder, sorted.
fn sorted(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
