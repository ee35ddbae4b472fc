//! The scenarios that are part of the program, so that `gauntlet` plays them anywhere.

use super::format::Scenario;
use super::loader::{self, ScenarioError};

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// Text of the queueing vectors, as they stand in the specification.
pub const QUEUEING_VECTORS: &str = include_str!("../../catalogue/queueing.yml");

/// Every scenario, by name.
pub fn scenarios() -> Result<Vec<Scenario>, ScenarioError> {
    FILES
        .iter()
        .map(|(name, text)| loader::parse(&format!("catalogue/{name}"), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_valid_and_named_as_its_scenario() {
        for (name, text) in FILES {
            let scenario = match loader::parse(name, text) {
                Ok(scenario) => scenario,
                Err(error) => panic!("{error}"),
            };
            assert_eq!(format!("{}.yml", scenario.name), *name);
            assert!(scenario.about.len() <= 100, "{name}: `about` is one line");
        }
    }
}
