//! Every file of the repository that a page names in the line is there. A name counts as one where its first folder is one of the repository, or stands
//! beside the page; what is shorter is a way of speaking.

use crate::links::beside;
use crate::page::{Page, pages};
use crate::root;

/// Folders that come of building.
const MADE: [&str; 1] = ["target"];

fn is_path(code: &str) -> bool {
    let sign = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '/' | '.' | '_' | '-');
    code.contains('/') && !code.starts_with('/') && !code.contains("//") && code.chars().all(sign)
}

/// What a page names and is nowhere; nothing where it is there or no path of the repository.
fn missing(page: &Page, code: &str) -> Option<String> {
    let first = code.split('/').next()?;
    if !is_path(code) || MADE.contains(&first) || first.starts_with("..") || first == "." {
        return None;
    }
    let here = beside(&page.path, code)?;
    let own = beside(&page.path, first)?;
    if root().join(code).exists() || root().join(&here).exists() {
        return None;
    }
    let meant = root().join(first).is_dir() || root().join(own).is_dir();
    meant.then(|| format!("there is no {code}"))
}

fn problems(page: &Page) -> Vec<String> {
    let told = |(line, why)| format!("{}:{line}: {why}", page.path);
    page.code.iter().filter_map(|code| Some((code.line, missing(page, &code.what)?))).map(told).collect()
}

#[test]
fn every_file_that_is_named_is_there() {
    let found: Vec<String> = pages().iter().flat_map(problems).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_file_that_is_not_there_is_found() {
    let text =
        "`docs/gone.md` `docs/README.md` `tests/docs/` `target/real/report.md` `vms/web-1` `decide/gone` `spec.a/b`\n";
    assert_eq!(problems(&Page::of("docs/a.md", text)), ["docs/a.md:1: there is no docs/gone.md"]);
    assert_eq!(
        problems(&Page::of("sim/README.md", "`src/store/` `src/gone/`")),
        ["sim/README.md:1: there is no src/gone/"]
    );
}
