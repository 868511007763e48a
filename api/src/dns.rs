//! The names that Kubernetes accepts, checked before anything is sent. It judges text only: whether an object of that name exists is not asked here.

use thiserror::Error;

/// The longest label, in bytes (RFC 1123).
pub const LABEL_LIMIT: usize = 63;
/// The longest subdomain name, in bytes (RFC 1123).
pub const SUBDOMAIN_LIMIT: usize = 253;

/// The longest piece of a refused name that a message repeats, in characters.
const ECHO_LIMIT: usize = 70;

/// Why a name is not one that Kubernetes accepts. It never goes away by trying again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no name, or nothing between two dots.
    #[error("the name \"{name}\" has an empty part: write at least one letter or digit")]
    Empty {
        /// The name as written, shortened and escaped.
        name: String,
    },
    /// The name is too long.
    #[error("the name \"{name}\" has {length} bytes: at most {limit} are allowed")]
    TooLong {
        /// The name as written, shortened and escaped.
        name: String,
        /// Its length in bytes.
        length: usize,
        /// The allowed length in bytes.
        limit: usize,
    },
    /// A character is none of those allowed.
    #[error("the name \"{name}\" has \"{found}\" at character {position}: {allowed}")]
    Character {
        /// The name as written, shortened and escaped.
        name: String,
        /// The first character that is not allowed, escaped.
        found: String,
        /// Where it stands, counted from one.
        position: usize,
        /// Which characters are allowed.
        allowed: &'static str,
    },
    /// A part begins or ends with a hyphen.
    #[error("the name \"{name}\" has a part that starts or ends with \"-\": start and end with a letter or digit")]
    Hyphen {
        /// The name as written, shortened and escaped.
        name: String,
    },
}

const IN_LABELS: &str = "use lower-case letters a-z, digits and \"-\" only";
const IN_SUBDOMAINS: &str = "use lower-case letters a-z, digits, \"-\" and \".\" only";

/// Checks a DNS-1123 label, which names namespaces, containers and volumes: at most 63 of `a-z 0-9 -`, with a letter or
/// digit at both ends.
pub fn dns1123_label(name: &str) -> Result<(), NameError> {
    length(name, LABEL_LIMIT)?;
    characters(name, IN_LABELS, plain)?;
    part(name, name)
}

/// Checks a DNS-1123 subdomain, which names most objects: labels joined by dots, at most 253 bytes in all.
pub fn dns1123_subdomain(name: &str) -> Result<(), NameError> {
    length(name, SUBDOMAIN_LIMIT)?;
    characters(name, IN_SUBDOMAINS, |c| plain(c) || c == '.')?;
    name.split('.').try_for_each(|label| part(name, label))
}

fn plain(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-')
}

fn length(name: &str, limit: usize) -> Result<(), NameError> {
    if name.len() > limit {
        return Err(NameError::TooLong { name: echo(name), length: name.len(), limit });
    }
    Ok(())
}

fn characters(name: &str, allowed: &'static str, is_allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    let refused = (1..).zip(name.chars()).find(|(_, c)| !is_allowed(*c));
    match refused {
        Some((position, c)) => Err(NameError::Character { name: echo(name), found: shown(c), position, allowed }),
        None => Ok(()),
    }
}

fn part(name: &str, label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::Empty { name: echo(name) });
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError::Hyphen { name: echo(name) });
    }
    Ok(())
}

/// Letters of other scripts that look like Latin ones are shown by number: the message would otherwise name what the
/// reader believes to have written.
fn shown(c: char) -> String {
    if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { format!("U+{:04X}", u32::from(c)) }
}

fn echo(name: &str) -> String {
    let mut text: String = name.chars().take(ECHO_LIMIT).flat_map(char::escape_debug).collect();
    if name.chars().nth(ECHO_LIMIT).is_some() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> String {
        dns1123_label(name).unwrap_err().to_string()
    }

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "0", "web-1", "a--b", &"x".repeat(63)] {
            assert_eq!(dns1123_label(name), Ok(()), "{name}");
            assert_eq!(dns1123_subdomain(name), Ok(()), "{name}");
        }
        assert_eq!(dns1123_subdomain("web-1.example.org"), Ok(()));
        assert_eq!(dns1123_subdomain(&["x".repeat(63), "y".repeat(189)].join(".")), Ok(()));
    }

    #[test]
    fn a_refused_name_is_told_with_the_reason() {
        assert_eq!(label(""), "the name \"\" has an empty part: write at least one letter or digit");
        assert_eq!(
            label("Web"),
            "the name \"Web\" has \"W\" at character 1: use lower-case letters a-z, digits and \"-\" only"
        );
        assert_eq!(
            label("web-"),
            "the name \"web-\" has a part that starts or ends with \"-\": start and end with a letter or digit"
        );
        assert!(label("a.b").contains("has \".\" at character 2"));
        assert!(label("a b").contains("has \" \" at character 2"));
        assert!(label("a\nb").contains("\"a\\nb\" has \"U+000A\" at character 2"));
        assert!(label(&"x".repeat(64)).contains("has 64 bytes: at most 63"));
    }

    #[test]
    fn letters_that_look_alike_are_shown_by_number() {
        assert!(label("w\u{435}b").contains("has \"U+0435\" at character 2"));
        assert!(label("\u{1f600}").contains("has \"U+1F600\" at character 1"));
    }

    #[test]
    fn every_part_of_a_subdomain_is_checked() {
        for name in ["a..b", ".a", "a.", "a.-b", "a-.b", "a_b", "A.b", &"x.".repeat(127)] {
            assert!(dns1123_subdomain(name).is_err(), "{name}");
        }
        assert!(dns1123_subdomain(&"x".repeat(254)).is_err());
    }
}
