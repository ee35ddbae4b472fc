use std::fs::{metadata, remove_file, symlink_metadata};
use std::io::ErrorKind;

use super::StageOutput;

/// What a stage comes to, where that is so little that starting a shell takes longer than all of it.
///
/// For an executor whose stages run beside the manager, as its user, in a shell whose profile neither says
/// nor does anything that a job could see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainWork {
    /// Paths that must be there.
    pub present: Vec<String>,
    /// Paths that must not be there.
    pub absent: Vec<String>,
    /// Files that must have no content, or not be there.
    pub empty: Vec<String>,
    /// Files that are deleted.
    pub remove: Vec<String>,
    /// What the script prints.
    pub output: String,
}

impl PlainWork {
    /// Does it. `false`: the script must run after all; what was done until then does not disturb it.
    pub fn carry_out(&self, output: &mut StageOutput) -> bool {
        let exists = |path: &String| symlink_metadata(path).is_ok();
        let has_content = |path: &String| metadata(path).is_ok_and(|file| file.len() > 0);
        if !self.present.iter().all(exists)
            || self.absent.iter().any(exists)
            || self.empty.iter().any(has_content)
        {
            return false;
        }
        for path in &self.remove {
            if let Err(error) = remove_file(path)
                && error.kind() != ErrorKind::NotFound
            {
                return false;
            }
        }
        if !self.output.is_empty() {
            output.out.write(self.output.as_bytes());
        }
        true
    }
}
