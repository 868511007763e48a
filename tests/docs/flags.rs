//! Every flag that a page names by itself, without its command, is one of the program's, or of another program that is listed here.

use std::collections::BTreeSet;

use clap::CommandFactory;
use reef::cli::Cli;

use crate::page::{Page, pages};

/// Flags of others' programs: the kubelet's, the API server's, and three of etcd's.
const OTHERS: [&str; 5] =
    ["--root-dir", "--admission-control-config-file", "--bump-revision", "--mark-compacted", "--unsafe-no-fsync"];

/// The long flags of all subcommands.
fn own() -> BTreeSet<String> {
    let mut root = Cli::command();
    root.build();
    let all = std::iter::once(&root).chain(root.get_subcommands());
    let long = all.flat_map(|command| command.get_arguments().filter_map(|arg| arg.get_long()));
    long.map(|long| format!("--{long}")).collect()
}

fn problems(page: &Page, own: &BTreeSet<String>) -> Vec<String> {
    let bare = page.code.iter().filter(|code| code.what.starts_with("--"));
    let flags = bare.flat_map(|code| code.what.split_whitespace().map(move |word| (code.line, word)));
    let flags = flags.filter_map(|(line, word)| Some((line, word.split('=').next()?)));
    let unknown = |(_, flag): &(usize, &str)| flag.starts_with("--") && !own.contains(*flag) && !OTHERS.contains(flag);
    flags.filter(unknown).map(|(line, flag)| format!("{}:{line}: no command has {flag}", page.path)).collect()
}

#[test]
fn every_flag_that_is_named_by_itself_is_one() {
    let own = own();
    let found: Vec<String> = pages().iter().flat_map(|page| problems(page, &own)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_flag_that_no_command_has_is_found() {
    let text = "`--live`, `--dry-run=server`, `--seeds A..B`, `--root-dir`, `--lives`, `-o json`\n";
    assert_eq!(problems(&Page::of("a.md", text), &own()), ["a.md:1: no command has --lives"]);
}
