//! The pages below docs/reference, which are made of the types and of the command line: each stands as it is made now.

mod command_line;
mod fields;
mod kinds;
mod reasons;

use crate::root;

/// What begins each page, so that nobody edits it.
const MADE: &str = "<!-- Made by `INSTA_UPDATE=always cargo test --test docs`; what it says stands in the code. -->\n";

/// Holds a page to what is made, and writes it where snapshots are written.
fn hold(name: &str, made: &str) {
    let path = root().join("docs/reference").join(name);
    let made = format!("{MADE}{}\n", made.trim_end());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    let first = differs.map_or("its length".to_owned(), |(kept, made)| format!("\n  {kept}\nand is made as\n  {made}"));
    assert!(
        kept == made,
        "docs/reference/{name} is out of date; run INSTA_UPDATE=always cargo test --test docs. It has {first}"
    );
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// A row of a table.
fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(" | "))
}

/// The head of a table.
fn head(cells: &[&str]) -> String {
    format!("{}|{}\n", row(cells), "---|".repeat(cells.len()))
}

#[test]
fn the_pages_of_the_kinds_are_made_of_the_types() {
    for kind in kinds::all() {
        hold(&format!("{}.md", kind.name.to_lowercase()), &kind.page());
    }
}

#[test]
fn the_page_of_commands_is_made_of_the_command_line() {
    hold("commands.md", &command_line::page());
}

#[test]
fn the_page_of_reasons_is_made_of_the_code() {
    hold("reasons.md", &reasons::page());
}

#[test]
fn every_field_that_may_be_absent_says_what_holds_then() {
    let open: Vec<String> = kinds::all().iter().flat_map(|kind| kind.unsaid()).collect();
    assert!(open.is_empty(), "say \"VALUE when absent.\" of {}", open.join(", "));
}
