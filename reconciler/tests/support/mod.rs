//! The Pod that tests of the pipeline begin with. Nothing is decided or checked here.

use reef_api::PodSize;
use reef_reconciler::decide::observed::{PodObserved, PodPhase, Reads};

/// A Pod of `web-1` that runs on `node-a`, and has exactly the size that it wishes for.
pub fn settled_pod(uid: &str, size: PodSize) -> PodObserved {
    PodObserved {
        name: format!("web-1-{uid}"),
        uid: uid.to_owned(),
        resource_version: "1".to_owned(),
        phase: PodPhase::Running,
        deleting: false,
        node: Some("node-a".to_owned()),
        unschedulable: None,
        trouble: None,
        unbooted: false,
        made_for: None,
        restarted: None,
        generation: 1,
        observed_generation: 1,
        spec: size,
        allocated: Some(size),
        actual: Some(size),
        pending: None,
        in_progress: None,
        reads: Reads::Twice,
    }
}
