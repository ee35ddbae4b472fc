use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use bytes::Bytes;

/// Where the bytes of a log wait for delivery. They stay until the job is over, because the server may
/// ask for them again (wire.md 4.4).
#[derive(Debug)]
pub struct Spool(Kind);

#[derive(Debug)]
enum Kind {
    File(File),
    Memory(Vec<u8>),
}

impl Spool {
    /// A file in `directory`. It has no name, so it is gone with the process, however that ends.
    pub fn file_in(directory: &Path) -> io::Result<Self> {
        Ok(Spool(Kind::File(tempfile::tempfile_in(directory)?)))
    }

    /// A file in the directory for temporary files.
    pub fn file() -> io::Result<Self> {
        Ok(Spool(Kind::File(tempfile::tempfile()?)))
    }

    /// Memory, for virtual time and tests.
    pub fn memory() -> Self {
        Spool(Kind::Memory(Vec::new()))
    }

    /// Writes `bytes` at `offset`, which is the end.
    pub(super) fn append(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::File(file) => file.write_all_at(bytes, offset),
            Kind::Memory(memory) => {
                memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Reads `length` bytes from `offset` on. The caller asks only for what was appended.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        match &self.0 {
            Kind::File(file) => {
                // The position is nobody else's: bytes are written at an offset. Read this way, the memory
                // need not be cleared first.
                let mut bytes = Vec::with_capacity(length);
                let mut file: &File = file;
                file.seek(SeekFrom::Start(offset))?;
                file.take(length as u64).read_to_end(&mut bytes)?;
                if bytes.len() < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(bytes.into())
            }
            Kind::Memory(memory) => {
                let start = offset as usize;
                memory
                    .get(start..start + length)
                    .map(Bytes::copy_from_slice)
                    .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}
