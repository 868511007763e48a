//! Prometheus' own word: its `promtool` reads the rules, plays their tests, and reads what the roles serve.

use std::io::Write;
use std::process::{Command, Stdio};

use super::catalogue::registries;
use super::path;

/// Runs it with something to read; none where it is not installed, which is told, and in CI is a failure.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(path("deploy/observability"));
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(why) => {
            let install = format!("promtool cannot be started ({why}): on Debian, apt-get install prometheus");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{install}");
            eprintln!("{install}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Some((output.status.success(), told))
}

#[test]
fn promtool_reads_the_rules_and_every_alert_fires_when_it_should() {
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "tests.yaml"]] {
        let Some((success, told)) = promtool(&arguments, "") else { return };
        assert!(success, "{told}");
    }
}

#[test]
fn promtool_finds_nothing_to_say_about_what_the_roles_serve() {
    for (role, registry, _) in registries() {
        let mut text = String::new();
        prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
        let Some((success, told)) = promtool(&["check", "metrics"], &text) else { return };
        assert!(success && told.is_empty(), "{role}: {told}");
    }
}
