//! The part of the official JSON schema that refuses values of the right type (runner.md 2.2, 3.1).

use std::fmt::Write as _;

use super::file::Config;

const SHELLS: [&str; 6] = ["", "bash", "sh", "cmd", "powershell", "pwsh"];

impl Config {
    /// What the schema says against the entries, in its words; `None` if nothing. `lint` refuses such a file;
    /// every other command only says it, at level info.
    pub fn schema_problems(&self) -> Option<String> {
        let mut problems = String::new();
        for (index, entry) in self.runners().iter().enumerate() {
            for (key, value) in [("token", &entry.token), ("url", &entry.url)] {
                if value.is_empty() {
                    let _ = write!(
                        problems,
                        "\n- at '/runners/{index}/{key}': minLength: got 0, want 1"
                    );
                }
            }
            if !SHELLS.contains(&entry.shell.as_str()) {
                let _ = write!(
                    problems,
                    "\n- at '/runners/{index}/shell': value must be one of 'bash', 'cmd', 'powershell', 'pwsh', 'sh', ''"
                );
            }
        }
        if problems.is_empty() {
            return None;
        }
        let here = std::env::current_dir().unwrap_or_default();
        Some(format!(
            "jsonschema validation failed with 'file://{}/config_schema.json#'{problems}",
            here.display()
        ))
    }

    /// Says what speaks against a file that was loaded: templates of cgroups that do not tell slots apart
    /// (recording `save-forms`), and what the schema has against it.
    pub fn say_schema_problems(&self) {
        for entry in self.entries() {
            let template = entry.text("slot_cgroup_template");
            let on = entry.boolean("use_slot_cgroups") == Some(true);
            if on && !template.is_empty() && !template.contains("${slot}") {
                tracing::warn!(
                    config_name = "slot_cgroup_template",
                    template,
                    "Slot cgroup template does not contain ${{slot}} placeholder. All jobs will use the same cgroup, defeating the purpose of slot-based isolation. Consider using a template like 'gitlab-runner/slot-${{slot}}'"
                );
            }
        }
        if let Some(problems) = self.schema_problems() {
            tracing::info!(
                "There might be a problem with your config based on jsonschema annotations in common/config.go (experimental feature):\n{problems}\n"
            );
        }
    }
}
