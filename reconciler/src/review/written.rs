//! The documents that state the VMs of one side, found in its files. Each file is split into its documents once, however many VMs it states.

use std::collections::BTreeMap;

use reef_api::VmKey;
use reef_api::plan::Place;

use super::Side;
use crate::desired::{Documents, Located, Origin};
use crate::source::RepoPath;

/// The files of a side, split as far as they were asked for.
pub(super) struct Pages<'a> {
    side: Side<'a>,
    split: BTreeMap<&'a str, Option<Documents<'a>>>,
}

/// A VM's document, in the file that states it.
pub(super) struct Written<'a> {
    file: &'a str,
    located: Located<'a>,
}

impl<'a> Pages<'a> {
    pub(super) fn of(side: Side<'a>) -> Self {
        Self { side, split: BTreeMap::new() }
    }

    /// The text of a VM's document, as far as its file is at hand.
    pub(super) fn text(&mut self, key: &VmKey) -> Option<&'a str> {
        let origin = self.origin(key)?;
        self.documents(origin)?.text(origin.document)
    }

    /// The same, read for its places; none where it cannot be read.
    pub(super) fn written(&mut self, key: &VmKey) -> Option<Written<'a>> {
        let origin = self.origin(key)?;
        let located = self.documents(origin)?.located(origin.document)?;
        Some(Written { file: &origin.file, located })
    }

    fn origin(&self, key: &VmKey) -> Option<&'a Origin> {
        self.side.desired.vms.get(key).map(|vm| &vm.origin)
    }

    fn documents(&mut self, origin: &'a Origin) -> Option<&Documents<'a>> {
        let files = &self.side.files.files;
        let split = || {
            let file = files.get(&RepoPath::parse(&origin.file).ok()?)?;
            Documents::of(file.bytes.as_deref()?)
        };
        self.split.entry(&origin.file).or_insert_with(split).as_ref()
    }
}

impl<'a> Written<'a> {
    /// The place of a field, or of what is next to it.
    pub(super) fn at(&self, path: &str) -> Place {
        let (line, column) = self.located.at(path);
        Place { file: self.file.to_owned(), line: Some(line), column: Some(column) }
    }

    /// The lines around that place, drawn.
    pub(super) fn snippet(&self, path: &str) -> Option<String> {
        self.located.snippet(path)
    }

    /// The text of the document, as it stands in the file.
    pub(super) fn text(&self) -> &'a str {
        self.located.text()
    }
}
