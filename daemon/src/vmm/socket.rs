//! The file of a VMM's socket, held open from the checks to the connection: what was checked is what is connected.
//!
//! The container can write in the socket's folder, and could put a link or another file there between two looks at a path.
//! Nothing is sent here, and who listens is asked elsewhere.

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Rights that let others than the owner connect: whoever can write to a socket can connect to it.
const OTHERS_WRITE: u32 = 0o022;
/// The user whose sockets are taken besides the VMM's own: in a Pod with users of its own, files of its root are this one's.
const ROOT: u32 = 0;

/// A socket, held by a descriptor that can be used for nothing but to name it.
pub(super) struct SocketFile {
    file: OwnedFd,
    owner: Owner,
}

impl SocketFile {
    /// Opens what is at `path` if it is a socket. Neither the name nor its folder may be a link: a link in a volume that a
    /// container can write may point anywhere on the node. A pipe or a device in its place is not waited for.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        let named = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = fs::open(folder, named | OFlags::DIRECTORY, Mode::empty()).map_err(closed)?;
        let file = fs::openat(&folder, name, named, Mode::empty()).map_err(closed)?;
        let found = fs::fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
            return Err(io::Error::other("it is not a socket; a link or another file in its place is not followed"));
        }
        let owner = Owner { uid: found.st_uid, gid: found.st_gid, mode: found.st_mode & 0o7777 };
        Ok(Self { file, owner })
    }

    /// A path that leads to this very file, whatever its name leads to by now; for as long as `self` lives. It is short
    /// as well: the path of a volume does not fit into a socket's address.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Whose it is.
    pub(super) const fn owner(&self) -> Owner {
        self.owner
    }
}

/// Says whose word it is where the way to a socket is closed.
fn closed(error: Errno) -> io::Error {
    match error {
        Errno::ACCESS => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "permission denied: its folder is closed to this user; run the daemon as root",
        ),
        error => error.into(),
    }
}

/// What the kernel means by "try again": nobody takes the clients that wait.
const QUEUE_IS_FULL: &str = "other clients wait at the socket already and nobody takes them: the VMM hangs, or it serves \
                             another client for long; end that client";

/// Who may connect to a socket: the VMM makes it for its own user alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl Owner {
    /// Refuses a socket that others can connect to: whoever connects holds the whole VM.
    pub(super) fn is_alone(self) -> io::Result<()> {
        let Self { uid, gid, mode } = self;
        if mode & OTHERS_WRITE == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the socket of uid {uid} and gid {gid} has mode {mode:04o}, so that others can use it; \
             close it to all but its owner (chmod go-w)"
        )))
    }

    /// Refuses a socket that another user made than the one who listens at it.
    pub(super) fn is_listener(self, listener: u32) -> io::Result<()> {
        let uid = self.uid;
        if uid == listener || uid == ROOT {
            return Ok(());
        }
        Err(io::Error::other(format!("the socket belongs to uid {uid}, and uid {listener} listens at it")))
    }

    /// Says what the kernel's word means, where people can do something about it.
    pub(super) fn explain(self, error: io::Error) -> io::Error {
        let Self { uid, gid, mode } = self;
        let message = match error.kind() {
            io::ErrorKind::PermissionDenied => format!(
                "permission denied: the socket belongs to uid {uid} and gid {gid} with mode {mode:04o}; \
                 run the daemon as that user or as root"
            ),
            io::ErrorKind::WouldBlock => QUEUE_IS_FULL.to_owned(),
            _ => return error,
        };
        io::Error::new(error.kind(), message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    const OWNER: Owner = Owner { uid: 107, gid: 36, mode: 0o700 };

    #[test]
    fn a_socket_that_may_not_be_used_is_told_with_its_owner_and_mode() {
        let told = OWNER.explain(io::ErrorKind::PermissionDenied.into()).to_string();
        let expected = "permission denied: the socket belongs to uid 107 and gid 36 with mode 0700; \
                        run the daemon as that user or as root";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_full_queue_is_told_as_what_it_is() {
        assert_eq!(OWNER.explain(io::ErrorKind::WouldBlock.into()).to_string(), QUEUE_IS_FULL);
    }

    #[test]
    fn other_failures_are_told_as_they_are() {
        assert_eq!(OWNER.explain(io::ErrorKind::NotFound.into()).kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_was_checked_is_connected_though_another_takes_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (name, other) = (folder.path().join("ch.sock"), folder.path().join("other.sock"));
        let (checked, planted) = (UnixListener::bind(&name).unwrap(), UnixListener::bind(&other).unwrap());
        let file = SocketFile::open(&name).unwrap();
        std::fs::rename(&other, &name).unwrap();
        let mut stream = UnixStream::connect(file.path()).unwrap();
        stream.write_all(b"x").unwrap();
        assert_eq!(checked.accept().unwrap().0.read(&mut [0; 2]).unwrap(), 1);
        planted.set_nonblocking(true).unwrap();
        assert_eq!(planted.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_socket_is_its_owners_alone_by_its_mode() {
        for mode in [0o700, 0o755, 0o600, 0o1700] {
            assert!(Owner { mode, ..OWNER }.is_alone().is_ok(), "{mode:o}");
        }
        for mode in [0o777, 0o770, 0o720, 0o702] {
            let told = Owner { mode, ..OWNER }.is_alone().unwrap_err().to_string();
            assert!(told.contains(&format!("uid 107 and gid 36 has mode {mode:04o}")), "{told}");
        }
    }

    #[test]
    fn a_socket_belongs_to_who_listens_or_to_root() {
        assert!(OWNER.is_listener(107).is_ok());
        assert!(Owner { uid: 0, ..OWNER }.is_listener(231_072).is_ok());
        let told = OWNER.is_listener(0).unwrap_err().to_string();
        assert_eq!(told, "the socket belongs to uid 107, and uid 0 listens at it");
    }
}
