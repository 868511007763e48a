//! From the edits of a step to the files of a commit. Reads the repository, and writes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use super::script::Edit;
use crate::demo::edit::resized;
use crate::demo::example::FILES;
use crate::demo::repository::{Change, Repository};

/// The files that a commit with these edits changes; several edits of one file add up.
///
/// # Errors
/// Where a file or a VM is not there.
pub fn changes(repository: &Repository, edits: &[Edit]) -> anyhow::Result<Vec<Change>> {
    let mut files: BTreeMap<&'static str, Option<String>> = BTreeMap::new();
    for edit in edits {
        let (file, text) = edited(repository, edit, &files)?;
        files.insert(file, text);
    }
    let change = |(path, text): (&str, Option<String>)| match text {
        Some(text) => Change::Write { path: path.to_owned(), text },
        None => Change::Remove { path: path.to_owned() },
    };
    Ok(files.into_iter().map(change).collect())
}

type Edited = BTreeMap<&'static str, Option<String>>;

fn edited(repository: &Repository, edit: &Edit, files: &Edited) -> anyhow::Result<(&'static str, Option<String>)> {
    let read = |file: &str| match files.get(file) {
        Some(Some(text)) => Ok(text.clone()),
        Some(None) => bail!("{file} was removed by the same commit"),
        None => repository.read(file),
    };
    Ok(match edit {
        Edit::Size { vm, size } => {
            let file = file_of(vm)?;
            let text = resized(&read(file)?, vm, *size).with_context(|| format!("{file} has no {vm}"))?;
            (file, Some(text))
        }
        Edit::Append { file, line } => (file, Some(format!("{}{line}\n", read(file)?))),
        Edit::Create { file, like, from, to } => (file, Some(read(like)?.replace(from, to))),
        Edit::Remove { file } => (file, None),
    })
}

fn file_of(vm: &str) -> anyhow::Result<&'static str> {
    let line = format!("\n  name: {vm}\n");
    match FILES.iter().find(|file| file.text.contains(&line)) {
        Some(file) => Ok(file.path),
        None => bail!("no file of the example defines {vm}"),
    }
}
