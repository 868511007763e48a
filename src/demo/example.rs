//! The repository of the example, as `examples/repo/` has it: a part of the binary, so that nothing else is needed.

/// A file of the example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExampleFile {
    /// Path in the repository.
    pub path: &'static str,
    /// Content.
    pub text: &'static str,
}

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[$(ExampleFile {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/repo/", $path)),
        }),+]
    };
}

/// Every file of the example.
pub const FILES: &[ExampleFile] = files![
    ".forgejo/workflows/capacity.yml",
    ".forgejo/workflows/snapshot.yml",
    ".github/workflows/capacity-comment.yml",
    ".github/workflows/capacity.yml",
    ".github/workflows/snapshot.yml",
    ".gitlab-ci.yml",
    "CODEOWNERS",
    "README.md",
    "policies/db.yaml",
    "policies/default.yaml",
    "teams/batch/workers.yaml",
    "teams/ci/ci-1.yaml",
    "teams/ci/ci-2.yaml",
    "teams/db/db-1.yaml",
    "teams/db/db-2.yaml",
    "teams/web/web-1.yaml",
    "teams/web/web-2.yaml",
];

/// Names of the example's VMs, in order.
pub const VMS: [&str; 8] = ["batch-1", "batch-2", "ci-1", "ci-2", "db-1", "db-2", "web-1", "web-2"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn below(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_binary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/repo");
        let mut found = Vec::new();
        below(&root, &root, &mut found);
        found.sort();
        let embedded: Vec<&str> = FILES.iter().map(|file| file.path).collect();
        assert_eq!(embedded, found);
    }
}
