//! Formats of artifacts and the names of their files (RUN-ART-04).

/// What an upload is packed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A zip archive.
    Zip,
    /// One gzip member per file, one behind the other: reports.
    Gzip,
    /// One file as it is.
    Raw,
}

impl Format {
    /// The format called `name`; none means zip. GitLab asks for no others than these three; `zipzstd`
    /// and `tarzstd`, which the official runner knows too, are refused like a name that nobody knows.
    pub(super) fn named(name: &str) -> Result<Format, String> {
        match name {
            "" | "zip" => Ok(Format::Zip),
            "gzip" => Ok(Format::Gzip),
            "raw" => Ok(Format::Raw),
            other => Err(unsupported(other)),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Format::Zip => ".zip",
            Format::Gzip => ".gz",
            Format::Raw => "",
        }
    }

    /// File name of an upload called `name`.
    pub(super) fn file_name(self, name: &str) -> String {
        let base = match name.trim_end_matches('/').rsplit('/').next() {
            None | Some("" | ".") => "default",
            Some(base) => base,
        };
        format!("{base}{}", self.suffix())
    }
}

/// What is said of a format that is not supported.
pub(super) fn unsupported(name: &str) -> String {
    format!("{name:?} format: unsupported archive format")
}

/// The level of deflate for `ARTIFACT_COMPRESSION_LEVEL`; 0 stores.
pub(super) fn deflate_level(name: &str) -> u32 {
    match name {
        "fastest" => 0,
        "fast" => 1,
        "" | "default" => 5,
        "slow" => 7,
        "slowest" => 9,
        other => {
            tracing::warn!("compression level {other:?} is invalid, falling back to default");
            5
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves RUN-ART-04.
    ///
    /// Goal: names as in the recordings `artifacts` and `artifact-formats`.
    #[test]
    fn names_of_files() {
        for (format, name, file) in [
            ("zip", "out", "out.zip"),
            ("", "nofmt", "nofmt.zip"),
            ("gzip", "junit.xml", "junit.xml.gz"),
            ("gzip", ".env", ".env.gz"),
            ("raw", "raw1", "raw1"),
            ("zip", "a/b", "b.zip"),
            ("zip", "artifacts", "artifacts.zip"),
            ("zip", "", "default.zip"),
            ("zip", ".", "default.zip"),
        ] {
            assert_eq!(Format::named(format).unwrap().file_name(name), file);
        }
        assert_eq!(
            Format::named("bogus").unwrap_err(),
            "\"bogus\" format: unsupported archive format"
        );
    }
}
