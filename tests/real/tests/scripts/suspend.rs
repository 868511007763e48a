//! The action suspend: what a person types becomes an annotation that Reef reads, whatever it is.

use jiff::SignedDuration;
use reef_api::Suspension;
use reef_api::names::SUSPENDED_ANNOTATION;
use serde_json::{Value, json};

use crate::argocd::{now, run};
use crate::batch::{action_script, run_with};
use crate::objects::{object, ready, settled};

const KINDS: [&str; 2] = ["cloudhypervisor.quill.today_VirtualMachine", "reef.dev_GitSource"];

/// What the action makes of parameters, read as Reef reads it.
fn suspensions(kind: &str, parameters: &[Value]) -> Vec<Result<Suspension, String>> {
    let cases: Vec<Value> =
        parameters.iter().map(|parameters| json!({ "object": settled(), "parameters": parameters })).collect();
    let read = |given: Result<String, String>| {
        given.map(|text| serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}")))
    };
    run_with(&action_script(kind, Some("suspend")), &cases).into_iter().map(read).collect()
}

/// Texts that would break out of a string of JSON, of Lua or of YAML, or that are no text at all.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        r#"","by":"root"#,
        r#"\"#,
        r#"\\""#,
        r#"\u0022"#,
        "]] .. error() --",
        "' .. obj .. '",
        "a\nb\r\n\tc",
        "%s %d %n $(reboot) ${HOME} `id`",
        "{{ .Values }}",
        "Grüße, 仮想マシン, 🐚",
        "e\u{301} \u{202e}turned\u{2028}line\u{feff}",
        " ",
        "null",
        "a: b # c",
        "---",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend((0..=255u8).map(|code| format!("a{}b", char::from(code))));
    texts.push("\u{10ffff}".repeat(125));
    texts.push("\"".repeat(500));
    texts
}

#[test]
fn a_reason_is_kept_as_it_was_typed() {
    let texts = hostile();
    let parameters: Vec<Value> = texts.iter().map(|text| json!({ "reason": text })).collect();
    // Both kinds include the same script.
    for (kind, count) in [(KINDS[0], texts.len()), (KINDS[1], 20)] {
        for (text, given) in texts.iter().zip(suspensions(kind, &parameters[..count])) {
            let given = given.unwrap();
            assert_eq!(given.reason.as_ref(), Some(text), "{kind}");
            assert_eq!(given.by.as_deref(), Some("Argo CD"));
        }
    }
}

#[test]
fn a_suspension_ends_when_it_was_asked_for_and_after_a_day_where_nothing_was_said() {
    let hours = SignedDuration::from_hours;
    let mut spans = vec![
        (json!({}), Some(hours(24))),
        (json!({ "for": "" }), Some(hours(24))),
        (json!({ "for": "forever" }), None),
        (json!({ "for": "90s" }), Some(SignedDuration::from_secs(90))),
        (json!({ "for": "30m" }), Some(SignedDuration::from_mins(30))),
        (json!({ "for": "007h" }), Some(hours(7))),
    ];
    // Ends of months, leap days, and the turn of years lie between.
    spans.extend((1..3650).step_by(37).map(|days| (json!({ "for": format!("{days}d") }), Some(hours(24 * days)))));
    let parameters: Vec<Value> = spans.iter().map(|(parameters, _)| parameters.clone()).collect();
    for ((parameters, lasts), given) in spans.iter().zip(suspensions(KINDS[0], &parameters)) {
        let given = given.unwrap();
        let found = given.until.map(|until| until.duration_since(given.at.unwrap()));
        let near =
            |(found, lasts): (SignedDuration, SignedDuration)| (found - lasts).abs() <= SignedDuration::from_secs(1);
        assert_eq!(found.is_some(), lasts.is_some(), "{parameters}");
        assert!(found.zip(*lasts).is_none_or(near), "{parameters}: {found:?}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_a_sentence() {
    let spans = [
        "2",
        "h",
        "2h30m",
        "-1h",
        "1.5h",
        "0s",
        "3651d",
        "99999999999999999999d",
        "1e9s",
        " 1h",
        "1H",
        "forever!",
        "１h",
    ];
    let mut parameters: Vec<Value> = spans.iter().map(|span| json!({ "for": span })).collect();
    parameters.push(json!({ "reason": "a".repeat(501) }));
    for (parameters, given) in parameters.iter().zip(suspensions(KINDS[0], &parameters)) {
        let why = given.expect_err(&parameters.to_string());
        assert!(why.starts_with("VirtualMachine web-1: the parameter `"), "{parameters}: {why}");
    }
}

#[test]
fn parameters_reach_the_action_through_the_settings_as_they_are_shipped() {
    let reason = "a \"quoted\" \\ reason,\nin two lines";
    for object in [settled(), object("GitSource", &ready("Applied"))] {
        let (added, removed) = run(&object, "suspend", &[&format!("reason={reason}"), "for=3d"]).unwrap();
        assert_eq!((added.len(), removed.len()), (1, 0), "{added:?} {removed:?}");
        let given: Suspension = serde_json::from_str(added[SUSPENDED_ANNOTATION].as_str().unwrap()).unwrap();
        assert_eq!(given.reason.as_deref(), Some(reason));
        let age = now().duration_since(given.at.unwrap()).as_secs();
        assert!((0..60).contains(&age) && given.until.is_some(), "{given:?}");
    }
    let (added, _) = run(&settled(), "suspend", &[]).unwrap();
    let given: Suspension = serde_json::from_str(added[SUSPENDED_ANNOTATION].as_str().unwrap()).unwrap();
    assert_eq!(given.reason.as_deref(), Some("no reason was given"));
}
