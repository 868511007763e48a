//! The name that the program was called by, and what it prints about itself: shell completions and manual pages.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Command, CommandFactory, FromArgMatches};
use clap_complete::Shell;

use super::{Cli, print};

/// The name under which kubectl finds it as a plugin.
const PLUGIN: &str = "kubectl-reef";

/// Arguments of `reef completions`.
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `reef man`.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Folder to write a page for each subcommand to; the page of `reef` itself goes to standard output when absent.
    dir: Option<PathBuf>,
}

/// Reads the command line of this process. As a plugin of kubectl it calls itself `kubectl reef`.
pub fn parse() -> Cli {
    let called = std::env::args_os().next();
    let matches = command(called.as_deref()).get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn command(called: Option<&OsStr>) -> Command {
    let name = called.map(Path::new).and_then(Path::file_stem);
    if name == Some(OsStr::new(PLUGIN)) { Cli::command().bin_name("kubectl reef") } else { Cli::command() }
}

/// Prints what a shell has to know.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "reef", &mut script);
    print::text(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `reef help` has no page of its own: it shows those of the others.
fn pages() -> Command {
    Cli::command().disable_help_subcommand(true)
}

/// Prints or writes manual pages.
pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    match &args.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("the folder {} cannot be made", dir.display()))?;
            clap_mangen::generate_to(pages(), dir)
                .with_context(|| format!("the pages cannot be written to {}", dir.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(pages()).render(&mut page)?;
            print::text(&String::from_utf8(page)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn only_the_plugin_s_name_changes_what_is_displayed() {
        let shown = |name: &str| command(Some(OsStr::new(name))).get_bin_name().map(str::to_owned);
        assert_eq!(shown("/usr/local/bin/kubectl-reef").as_deref(), Some("kubectl reef"));
        assert_eq!((shown("reef"), shown("kubectl")), (None, None));
    }
}
