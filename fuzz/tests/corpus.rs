//! Every target over its corpus, and over small changes of it.

use std::path::Path;

/// Changed inputs per file of a corpus.
const CHANGES: u64 = 40;

/// Longest input, so that a test takes no longer when somebody commits a big one.
const LENGTH_MAX: usize = 64 * 1024;

/// A small generator (SplitMix64): the changes are the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }
}

/// Up to four edits: a byte set, a piece cut, doubled or moved.
fn changed(input: &[u8], random: &mut Random) -> Vec<u8> {
    const BYTES: &[u8] = b"\0\xff\"{}[]:,-0919\\\n\r \xc3\xf0e.u";
    let mut output = input.to_vec();
    for _ in 0..=random.below(4) {
        let from = random.below(output.len());
        let to = (from + random.below(8)).min(output.len());
        match random.below(4) {
            0 if !output.is_empty() => output[from] = BYTES[random.below(BYTES.len())],
            1 => drop(output.drain(from..to)),
            2 => {
                let piece = output[from..to].to_vec();
                output.splice(from..from, piece);
            }
            _ => output.insert(from.min(output.len()), BYTES[random.below(BYTES.len())]),
        }
    }
    output
}

#[test]
fn every_target_holds_over_its_corpus() {
    for (name, target) in fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .flatten()
            .map(|entry| entry.path())
            .collect();
        if *name == "scenario" {
            // The catalogue, and what waits to get in, is the best corpus of scenario files.
            for folder in ["../scenarios/catalogue", "../scenarios/waiting"] {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
                let found = std::fs::read_dir(folder).into_iter().flatten();
                files.extend(found.flatten().map(|entry| entry.path()));
            }
        }
        files.sort();
        assert!(!files.is_empty(), "{} has no corpus", folder.display());
        let mut random = Random(7);
        for file in files {
            let mut input = std::fs::read(&file).expect("a corpus file can be read");
            input.truncate(LENGTH_MAX);
            // Printed by the test harness only when the target panics.
            println!("{name}: {}", file.display());
            target(&input);
            for change in 0..CHANGES {
                println!("{name}: {} change {change}", file.display());
                target(&changed(&input, &mut random));
            }
        }
    }
}
