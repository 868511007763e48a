//! The place of the VMM's socket: a folder that nobody else can enter, and nothing of before in it.
//!
//! The VMM makes the socket itself. Whoever can connect holds the whole VM, so the rights are those of the folder and of the process' mask.

use super::error::LaunchError;
use rustix::fs::Mode;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Rights of the folder: the owner's alone.
const FOLDER_RIGHTS: u32 = 0o700;

/// Makes the folder, closes it to others, and removes the socket that a process which has ended left there.
pub(super) fn prepare(socket: &Path) -> Result<(), LaunchError> {
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| LaunchError::Socket { path, source }
    };
    // What the VMM makes from now on is the owner's alone.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    fs::create_dir_all(folder).map_err(wrong(folder))?;
    close(folder).map_err(wrong(folder))?;
    writable(folder).map_err(wrong(folder))?;
    match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(wrong(socket)(error)),
        Ok(found) if !found.file_type().is_socket() => {
            Err(wrong(socket)(io::Error::other("something that is no socket is in its place")))
        }
        Ok(_) if UnixStream::connect(socket).is_ok() => Err(LaunchError::SocketTaken { path: socket.to_owned() }),
        Ok(_) => fs::remove_file(socket).map_err(wrong(socket)),
    }
}

/// Closes a folder to others. One that belongs to another user stays as it is: the socket itself is its owner's alone by the mask.
fn close(folder: &Path) -> io::Result<()> {
    match fs::set_permissions(folder, Permissions::from_mode(FOLDER_RIGHTS)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(folder = %folder.display(), "folder of the socket stays open to others: it belongs to another user");
            Ok(())
        }
        outcome => outcome,
    }
}

/// A folder on a full disk takes no socket either, and a VMM says so in words that name no folder.
fn writable(folder: &Path) -> io::Result<()> {
    let probe = folder.join(".reef-probe");
    let written = fs::write(&probe, [0; 512]);
    let removed = fs::remove_file(&probe);
    written.and(removed)
}
