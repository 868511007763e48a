//! `make real-cluster` does what it prints: whoever types that sees the guest change.
//!
//! The commands are taken from its output, so that they cannot be wrong there and right here.
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

/// How often, each second, the guest is asked for what it sees.
const TRIES: u32 = 120;

#[test]
fn what_is_printed_shows_how_a_push_resizes_the_guest() -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_real-cluster"));
    let holder = command.args(["up", "--shape", "node", "--reef"]).stdout(Stdio::piped()).spawn()?;
    let mut holder = Holder(holder);
    let mut printed = Vec::new();
    for line in BufReader::new(holder.0.stdout.take().context("no output")?).lines() {
        let line = line?;
        let last = line.starts_with("ctrl-C");
        printed.push(line);
        if last {
            break;
        }
    }
    let before = guest(&printed, "1 vCPU, 512Mi", |line| line.contains("cpus=1 "))?;
    ensure!(number(&before, "mem=") < 500_000, "{before}");
    let push = typed(&printed, "    cd ", "git push")?;
    let pushed = shell(&printed, &push)?;
    ensure!(pushed.contains("main"), "not pushed: {pushed}");
    // vCPUs and memory come one after the other.
    let grown = |line: &str| line.contains("cpus=2 ") && number(line, "mem=") > 900_000;
    let after = guest(&printed, "2 vCPUs, 1Gi", grown)?;
    ensure!(word(&before, "boot=") == word(&after, "boot="), "the guest was started anew: {before}{after}");
    Ok(())
}

/// A process that holds a cluster.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks by the printed command, but once and not for ever, until the guest has what is wanted.
fn guest(printed: &[String], wanted: &str, has: impl Fn(&str) -> bool) -> Result<String> {
    let asked = typed(printed, "    kubectl logs", "--tail 3")?.replace("--follow", "").replace("--tail 3", "--tail 1");
    let mut said = String::new();
    for _ in 0..TRIES {
        said = shell(printed, &asked)?;
        if has(&said) {
            return Ok(said);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    anyhow::bail!("the guest never had {wanted}, but: {said}")
}

/// The printed lines from the one that begins so to the one that contains that.
fn typed(printed: &[String], first: &str, last: &str) -> Result<String> {
    let mut found = Vec::new();
    for line in printed.iter().skip_while(|line| !line.starts_with(first)) {
        found.push(line.as_str());
        if line.contains(last) {
            return Ok(found.join("\n"));
        }
    }
    anyhow::bail!("it does not print {first} ... {last}")
}

/// Runs commands as a shell does in which the printed `export` and `alias` were typed before.
fn shell(printed: &[String], commands: &str) -> Result<String> {
    let settings = typed(printed, "  export", "alias")?;
    let script = format!("shopt -s expand_aliases\n{settings}\n{commands}\n");
    let output = Command::new("bash").args(["-c", &script]).output()?;
    Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

fn word<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name))
}

fn number(line: &str, name: &str) -> u64 {
    word(line, name).and_then(|word| word.parse().ok()).unwrap_or_default()
}
