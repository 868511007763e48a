//! The folder of a chart: written anew where it is one that Reef made, and left alone where it is anything else.
//!
//! Deletes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::Files;

/// The annotation of a chart that Reef made.
const OURS: &str = "/annotations/reef.dev~1made-by";

/// Writes the files of a chart into a folder, which is made where it is not there.
///
/// # Errors
/// Where the folder holds something that this chart would not write, or cannot be written.
pub fn write(folder: &Path, files: &Files) -> anyhow::Result<()> {
    let there = found(folder)?;
    ensure!(
        there.is_empty() || is_ours(folder),
        "the folder {} is no chart that Reef made, and is left as it is; name one that is empty or not there",
        folder.display()
    );
    if let Some(other) = there.iter().find(|path| path.to_str().is_none_or(|path| !files.contains_key(path))) {
        bail!(
            "{} is no file of this chart, and Helm would render it: take it away, or name another folder",
            folder.join(other).display()
        );
    }
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("the folder {} cannot be made", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn is_ours(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("Chart.yaml")).unwrap_or_default();
    serde_yaml::from_str::<Value>(&text).is_ok_and(|chart| chart.pointer(OURS).is_some())
}

/// The files of a folder by their paths below it, and its folders but `templates`. What is packed, such as other charts, is a file or folder as well.
fn found(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for within in ["", "templates"] {
        let listed = match fs::read_dir(folder.join(within)) {
            Ok(listed) => listed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("the folder {} cannot be read", folder.join(within).display()));
            }
        };
        for entry in listed {
            let path = Path::new(within).join(entry?.file_name());
            if path != Path::new("templates") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
