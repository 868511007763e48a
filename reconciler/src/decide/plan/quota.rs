//! Quotas and limit ranges of the namespaces: the API server charges a growth at once, and gives a shrink back when it is done.

use std::collections::BTreeMap;

use reef_api::PodSize;
use reef_api::facts::{LimitFacts, QuotaFacts, QuotaLimit};
use reef_api::plan::{Finding, Mode, Rule};

use super::demand::Demand;
use super::draft::{Draft, listed};
use super::known::Known;

/// Judges every Pod that becomes another one.
pub(super) fn judge(drafts: &mut [Draft<'_>], known: &Known<'_>) {
    let mut own: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        own.entry(&draft.subject.key.namespace).or_default().push(index);
    }
    let of = |namespace: &str| own.get(namespace).map(Vec::as_slice).unwrap_or_default();
    for limit in known.limits {
        for index in of(&limit.namespace) {
            drafts.get_mut(*index).into_iter().for_each(|draft| within_range(draft, limit));
        }
    }
    for quota in known.quotas {
        for limit in &quota.limits {
            within_quota(drafts, of(&quota.namespace), quota, limit);
        }
    }
}

fn changed(demand: &Demand) -> Option<(Option<PodSize>, PodSize)> {
    match demand {
        Demand::Grown { from, to, .. } => Some((Some(*from), *to)),
        Demand::Placed { pod, instead_of, .. } => Some((instead_of.as_ref().map(|(_, size)| *size), *pod)),
        Demand::Nothing | Demand::Gone { .. } => None,
    }
}

fn within_range(draft: &mut Draft<'_>, limit: &LimitFacts) {
    let Some((_, pod)) = changed(&draft.demand) else { return };
    let bounds = [
        (
            limit.min_cpu.filter(|least| pod.cpu_request < *least).map(|least| ("CPU", "at least", least.to_string())),
            pod.cpu_request.to_string(),
        ),
        (
            limit.max_cpu.filter(|most| pod.cpu_limit > *most).map(|most| ("CPU", "at most", most.to_string())),
            pod.cpu_limit.to_string(),
        ),
        (
            limit.min_memory.filter(|least| pod.memory < *least).map(|least| ("memory", "at least", least.to_string())),
            pod.memory.to_string(),
        ),
        (
            limit.max_memory.filter(|most| pod.memory > *most).map(|most| ("memory", "at most", most.to_string())),
            pod.memory.to_string(),
        ),
    ];
    for (broken, found) in bounds {
        let Some((what, how, bound)) = broken else { continue };
        let message = format!(
            "LimitRange {} allows {how} {bound} of {what} for a Pod, and its Pod would have {found}",
            limit.name
        );
        let finding = Finding::says(Rule::LimitRange, message).against(bound, found);
        draft
            .worsen(Mode::Blocked, finding.remedied("ask for a size within the range, or have the LimitRange changed"));
    }
}

/// `own` are the drafts of the quota's namespace.
fn within_quota(drafts: &mut [Draft<'_>], own: &[usize], quota: &QuotaFacts, limit: &QuotaLimit) {
    let amount = |pod: Option<PodSize>| pod.map_or(0, |pod| limit.resource.of(pod));
    let asked = |draft: &Draft<'_>| {
        let (from, to) = changed(&draft.demand)?;
        let more = amount(Some(to)).saturating_sub(amount(from));
        (more > 0).then_some(more)
    };
    let back = |draft: &Draft<'_>| match &draft.demand {
        Demand::Grown { from, to, .. } => amount(Some(*from)).saturating_sub(amount(Some(*to))),
        Demand::Gone { from, .. } => amount(Some(*from)),
        Demand::Nothing | Demand::Placed { .. } => 0,
    };
    let free = limit.hard.saturating_sub(limit.used);
    let drafted = || own.iter().filter_map(|index| Some((*index, drafts.get(*index)?)));
    let room = drafted().fold(free, |sum, (_, draft)| sum.saturating_add(back(draft)));
    let askers: Vec<(usize, u64)> = drafted().filter_map(|(index, draft)| Some((index, asked(draft)?))).collect();
    let fitting = || askers.iter().filter(|(_, more)| *more <= room);
    let sum = fitting().fold(0_u64, |sum, (_, more)| sum.saturating_add(*more));
    let names: Vec<String> = fitting().filter_map(|(index, _)| Some(drafts.get(*index)?.change.vm())).collect();
    for (index, more) in &askers {
        let Some(draft) = drafts.get_mut(*index) else { continue };
        let shown = |amount| limit.resource.shown(amount);
        let (name, resource) = (&quota.name, limit.resource.as_str());
        let says = |message: String, found: u64| {
            Finding::says(Rule::Quota, message).against(shown(limit.hard), shown(limit.used.saturating_add(found)))
        };
        if *more > room {
            let message = format!(
                "it needs {} more of {resource}, and quota {name} has {} of {} left",
                shown(*more),
                shown(room),
                shown(limit.hard)
            );
            draft.worsen(Mode::Blocked, says(message, *more).remedied("ask for less, or have the quota raised"));
        } else if sum > free {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!(
                "{} together need {} more of {resource}, and quota {name} has {} of {} left at present",
                listed(&names),
                shown(sum),
                shown(free),
                shown(limit.hard)
            );
            draft.change.turn = 3;
            draft.worsen(
                Mode::Deferred,
                says(message, sum).remedied("merge what gives back first, or have the quota raised"),
            );
        }
    }
}
