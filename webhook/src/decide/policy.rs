//! Whether a SizingPolicy is sound, and how it stands to the others of its namespace.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use reef_api::SizingPolicySpec;
use reef_policy::{Overlap, check, overlap, unsound};

use super::Verdict;

/// What is said of a policy. `old` is what the cluster has of it, `others` the selectors of the others in its namespace.
pub fn sizing_policy(
    new: &SizingPolicySpec,
    old: Option<&SizingPolicySpec>,
    others: &BTreeMap<String, Option<LabelSelector>>,
) -> Verdict {
    if old == Some(new) {
        return Verdict::allowed();
    }
    let rules = check(&new.rules).into_iter().map(|error| format!("spec.{error}"));
    let refused = unsound(new).iter().map(ToString::to_string).chain(rules).collect();
    let mut verdict = Verdict { refused, warnings: Vec::new() };
    for (name, selector) in others {
        match overlap(new.selector.as_ref(), selector.as_ref()) {
            Overlap::None => {}
            Overlap::Certain => verdict.refused.push(format!(
                "spec.selector is that of SizingPolicy {name}: no VM that both match would have a policy; add a label to one of them, or change {name} instead"
            )),
            Overlap::Possible => verdict.warnings.push(format!(
                "spec.selector is as specific as that of SizingPolicy {name}: a VM with the labels of both would have no policy"
            )),
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_policy_for_the_same_vms_is_refused_and_a_possible_tie_is_told() {
        let selector = |labels: serde_json::Value| {
            Some(LabelSelector { match_labels: serde_json::from_value(labels).unwrap(), match_expressions: None })
        };
        let policy = |labels| SizingPolicySpec { selector: selector(labels), ..SizingPolicySpec::default() };
        let others = BTreeMap::from([
            ("all".to_owned(), None),
            ("db".to_owned(), selector(json!({"team": "db"}))),
            ("gold".to_owned(), selector(json!({"tier": "gold"}))),
        ]);
        let verdict = sizing_policy(&policy(json!({"team": "db"})), None, &others);
        assert_eq!((verdict.refused.len(), verdict.warnings.len()), (1, 1), "{verdict:?}");
        assert!(verdict.refused.iter().all(|why| why.contains("SizingPolicy db")));
        assert_eq!(sizing_policy(&policy(json!({"team": "db", "tier": "gold"})), None, &others), Verdict::allowed());
        let same = policy(json!({"team": "db"}));
        assert_eq!(sizing_policy(&same, Some(&same), &others), Verdict::allowed());
    }
}
