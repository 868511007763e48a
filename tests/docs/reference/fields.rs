//! A JSON Schema as `schemars` makes it of a type, read as objects with fields: what a field holds, whether it may be absent, and what its words mean.

use std::collections::VecDeque;

use serde_json::Value;

/// Of more words than these the list stands on a page of its own: they are the reasons.
pub const MOST_WORDS: usize = 20;

/// A field of an object.
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds, in words.
    pub holds: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What holds where it is absent, as its description says.
    pub absent: String,
    /// The rest of its description.
    pub meaning: String,
    /// The words that it may hold, with their meaning.
    pub words: Vec<(String, String)>,
}

/// An object with fields.
pub struct Object {
    /// Where it stands, as `spec.instance.cpu`; lists end in `[]`.
    pub path: String,
    /// What it is.
    pub about: String,
    /// Its fields, by name.
    pub fields: Vec<Field>,
}

/// Every object below a schema, the outer ones first.
pub fn objects(path: &str, root: &Value) -> Vec<Object> {
    let (mut found, mut open) = (Vec::new(), VecDeque::from([(path.to_owned(), root)]));
    while let Some((path, schema)) = open.pop_front() {
        let (object, inner) = object(&path, schema, root);
        found.push(object);
        open.extend(inner);
    }
    found
}

fn object<'a>(path: &str, schema: &'a Value, root: &'a Value) -> (Object, Vec<(String, &'a Value)>) {
    let properties = schema["properties"].as_object().unwrap();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (mut fields, mut inner) = (Vec::new(), Vec::new());
    for (name, stated) in properties {
        let held = Held::of(stated, root);
        let (absent, meaning) = told(stated["description"].as_str().unwrap_or_default());
        fields.push(Field {
            name: name.clone(),
            holds: held.words(&format!("{path}.{name}")),
            required: required.contains(&name.as_str()),
            absent,
            meaning,
            words: held.meanings(),
        });
        if let Some(schema) = held.inner() {
            inner.push((format!("{path}.{name}{}", held.list()), schema));
        }
    }
    let about = schema["description"].as_str().unwrap_or_default();
    (Object { path: path.to_owned(), about: about.to_owned(), fields }, inner)
}

/// Parts the sentence about absence from the rest.
fn told(description: &str) -> (String, String) {
    let joined = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let (absent, meaning): (Vec<&str>, Vec<&str>) =
        sentences(&joined).into_iter().partition(|sentence| sentence.contains(" when absent"));
    let absent = absent.join(" ").replace(" when absent", "");
    (absent.trim_end_matches('.').to_owned(), meaning.join(" "))
}

fn sentences(text: &str) -> Vec<&str> {
    let ends = text.match_indices(". ").map(|(at, _)| at + 1);
    let capital = |at: &usize| text[*at..].trim_start().starts_with(|first: char| !first.is_lowercase());
    let mut bounds: Vec<usize> = std::iter::once(0).chain(ends.filter(capital)).collect();
    bounds.push(text.len());
    bounds.windows(2).map(|pair| text[pair[0]..pair[1]].trim()).filter(|sentence| !sentence.is_empty()).collect()
}

/// What a field holds: its schema without the wrapping of what may be absent.
struct Held<'a> {
    schema: &'a Value,
    items: Option<&'a Value>,
    root: &'a Value,
    foreign: Option<String>,
}

impl<'a> Held<'a> {
    fn of(stated: &'a Value, root: &'a Value) -> Self {
        let (schema, _) = resolved(stated, root);
        match schema.get("items") {
            Some(items) => {
                let (inner, foreign) = resolved(items, root);
                Self { schema, items: Some(inner), root, foreign }
            }
            None => Self { schema, items: None, root, foreign: resolved(stated, root).1 },
        }
    }

    fn value(&self) -> &'a Value {
        self.items.unwrap_or(self.schema)
    }

    fn list(&self) -> &'static str {
        if self.items.is_some() { "[]" } else { "" }
    }

    /// The object to go on with; those of Kubernetes are described elsewhere.
    fn inner(&self) -> Option<&'a Value> {
        let fields = self.value().get("properties").and_then(Value::as_object).is_some_and(|fields| !fields.is_empty());
        (fields && self.foreign.is_none()).then(|| self.value())
    }

    fn words(&self, path: &str) -> String {
        let one = self.one(path);
        let most =
            self.schema["maxItems"].as_u64().or(self.schema["maxLength"].as_u64().filter(|_| self.items.is_some()));
        match (self.items, most) {
            (None, _) => one,
            (Some(_), None) => format!("list of: {one}"),
            (Some(_), Some(most)) => format!("list of at most {most}: {one}"),
        }
    }

    fn one(&self, path: &str) -> String {
        if let Some(name) = &self.foreign {
            return format!("Kubernetes' `{name}`");
        }
        if self.inner().is_some() {
            let anchor: String =
                format!("{path}{}", self.list()).to_lowercase().chars().filter(|sign| sign.is_alphanumeric()).collect();
            return format!("[object](#{anchor})");
        }
        let names = self.names();
        if names.len() > MOST_WORDS {
            return "one of the [reasons](reasons.md#reasons)".to_owned();
        }
        if names.is_empty() { scalar(self.value(), self.root) } else { format!("one of {}", names.join(", ")) }
    }

    fn names(&self) -> Vec<String> {
        let quoted = |word: &Value| word.as_str().map(|word| format!("`{word}`"));
        let of_list = |list: &Value| list.as_array().into_iter().flatten().filter_map(quoted).collect::<Vec<_>>();
        let cases = self.value()["oneOf"].as_array().into_iter().flatten();
        let each = cases.flat_map(|case| quoted(&case["const"]).into_iter().chain(of_list(&case["enum"])));
        each.chain(of_list(&self.value()["enum"])).collect()
    }

    fn meanings(&self) -> Vec<(String, String)> {
        let cases = self.value()["oneOf"].as_array().into_iter().flatten();
        let meaning =
            |case: &Value| Some((case["const"].as_str()?.to_owned(), case["description"].as_str()?.to_owned()));
        cases.filter_map(meaning).collect()
    }
}

/// Follows references, and leaves out that a value may be null. The name is that of a type of Kubernetes.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> (&'a Value, Option<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")) {
        let foreign = name.starts_with("io.k8s.").then(|| name.rsplit('.').next().unwrap_or(name).to_owned());
        let (found, inner) = resolved(&root["$defs"][name], root);
        return (found, foreign.or(inner));
    }
    let cases = schema["anyOf"].as_array().into_iter().flatten();
    let mut real = cases.filter(|case| case["type"] != "null");
    real.next().map_or((schema, None), |case| resolved(case, root))
}

fn scalar(schema: &Value, root: &Value) -> String {
    if schema["x-kubernetes-int-or-string"] == true {
        return "quantity".to_owned();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect(),
        _ => return "anything".to_owned(),
    };
    match kinds.first().copied().unwrap_or_default() {
        "string" => text_of(schema),
        "integer" => bounded("integer", schema["minimum"].as_f64(), schema["maximum"].as_f64()),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", scalar(resolved(&schema["additionalProperties"], root).0, root))
        }
        other => other.to_owned(),
    }
}

fn text_of(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("date-time") => "time".to_owned(),
        _ => bounded("text", schema["minLength"].as_f64(), schema["maxLength"].as_f64()),
    }
}

fn bounded(name: &str, least: Option<f64>, most: Option<f64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{name}, {least} to {most}"),
        (Some(least), None) => format!("{name}, at least {least}"),
        (None, Some(most)) => format!("{name}, at most {most}"),
        (None, None) => name.to_owned(),
    }
}

#[test]
fn the_sentence_about_absence_is_parted_from_the_rest() {
    let (absent, meaning) = told("How often, as `30s`; at\nleast 5s. `1m` when absent. See e.g. there.");
    assert_eq!((absent.as_str(), meaning.as_str()), ("`1m`", "How often, as `30s`; at least 5s. See e.g. there."));
}
