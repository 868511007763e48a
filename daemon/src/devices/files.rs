//! Looks at files of the node: which one it is, and whether a device can be used.
//!
//! Looks only. A device is opened once for each node that it is seen as, and closed at once.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::decide::devices::{Device, Mark};

/// Which file a name leads to now.
///
/// # Errors
/// Where it leads to none, or cannot be seen.
pub(super) fn mark(path: &Path) -> io::Result<Mark> {
    std::fs::symlink_metadata(path).map(|file| mark_of(&file))
}

fn mark_of(file: &Metadata) -> Mark {
    let nanoseconds = u64::try_from(file.ctime_nsec()).unwrap_or_default();
    Mark { device: file.dev(), inode: file.ino(), changed: (file.ctime(), nanoseconds) }
}

/// One device of the node, and what was seen of it last.
#[derive(Debug)]
pub(super) struct DeviceNode {
    path: PathBuf,
    usable: Option<Mark>,
}

impl DeviceNode {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, usable: None }
    }

    /// How the device is now. A node that could be used before is not opened again: that may be work for its driver.
    pub(super) async fn look(&mut self) -> Device {
        let Ok(file) = std::fs::metadata(&self.path) else { return Device::Missing };
        if !file.file_type().is_char_device() {
            return Device::Unusable;
        }
        let mark = mark_of(&file);
        if self.usable != Some(mark) {
            self.usable = (!has_no_driver(&self.path).await).then_some(mark);
        }
        if self.usable.is_some() { Device::Usable } else { Device::Unusable }
    }
}

/// Whether the kernel says that nothing is behind a device node. udev makes nodes of drivers that are not loaded yet, also of those that cannot be:
/// the first to open one loads its driver. That this process may not open it says nothing about the device.
async fn has_no_driver(path: &Path) -> bool {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = tokio::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).await;
    let code = opened.err().and_then(|error| error.raw_os_error());
    [Errno::NODEV, Errno::NXIO].into_iter().any(|none| code == Some(none.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn a_device_is_what_leads_to_a_device_node_and_its_absence_is_seen_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut node = DeviceNode::new(at("kvm"));
        assert_eq!(node.look().await, Device::Missing);
        symlink("/dev/null", at("kvm")).unwrap();
        assert_eq!(node.look().await, Device::Usable);
        std::fs::remove_file(at("kvm")).unwrap();
        assert_eq!(node.look().await, Device::Missing);
        std::fs::write(at("kvm"), "").unwrap();
        assert_eq!(node.look().await, Device::Unusable);
    }

    /// Needs root, which alone may make device nodes; without it nothing is looked at.
    #[tokio::test]
    async fn a_node_without_a_driver_is_no_device() {
        use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvm");
        // A major number that Linux has reserved for nobody.
        let made = mknodat(CWD, &path, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(511, 7));
        if made == Err(Errno::PERM) {
            return;
        }
        made.unwrap();
        assert_eq!(DeviceNode::new(path).look().await, Device::Unusable);
    }
}
