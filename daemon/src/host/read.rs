//! Reading small files of the kernel: capped, and never a panic on what they say.

use super::HostError;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read of one file. A list of processes of a container with one VMM is far smaller.
const CAP_BYTES: u64 = 64 << 10;
/// The most entries of a folder: threads of a process. No VMM takes more than 4,096 vCPUs, and each entry is a file to read.
const CAP_ENTRIES: usize = 8192;
/// Characters of a file's text that an error repeats.
const ECHO_CHARACTERS: usize = 60;

/// Reads a file as text, without the white space around it.
pub(super) fn text(path: &Path) -> Result<String, HostError> {
    let failed = |source| HostError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(CAP_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) >= CAP_BYTES {
        return Err(failed(io::Error::other("the file is larger than it can be")));
    }
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Reads a whole number.
pub(super) fn number(path: &Path) -> Result<u64, HostError> {
    let text = text(path)?;
    text.parse().map_err(|_| unexpected(path, "a whole number", &text))
}

/// Lists the names in a folder, sorted. A part of them is none: a vCPU that is not counted would be held by nobody.
pub(super) fn names(path: &Path) -> Result<Vec<PathBuf>, HostError> {
    let failed = |source| HostError::Read { path: path.to_owned(), source };
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.path());
        if names.len() > CAP_ENTRIES {
            return Err(failed(io::Error::other(format!("it has more than {CAP_ENTRIES} entries"))));
        }
    }
    names.sort();
    Ok(names)
}

/// Opens a folder, and not what a link of its name points at.
pub(super) fn folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// The error for a text that says what it cannot.
pub(super) fn unexpected(path: &Path, expected: &'static str, found: &str) -> HostError {
    let found = found.chars().take(ECHO_CHARACTERS).collect();
    HostError::Unexpected { path: path.to_owned(), expected, found }
}

/// Whether an error says that a file is not there (any more).
pub(super) fn is_gone(error: &HostError) -> bool {
    /// No such process: what a read below `/proc` says when the process ends in between.
    const ESRCH: i32 = 3;
    match error {
        HostError::Read { source, .. } => {
            source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(ESRCH)
        }
        HostError::BadName { .. }
        | HostError::NoCgroup { .. }
        | HostError::NoVmm { .. }
        | HostError::SeveralVmms { .. }
        | HostError::ProcessChanged { .. }
        | HostError::Locked { .. }
        | HostError::Unexpected { .. } => false,
    }
}
