//! Reads the workspace's own sources for the tests that hold its shape: which files there are, and their words without
//! comments and texts. It judges nothing, and it is no parser of Rust: it knows what those tests ask for and no more.

#![allow(dead_code, unused_imports, reason = "each test that includes this uses a part of it")]

mod lexer;
mod outline;

use std::fs;
use std::path::{Path, PathBuf};

pub use outline::{Named, outline};

/// The packages of the workspace: the folder of each, and the name that code calls it by.
pub const PACKAGES: [(&str, &str); 12] = [
    ("", "reef"),
    ("api", "reef_api"),
    ("policy", "reef_policy"),
    ("watch", "reef_watch"),
    ("reconciler", "reef_reconciler"),
    ("daemon", "reef_daemon"),
    ("webhook", "reef_webhook"),
    ("sim", "reef_sim"),
    ("image", "reef_image"),
    ("tests/conformance", "reef_conformance"),
    ("tests/model", "reef_model"),
    ("tests/real", "reef_real"),
];

/// One source file.
pub struct Source {
    /// Path from the root of the workspace, with `/`.
    pub path: String,
    /// Folder of its package; empty for the root package.
    pub package: &'static str,
    /// The modules that lead to the file, as cargo prints them; those of integration tests begin with `tests`.
    pub module: Vec<String>,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Makes a source from its path and text; `None` for a path outside the packages' `src` and `tests`.
    pub fn new(path: &str, text: &str) -> Option<Self> {
        let package = package_of(path);
        let inside = path.strip_prefix(package)?.trim_start_matches('/');
        let module = inside.strip_suffix(".rs").map(|stem| stem.split('/').map(str::to_owned).collect())?;
        Some(Self { path: path.to_owned(), package, module: plain(module)?, text: text.to_owned() })
    }

    /// Says whether the file holds nothing but tests.
    pub fn is_test(&self) -> bool {
        self.module.iter().any(|name| name == "tests")
    }
}

/// Turns `src/a/mod` into `a`, and keeps `tests` in front of integration tests.
fn plain(mut module: Vec<String>) -> Option<Vec<String>> {
    match module.first()?.as_str() {
        "src" => drop(module.remove(0)),
        "tests" | "benches" | "examples" => {}
        _ => return None,
    }
    if matches!(module.last()?.as_str(), "mod" | "lib" | "main") {
        module.pop();
    }
    Some(module)
}

fn package_of(path: &str) -> &'static str {
    let holds = |folder: &&str| path.strip_prefix(folder).is_some_and(|inside| inside.starts_with('/'));
    PACKAGES.iter().map(|(folder, _)| *folder).find(holds).unwrap_or("")
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files of the packages, in the order of their paths.
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    for (folder, _) in PACKAGES {
        for part in ["src", "tests", "benches"] {
            collect(&root.join(folder).join(part), &mut files);
        }
    }
    let mut sources: Vec<Source> = files.iter().filter_map(|file| read(&root, file)).collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    // The root's tests hold packages of their own.
    sources.dedup_by(|a, b| a.path == b.path);
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Option<Source> {
    let path = file.strip_prefix(root).expect("a file below the root").to_str().expect("a path in UTF-8");
    let text = fs::read_to_string(file).expect("a readable source file");
    Source::new(path, &text)
}
