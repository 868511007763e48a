//! What one Pod requests of its node, by the rule of the scheduler and by that of the kubelet.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use reef_api::facts::Claim;

/// What Pods request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// By the scheduler: of each container the largest of what it wishes, what is set aside and what is in effect.
    pub scheduled: Claim,
    /// By the kubelet: what it has set aside.
    pub allocated: Claim,
}

impl Requests {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { scheduled: self.scheduled.plus(other.scheduled), allocated: self.allocated.plus(other.allocated) }
    }
}

type Quantities = BTreeMap<String, Quantity>;

/// What a Pod requests. An amount that cannot be read counts as none.
pub fn requests(pod: &Pod) -> Requests {
    let Some(spec) = &pod.spec else { return Requests::default() };
    let status = pod.status.as_ref();
    let of = |name: &str| {
        let statuses = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
        statuses.iter().find(|status| status.name == name)
    };
    let init_of = |name: &str| {
        let statuses = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
        statuses.iter().find(|status| status.name == name)
    };
    let main = spec.containers.iter().map(|container| of_container(container, of(&container.name)));
    let mut sum = main.fold(Requests::default(), Requests::plus);
    // Init containers go one after the other; those that stay (sidecars) count beside everything that starts after them.
    let (mut sidecars, mut peak) = (Requests::default(), Requests::default());
    for container in spec.init_containers.iter().flatten() {
        let own = of_container(container, init_of(&container.name));
        if container.restart_policy.as_deref() == Some("Always") {
            sidecars = sidecars.plus(own);
            peak = larger(peak, sidecars);
        } else {
            peak = larger(peak, sidecars.plus(own));
        }
    }
    sum = larger(sum.plus(sidecars), peak);
    let overhead = spec.overhead.as_ref().map(claim).unwrap_or_default();
    sum.plus(Requests { scheduled: overhead, allocated: overhead })
}

fn larger(one: Requests, other: Requests) -> Requests {
    Requests { scheduled: one.scheduled.max(other.scheduled), allocated: one.allocated.max(other.allocated) }
}

fn of_container(container: &Container, status: Option<&ContainerStatus>) -> Requests {
    let resources = container.resources.as_ref();
    let wished = resources.and_then(|resources| resources.requests.as_ref().or(resources.limits.as_ref()));
    let wished = wished.map(claim).unwrap_or_default();
    let set_aside = status.and_then(|status| status.allocated_resources.as_ref()).map(claim);
    let in_effect = status.and_then(|status| status.resources.as_ref()?.requests.as_ref()).map(claim);
    let scheduled = wished.max(set_aside.unwrap_or_default()).max(in_effect.unwrap_or_default());
    Requests { scheduled, allocated: set_aside.unwrap_or(wished) }
}

fn claim(quantities: &Quantities) -> Claim {
    Claim { cpu: amount(quantities, "cpu"), memory: amount(quantities, "memory") }
}

fn amount<T: std::str::FromStr + Default>(quantities: &Quantities, name: &str) -> T {
    quantities.get(name).and_then(|quantity| quantity.0.parse().ok()).unwrap_or_default()
}
