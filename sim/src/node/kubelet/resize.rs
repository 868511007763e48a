//! Whether a resize can be allocated, and the kubelet's words about it. Pure.

use serde_json::json;

use crate::node::resources::{Amounts, ContainerResources};

/// What the kubelet says to a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is room for it now.
    Fits,
    /// There may be room later.
    Deferred(String),
    /// There never is.
    Infeasible(String),
}

/// Judges a Pod's total `wish` on a node that has `allocatable`, of which other Pods hold `others`.
#[must_use]
pub fn judge(wish: Amounts, others: Amounts, allocatable: Amounts) -> Verdict {
    let rows = [
        ("cpu", wish.cpu().get(), others.cpu().get(), allocatable.cpu().get()),
        ("memory", wish.memory().get(), others.memory().get(), allocatable.memory().get()),
    ];
    for (name, requested, _, capacity) in rows {
        if requested > capacity {
            let text =
                format!("Node didn't have enough capacity: {name}, requested: {requested}, capacity: {capacity}");
            return Verdict::Infeasible(text);
        }
    }
    for (name, requested, used, capacity) in rows {
        if requested.saturating_add(used) > capacity {
            let text = format!(
                "Node didn't have enough resource: {name}, requested: {requested}, used: {used}, capacity: {capacity}"
            );
            return Verdict::Deferred(text);
        }
    }
    Verdict::Fits
}

/// Why a lower memory limit is not set: what is used now is above it.
#[must_use]
pub fn below_usage(container: &str, limit: u64, usage: u64) -> String {
    format!(
        "cannot decrease memory limits: [attempting to set pod memory limit ({limit}) below current usage ({usage}), \
         attempting to set container \"{container}\" memory limit ({limit}) below current usage ({usage})]"
    )
}

/// The JSON that the kubelet's resize events carry.
#[must_use]
pub fn event_message(
    what: &str,
    containers: &[(String, ContainerResources)],
    generation: i64,
    error: Option<&str>,
) -> String {
    let list: Vec<_> =
        containers.iter().map(|(name, resources)| json!({ "name": name, "resources": resources.to_json() })).collect();
    let mut body = json!({ "containers": list, "generation": generation });
    if let (Some(map), Some(error)) = (body.as_object_mut(), error) {
        map.insert("error".to_owned(), json!(error));
    }
    format!("Pod resize {what}: {body}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::{Bytes, MilliCpu};

    fn amounts(cpu: u64, memory: u64) -> Amounts {
        Amounts { cpu: Some(MilliCpu(cpu)), memory: Some(Bytes(memory)) }
    }

    #[test]
    fn verdicts_have_the_measured_words() {
        let node = amounts(2000, 1 << 30);
        let judge = |cpu, memory, used| judge(amounts(cpu, memory), amounts(used, 0), node);
        assert_eq!(judge(2000, 1 << 30, 0), Verdict::Fits);
        let infeasible = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000";
        assert_eq!(judge(3000, 1, 0), Verdict::Infeasible(infeasible.to_owned()));
        let deferred = "Node didn't have enough resource: cpu, requested: 1500, used: 1250, capacity: 2000";
        assert_eq!(judge(1500, 1, 1250), Verdict::Deferred(deferred.to_owned()));
        assert!(matches!(judge(2000, 2 << 30, 1), Verdict::Infeasible(_)), "never is said before later");
    }
}
