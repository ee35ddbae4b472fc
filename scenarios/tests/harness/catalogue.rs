//! The whole catalogue, in the clocks that each scenario names. Scenario files say which checks they
//! prove; here they are played.

use super::program::{gauntlet, text};

#[test]
fn everything_passes_in_virtual_time() {
    let output = gauntlet(&["run", "--clock", "virtual"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn everything_passes_with_real_processes() {
    let output = gauntlet(&["run", "--clock", "real"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}
