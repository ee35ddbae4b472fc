//! The report for machines: one JSON object, format version 1.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Line, Verdict, exit_code};

/// Version of the format. It grows when a member changes its meaning or goes; new members may come.
const VERSION: u32 = 1;

/// The report.
pub fn report(lines: &[Line], seed: Option<u64>, took: Duration) -> Value {
    let results: Vec<Value> = lines.iter().map(result).collect();
    json!({
        "version": VERSION,
        "seed": seed,
        "took_ms": milliseconds(took),
        "passed": exit_code(lines) == 0,
        "results": results,
    })
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn result(line: &Line) -> Value {
    let mut result = json!({
        "name": line.name,
        "clock": line.clock.map(|clock| clock.to_string()),
        "about": line.about,
        "proves": line.proves,
        "took_ms": milliseconds(line.took),
        "verdict": line.verdict.word(),
    });
    match &line.verdict {
        Verdict::Passed => {}
        Verdict::Open(reason) => result["reason"] = json!(reason),
        Verdict::Broken(problem) => result["problem"] = json!(problem),
        Verdict::Failed(mismatches) => {
            let mismatches: Vec<Value> = mismatches
                .iter()
                .map(|mismatch| {
                    json!({
                        "what": mismatch.what,
                        "expected": mismatch.expected,
                        "seen": mismatch.seen,
                    })
                })
                .collect();
            result["mismatches"] = json!(mismatches);
        }
    }
    result
}
