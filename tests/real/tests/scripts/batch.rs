//! Many objects in one start of the program: one script of the settings, called for each of them by a script around it, in the same interpreter and with
//! the same libraries. That the settings lead to the script is seen by single objects (`argocd::health`).

use serde_json::{Value, json};

use crate::argocd::{SETTINGS, file, health_by};
use crate::path;

/// Calls the script for each object. What it returns is written as text, one record for each: whether it came to an end, and what it gave.
const AROUND: &str = r#"
local run, shown = loadstring(obj.spec.script), {}
local function written(found)
  if type(found) ~= "table" then
    return "no table: " .. tostring(found)
  end
  if type(found.status) == "string" and type(found.message) == "string" then
    return found.status .. "\31" .. found.message
  end
  if found.metadata ~= nil then
    return tostring(found.metadata.annotations["reef.dev/suspended"])
  end
  local names = {}
  for name, action in pairs(found) do
    names[#names + 1] = name .. "=" .. tostring(not action.disabled)
  end
  table.sort(names)
  return table.concat(names, " ")
end
for place, case in ipairs(obj.spec.cases) do
  obj, actionParams = case.object, case.parameters
  local ended, found = pcall(run)
  shown[place] = (ended and "ok" or "error") .. "\31" .. (ended and written(found) or tostring(found))
end
return { status = "Healthy", message = table.concat(shown, "\30") }
"#;

/// Cases of one start: Argo CD gives an interpreter one second.
const TOGETHER: usize = 200;
/// The same for scripts that look at each byte of a text.
const SLOW_TOGETHER: usize = 20;

/// The value of a key of the settings that are shipped.
fn setting(key: &str) -> String {
    let settings: Value = serde_yaml::from_str(&std::fs::read_to_string(path(SETTINGS)).unwrap()).unwrap();
    settings["data"][key].as_str().unwrap_or_else(|| panic!("{SETTINGS} has no {key}")).to_owned()
}

/// The health script of a kind, as `GROUP_KIND`.
pub fn health_script(kind: &str) -> String {
    setting(&format!("resource.customizations.health.{kind}"))
}

/// One of the scripts about actions of a kind: the list of them, or an action.
pub fn action_script(kind: &str, action: Option<&str>) -> String {
    let all: Value = serde_yaml::from_str(&setting(&format!("resource.customizations.actions.{kind}"))).unwrap();
    let Some(action) = action else { return all["discovery.lua"].as_str().unwrap().to_owned() };
    let defined = all["definitions"].as_array().unwrap().iter().find(|defined| defined["name"] == action);
    defined.unwrap()["action.lua"].as_str().unwrap().to_owned()
}

/// What a script gives for each object; the sentence of its error where it ends in one.
pub fn run(script: &str, objects: &[Value]) -> Vec<Result<String, String>> {
    let cases: Vec<Value> = objects.iter().map(|object| json!({ "object": object })).collect();
    run_by(script, &cases, TOGETHER)
}

/// The same, for objects with the parameters of an action: `{object, parameters}`.
pub fn run_with(script: &str, cases: &[Value]) -> Vec<Result<String, String>> {
    run_by(script, cases, SLOW_TOGETHER)
}

fn run_by(script: &str, cases: &[Value], together: usize) -> Vec<Result<String, String>> {
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "argocd-cm", "namespace": "argocd" },
        "data": { "resource.customizations.health.example.com_Batch": AROUND },
    });
    let settings = file(&settings.to_string());
    let mut found = Vec::new();
    for cases in cases.chunks(together) {
        let batch = json!({
            "apiVersion": "example.com/v1", "kind": "Batch", "metadata": { "name": "batch" }, "spec": { "script": script, "cases": cases },
        });
        let (status, message) = health_by(&batch, settings.path());
        assert_eq!(status, "Healthy", "{message}");
        found.extend(message.split('\u{1e}').map(record));
    }
    assert_eq!(found.len(), cases.len());
    found
}

fn record(text: &str) -> Result<String, String> {
    match text.split_once('\u{1f}') {
        Some(("ok", given)) => Ok(given.to_owned()),
        Some((_, error)) => Err(error.to_owned()),
        None => panic!("no record: {text}"),
    }
}

/// Status and message of each object.
pub fn healths(kind: &str, objects: &[Value]) -> Vec<(String, String)> {
    let parted = |(place, given): (usize, Result<String, String>)| {
        let given = given.unwrap_or_else(|error| panic!("{error}: {}", objects[place]));
        let (status, message) = given.split_once('\u{1f}').unwrap_or_else(|| panic!("{given}: {}", objects[place]));
        (status.to_owned(), message.to_owned())
    };
    run(&health_script(kind), objects).into_iter().enumerate().map(parted).collect()
}
