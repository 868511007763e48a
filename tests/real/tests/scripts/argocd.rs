//! The program: what it says of one object by the settings that are shipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use jiff::Timestamp;
use reef::wiring::clock::SystemClock;
use reef_api::Clock;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use crate::path;

/// The settings that are shipped.
pub const SETTINGS: &str = "argocd/argocd-cm.yaml";

/// The folder of the program and its schemas, built where it was not built before.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let built = Command::new(path("tests/real/argocd/build")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "Argo CD could not be built; what is missing stands above");
        PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
    })
}

/// The time, which scripts take from the same machine.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// A file for the time of a test.
pub fn file(text: &str) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// An object as YAML in ASCII, whatever it holds.
fn plain(object: &Value) -> String {
    let mut text = String::new();
    for letter in object.to_string().chars() {
        if letter.is_ascii() && !letter.is_ascii_control() {
            text.push(letter);
        } else {
            text += &format!("\\U{:08x}", u32::from(letter));
        }
    }
    text
}

/// Standard output and standard error of one command on one object.
pub fn ask(command: &str, object: &Value, more: &[&str], settings: &Path) -> (String, String) {
    let object = file(&plain(object));
    let output = Command::new(folder().join("argocd"))
        .args(["argocd", "admin", "settings", "resource-overrides", command])
        .arg(object.path())
        .args(more)
        .arg("--argocd-cm-path")
        .arg(settings)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Status and message of an object.
pub fn health_by(object: &Value, settings: &Path) -> (String, String) {
    let (told, trouble) = ask("health", object, &[], settings);
    let found = told.strip_prefix("STATUS: ").and_then(|rest| rest.split_once("\nMESSAGE: "));
    let (status, message) = found.unwrap_or_else(|| panic!("no health: {told}{trouble}"));
    (status.to_owned(), message.trim_end().to_owned())
}

/// Status and message of an object, by the settings that are shipped.
pub fn health(object: &Value) -> (String, String) {
    health_by(object, &path(SETTINGS))
}

/// The actions on an object, and whether each is offered.
pub fn offered(object: &Value) -> BTreeMap<String, bool> {
    let (told, trouble) = ask("list-actions", object, &[], &path(SETTINGS));
    let row = |line: &str| {
        let (name, disabled) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), disabled.trim() == "false"))
    };
    let rows: Option<BTreeMap<String, bool>> = told.lines().skip(1).map(row).collect();
    rows.filter(|rows| !rows.is_empty()).unwrap_or_else(|| panic!("no actions: {told}{trouble}"))
}

/// What an action does: the lines that it adds and those that it takes away, each as the fields that they are. Or the sentence by which it is refused.
pub fn run(object: &Value, action: &str, parameters: &[&str]) -> Result<(Fields, Fields), String> {
    let more: Vec<&str> = std::iter::once(action).chain(parameters.iter().flat_map(|word| ["--param", word])).collect();
    let (told, trouble) = ask("run-action", object, &more, &path(SETTINGS));
    if let Some(changed) = told.strip_prefix("Following fields have been changed:\n") {
        return Ok((fields(changed, "> "), fields(changed, "< ")));
    }
    let logged = trouble.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fatal =
        logged.filter(|line| line["level"] == "fatal").map(|line| line["msg"].as_str().unwrap().to_owned()).next();
    Err(fatal.unwrap_or_else(|| panic!("no answer: {told}{trouble}")))
}

/// Fields of an object.
pub type Fields = Map<String, Value>;

fn fields(difference: &str, sign: &str) -> Fields {
    let lines: Vec<&str> = difference.lines().filter_map(|line| line.strip_prefix(sign)).collect();
    if lines.is_empty() {
        return Fields::new();
    }
    serde_yaml::from_str(&lines.join("\n")).unwrap_or_else(|why| panic!("{why}: {difference}"))
}
