//! A suspension: somebody keeps what Git states from an object, says why, and until when; then it goes on by itself.
//!
//! Values, and whether they hold at a time that is handed in. It stands in an annotation, which `reef suspend` writes and Git must not state; a GitSource,
//! which may itself come from Git, can state one in its spec as well. What cannot be read counts as a suspension without end: whoever wrote it wanted
//! something held, and nothing is lost by holding.

use crate::names::SUSPENDED_ANNOTATION;
use crate::source::{GitSource, Suspend};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Characters of a reason or a name that are told.
const TOLD: usize = 200;

/// The value of the annotation `reef.dev/suspended`, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it ends by itself; never where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Suspension {
    /// The annotation's value.
    ///
    /// # Errors
    /// None that a suspension can bring about; the printer of JSON may fail.
    pub fn annotation(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// A suspension that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suspended {
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub by: Option<String>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// When it was begun, where that is known.
    pub at: Option<Timestamp>,
    /// What of it cannot be read, where something cannot: then it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl Suspended {
    fn unreadable(place: &str, why: &str) -> Self {
        let unreadable = format!(
            "{place} cannot be read ({}) and counts as a suspension until it is corrected or taken away",
            plain(why)
        );
        Self { unreadable: Some(unreadable), ..Self::default() }
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl fmt::Display for Suspended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("suspended")?;
        if let Some(unreadable) = &self.unreadable {
            return write!(f, ": {unreadable}");
        }
        if let Some(by) = &self.by {
            write!(f, " by {}", plain(by))?;
        }
        match self.until {
            Some(until) => write!(f, " until {until:.0}")?,
            None => f.write_str(" until it is resumed")?,
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {}", plain(reason)))
    }
}

/// The suspension of an object that holds at a time, by its annotations.
pub fn of_annotations(annotations: Option<&BTreeMap<String, String>>, now: Timestamp) -> Option<Suspended> {
    let text = annotations?.get(SUSPENDED_ANNOTATION)?;
    let found = match serde_json::from_str::<Suspension>(text) {
        Ok(Suspension { reason, by, until, at }) => Suspended { reason, by, until, at, unreadable: None },
        Err(error) => Suspended::unreadable(&format!("the annotation {SUSPENDED_ANNOTATION}"), &error.to_string()),
    };
    Some(found).filter(|found| found.holds(now))
}

/// The suspension of a source that holds at a time: of its annotation and its spec the one that ends last.
pub fn of_source(source: &GitSource, now: Timestamp) -> Option<Suspended> {
    let by_spec = source.spec.suspend.as_ref().map(of_spec).filter(|found| found.holds(now));
    let by_annotation = of_annotations(source.metadata.annotations.as_ref(), now);
    let end = |found: &Suspended| found.until.unwrap_or(Timestamp::MAX);
    by_spec.into_iter().chain(by_annotation).max_by_key(end)
}

fn of_spec(stated: &Suspend) -> Suspended {
    let until = stated.until.as_deref().map(str::parse::<Timestamp>).transpose();
    match until {
        Ok(until) => {
            Suspended { reason: stated.reason.clone(), by: stated.by.clone(), until, at: None, unreadable: None }
        }
        Err(error) => Suspended::unreadable("spec.suspend.until", &error.to_string()),
    }
}

/// What somebody wrote, in one line and not too long.
fn plain(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(TOLD).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn annotated(text: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(SUSPENDED_ANNOTATION.to_owned(), text.to_owned())])
    }

    fn source(spec: Option<Suspend>, annotation: Option<&str>) -> GitSource {
        let mut source = GitSource::default();
        source.spec.suspend = spec;
        source.metadata.annotations = annotation.map(annotated);
        source
    }

    #[test]
    fn a_suspension_holds_until_its_end_and_not_a_moment_longer() {
        let stated = Suspension {
            reason: Some("a move".to_owned()),
            by: Some("ops".to_owned()),
            until: Some(at(60)),
            at: Some(at(0)),
        };
        let marks = annotated(&stated.annotation().unwrap());
        let told = |now| of_annotations(Some(&marks), now).map(|found| found.to_string());
        assert_eq!(told(at(59)).unwrap(), "suspended by ops until 2027-01-15T08:01:00Z: a move");
        assert_eq!(told(at(60)), None);
        assert_eq!(of_annotations(None, at(0)), None);
    }

    #[test]
    fn a_suspension_without_an_end_holds_for_ever() {
        let told = of_annotations(Some(&annotated("{}")), at(1_000_000)).unwrap().to_string();
        assert_eq!(told, "suspended until it is resumed");
    }

    #[test]
    fn what_cannot_be_read_is_a_suspension_without_end_and_says_what_is_wrong() {
        for text in ["true", "false", "", "{", r#"{"untill":"2027-01-15T08:01:00Z"}"#, r#"{"until":"tomorrow"}"#] {
            let found = of_annotations(Some(&annotated(text)), at(1_000_000)).unwrap();
            assert_eq!(found.until, None);
            let told = found.to_string();
            assert!(told.starts_with("suspended: the annotation reef.dev/suspended cannot be read ("), "{told}");
        }
        let spec = Suspend { until: Some("tomorrow".to_owned()), ..Suspend::default() };
        let told = of_source(&source(Some(spec), None), at(0)).unwrap().to_string();
        assert!(told.starts_with("suspended: spec.suspend.until cannot be read ("), "{told}");
    }

    #[test]
    fn of_two_suspensions_the_one_that_ends_last_holds() {
        let spec = |second| Some(Suspend { until: Some(at(second).to_string()), ..Suspend::default() });
        let marks = format!(r#"{{"until":"{}"}}"#, at(60));
        let ends = |spec, annotation| of_source(&source(spec, annotation), at(0)).map(|found| found.until);
        assert_eq!(ends(spec(30), Some(marks.as_str())), Some(Some(at(60))));
        assert_eq!(ends(spec(90), Some(marks.as_str())), Some(Some(at(90))));
        assert_eq!(ends(Some(Suspend::default()), Some(marks.as_str())), Some(None));
        assert_eq!(ends(spec(-1), None), None);
    }

    #[test]
    fn what_people_wrote_is_told_in_one_line_of_bounded_length() {
        let long = Suspension { reason: Some(format!("a\nb{}", "x".repeat(500))), ..Suspension::default() };
        let told = of_annotations(Some(&annotated(&long.annotation().unwrap())), at(0)).unwrap().to_string();
        assert_eq!((told.contains('\n'), told.chars().count()), (false, "suspended until it is resumed: ".len() + 200));
    }
}
