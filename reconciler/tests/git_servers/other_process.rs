//! A fetch in a process of its own: this binary again, for what libgit2, OpenSSL and the environment keep for a whole process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reef_reconciler::source::Credentials;
use tokio::process::Command;

use crate::origin::{Clones, location};

const URL: &str = "REEF_TEST_URL";
const IDENTITY: &str = "REEF_TEST_IDENTITY";
const KNOWN_HOSTS: &str = "REEF_TEST_KNOWN_HOSTS";
const TOLD: &str = "told: ";

#[tokio::test]
#[ignore = "is the other process, which other tests start"]
async fn fetch_as_told() {
    let told = |name: &str| std::env::var(name).ok();
    let Some(url) = told(URL) else { return };
    let mut here = location(&url);
    if let Some(private_key) = told(IDENTITY) {
        let credentials = Credentials::SshKey { username: None, private_key, passphrase: None };
        here = here.with_credentials(credentials).unwrap();
    }
    let here = here.with_known_hosts(&told(KNOWN_HOSTS).unwrap_or_default()).unwrap();
    let answer = match Clones::new().fetch(&here, None).await {
        Ok(snapshot) => format!("commit {}", snapshot.commit.id),
        Err(error) => format!("{} {:?}: {error}", error.category(), error.retry()),
    };
    println!("\n{TOLD}{answer}");
}

/// What a process that trusts the TLS authorities in `trusted` says about a URL.
pub async fn fetch_trusting(trusted: &Path, url: &str) -> String {
    let mut command = command(url);
    command.env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
    answer(command).await
}

/// What a process with this home folder says about a URL that it is given a key and known hosts for.
pub async fn fetch_at_home(home: &Path, url: &str, private_key: &str, known_hosts: &str) -> String {
    let mut command = command(url);
    command.env("HOME", home).env(IDENTITY, private_key).env(KNOWN_HOSTS, known_hosts);
    answer(command).await
}

fn command(url: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["other_process::fetch_as_told", "--exact", "--ignored", "--nocapture"]).env(URL, url);
    command
}

async fn answer(mut command: Command) -> String {
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(40), child).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = text.lines().find_map(|line| line.strip_prefix(TOLD));
    told.unwrap_or_else(|| panic!("it said nothing: {text}")).to_owned()
}
