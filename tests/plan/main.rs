//! `reef plan`, `edit`, `lint` and `schema` as a reviewer and a job call them: real repositories, a snapshot of a cluster, each output and each exit code.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod edit;
mod embedded;
mod forge;
mod hook;
mod lint;
mod outputs;
mod pipelines;
mod repository;
mod runner;
mod schema;
mod standards;
mod states;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `reef plan` in a repository, without a cluster and without a home.
fn plan(repository: &Path, arguments: &[&str]) -> Output {
    reef(repository, "plan", arguments)
}

/// The same for any subcommand.
fn reef(repository: &Path, command: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reef"))
        .arg(command)
        .args(arguments)
        .current_dir(repository)
        .env_clear()
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", out(output), err(output)))
}
