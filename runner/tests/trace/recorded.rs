//! Recorded logs, made again from what their lines say was written: the same bytes must come out.

use std::path::{Path, PathBuf};

use runner::executor::ManagerLines;
use runner::job::LogSink;
use runner::trace::{JobLog, LogStream, Spool};

use super::support::{HandClock, Line, bytes, lines, options};

const RESET: &str = "\x1b[0;m";

fn recordings() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(here.join("../scenarios/recordings")).expect("recordings");
    let mut files: Vec<PathBuf> = folders
        .map(|folder| folder.expect("folder").path())
        .filter(|path| path.is_dir())
        .chain([here.join("tests/data/trace")])
        .flat_map(|folder| std::fs::read_dir(folder).expect("folder"))
        .map(|file| file.expect("file").path())
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".log") && name != "runner.log"
        })
        .collect();
    files.sort();
    files
}

/// Plays a log: every line is written at its time, by the call that makes such lines.
struct Player {
    clock: HandClock,
    log: JobLog,
    /// Of the current stage.
    out: LogStream,
    err: LogStream,
}

impl Player {
    fn new() -> Self {
        let clock = HandClock::new();
        let log = JobLog::new(
            options(true),
            std::sync::Arc::new(clock.clone()),
            Spool::memory(),
        );
        let (out, err) = log.stream();
        Player {
            clock,
            log,
            out,
            err,
        }
    }

    /// Plays `lines`; what the manager wrote as several lines at once gets the time of the first.
    fn play(mut self, lines: &mut [Line], name: &str) -> Vec<u8> {
        for at in 0..lines.len() {
            let line = lines[at].clone();
            let later = &lines[at + 1..];
            let next = later.iter().find(|other| other.stream == line.stream);
            self.clock.set(line.time);
            if line.stream == "00O" {
                let count = self.manager(&lines[at..], name);
                let time = line.time;
                for part in lines.iter_mut().skip(at + 1).take(count - 1) {
                    part.time = time;
                    "played".clone_into(&mut part.stream);
                }
                continue;
            }
            let mut text = line.text.clone();
            // An added newline was not written.
            if !next.is_some_and(|next| next.continues) {
                text.push(b'\n');
            }
            match line.stream.as_str() {
                "01O" => self.out.write(&text),
                "01E" => self.err.write(&text),
                "played" => {}
                other => panic!("{name}: a line of stream {other}"),
            }
        }
        drop((self.out, self.err));
        self.log.close();
        bytes(&self.log)
    }

    /// Plays the first of `lines`, or as many as the manager wrote at once; how many that were.
    fn manager(&mut self, lines: &[Line], name: &str) -> usize {
        let first = String::from_utf8(lines[0].text.clone()).expect("text");
        let log = self.log.clone();
        let second = |rest: &str| {
            let (second, section) = rest.split_once(':').expect("a section");
            assert_eq!(second, lines[0].time.as_second().to_string(), "{name}");
            section.to_owned()
        };
        if let Some(marker) = first.strip_suffix("\r\x1b[0K") {
            let (out, err) = log.stream();
            (self.out, self.err) = (out, err);
            if let Some(rest) = marker.strip_prefix("section_start:") {
                log.section_start(&second(rest));
            } else if let Some(rest) = marker.strip_prefix("section_end:") {
                log.section_end(&second(rest));
            } else {
                panic!("{name}: {first:?}");
            }
            return 1;
        }
        let mut count = 1;
        let mut text = first;
        while !text.ends_with(RESET) {
            let more = &lines[count];
            assert_eq!(more.stream, "00O", "{name}: {text:?}");
            text = format!("{text}\n{}", String::from_utf8_lossy(&more.text));
            count += 1;
        }
        let last = lines.len() == count;
        let text = text.strip_suffix(RESET).expect("a reset");
        if let Some(title) = text.strip_prefix("\x1b[0K\x1b[36;1m") {
            log.title(title.strip_suffix(RESET).expect("a reset"));
        } else if let Some(text) = text.strip_prefix("\x1b[0K") {
            log.println(text);
        } else if let Some(text) = text.strip_prefix("\x1b[0;33mWARNING: ") {
            log.warningln(text);
        } else if let Some(text) = text.strip_prefix("\x1b[31;1mERROR: ") {
            if last {
                log.result_failure(text);
            } else {
                log.errorln(text);
            }
        } else if let Some(text) = text.strip_prefix("\x1b[32;1m") {
            if last {
                log.result_success(text);
            } else {
                log.infoln(text);
            }
        } else {
            panic!("{name}: {text:?}");
        }
        count
    }
}

/// Goal: every recorded log with timestamps comes out byte for byte: headers, markers, colours, places
/// where lines are broken off, partial lines of both pipes, the result line.
///
/// Proves RUN-LOG-02, RUN-LOG-03, RUN-LOG-04, RUN-LOG-05, RUN-LOG-13, RUN-LOG-14.
#[test]
fn recorded_logs_come_out_again() {
    let mut played = 0;
    for file in recordings() {
        let name = file.display().to_string();
        let recorded = std::fs::read(&file).expect("a log");
        // Without timestamps, cut by the limit, or ended by a kill.
        let Some(mut lines) = lines(&recorded) else {
            continue;
        };
        let made = Player::new().play(&mut lines, &name);
        let expected: Vec<u8> = lines
            .iter()
            .zip(recorded.split(|byte| *byte == b'\n'))
            .flat_map(|(line, bytes)| {
                // Only the fraction of some manager lines was changed, see `play`.
                let time = line.time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
                [time.as_bytes(), &bytes[27..], b"\n"].concat()
            })
            .collect();
        assert_eq!(
            String::from_utf8_lossy(&made),
            String::from_utf8_lossy(&expected),
            "{name}"
        );
        played += 1;
    }
    assert!(played >= 60, "{played} logs");
}

/// Goal: without `trace_sections` there are no markers.
///
/// Proves RUN-LOG-02.
#[test]
fn markers_only_where_wanted() {
    let log = super::support::log(runner::trace::LogOptions {
        trace_sections: false,
        ..options(false)
    });
    log.section_start("get_sources");
    log.title("Getting source from Git repository");
    log.section_end("get_sources");
    log.close();
    let expected = "\x1b[0K\x1b[36;1mGetting source from Git repository\x1b[0;m\x1b[0;m\n";
    assert_eq!(String::from_utf8_lossy(&bytes(&log)), expected);
}
