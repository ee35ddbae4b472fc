//! What `register` asks once the executor is known, and what of an entry that executor keeps
//! (runner.md 2.3).

use super::Failure;
use super::prompt::Prompt;
use crate::config::{Section, Value};

/// Executors that can be registered (runner.md 1).
pub(super) const EXECUTORS: [&str; 11] = [
    "custom",
    "docker",
    "docker-windows",
    "docker+machine",
    "docker-autoscaler",
    "instance",
    "kubernetes",
    "ssh",
    "parallels",
    "virtualbox",
    "shell",
];

/// Tables that belong to executors.
const TABLES: [&str; 9] = [
    "instance",
    "ssh",
    "docker",
    "parallels",
    "virtualbox",
    "machine",
    "kubernetes",
    "custom",
    "autoscaler",
];

/// Tables that an executor keeps.
fn kept(executor: &str) -> &'static [&'static str] {
    match executor {
        "docker" | "docker-windows" => &["docker"],
        "docker+machine" => &["docker", "machine"],
        "docker-autoscaler" => &["docker", "autoscaler"],
        "instance" => &["instance", "autoscaler"],
        "kubernetes" => &["kubernetes"],
        "ssh" => &["ssh"],
        "parallels" => &["ssh", "parallels"],
        "virtualbox" => &["ssh", "virtualbox"],
        "custom" => &["custom"],
        _ => &[],
    }
}

/// A question: table, key, name in errors, text, and whether it may stay empty.
type Question = (&'static str, &'static str, &'static str, &'static str, bool);

const IMAGE: Question = (
    "docker",
    "image",
    "docker-image",
    "Enter the default Docker image (for example, ruby:3.3):",
    false,
);
const PARALLELS: Question = (
    "parallels",
    "base_name",
    "parallels-vm",
    "Enter the Parallels VM (for example, my-vm):",
    false,
);
const VIRTUALBOX: Question = (
    "virtualbox",
    "base_name",
    "virtualbox-vm",
    "Enter the VirtualBox VM (for example, my-vm):",
    false,
);
const SERVER: [Question; 2] = [
    (
        "ssh",
        "host",
        "ssh-server",
        "Enter the SSH server address (for example, my.server.com):",
        false,
    ),
    (
        "ssh",
        "port",
        "ssh-server-port",
        "Enter the SSH server port (for example, 22):",
        true,
    ),
];
const LOGIN: [Question; 3] = [
    (
        "ssh",
        "user",
        "ssh-user",
        "Enter the SSH user (for example, root):",
        false,
    ),
    (
        "ssh",
        "password",
        "ssh-password",
        "Enter the SSH password (for example, docker.io):",
        true,
    ),
    (
        "ssh",
        "identity_file",
        "ssh-identity-file",
        "Enter the path to the SSH identity file (for example, /home/user/.ssh/id_rsa):",
        true,
    ),
];

fn questions(executor: &str) -> Vec<Question> {
    match executor {
        "docker" | "docker-windows" | "docker+machine" | "docker-autoscaler" => vec![IMAGE],
        "ssh" => [&SERVER[..], &LOGIN].concat(),
        "parallels" => [&[PARALLELS][..], &SERVER].concat(),
        "virtualbox" => [&[VIRTUALBOX][..], &LOGIN].concat(),
        _ => Vec::new(),
    }
}

/// Asks what the executor needs and drops the tables of others.
pub(super) fn settle(prompt: Prompt, executor: &str, entry: &mut Section) -> Result<(), Failure> {
    for (table, key, name, text, may_be_empty) in questions(executor) {
        let given = entry
            .table(table)
            .map(|table| table.text(key).to_owned())
            .unwrap_or_default();
        let answer = prompt.ask(name, text, &given, may_be_empty)?;
        entry.set_at(&[table, key], Value::Text(answer));
    }
    for table in TABLES {
        if !kept(executor).contains(&table) {
            entry.unset(table);
        }
    }
    for table in kept(executor) {
        // Also when nothing in it is set; an autoscaler must be written by hand.
        if *table != "autoscaler" && *table != "instance" {
            let _ = entry.table_mut(table);
        }
    }
    match executor {
        "docker-windows" => {
            if entry.text("shell").is_empty() {
                entry.set("shell", Value::Text("pwsh".to_owned()));
            }
            add_volume(entry, "c:\\cache");
        }
        "docker" | "docker+machine" | "docker-autoscaler" if wants_cache_volume(entry) => {
            add_volume(entry, "/cache");
        }
        "shell" if cfg!(windows) && entry.text("shell").is_empty() => {
            entry.set("shell", Value::Text("pwsh".to_owned()));
        }
        _ => {}
    }
    Ok(())
}

/// Unless there is one already or `disable_cache` is on (RUN-CLI-13).
fn wants_cache_volume(entry: &Section) -> bool {
    entry.table("docker").is_none_or(|docker| {
        let has_one = docker
            .list("volumes")
            .iter()
            .any(|volume| volume.rsplit(':').next() == Some("/cache"));
        !has_one && docker.boolean("disable_cache") != Some(true)
    })
}

fn add_volume(entry: &mut Section, volume: &str) {
    let mut volumes = entry
        .table("docker")
        .map(|docker| docker.list("volumes").to_vec())
        .unwrap_or_default();
    volumes.push(volume.to_owned());
    entry.set_at(&["docker", "volumes"], Value::List(volumes));
}
