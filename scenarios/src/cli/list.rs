//! `gauntlet list`.

use comfy_table::{Table, presets};
use serde_json::json;

use super::args::ListArgs;
use super::output::out;
use super::select;
use crate::scenario::catalogue;
use crate::session::library;

pub(super) fn list(args: &ListArgs) -> Result<u8, String> {
    let scenarios = catalogue::scenarios().map_err(|error| error.to_string())?;
    let vectors = select::vectors()?;
    let recordings: Vec<&str> = library::names().collect();
    if args.json {
        let scenarios: Vec<_> = scenarios
            .iter()
            .map(|scenario| {
                let clocks: Vec<String> = scenario.clocks.iter().map(ToString::to_string).collect();
                json!({"name": scenario.name, "about": scenario.about, "clocks": clocks,
                    "proves": scenario.proves})
            })
            .collect();
        let vectors: Vec<String> = vectors
            .iter()
            .map(|vector| format!("QUE-{}", vector.id))
            .collect();
        let all = json!({"version": 1, "scenarios": scenarios, "vectors": vectors,
            "recordings": recordings});
        out(&format!("{all:#}\n"));
        return Ok(0);
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["scenario", "clocks", "what"]);
    for scenario in &scenarios {
        let clocks: Vec<String> = scenario.clocks.iter().map(ToString::to_string).collect();
        table.add_row([
            scenario.name.clone(),
            clocks.join(", "),
            scenario.about.clone(),
        ]);
    }
    out(&format!("{}\n", trimmed(&table)));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["queue vector"]);
    for vector in &vectors {
        table.add_row([format!("QUE-{}", vector.id)]);
    }
    out(&format!("\n{}\n", trimmed(&table)));
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["recording (gauntlet replay)"]);
    for name in recordings {
        table.add_row([name]);
    }
    out(&format!("\n{}\n", trimmed(&table)));
    Ok(0)
}

fn trimmed(table: &Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}
