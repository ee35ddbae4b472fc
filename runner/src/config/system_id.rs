//! `.runner_system_id` beside the configuration (runner.md 3.1, RUN-CFG-10 to 12).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::Sha256;

use crate::random::Random;

const MACHINE_ID_FILES: [&str; 2] = ["/var/lib/dbus/machine-id", "/etc/machine-id"];

/// The file for the configuration at `config`.
pub fn path(config: &Path) -> PathBuf {
    config.with_file_name(".runner_system_id")
}

/// Whether `id` has the form of a system id: `s_` or `r_` and 12 letters or digits.
pub fn is_valid(id: &str) -> bool {
    let Some(rest) = id.strip_prefix("s_").or_else(|| id.strip_prefix("r_")) else {
        return false;
    };
    rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The id of this machine: from its machine id, else random.
pub fn generate(random: &Random) -> String {
    let machine_id = MACHINE_ID_FILES
        .iter()
        .find_map(|file| fs::read_to_string(file).ok())
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty());
    match machine_id {
        Some(id) => from_machine_id(&id),
        None => random.with(|generator| {
            const ALPHABET: &[u8; 62] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
            let mut id = String::from("r_");
            for _ in 0..12 {
                id.push(char::from(ALPHABET[generator.random_range(0..62)]));
            }
            id
        }),
    }
}

/// `s_` and the first 12 hex digits of HMAC-SHA256 with the machine id as key over `gitlab-runner`.
pub fn from_machine_id(machine_id: &str) -> String {
    use std::fmt::Write as _;
    let mut id = String::from("s_");
    // HMAC takes a key of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(machine_id.as_bytes()) {
        mac.update(b"gitlab-runner");
        for byte in mac.finalize().into_bytes().iter().take(6) {
            let _ = write!(id, "{byte:02x}");
        }
    }
    id
}

/// The id in the file beside `config`; made and written if there is none that is valid. A file that
/// cannot be written is only a warning.
pub fn load_or_create(config: &Path, random: &Random) -> io::Result<String> {
    let path = path(config);
    match fs::read_to_string(&path) {
        Ok(text) if is_valid(text.trim()) => return Ok(text.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = generate(random);
    match write_private(&path, &id) {
        Ok(()) => tracing::info!(system_id = id, "Created missing unique system ID"),
        Err(error) => tracing::warn!(
            state_file = %path.display(),
            system_id = id,
            error = %error,
            "Couldn't save new system ID on state file. In order to reliably identify this runner in jobs with a known identifier,\nplease ensure there is a text file at the location specified in `state_file` with the contents of `system_id`."
        ),
    }
    Ok(id)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}
