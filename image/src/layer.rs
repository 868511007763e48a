//! The files of an image, and the tar that they become.
//!
//! Sorted by path, without times and without the names of users: two machines that have the same files write the same bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    Text(String),
    File(PathBuf),
    Link(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    entry: Entry,
    mode: u32,
    owner: u64,
}

/// The files of an image, by their paths without the slash in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer(BTreeMap<PathBuf, Placed>);

impl Layer {
    /// Everything below a folder, with its modes; links stay links.
    ///
    /// # Errors
    /// Something in it cannot be read.
    pub fn below(root: &Path) -> Result<Self> {
        let mut layer = Self::default();
        layer.take(root, Path::new("")).with_context(|| format!("{} cannot be read", root.display()))?;
        Ok(layer)
    }

    fn take(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let (from, to) = (entry.path(), folder.join(entry.file_name()));
            let file = fs::symlink_metadata(&from)?;
            let mode = file.permissions().mode() & 0o7777;
            if file.is_dir() {
                self.place(&to, Entry::Folder, mode, 0);
                self.take(root, &to)?;
            } else if file.is_symlink() {
                self.place(&to, Entry::Link(fs::read_link(&from)?), 0o777, 0);
            } else {
                self.place(&to, Entry::File(from), mode, 0);
            }
        }
        Ok(())
    }

    /// A folder that a user may write in.
    pub fn folder(&mut self, path: &str, owner: u64) -> &mut Self {
        self.place(Path::new(path), Entry::Folder, 0o755, owner)
    }

    /// A file with this text, which everybody may read.
    pub fn text(&mut self, path: &str, text: &str) -> &mut Self {
        self.place(Path::new(path), Entry::Text(text.to_owned()), 0o644, 0)
    }

    /// A copy of a file of this machine; of what a link leads to, where it is one.
    pub fn file(&mut self, path: &Path, from: &Path) -> &mut Self {
        self.place(path, Entry::File(from.to_owned()), 0o644, 0)
    }

    /// A copy of a program.
    pub fn program(&mut self, path: &Path, from: &Path) -> &mut Self {
        self.place(path, Entry::File(from.to_owned()), 0o755, 0)
    }

    /// The folders above are there as well.
    fn place(&mut self, path: &Path, entry: Entry, mode: u32, owner: u64) -> &mut Self {
        let path = path.strip_prefix("/").unwrap_or(path);
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            let above = Placed { entry: Entry::Folder, mode: 0o755, owner: 0 };
            self.0.entry(folder.to_owned()).or_insert(above);
        }
        self.0.insert(path.to_owned(), Placed { entry, mode, owner });
        self
    }

    /// Writes them as a tar.
    ///
    /// # Errors
    /// A file cannot be read, or the output not be written.
    pub fn write<W: Write>(&self, output: W) -> Result<W> {
        let mut tar = Builder::new(output);
        for (path, placed) in &self.0 {
            append(&mut tar, path, placed).with_context(|| format!("{} cannot be packed", path.display()))?;
        }
        Ok(tar.into_inner()?)
    }
}

fn append<W: Write>(tar: &mut Builder<W>, path: &Path, placed: &Placed) -> io::Result<()> {
    let mut header = plain(placed.mode, placed.owner);
    match &placed.entry {
        Entry::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, path, io::empty())
        }
        Entry::Text(text) => {
            header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
            tar.append_data(&mut header, path, text.as_bytes())
        }
        Entry::File(from) => {
            let file = File::open(from)?;
            header.set_size(file.metadata()?.len());
            tar.append_data(&mut header, path, file)
        }
        Entry::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, path, target)
        }
    }
}

/// A header that says nothing of when and where it was made.
pub(crate) fn plain(mode: u32, owner: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn listed(layer: &Layer) -> Vec<String> {
        let bytes = layer.write(Vec::new()).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let shown = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let (header, path) = (entry.header(), entry.path().unwrap().display().to_string());
            let link = entry.link_name().unwrap().map(|target| format!(" -> {}", target.display())).unwrap_or_default();
            let (mode, owner, time) = (header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap());
            format!("{mode:o} {owner} {time} {} {path}{link}", header.size().unwrap())
        });
        shown.collect()
    }

    #[test]
    fn files_stand_in_the_order_of_their_paths_below_folders_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        fs::write(&from, "four").unwrap();
        let mut layer = Layer::default();
        layer.text("/z/text", "abc").program(Path::new("/a/b/program"), &from).folder("/a/mine", 7);
        assert_eq!(
            listed(&layer),
            [
                "755 0 0 0 a",
                "755 0 0 0 a/b",
                "755 0 0 4 a/b/program",
                "755 7 0 0 a/mine",
                "755 0 0 0 z",
                "644 0 0 3 z/text"
            ]
        );
    }

    #[test]
    fn a_folder_is_packed_the_same_whenever_it_was_made() {
        let pack = || {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::create_dir(at("sub")).unwrap();
            fs::set_permissions(at("sub"), PermissionsExt::from_mode(0o700)).unwrap();
            fs::write(at("sub/file"), "x").unwrap();
            fs::set_permissions(at("sub/file"), PermissionsExt::from_mode(0o640)).unwrap();
            symlink("sub/file", at("link")).unwrap();
            let layer = Layer::below(folder.path()).unwrap();
            (listed(&layer), layer.write(Vec::new()).unwrap())
        };
        let (listed, first) = pack();
        assert_eq!(listed, ["777 0 0 0 link -> sub/file", "700 0 0 0 sub", "640 0 0 1 sub/file"]);
        assert!(first == pack().1, "two bytes of the same files differ");
    }
}
