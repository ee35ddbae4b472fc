//! Unpacks an archive into the project directory, and never elsewhere (RUN-ART-05, RUN-ART-07).

use std::fs::{File, FileTimes, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::archive::go_text;
use super::format::unsupported;

/// First bytes of formats that are no zip.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// What is taken as the target of a symlink at most.
const LINK_BYTES: u64 = 64 << 10;

/// Unpacks `archive` into `root`.
///
/// What stands in the way of an entry is replaced: a file, a link, or a directory that is empty.
pub(super) fn extract(mut archive: File, root: &Path) -> Result<(), String> {
    let mut magic = Vec::new();
    (&mut archive)
        .take(4)
        .read_to_end(&mut magic)
        .and_then(|_| archive.rewind())
        .map_err(|error| go_text(&error))?;
    if magic.starts_with(&ZSTD_MAGIC) {
        return Err(unsupported("tarzstd"));
    }
    if magic.starts_with(&GZIP_MAGIC) {
        return Err(unsupported("gzip"));
    }
    let mut zip = ZipArchive::new(BufReader::new(archive))
        .map_err(|_| "zip: not a valid zip file".to_owned())?;
    let target = Target::new(root)?;
    let mut links = Vec::new();
    let mut directories = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip
            .by_index(index)
            .map_err(|error| format!("entry {index}: {error}"))?;
        let entry = Entry::of(&file, &target)?;
        if file.is_symlink() {
            let mut to = String::new();
            (&mut file)
                .take(LINK_BYTES)
                .read_to_string(&mut to)
                .map_err(|error| format!("{}: {}", entry.path.display(), go_text(&error)))?;
            links.push((entry, to));
        } else if file.is_dir() {
            target.parents(&entry.path)?;
            make_directory(&entry.path)?;
            directories.push(entry);
        } else {
            target.parents(&entry.path)?;
            write_file(&entry, &mut file)?;
        }
    }
    // Links come last, so that no entry of the archive is written through one of its links.
    for (entry, to) in &links {
        target.parents(&entry.path)?;
        make_link(entry, to)?;
    }
    // What was made within a directory changed its time.
    for entry in directories.iter().rev() {
        let failed = |error: io::Error| format!("{}: {}", entry.path.display(), go_text(&error));
        if let Some(mode) = entry.mode {
            entry.set_time().map_err(failed)?;
            std::fs::set_permissions(&entry.path, Permissions::from_mode(mode)).map_err(failed)?;
        }
        entry.give_away();
    }
    Ok(())
}

/// The directory that nothing leaves.
struct Target {
    /// As it is named.
    root: PathBuf,
    /// Without symlinks.
    real: PathBuf,
}

impl Target {
    fn new(root: &Path) -> Result<Target, String> {
        let real = root
            .canonicalize()
            .map_err(|error| format!("{}: {}", root.display(), go_text(&error)))?;
        Ok(Target {
            root: root.to_owned(),
            real,
        })
    }

    fn outside(&self, path: &Path) -> String {
        format!(
            "{} cannot be extracted outside of chroot ({})",
            path.display(),
            self.root.display()
        )
    }

    /// Where the entry `name` goes. An absolute name is one below the root.
    fn place(&self, name: &str) -> Result<PathBuf, String> {
        let joined = self.root.join(name.trim_start_matches('/'));
        let cleaned = PathBuf::from(crate::job::clean_path(&joined.to_string_lossy()));
        let root = PathBuf::from(crate::job::clean_path(&self.root.to_string_lossy()));
        if cleaned.starts_with(&root) && !name.contains('\0') {
            Ok(cleaned)
        } else {
            Err(self.outside(&cleaned))
        }
    }

    /// Makes the directories above `path`. A link on the way that leads out of the root, left there by
    /// an earlier job or the sources, is not followed.
    fn parents(&self, path: &Path) -> Result<(), String> {
        let Ok(inner) = path.strip_prefix(crate::job::clean_path(&self.root.to_string_lossy()))
        else {
            return Err(self.outside(path));
        };
        let mut at = self.root.clone();
        let above = inner.parent().unwrap_or(Path::new(""));
        for component in above.components() {
            let Component::Normal(name) = component else {
                return Err(self.outside(path));
            };
            at.push(name);
            match at.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(metadata) if metadata.is_symlink() => {
                    let real = at
                        .canonicalize()
                        .map_err(|error| format!("{}: {}", at.display(), go_text(&error)))?;
                    if !real.starts_with(&self.real) {
                        return Err(self.outside(path));
                    }
                }
                Ok(_) => return Err(format!("mkdir {}: not a directory", at.display())),
                Err(_) => std::fs::create_dir(&at)
                    .map_err(|error| format!("mkdir {}: {}", at.display(), go_text(&error)))?,
            }
        }
        Ok(())
    }
}

/// What an archive says of a file.
struct Entry {
    path: PathBuf,
    /// Permissions, without setuid, setgid and sticky.
    mode: Option<u32>,
    modified: Option<SystemTime>,
    owner: Option<(u32, u32)>,
}

impl Entry {
    fn of<R: Read>(file: &ZipFile<'_, R>, target: &Target) -> Result<Entry, String> {
        let name = file
            .name()
            .map_err(|error| format!("the name of an entry cannot be read: {error}"))?;
        let path = target.place(&name)?;
        let fields = Fields::read(&file.extra_data().unwrap_or_default());
        let modified = fields.modified.or_else(|| {
            let time = file.last_modified()?;
            let date = jiff::civil::DateTime::new(
                i16::try_from(time.year()).ok()?,
                i8::try_from(time.month()).ok()?,
                i8::try_from(time.day()).ok()?,
                i8::try_from(time.hour()).ok()?,
                i8::try_from(time.minute()).ok()?,
                i8::try_from(time.second()).ok()?,
                0,
            );
            jiff::tz::Offset::UTC
                .to_timestamp(date.ok()?)
                .ok()?
                .as_second()
                .try_into()
                .ok()
        });
        Ok(Entry {
            path,
            mode: file.unix_mode().map(|mode| mode & 0o777),
            modified: modified
                .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(seconds))),
            owner: fields.owner,
        })
    }

    fn set_time(&self) -> io::Result<()> {
        let Some(time) = self.modified else {
            return Ok(());
        };
        File::open(&self.path)?.set_times(FileTimes::new().set_modified(time).set_accessed(time))
    }

    /// Gives a file to the owner that it had. Only root can, and an error is none.
    fn give_away(&self) {
        if let Some((uid, gid)) = self.owner
            && nix::unistd::Uid::effective().is_root()
        {
            let _ = lchown(&self.path, Some(uid), Some(gid));
        }
    }
}

/// What extra fields tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields {
    modified: Option<u32>,
    owner: Option<(u32, u32)>,
}

impl Fields {
    /// Reads `0x5455` (time) and `0x7875` (owner); what is broken is passed over.
    fn read(mut bytes: &[u8]) -> Fields {
        let mut fields = Fields::default();
        while let Some((head, rest)) = bytes.split_at_checked(4) {
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let Some((field, rest)) = rest.split_at_checked(length) else {
                break;
            };
            bytes = rest;
            match (u16::from_le_bytes([head[0], head[1]]), field) {
                (0x5455, [flags, a, b, c, d, ..]) if flags & 1 == 1 => {
                    fields.modified = Some(u32::from_le_bytes([*a, *b, *c, *d]));
                }
                (0x7875, [1, 4, u0, u1, u2, u3, 4, g0, g1, g2, g3]) => {
                    fields.owner = Some((
                        u32::from_le_bytes([*u0, *u1, *u2, *u3]),
                        u32::from_le_bytes([*g0, *g1, *g2, *g3]),
                    ));
                }
                _ => {}
            }
        }
        fields
    }
}

/// Takes away what stands at `path`: a file, a link or an empty directory.
fn clear(path: &Path) -> Result<(), String> {
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    let removed = if metadata.is_dir() {
        std::fs::remove_dir(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.map_err(|error| format!("remove {}: {}", path.display(), go_text(&error)))
}

fn make_directory(path: &Path) -> Result<(), String> {
    if path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir())
    {
        return Ok(());
    }
    clear(path)?;
    std::fs::create_dir(path)
        .map_err(|error| format!("mkdir {}: {}", path.display(), go_text(&error)))
}

fn make_link(entry: &Entry, to: &str) -> Result<(), String> {
    clear(&entry.path)?;
    symlink(to, &entry.path)
        .map_err(|error| format!("symlink {to} {}: {}", entry.path.display(), go_text(&error)))?;
    if let Some(since) = entry
        .modified
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
    {
        let time = TimeSpec::from_duration(since);
        // A file system without times of links is no reason to fail.
        let _ = utimensat(
            nix::fcntl::AT_FDCWD,
            &entry.path,
            &time,
            &time,
            UtimensatFlags::NoFollowSymlink,
        );
    }
    entry.give_away();
    Ok(())
}

fn write_file(entry: &Entry, content: &mut impl Read) -> Result<(), String> {
    clear(&entry.path)?;
    let failed = |error: io::Error| format!("{}: {}", entry.path.display(), go_text(&error));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&entry.path)
        .map_err(failed)?;
    io::copy(content, &mut file).map_err(failed)?;
    entry.give_away();
    if let Some(mode) = entry.mode {
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(failed)?;
    }
    if let Some(time) = entry.modified {
        file.set_times(FileTimes::new().set_modified(time).set_accessed(time))
            .map_err(failed)?;
    }
    Ok(())
}
