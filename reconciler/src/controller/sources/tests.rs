//! Whose word counts for an object, as a table.

use serde_json::{Value, json};

use super::statement::{Statement, Verdict, verdict};
use crate::decide::diff::Drift;
use crate::desired::Origin;
use crate::observe::{Kind, ObjectKey};
use crate::packed::Packed;

fn origin(file: &str) -> Origin {
    Origin { file: file.into(), document: 1, line: 3, column: 0 }
}

fn judge(sources: &[&str], owner: Option<&str>, unread: bool) -> Verdict {
    let keys: Vec<ObjectKey> = sources.iter().map(|name| ObjectKey::new("team", *name)).collect();
    let origins: Vec<Origin> = sources.iter().map(|name| origin(&format!("{name}.yaml"))).collect();
    let packed = Packed::from(&json!({"metadata": {"name": "web"}, "spec": {"runPolicy": "Always"}}));
    let pairs = keys.iter().zip(&origins);
    let statements: Vec<Statement<'_>> =
        pairs.map(|(source, origin)| Statement { source, manifest: &packed, origin, revision: "c0ffee" }).collect();
    let live: Option<Value> = owner.map(|owner| {
        json!({"metadata": {"annotations": {"reef.dev/source": owner},
            "managedFields": [{"manager": "reef-controller", "operation": "Apply", "fieldsV1": {}}]},
            "spec": {"runPolicy": "Always"}})
    });
    verdict((Kind::Vm, &ObjectKey::new("team", "web")), &statements, live.as_ref(), |_| unread)
}

fn applied_by(verdict: &Verdict) -> Option<(&str, &Drift)> {
    match verdict {
        Verdict::Apply(manifest, drift) => Some((manifest.source.as_str(), drift)),
        Verdict::Unstated | Verdict::Agrees | Verdict::Blocked(_) => None,
    }
}

fn blocked(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Blocked(problem) => Some(problem.message.as_str()),
        Verdict::Unstated | Verdict::Agrees | Verdict::Apply(..) => None,
    }
}

#[test]
fn what_nobody_states_is_nobodys_business() {
    assert_eq!(judge(&[], Some("team/a"), false), Verdict::Unstated);
}

#[test]
fn a_new_object_is_applied_by_the_one_source_that_states_it() {
    assert_eq!(applied_by(&judge(&["a"], None, false)), Some(("team/a", &Drift::Missing)));
}

#[test]
fn of_several_sources_that_state_a_new_object_none_is_followed_and_each_is_named() {
    let expected = "it is stated in a.yaml:3 of GitSource team/a and in b.yaml:3 of GitSource team/b, and none of them is used; keep one";
    assert_eq!(blocked(&judge(&["a", "b"], None, false)), Some(expected));
}

#[test]
fn the_source_that_applied_an_object_keeps_the_word() {
    assert_eq!(judge(&["a", "b"], Some("team/b"), false), Verdict::Agrees);
}

#[test]
fn an_object_is_taken_over_from_a_source_that_has_given_it_up_but_not_from_one_that_was_not_read() {
    let other = Drift::OtherSource("team/old".to_owned());
    assert_eq!(applied_by(&judge(&["a"], Some("team/old"), false)), Some(("team/a", &other)));
    let expected = "team/a states it in a.yaml:3, but GitSource team/old has applied it and has not been read yet";
    assert_eq!(blocked(&judge(&["a"], Some("team/old"), true)), Some(expected));
}
