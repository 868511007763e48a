//! Every command of a page is one: `reef ...` by the program's own command line, `make ...` by the Makefile. What others' programs take is not looked at.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};
use reef::cli::Cli;

use crate::page::{Block, Page, pages};
use crate::text;

/// Whether a command has to be whole, or names what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// In a block: it can be typed.
    Whole,
    /// In the line: `reef plan` speaks of the subcommand.
    Mention,
}

/// Where one command ends and another one begins, or where its output goes.
const BETWEEN: [&str; 8] = ["|", "||", "&&", ";", ">", ">>", "<", "2>&1"];

/// The lines of a block that are typed: those behind a `$` where there are any, else all. A backslash goes on in the next line.
fn typed(block: &Block) -> Vec<String> {
    let whole = block.text.replace("\\\n", " ");
    let asked: Vec<String> = whole.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect();
    if asked.is_empty() { whole.lines().map(|line| line.trim().to_owned()).collect() } else { asked }
}

/// The commands of a line, each as its words; nothing where it is no line of a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_default();
    words.split(|word| BETWEEN.contains(&word.as_str())).map(<[String]>::to_vec).collect()
}

/// What is wrong with one command; nothing where it is another program's.
fn problem(words: &[String], form: Form) -> Option<String> {
    let word = |place: usize| words.get(place).map(String::as_str);
    match (word(0), word(1)) {
        (Some("reef"), Some(_)) => reef(words, form),
        (Some("kubectl"), Some("reef")) => reef(&words[1..], form),
        (Some("make"), Some(_)) => make(&words[1..]),
        _ => None,
    }
}

/// Brackets and dots of a mention say what may be left out.
fn plain(word: &str) -> Option<String> {
    let bare = word.trim_matches(['[', ']']);
    (!bare.is_empty() && bare != "...").then(|| bare.to_owned())
}

fn reef(words: &[String], form: Form) -> Option<String> {
    let words: Vec<String> = match form {
        Form::Whole => words.to_vec(),
        Form::Mention => words.iter().filter_map(|word| plain(word)).collect(),
    };
    let error = Cli::command().try_get_matches_from(&words).err()?;
    (!is_allowed(&error, form)).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn is_allowed(error: &Error, form: Form) -> bool {
    let value = |context| match error.get(context) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => form == Form::Mention,
        ErrorKind::InvalidSubcommand => is_placeholder(value(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = value(ContextKind::InvalidValue);
            is_placeholder(value) || (form == Form::Mention && value.is_empty())
        }
        _ => false,
    }
}

/// A word in capitals stands for what the reader has, also as a part: `vm/NAME`.
fn is_placeholder(value: &str) -> bool {
    let capital = |word: &str| word.chars().all(|sign| sign.is_ascii_uppercase()) && !word.is_empty();
    value.split(['/', '=', '.', '-']).any(capital)
}

fn make(words: &[String]) -> Option<String> {
    let makefile = text("Makefile");
    let is_target =
        |word: &str| makefile.lines().any(|line| line.strip_prefix(word).is_some_and(|rest| rest.starts_with(':')));
    let is_word = |text: &str, word: &str| text.split(|sign: char| !is_of_word(sign)).any(|found| found == word);
    let is_variable = |word: &str| is_word(&makefile, word) || is_word(&text("tests/bugs/run"), word);
    words.iter().filter(|word| !word.starts_with('-')).find_map(|word| match word.split_once('=') {
        Some((name, _)) => (!is_variable(name)).then(|| format!("the Makefile reads no {name}")),
        None => (!is_target(word)).then(|| format!("the Makefile has no target {word}")),
    })
}

fn is_of_word(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || sign == '_'
}

fn problems(page: &Page) -> Vec<String> {
    let shell = |info: &str| matches!(info, "" | "sh" | "bash" | "console");
    let blocks = page.blocks.iter().filter(|block| shell(&block.what.info));
    let in_blocks =
        blocks.flat_map(|block| typed(&block.what).into_iter().map(move |line| (block.line, line, Form::Whole)));
    let in_lines = page.code.iter().map(|code| (code.line, code.what.clone(), Form::Mention));
    let mut found = Vec::new();
    for (at, line, form) in in_blocks.chain(in_lines) {
        if form == Form::Whole && line.starts_with("reef ") && shlex::split(&line).is_none() {
            found.push(format!("{}:{at}: {line}: a quote is not closed", page.path));
        }
        let wrong = commands(&line).into_iter().filter_map(|words| problem(&words, form));
        found.extend(wrong.map(|why| format!("{}:{at}: {line}: {why}", page.path)));
    }
    found
}

#[test]
fn every_command_is_one() {
    let found: Vec<String> = pages().iter().flat_map(problems).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn commands_are_found_in_blocks_and_in_the_line() {
    let named = |text: &str| {
        let page = Page::of("a.md", text);
        let lines = page.blocks.iter().flat_map(|block| typed(&block.what));
        lines.flat_map(|line| commands(&line)).filter(|words| problem(words, Form::Whole).is_none()).count()
    };
    assert_eq!(named("```\n$ reef lint && reef plan -o json | jq '.a | .b' # all\nreef: output\n```\n"), 3);
    assert_eq!(named("```\nreef snapshot \\\n  --file a.json\nreef status -A > all.txt\n```\n"), 3);
}

#[test]
fn a_command_that_is_none_is_found() {
    let text = "`reef plan`, `reef plan [--live] ...`, `reef plann`, `make tests`, `make image NAM=x`\n\
                ```\n$ kubectl reef status --all-names\n$ reef suspend vm/a --reason 'x\n$ reef reconcile fleet --timeout TIME\n$ reef explain\n$ make test\n```\n";
    let found = problems(&Page::of("a.md", text));
    for (found, expected) in found.iter().zip([
        "a.md:2: kubectl reef status --all-names: error: unexpected argument '--all-names' found",
        "a.md:2: reef suspend vm/a --reason 'x: a quote is not closed",
        "a.md:2: reef explain: error: the following required arguments were not provided:",
        "a.md:1: reef plann: error: unrecognized subcommand 'plann'",
        "a.md:1: make tests: the Makefile has no target tests",
        "a.md:1: make image NAM=x: the Makefile reads no NAM",
    ]) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), 6, "{found:?}");
}
