//! Every link of a page that stays in the repository leads to a file that is there, and to a heading of it. Links to other hosts are not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::page::{Page, pages};
use crate::root;

/// The pages by their paths, for the anchors that links name.
type Known = BTreeMap<String, BTreeSet<String>>;

fn known(pages: &[Page]) -> Known {
    pages.iter().map(|page| (page.path.clone(), page.anchors.clone())).collect()
}

/// Where a path leads that is written in a page; `None` where it leaves the repository.
pub fn beside(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let whole: PathBuf = Path::new(page).parent()?.join(path);
    for part in whole.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            Component::ParentDir => drop(parts.pop()?),
            _ => {}
        }
    }
    Some(parts.join("/"))
}

fn problem(page: &Page, link: &str, known: &Known) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let Some(file) = (if path.is_empty() { Some(page.path.clone()) } else { beside(&page.path, path) }) else {
        return Some(format!("{link} leaves the repository"));
    };
    if !known.contains_key(&file) && !root().join(&file).exists() {
        return Some(format!("{link}: there is no {file}"));
    }
    let anchor = anchor?;
    let there = known.get(&file).is_some_and(|anchors| anchors.contains(anchor));
    (!there).then(|| format!("{link}: {file} has no heading #{anchor}"))
}

fn problems(page: &Page, known: &Known) -> Vec<String> {
    let told = |(line, why)| format!("{}:{line}: {why}", page.path);
    page.links.iter().filter_map(|link| Some((link.line, problem(page, &link.what, known)?))).map(told).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    let known = known(&pages);
    let found: Vec<String> = pages.iter().flat_map(|page| problems(page, &known)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_index_leads_to_every_page_of_the_folder() {
    let index = Page::read("docs/README.md");
    let led: BTreeSet<String> =
        index.links.iter().filter_map(|link| beside(&index.path, link.what.split('#').next()?)).collect();
    let missing = |path: &String| path.starts_with("docs/") && *path != index.path && !led.contains(path);
    let missing: Vec<String> = crate::markdown().into_iter().filter(missing).collect();
    assert!(missing.is_empty(), "docs/README.md does not name {}", missing.join(", "));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let other = Page::of("docs/b.md", "# Here\n");
    let text = "[a](b.md#here) [b](b.md#there) [c](c.md) [d](../../x) [e](https://example.com/c.md) [f](#own)\n# Own\n";
    let page = Page::of("docs/a.md", text);
    let known = known(&[other, Page::of("docs/a.md", text)]);
    assert_eq!(
        problems(&page, &known),
        [
            "docs/a.md:1: b.md#there: docs/b.md has no heading #there",
            "docs/a.md:1: c.md: there is no docs/c.md",
            "docs/a.md:1: ../../x leaves the repository",
        ]
    );
}
