//! All that a replay needs, in one temporary folder: files, repositories, addresses, the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::git;
use super::place::Place;
use super::plan::Plan;
use super::ports;
use super::recording::Recording;
use super::replay::{Options, ReplayError, io_error};
use super::script::Script;
use super::stand_in::{self, StandIn};
use super::tls;

/// System id of the recorded runner.
const SYSTEM_ID: &str = "s_0123456789ab";

/// Where a replay is played.
pub(super) struct Stage {
    pub(super) place: Place,
    /// Folder that stands for `/srv`.
    pub(super) root: PathBuf,
    pub(super) home: PathBuf,
    pub(super) program: PathBuf,
    pub(super) stand_in: Arc<StandIn>,
}

/// Where the server is.
pub(super) struct Addresses {
    /// The server's own address, then those of other hosts.
    pub(super) listeners: Vec<TcpListener>,
    pub(super) tls: Option<TlsAcceptor>,
}

impl Stage {
    /// Writes all files and opens the server's ports.
    pub(super) async fn set(
        recording: &Recording,
        plan: &Plan,
        options: &Options,
        temp: &Path,
    ) -> Result<(Stage, Addresses), ReplayError> {
        let folder = |name: &str| {
            let path = temp.join(name);
            fs::create_dir_all(&path)
                .map(|()| path)
                .map_err(io_error(format!("temporary folder {name}")))
        };
        let (root, home, repositories) = (folder("srv")?, folder("srv/home")?, folder("git")?);
        git::recover(&recording.exchanges, &repositories)?;
        let mut listeners = Vec::new();
        let mut open = async || {
            let (listener, address) = stand_in::listen()
                .await
                .map_err(io_error("loopback port"))?;
            listeners.push(listener);
            Ok::<String, ReplayError>(address.to_string())
        };
        let host = open().await?;
        let mut hosts = Vec::new();
        for name in &plan.hosts {
            hosts.push((name.clone(), open().await?));
        }
        let mut chosen = Vec::new();
        for port in &plan.ports {
            chosen.push((*port, ports::choose().map_err(io_error("free port"))?));
        }
        let place = Place {
            root: root.display().to_string(),
            host,
            machine: hostname::get()
                .map(|name| name.to_string_lossy().into_owned())
                .map_err(io_error("host name"))?,
            hosts,
            ports: chosen,
            rewrite: plan.rewrite.clone().into_iter().collect(),
            // Whole seconds, so that times keep their form.
            shift: recording.began.filter(|_| plan.shift_times).map(|began| {
                SignedDuration::from_secs(Timestamp::now().as_second() - began.as_second())
            }),
        };
        let tls = if plan.tls {
            Some(tls::set(&root.join("certs")).map_err(ReplayError::Tls)?)
        } else {
            None
        };
        write(recording, plan, &place, &root, &home)?;
        let program = options
            .program
            .link_in(&temp.join("bin"))
            .map_err(io_error("link to the runner"))?;
        let stage = Stage {
            stand_in: StandIn::new(
                Script::new(&recording.exchanges),
                place.clone(),
                repositories,
                plan,
            ),
            place,
            root,
            home,
            program,
        };
        Ok((stage, Addresses { listeners, tls }))
    }
}

/// Writes what is there before the first command.
fn write(
    recording: &Recording,
    plan: &Plan,
    place: &Place,
    root: &Path,
    home: &Path,
) -> Result<(), ReplayError> {
    let write = |folder: &Path, name: &str, text: &str| {
        fs::write(folder.join(name), text).map_err(io_error(name.to_owned()))
    };
    if let Some(config) = &recording.config_before {
        write(root, "config.toml", &place.transpose(config))?;
    }
    write(root, ".runner_system_id", SYSTEM_ID)?;
    for (name, text) in &plan.home {
        write(home, name, text)?;
    }
    for name in &plan.given {
        let text = recording.files.get(name).ok_or_else(|| {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            io_error(format!("file {name} of the recording"))(missing)
        })?;
        write(root, name, &place.transpose(text))?;
    }
    for (name, text) in &plan.files {
        write(root, name, &place.transpose(text))?;
    }
    Ok(())
}
