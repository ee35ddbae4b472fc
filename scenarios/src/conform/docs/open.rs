//! Reasons why checks are not proved yet, `docs/conformance-open.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Check, Claim, Problem};

/// Reasons in the order of the file, by check or by a pattern with a trailing `*`.
pub(super) struct Open {
    file: PathBuf,
    reasons: Vec<(String, String, usize)>,
}

/// Reads lines `"ID" = "reason"`; `#` starts a comment line.
///
/// The file is TOML, so that editors know it; only this flat form of it is used.
pub(super) fn parse(text: &str, file: &Path, problems: &mut Vec<Problem>) -> Open {
    let mut reasons = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line
            .strip_prefix('"')
            .and_then(|rest| rest.split_once("\" = \""))
            .and_then(|(id, rest)| Some((id, rest.strip_suffix('"')?)));
        match parts {
            Some((id, reason)) if !reason.trim().is_empty() => {
                reasons.push((id.to_owned(), reason.to_owned(), index + 1));
            }
            _ => problems.push(Problem {
                file: file.into(),
                line: Some(index + 1),
                message: "expected a line such as \"RUN-GIT-12\" = \"needs git-lfs\"".to_owned(),
            }),
        }
    }
    Open {
        file: file.into(),
        reasons,
    }
}

fn covers(pattern: &str, id: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => id.starts_with(start),
        None => pattern == id,
    }
}

impl Open {
    /// The reason of each check that is not proved. The most exact pattern wins.
    pub(super) fn by_check<'a>(
        &'a self,
        checks: &'a [Check],
        proofs: &BTreeMap<&str, Vec<&Claim>>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<&'a str, &'a str> {
        let mut used = vec![false; self.reasons.len()];
        let mut open = BTreeMap::new();
        for check in checks {
            let best = (0..self.reasons.len())
                .filter(|index| covers(&self.reasons[*index].0, &check.id))
                .max_by_key(|index| self.reasons[*index].0.len());
            let proved = proofs.contains_key(check.id.as_str());
            match best {
                _ if proved => {}
                Some(index) => {
                    used[index] = true;
                    open.insert(check.id.as_str(), self.reasons[index].1.as_str());
                }
                None => problems.push(Problem {
                    file: self.file.clone(),
                    line: None,
                    message: format!(
                        "check {} is proved by no test; add a test that says `Proves {}.`, or a reason here",
                        check.id, check.id
                    ),
                }),
            }
        }
        for (index, (pattern, _, line)) in self.reasons.iter().enumerate() {
            if used[index] {
                continue;
            }
            let proof = checks
                .iter()
                .filter(|check| covers(pattern, &check.id))
                .find_map(|check| proofs.get(check.id.as_str()));
            problems.push(Problem {
                file: self.file.clone(),
                line: Some(*line),
                message: match proof.and_then(|claims| claims.first()) {
                    Some(claim) => format!(
                        "`{pattern}` is proved by {}; remove this reason",
                        claim.place()
                    ),
                    None => format!("`{pattern}` gives a reason for no check; remove it"),
                },
            });
        }
        open
    }
}
