//! Packs files while they are sent (runner.md 12).

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flate2::{Compression, GzBuilder};
use tokio::sync::mpsc;
use zip::write::{ExtendedFileOptions, FileOptions, StreamWriter, ZipFileBuilder};
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::files::Files;
use super::format::Format;

/// What is collected before it is handed on.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait to be sent.
const CHUNKS_WAITING: usize = 4;
/// Files up to this size are packed in memory first, to see whether that makes them smaller.
const TRIED_BYTES: u64 = 4 << 20;

/// Header ids of extra fields: uid and gid; modification time.
const OWNER_FIELD: u16 = 0x7875;
/// DOS attribute of a directory.
const DOS_DIRECTORY: u32 = 0x10;

/// The archive as it comes into being; an error ends it. The work stops when nobody listens any more.
pub(super) fn stream(
    format: Format,
    files: Arc<Files>,
    level: u32,
) -> mpsc::Receiver<Result<Bytes, String>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut out = Chunks {
            buffer: BytesMut::with_capacity(CHUNK_BYTES),
            sender: sender.clone(),
        };
        let packed = pack(format, &files, level, &mut out)
            .and_then(|()| out.flush().map_err(|error| error.to_string()));
        if let Err(error) = packed {
            // A receiver that is gone has what it wants.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Hands what is written to a channel, in chunks.
struct Chunks {
    buffer: BytesMut,
    sender: mpsc::Sender<Result<Bytes, String>>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        self.sender
            .blocking_send(Ok(chunk))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Packs `files` into `out`.
pub(super) fn pack(
    format: Format,
    files: &Files,
    level: u32,
    out: &mut dyn Write,
) -> Result<(), String> {
    match format {
        Format::Zip => zip(files, level, out),
        Format::Gzip => gzip(files, level, out),
        Format::Raw => raw(files, out),
    }
}

fn raw(files: &Files, out: &mut dyn Write) -> Result<(), String> {
    let mut entries = files.entries.iter();
    let (Some((path, metadata)), None) = (entries.next(), entries.next()) else {
        return Err("only one file can be sent as raw".to_owned());
    };
    let mut file = open_regular(&files.root, path, metadata)?;
    copy(&mut file, path, out)
}

/// One member per file, with base name and path (recording `artifact-formats`).
fn gzip(files: &Files, level: u32, out: &mut dyn Write) -> Result<(), String> {
    for (path, metadata) in &files.entries {
        let mut file = open_regular(&files.root, path, metadata)?;
        let base = path.rsplit('/').next().unwrap_or(path);
        let mut member = GzBuilder::new()
            .filename(base)
            .comment(path.as_str())
            .mtime(modified(metadata))
            .write(&mut *out, Compression::new(level));
        copy(&mut file, path, &mut member)?;
        member.finish().map_err(|error| go_text(&error))?;
    }
    Ok(())
}

fn open_regular(root: &Path, path: &str, metadata: &Metadata) -> Result<File, String> {
    if !metadata.is_file() {
        return Err(format!("the {path:?} is not a regular file"));
    }
    open(root, path)
}

/// Directories and links come first, by name, then files.
fn zip(files: &Files, level: u32, out: &mut dyn Write) -> Result<(), String> {
    let alone = files.entries.len() == 1;
    let mut writer = ZipWriter::new_stream(out);
    for (path, metadata) in &files.entries {
        let failed = |error: zip::result::ZipError| format!("{path}: {}", zip_text(error));
        let kind = metadata.file_type();
        if kind.is_dir() {
            writer
                .add_directory(path.as_str(), entry_options(metadata)?)
                .map_err(failed)?;
        } else if kind.is_symlink() {
            let target = std::fs::read_link(files.root.join(path))
                .map_err(|error| format!("readlink {path}: {}", go_text(&error)))?;
            writer
                .add_symlink(
                    path.as_str(),
                    target.to_string_lossy(),
                    entry_options(metadata)?,
                )
                .map_err(failed)?;
        }
    }
    for (path, metadata) in &files.entries {
        let kind = metadata.file_type();
        if kind.is_file() {
            let mut file = open(&files.root, path)?;
            zip_file(&mut writer, path, metadata, &mut file, level, alone)?;
        } else if kind.is_socket()
            || kind.is_fifo()
            || kind.is_char_device()
            || kind.is_block_device()
        {
            // They are counted, but no archive holds them.
        }
    }
    writer.finish().map_err(zip_text)?;
    Ok(())
}

/// A file is stored where deflate does not make it smaller; one that is alone is deflated unless it is
/// empty, as in the recordings `artifacts`, `artifact-faults` and `cancels`.
fn zip_file<W: Write>(
    writer: &mut ZipWriter<StreamWriter<W>>,
    path: &str,
    metadata: &Metadata,
    file: &mut File,
    level: u32,
    alone: bool,
) -> Result<(), String> {
    let failed = |error: zip::result::ZipError| format!("{path}: {}", zip_text(error));
    let options = |method| -> Result<Options, String> {
        let options = entry_options(metadata)?.compression_method(method);
        Ok(match method {
            CompressionMethod::Deflated => options.compression_level(Some(i64::from(level))),
            _ => options,
        })
    };
    let method = if level == 0 || metadata.len() == 0 {
        CompressionMethod::Stored
    } else {
        CompressionMethod::Deflated
    };
    if alone || level == 0 || metadata.len() > TRIED_BYTES {
        writer.start_file(path, options(method)?).map_err(failed)?;
        return copy(file, path, writer);
    }
    let mut content = Vec::with_capacity(metadata.len() as usize);
    file.read_to_end(&mut content)
        .map_err(|error| format!("read {path}: {}", go_text(&error)))?;
    let prepare = |method| -> Result<_, String> {
        let mut builder = ZipFileBuilder::new(path, options(method)?).map_err(failed)?;
        builder
            .write_all(&content)
            .map_err(|error| go_text(&error))?;
        builder.finish().map_err(failed)
    };
    let mut prepared = prepare(CompressionMethod::Deflated)?;
    if prepared.compressed_size() >= prepared.uncompressed_size() {
        prepared = prepare(CompressionMethod::Stored)?;
    }
    writer.add_prepared_file(prepared).map_err(failed)
}

type Options = FileOptions<'static, 'static, ExtendedFileOptions>;

/// Mode, owner and time of an entry (RUN-ART-05).
fn entry_options(metadata: &Metadata) -> Result<Options, String> {
    let mut attributes = metadata.mode() << 16;
    if metadata.is_dir() {
        attributes |= DOS_DIRECTORY;
    }
    let mut owner = vec![1, 4];
    owner.extend(metadata.uid().to_le_bytes());
    owner.push(4);
    owner.extend(metadata.gid().to_le_bytes());
    let mut options = Options::default()
        .system(System::Unix)
        .external_attributes(attributes)
        .last_modified_time(dos_time(metadata.mtime()))
        .large_file(metadata.len() >= u64::from(u32::MAX));
    options
        .add_extra_field(OWNER_FIELD, owner, false)
        .map_err(zip_text)?;
    options
        .with_extended_timestamp(Some(modified(metadata)), None, None)
        .map_err(zip_text)
}

/// Seconds since 1970, within what archives can hold.
fn modified(metadata: &Metadata) -> u32 {
    u32::try_from(metadata.mtime().max(0)).unwrap_or(u32::MAX)
}

/// In UTC; the earliest that there is for times before 1980.
fn dos_time(seconds: i64) -> DateTime {
    let Ok(stamp) = jiff::Timestamp::from_second(seconds) else {
        return DateTime::default();
    };
    let time = jiff::tz::Offset::UTC.to_datetime(stamp);
    let part = |number: i8| number.unsigned_abs();
    DateTime::from_date_and_time(
        time.year().unsigned_abs(),
        part(time.month()),
        part(time.day()),
        part(time.hour()),
        part(time.minute()),
        part(time.second()),
    )
    .unwrap_or_default()
}

pub(super) fn open(root: &Path, path: &str) -> Result<File, String> {
    File::open(root.join(path)).map_err(|error| format!("open {path}: {}", go_text(&error)))
}

fn copy(file: &mut File, path: &str, out: &mut dyn Write) -> Result<(), String> {
    io::copy(file, out).map_err(|error| format!("{path}: {}", go_text(&error)))?;
    Ok(())
}

fn zip_text(error: zip::result::ZipError) -> String {
    match error {
        zip::result::ZipError::Io(error) => go_text(&error),
        error => error.to_string(),
    }
}

/// Text of an error of the system as Go writes it: `permission denied`.
pub(super) fn go_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_lowercase(),
        None => text,
    }
}
