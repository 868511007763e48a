//! From the edits of a step to the files of a commit. Reads the repository, and writes nothing.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use reef_api::Size;
use reef_reconciler::desired::edit::{resized, stating};
use reef_reconciler::source::RepoPath;

use super::script::Edit;
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
            (file, Some(sized(file, &read(file)?, vm, *size)?))
        }
        Edit::Append { file, line } => (file, Some(format!("{}{line}\n", read(file)?))),
        Edit::Create { file, like, from, to } => (file, Some(read(like)?.replace(from, to))),
        Edit::Remove { file } => (file, None),
    })
}

/// The text of a file in which a VM has this size, as `reef edit` makes it.
///
/// # Errors
/// Where the file does not state the VM, or its size cannot be changed by one value each.
pub fn sized(file: &str, text: &str, vm: &str, size: Size) -> anyhow::Result<String> {
    let origin = stating(&RepoPath::parse(file)?, text.as_bytes(), vm);
    let origin = origin.with_context(|| format!("{file} has no {vm}"))?;
    Ok(resized(text.as_bytes(), &origin, size.into())?.text)
}

fn file_of(vm: &str) -> anyhow::Result<&'static str> {
    let line = format!("\n  name: {vm}\n");
    match FILES.iter().find(|file| file.text.contains(&line)) {
        Some(file) => Ok(file.path),
        None => bail!("no file of the example defines {vm}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::example::VMS;
    use reef_api::{Bytes, GIB, Vcpus};

    #[test]
    fn two_lines_change_and_nothing_else_for_every_vm_of_the_example() {
        let size = Size::new(Vcpus(7), Bytes(5 * GIB.get()));
        for vm in VMS {
            let file = file_of(vm).unwrap();
            let before = FILES.iter().find(|found| found.path == file).unwrap().text;
            let after = sized(file, before, vm, size).unwrap();
            let differing: Vec<(&str, &str)> =
                before.lines().zip(after.lines()).filter(|(before, after)| before != after).collect();
            let told: Vec<&str> = differing.iter().map(|(_, after)| after.trim()).collect();
            assert_eq!(told, ["coresPerSocket: 7", "size: 5Gi"], "{vm}");
            assert_eq!(before.lines().count(), after.lines().count(), "{vm}");
        }
    }

    #[test]
    fn an_unknown_vm_changes_nothing() {
        let file = FILES.iter().find(|file| file.path == "teams/batch/workers.yaml").unwrap();
        let told = sized(file.path, file.text, "web-9", Size::new(Vcpus(1), GIB)).unwrap_err();
        assert_eq!(told.to_string(), "teams/batch/workers.yaml has no web-9");
    }
}
