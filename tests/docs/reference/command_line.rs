//! The page of commands, made of the command line itself: every subcommand with its arguments, their defaults, words and environment variables, and
//! its exit codes.

use clap::{Arg, Command, CommandFactory};
use reef::cli::Cli;

use super::{head, row};

const INTRODUCTION: &str = "\
# Commands
One program, `reef`; linked as `kubectl-reef` on the `PATH` it is `kubectl reef`. `reef help COMMAND` and `reef man` tell the same.

## For every command
A command ends with 0 when it did what it was asked for and with 1 when it failed, where its own section says \
nothing else; with 2 when the command line is not understood. Results go to standard output; what is told beside \
them, and logs, to standard error. Colours are used on a terminal only, and not where `NO_COLOR` is set.

A cluster is found as kubectl finds it: `--kubeconfig`, else `$KUBECONFIG`, else `~/.kube/config`, else the Pod's own service account.

";

/// The page.
pub fn page() -> String {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let global: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set() && shown(arg)).collect();
    let mut page = format!("{INTRODUCTION}{}", table(&global));
    for command in root.get_subcommands() {
        page += &section(command);
    }
    page
}

fn shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version"
}

fn section(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage: String = usage.trim_start_matches("Usage:").split_whitespace().collect::<Vec<_>>().join(" ");
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| shown(arg) && !arg.is_global_set()).collect();
    let mut text =
        format!("\n## reef {}\n{}.\n\n```text\n{usage}\n```\n", command.get_name(), about.trim_end_matches('.'));
    if !arguments.is_empty() {
        text += &table(&arguments);
    }
    if let Some(after) = command.get_after_help() {
        text += &format!("\n{}\n", after.to_string().lines().map(str::trim).collect::<Vec<_>>().join("\n\n"));
    }
    text
}

fn table(arguments: &[&Arg]) -> String {
    let mut text = head(&["argument", "default", "meaning"]);
    for argument in arguments {
        text += &row(&[&name(argument), &default(argument), &meaning(argument)]);
    }
    text
}

/// As it is typed: `-o, --output <OUTPUT>`, or `[VM]`.
fn name(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(|name| format!("<{name}>"))
        .collect::<Vec<_>>()
        .join(" ");
    let value = if argument.get_action().takes_values() { value } else { String::new() };
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    if flags.is_empty() {
        let bare = value.trim_matches(['<', '>']);
        return if argument.is_required_set() { format!("`<{bare}>`") } else { format!("`[{bare}]`") };
    }
    format!("`{}`", format!("{} {value}", flags.join(", ")).trim_end())
}

fn default(argument: &Arg) -> String {
    if argument.is_required_set() {
        return "has to be there".to_owned();
    }
    let values: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if !argument.get_action().takes_values() || values.iter().all(String::is_empty) {
        return String::new();
    }
    format!("`{}`", values.join(","))
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let variable = argument.get_env().map(|name| format!(" Environment: `{}`.", name.to_string_lossy()));
    let values = if argument.get_action().takes_values() { argument.get_possible_values() } else { Vec::new() };
    let word = |value: &clap::builder::PossibleValue| match value.get_help() {
        Some(help) => format!(" `{}`: {}.", value.get_name(), help.to_string().trim_end_matches('.')),
        None => format!(" `{}`.", value.get_name()),
    };
    let help = if help.is_empty() || help.ends_with('.') { help } else { format!("{help}.") };
    format!("{help}{}{}", variable.unwrap_or_default(), values.iter().map(word).collect::<String>())
}

#[test]
fn an_argument_is_told_with_its_default_words_and_variable() {
    let arg = Arg::new("output")
        .short('o')
        .long("output")
        .value_name("FORM")
        .env("FORM")
        .default_value("text")
        .value_parser(["text", "json"])
        .help("Form");
    assert_eq!((name(&arg).as_str(), default(&arg).as_str()), ("`-o, --output <FORM>`", "`text`"));
    assert_eq!(meaning(&arg), "Form. Environment: `FORM`. `text`. `json`.");
}
