//! Changes of a size in the text of a manifest, one number at a time, as a person makes them in an editor.
//!
//! Knows the shape of the example's manifests and no more; what it does not find it does not change.

use reef_api::Size;

/// The text with the size of one VM replaced; none where the VM or one of its numbers is not found.
pub fn resized(text: &str, vm: &str, size: Size) -> Option<String> {
    let mut found = false;
    let documents: Option<Vec<String>> = text
        .split_inclusive("---\n")
        .map(|document| {
            if !names(document, vm) {
                return Some(document.to_owned());
            }
            found = true;
            let with_vcpus = replaced(document, "cpu:", "coresPerSocket:", &size.vcpus.to_string())?;
            replaced(&with_vcpus, "memory:", "size:", &size.memory.to_string())
        })
        .collect();
    documents.filter(|_| found).map(|documents| documents.concat())
}

fn names(document: &str, vm: &str) -> bool {
    document.lines().any(|line| line.strip_prefix("  name: ") == Some(vm))
}

/// Replaces the value of the first `key` that follows the line `section`.
fn replaced(document: &str, section: &str, key: &str, value: &str) -> Option<String> {
    let start = line_of(document, 0, |line| line.trim() == section)?;
    let at = line_of(document, start, |line| line.trim_start().starts_with(key))?;
    let line = document.get(at..)?.lines().next()?;
    let indent = line.len() - line.trim_start().len();
    let (before, after) = (document.get(..at)?, document.get(at + line.len()..)?);
    Some(format!("{before}{}{key} {value}{after}", " ".repeat(indent)))
}

/// Where the first line from `from` on begins that fits.
fn line_of(text: &str, from: usize, fits: impl Fn(&str) -> bool) -> Option<usize> {
    let mut at = from;
    for line in text.get(from..)?.split_inclusive('\n') {
        if fits(line.trim_end_matches('\n')) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::example::{FILES, VMS};
    use reef_api::{Bytes, GIB, Vcpus};

    #[test]
    fn two_lines_change_and_nothing_else_for_every_vm_of_the_example() {
        let size = Size::new(Vcpus(7), Bytes(5 * GIB.get()));
        for vm in VMS {
            let changed: Vec<(&str, String)> =
                FILES.iter().filter_map(|file| Some((file.text, resized(file.text, vm, size)?))).collect();
            let [(before, after)] = changed.as_slice() else { panic!("{vm} is in {} files", changed.len()) };
            let differing: Vec<(&str, &str)> =
                before.lines().zip(after.lines()).filter(|(before, after)| before != after).collect();
            let told: Vec<&str> = differing.iter().map(|(_, after)| after.trim()).collect();
            assert_eq!(told, ["coresPerSocket: 7", "size: 5Gi"], "{vm}");
            assert_eq!(before.lines().count(), after.lines().count(), "{vm}");
        }
    }

    #[test]
    fn an_unknown_vm_changes_nothing() {
        let size = Size::new(Vcpus(1), Bytes(1));
        assert!(FILES.iter().all(|file| resized(file.text, "web-9", size).is_none()));
    }
}
