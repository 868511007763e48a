//! The simple JSON paths of printer columns: `.a.b`, `.a['b.c']`, `.a[0]`, `.a[*]`, `.a[?(@.b=="c")].d`. Pure.

use serde_json::Value;

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
    All,
    Where { field: Vec<String>, value: String },
}

/// Every value at the path; nothing where the path does not parse.
pub fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let Some(steps) = parse(path) else { return Vec::new() };
    steps.iter().fold(vec![object], |found, step| found.into_iter().flat_map(|value| follow(value, step)).collect())
}

fn follow<'a>(value: &'a Value, step: &Step) -> Vec<&'a Value> {
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(index) => value.get(*index).into_iter().collect(),
        Step::All => match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        },
        Step::Where { field, value: wanted } => {
            let items = value.as_array().into_iter().flatten();
            let found = |item: &Value| field.iter().try_fold(item, |value, name| value.get(name)).map(plain);
            items.filter(|item| found(item).as_deref() == Some(wanted)).collect()
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn parse(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (content, after) = inner.split_once(']')?;
            steps.push(bracket(content.trim())?);
            rest = after;
        } else {
            let (name, after) = field_name(rest.strip_prefix('.').unwrap_or(rest));
            match name.as_str() {
                "" => {}
                "*" => steps.push(Step::All),
                _ => steps.push(Step::Field(name)),
            }
            rest = after;
        }
    }
    Some(steps)
}

/// A field's name up to the next step; a backslash keeps a dot in it.
fn field_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut escaped = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, text.get(index..).unwrap_or_default()),
            _ => {
                name.push(letter);
                escaped = false;
            }
        }
    }
    (name, "")
}

fn bracket(content: &str) -> Option<Step> {
    if content == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = content.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (left, right) = filter.split_once("==")?;
        let field = left.trim().strip_prefix("@.")?.split('.').map(str::to_owned).collect();
        return Some(Step::Where { field, value: unquote(right.trim()).to_owned() });
    }
    match content.parse() {
        Ok(index) => Some(Step::Index(index)),
        Err(_) => Some(Step::Field(unquote(content).replace("\\.", "."))),
    }
}

fn unquote(text: &str) -> &str {
    text.trim_matches(|letter| letter == '\'' || letter == '"')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_paths_of_printer_columns_are_found() {
        let object = json!({
            "spec": { "cpu": 2, "list": [{ "a": 1 }, { "a": 2 }] },
            "metadata": { "annotations": { "reef.dev/revision": "abc" } },
            "status": { "conditions": [{ "type": "Synced", "status": "False" }, { "type": "Ready", "status": "True" }] },
        });
        let table = [
            (".spec.cpu", vec![json!(2)]),
            ("{.spec.cpu}", vec![json!(2)]),
            (".spec.list[1].a", vec![json!(2)]),
            (".spec.list[*].a", vec![json!(1), json!(2)]),
            (".metadata.annotations['reef.dev/revision']", vec![json!("abc")]),
            (".metadata.annotations.reef\\.dev/revision", vec![json!("abc")]),
            (".status.conditions[?(@.type==\"Ready\")].status", vec![json!("True")]),
            (".status.conditions[?(@.type=='Gone')].status", vec![]),
            (".nowhere.at.all", vec![]),
            (".spec[", vec![]),
        ];
        for (path, expected) in table {
            let found: Vec<Value> = find(&object, path).into_iter().cloned().collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
