//! Looking at the files that a VM boots from, before a VMM does: its kernel and its disks.
//!
//! A VMM's own words about a missing file are many and differ; these are few and say what to do. Nothing is changed here.

use super::error::LaunchError;
use crate::decide::launch::{Backing, BackingKind};
use reef_api::boot::{DiskFile, KernelFiles};
use reef_api::vm::DiskFormat;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// The first bytes of a qcow2 image.
const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";
/// Where a qcow2 image names the place of its backing file's name, as eight bytes: all zero where there is none.
const QCOW2_BACKING: std::ops::Range<usize> = 8..16;
/// Where a qcow2 image tells its version, as four bytes.
const QCOW2_VERSION: std::ops::Range<usize> = 4..8;
/// The first version whose head tells features that a reader has to know.
const QCOW2_WITH_FEATURES: [u8; 4] = [0, 0, 0, 3];
/// The last byte of these features, and its bit for guest data that is in a file of its own.
const QCOW2_EXTERNAL_DATA: (usize, u8) = (79, 1 << 2);
/// A head with these features.
const QCOW2_HEAD_BYTES: u64 = 80;

/// Checks that a kernel and its initial RAM file system are there.
pub(super) fn kernel(files: &KernelFiles) -> Result<(), LaunchError> {
    readable("kernel", &files.path)?;
    files.initramfs.iter().try_for_each(|path| readable("initial RAM file system", path))
}

fn readable(what: &'static str, path: &str) -> Result<(), LaunchError> {
    let wrong = |source| LaunchError::Kernel { what, path: path.into(), source };
    let found = open(Path::new(path), false, OFlags::empty()).and_then(|file| file.metadata()).map_err(wrong)?;
    match (found.is_file(), found.len()) {
        (false, _) => Err(wrong(io::Error::other("it is not a file"))),
        (true, 0) => Err(wrong(io::Error::other("it is empty"))),
        (true, _) => Ok(()),
    }
}

/// Looks at a disk as a VMM would open it.
pub(super) fn disk(disk: &DiskFile) -> Result<Backing, LaunchError> {
    let path = Path::new(&disk.path);
    let wrong = |source| LaunchError::Disk { name: disk.name.clone(), path: path.to_owned(), source };
    let odd = |odd| LaunchError::DiskOdd { name: disk.name.clone(), path: path.to_owned(), odd };
    let mut file = open(path, !disk.read_only, OFlags::empty()).map_err(wrong)?;
    let found = file.metadata().map_err(wrong)?;
    let kind = match (found.is_file(), found.file_type().is_block_device()) {
        (true, _) if found.len() == 0 => return Err(odd("it is empty; fill the volume")),
        (true, _) => BackingKind::File,
        (false, true) => BackingKind::Device,
        (false, false) => return Err(odd("it is neither a file nor a block device; look at the volume's volumeMode")),
    };
    if disk.format == DiskFormat::Qcow2 {
        qcow2(&mut file).map_err(wrong)?.map_or(Ok(()), |found| Err(odd(found)))?;
    }
    Ok(Backing { kind, direct: open(path, !disk.read_only, OFlags::DIRECT).is_ok() })
}

/// Opens what is in this very place: what fills a volume may have left a link to a file that is not its own, or a pipe,
/// whose opening would wait for a writer for ever.
fn open(path: &Path, write: bool, more: OFlags) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | more;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let opened = OpenOptions::new().read(true).write(write).custom_flags(flags).open(path);
    opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a symbolic link"),
        Some(_) | None => error,
    })
}

/// What is wrong with a qcow2 image. One that names another file would let its maker read any
/// file that the VMM can.
fn qcow2(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut head = Vec::new();
    file.take(QCOW2_HEAD_BYTES).read_to_end(&mut head)?;
    if !head.starts_with(&QCOW2_MAGIC) {
        return Ok(Some("it is not a qcow2 image; leave spec.instance.disks[].format out"));
    }
    let backing = head.get(QCOW2_BACKING).is_none_or(|place| place.iter().any(|byte| *byte != 0));
    if backing {
        return Ok(Some("it is a qcow2 image with a backing file; flatten it by qemu-img convert"));
    }
    let external = has_external_data(&head);
    Ok(external.then_some("it is a qcow2 image with an external data file; flatten it by qemu-img convert"))
}

/// Whether the data is in another file. A head that is too short to tell it counts as one that does.
fn has_external_data(head: &[u8]) -> bool {
    let (byte, bit) = QCOW2_EXTERNAL_DATA;
    let tells = head.get(QCOW2_VERSION).is_none_or(|version| *version >= QCOW2_WITH_FEATURES[..]);
    tells && head.get(byte).is_none_or(|features| features & bit != 0)
}
