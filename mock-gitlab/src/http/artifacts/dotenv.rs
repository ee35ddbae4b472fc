//! `dotenv` reports: the server reads them, later jobs get their variables.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use protocol::Field;
use protocol::job_payload::Variable;

/// Longest report, bytes, unpacked.
const MAX_BYTES: u64 = 5 * 1024;
/// Most variables of a report.
const MAX_VARIABLES: usize = 20;
/// Longest packed report that is looked at, bytes.
pub(super) const MAX_PACKED: u64 = 64 * 1024;

/// Variables of a packed report; `Err` is the message of the answer 400.
pub(super) fn read(packed: &[u8]) -> Result<Vec<Variable>, &'static str> {
    let mut text = String::new();
    MultiGzDecoder::new(packed)
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|_| "Invalid Format")?;
    if text.len() as u64 > MAX_BYTES {
        return Err("Dotenv Artifact Too Big. Maximum Allowable Size: 5120");
    }
    let variables = text.lines().map(line).collect::<Result<Vec<_>, _>>()?;
    if variables.len() > MAX_VARIABLES {
        return Err("Dotenv files cannot have more than 20 variables");
    }
    Ok(variables)
}

fn line(line: &str) -> Result<Variable, &'static str> {
    let (key, value) = line.split_once('=').ok_or("Invalid Format")?;
    let (key, value) = (key.trim(), value.trim());
    let valid = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err("Validation failed: Key can contain only letters, digits and '_'.");
    }
    Ok(Variable {
        key: Field::from(key),
        value: Field::from(value),
        public: Field::Value(false),
        masked: Field::Value(false),
        ..Variable::default()
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines() {
        let mut report = packed("A=1\nB_2 = two = 2 \n");
        // The runner packs every file of a report by itself and joins them.
        report.extend(packed("C=\n"));
        let variables: Vec<(String, String)> = read(&report)
            .unwrap()
            .into_iter()
            .map(|variable| (variable.key.get(), variable.value.get()))
            .collect();
        let expected = [("A", "1"), ("B_2", "two = 2"), ("C", "")];
        assert_eq!(
            variables,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn reports_that_are_none() {
        let many = "K=v\n".repeat(21);
        let long = format!("A={}", "x".repeat(5120));
        for (report, message) in [
            (packed("A"), "Invalid Format"),
            (packed("A=1\n\nB=2\n"), "Invalid Format"),
            (b"A=1\n".to_vec(), "Invalid Format"),
            (
                packed("=1"),
                "Validation failed: Key can contain only letters, digits and '_'.",
            ),
            (
                packed(&many),
                "Dotenv files cannot have more than 20 variables",
            ),
            (
                packed(&long),
                "Dotenv Artifact Too Big. Maximum Allowable Size: 5120",
            ),
        ] {
            assert_eq!(read(&report), Err(message));
        }
    }
}
