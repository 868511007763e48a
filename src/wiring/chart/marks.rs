//! Marks in manifests: comments that tell which value of the chart stands in a line, from which the template and the value's default are made.
//!
//! ```text
//!   replicas: 2 # value: controller.replicas                    all that follows the key is the value
//!   - "--devices=kvm,tun" # value: daemon.devices = kvm,tun     this part of the line is the value
//! ```
//! Text in, text out; which files there are is told in `super`.

/// What begins a mark.
const MARK: &str = " # value: ";

/// A value that an installation may choose, as one line states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its name in the values of the chart, with a dot after its section.
    pub name: String,
    /// What stands there without a choice, as YAML.
    pub default: String,
    /// Whether it is the whole value of its line.
    pub extent: Extent,
}

/// How much of a line a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that follows the key: of any type, written as JSON.
    Whole,
    /// Words within other words, in quotation marks that the line has: a string, written as it is.
    Part,
}

/// A mark that says nothing of its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// There is no key before the value.
    #[error("the line {line:?} is marked as {name}, and has no key with a value")]
    NoKey {
        /// The line without its mark.
        line: String,
        /// The name in the mark.
        name: String,
    },
    /// The part is not in the line.
    #[error("the line {line:?} is marked as {name}, and has no {part:?} in it")]
    NoPart {
        /// The line without its mark.
        line: String,
        /// The name in the mark.
        name: String,
        /// The text in the mark.
        part: String,
    },
}

/// The template of a manifest, and the values that stand in it.
///
/// # Errors
/// Where a mark says nothing of its line.
pub fn templated(text: &str) -> Result<(String, Vec<Marked>), MarkError> {
    let mut template = String::with_capacity(text.len());
    let mut values = Vec::new();
    for line in text.lines() {
        match line.split_once(MARK) {
            None => template += &literal(line),
            Some((line, mark)) => {
                let (line, value) = read(line, mark)?;
                template += &line;
                values.push(value);
            }
        }
        template.push('\n');
    }
    Ok((template, values))
}

/// Text as a template that renders to it.
pub fn literal(text: &str) -> String {
    text.replace("{{", r#"{{ "{{" }}"#)
}

fn read(line: &str, mark: &str) -> Result<(String, Marked), MarkError> {
    match mark.split_once(" = ") {
        Some((name, part)) => {
            if !line.contains(part) {
                return Err(MarkError::NoPart { line: line.to_owned(), name: name.to_owned(), part: part.to_owned() });
            }
            let line = literal(line).replace(part, &format!("{{{{ .Values.{name} }}}}"));
            Ok((line, Marked { name: name.to_owned(), default: format!("{part:?}"), extent: Extent::Part }))
        }
        None => {
            let none = || MarkError::NoKey { line: line.to_owned(), name: mark.to_owned() };
            let (key, value) = line.split_once(": ").ok_or_else(none)?;
            let line = format!("{}: {{{{ toJson .Values.{mark} }}}}", literal(key));
            Ok((line, Marked { name: mark.to_owned(), default: value.to_owned(), extent: Extent::Whole }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_line_becomes_a_place_for_its_value_and_the_rest_renders_to_itself() {
        let text = "# why {{x}}\nreplicas: 2 # value: a.replicas\n- --to=/var/x/y # value: b.dir = /var/x\n";
        let (template, values) = templated(text).unwrap();
        assert_eq!(
            template,
            "# why {{ \"{{\" }}x}}\nreplicas: {{ toJson .Values.a.replicas }}\n- --to={{ .Values.b.dir }}/y\n"
        );
        let value = |name: &str, default: &str, extent| Marked { name: name.into(), default: default.into(), extent };
        assert_eq!(values, [value("a.replicas", "2", Extent::Whole), value("b.dir", "\"/var/x\"", Extent::Part)]);
    }

    #[test]
    fn a_mark_that_says_nothing_of_its_line_is_told_with_the_line() {
        let told = |text: &str| templated(text).unwrap_err().to_string();
        assert_eq!(told("- word # value: a"), r#"the line "- word" is marked as a, and has no key with a value"#);
        assert_eq!(told("- word # value: a = x"), r#"the line "- word" is marked as a, and has no "x" in it"#);
    }
}
