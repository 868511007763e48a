//! The page of words: reasons with what to do, phases, outcomes, events and limitations, with the meaning that stands beside each in the code.

use reef::view::hint::hint;
use reef_api::vm::{Limitation, Outcome};
use reef_api::{EventName, Phase, Reason};
use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use super::{head, row};

/// The words of an enum, with their meaning.
fn words<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schema_for!(T).to_value();
    let cases = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    cases.iter().map(|case| (text(&case["const"]), text(&case["description"]))).collect()
}

/// The page.
pub fn page() -> String {
    let mut page = "# Reasons, phases, outcomes and events\n\
                    A reason stands in the conditions of a VM or a GitSource and in `status.resize.reason`; the message beside it has the numbers. \
                    What each looks like and where it comes from is told in [troubleshooting.md](../troubleshooting.md).\n\n## Reasons\n"
        .to_owned();
    page += &head(&["reason", "meaning", "what to do"]);
    for (word, meaning) in words::<Reason>() {
        let known = Reason::ALL.iter().find(|reason| reason.as_str() == word);
        page += &row(&[&format!("`{word}`"), &meaning, known.and_then(|reason| hint(*reason)).unwrap_or("nothing")]);
    }
    page += &section::<Phase>("Phases", "`status.phase` of a VM.");
    page += &section::<Outcome>(
        "Outcomes",
        "`status.history[].outcome` of a VM: what became of each of its last ten sizes.",
    );
    page += &section::<EventName>(
        "Events",
        "Each is written once for a VM, a generation of its spec and a reason, also across a crash.",
    );
    page += &section::<Limitation>(
        "Limitations",
        "`status.vmm.limitations` of a VM: what its hypervisor cannot do while it runs.",
    );
    page
}

fn section<T: JsonSchema>(title: &str, about: &str) -> String {
    let rows: String = words::<T>().iter().map(|(word, meaning)| row(&[&format!("`{word}`"), meaning])).collect();
    format!("\n## {title}\n{about}\n\n{}{rows}", head(&["word", "meaning"]))
}

#[test]
fn every_reason_is_in_the_page() {
    assert_eq!(words::<Reason>().len(), Reason::ALL.len());
    assert_eq!(words::<Phase>().len(), Phase::ALL.len());
}
