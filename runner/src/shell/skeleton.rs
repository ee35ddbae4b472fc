//! What stands around the body of every sh and bash script (runner.md 10.1, RUN-SH-02, RUN-SH-06).

use super::quote::Quoting;

/// Options of the skeleton.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skeleton {
    /// `CI_DEBUG_TRACE`: print every command.
    pub xtrace: bool,
    /// `FF_USE_LEGACY_BASH_EVAL`: feed the body through a pipe.
    pub legacy_eval: bool,
    /// Quoting of the body.
    pub quoting: Quoting,
    /// The body is the runner's own and starts nothing that lasts: it needs no process of its own to keep
    /// the rest of the script from it.
    pub own: bool,
}

impl Skeleton {
    /// The whole script for `shell` (`bash` or `sh`), as the shell reads it from its standard input.
    ///
    /// The body is one quoted word, or one group, so the shell has read all of it before the first command
    /// runs, and a command of the job cannot eat the script. It stands on line 7, and bash counts its lines
    /// from there: `bash: line 107: …` in recordings.
    pub fn wrap(self, shell: &str, body: &str) -> String {
        if self.own && shell == "bash" && !self.xtrace && !self.legacy_eval {
            return format!(
                "#!/usr/bin/env bash\n\ntrap 'exit 1' TERM\nset -o pipefail\nset -o errexit\n\
                 set +o noclobber; {{\n{body}}} < /dev/null\nexit 0\n"
            );
        }
        let body = self.quoting.word(body);
        let mut script = format!("#!/usr/bin/env {shell}\n\ntrap 'exit 1' TERM\n");
        if self.xtrace {
            script.push_str("set -o xtrace\n");
        }
        script.push_str(if shell == "bash" && !self.xtrace {
            // To ask costs a process.
            "set -o pipefail\n"
        } else {
            "case \"$(set -o)\" in *pipefail*) set -o pipefail ;; esac\n"
        });
        script.push_str("set -o errexit\nset +o noclobber\n");
        if self.legacy_eval {
            script.push_str(": | eval ");
            script.push_str(&body);
            script.push('\n');
        } else {
            // The subshell resets traps, so it needs its own.
            script.push_str("(trap 'exit 1' TERM; eval ");
            script.push_str(&body);
            script.push_str(") < /dev/null\n");
        }
        script.push_str("exit 0\n");
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the body begins on line 7, as line numbers in the messages of recordings show.
    #[test]
    fn body_is_on_line_seven() {
        let script = Skeleton::default().wrap("bash", "echo hi\n");
        let line = script.lines().nth(6).unwrap();
        assert_eq!(line, "(trap 'exit 1' TERM; eval $'echo hi\\n') < /dev/null");
        let own = Skeleton {
            own: true,
            ..Skeleton::default()
        };
        let script = own.wrap("bash", "echo hi\n");
        assert_eq!(script.lines().nth(6), Some("echo hi"));
        assert_eq!(script.lines().nth(7), Some("} < /dev/null"));
        let seen = own.wrap("sh", "echo hi\n");
        assert!(seen.contains("\n(trap 'exit 1' TERM; eval "), "{seen}");
    }
}
