//! An explanation for a terminal: four paragraphs, each fact on a line of its own that goes on below itself.

use anstyle::Style;
use jiff::Timestamp;
use reef_api::{DecidedBy, ShrinkGate};

use super::policy::{bounds, forbids};
use super::{Explained, PolicyView};
use crate::view::detail;
use crate::view::past::{CommitView, Past};
use crate::view::text::{Paint, age, clock, short, wrapped};

/// Where the text of a fact begins.
const INDENT: usize = 14;

/// A VM explained. `past` says why the commits are not told, where they are not.
pub fn text(explained: &Explained, past: &Past, now: Timestamp, paint: Paint, width: Option<u16>) -> String {
    let vm = &explained.vm;
    let node = vm.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let mut out = format!("{}/{}{node}: {}\n", vm.namespace, vm.name, vm.phase);
    let paragraphs = [
        ("asked for", asked(explained, past)),
        ("rules", rules(&explained.policy)),
        ("how far it is", chain(explained)),
        ("waits for", waits(explained, now)),
    ];
    for (title, facts) in paragraphs {
        out.push_str(&format!("\n{}\n", titled(paint, title)));
        for (name, text) in facts {
            out.push_str(&format!("  {name:<width$}{}\n", wrapped(&text, INDENT, width), width = INDENT - 2));
        }
    }
    out
}

fn titled(paint: Paint, title: &str) -> String {
    let style = Style::new().bold();
    match paint {
        Paint::Colours => format!("{style}{title}{style:#}"),
        Paint::Plain => title.to_owned(),
    }
}

type Facts = Vec<(&'static str, String)>;

fn asked(explained: &Explained, past: &Past) -> Facts {
    let (vm, git) = (&explained.vm, &explained.git);
    let mut facts = vec![("size", vm.desired.to_string())];
    facts.extend(vm.asked_by.application.as_ref().map(|name| ("by", format!("Application {name} of Argo CD"))));
    let Some(id) = &vm.asked_by.commit else {
        facts.push(match vm.asked_by.application {
            Some(_) => ("commit", UNTOLD.to_owned()),
            None => ("by", "its spec: no GitSource states this VM".to_owned()),
        });
        return facts;
    };
    let source = vm.asked_by.source.as_ref().map(|source| format!(" of GitSource {source}")).unwrap_or_default();
    facts.extend(vm.asked_by.origin.as_ref().map(|origin| ("file", format!("{origin}{source}"))));
    match &git.commit {
        Some(commit) => facts.push(("commit", told(commit))),
        None => facts.push(("commit", id.clone())),
    }
    if let Some(since) = &git.size_since {
        let lines = format!("vCPUs on line {}, memory on line {}", since.vcpus_line, since.memory_line);
        let same = git.commit.as_ref().is_some_and(|commit| commit.id == since.commit.id);
        facts.push(if same { ("lines", lines) } else { ("size since", format!("{} ({lines})", told(&since.commit))) });
    }
    facts.extend(past.missing([id.as_str()]).map(|why| ("git", why.to_owned())));
    if vm.removed_from_git {
        facts.push(("git", "its source no longer states it; it is kept as it is".to_owned()));
    }
    facts
}

/// Why the commit of what Argo CD has applied is not known.
const UNTOLD: &str = "not known: the controller has not taken the spec up yet, may not read Applications, or somebody else has changed the spec last";

fn told(commit: &CommitView) -> String {
    format!("{} by {}, {}: {}", short(&commit.id), commit.author, clock(commit.time), commit.subject)
}

fn rules(policy: &PolicyView) -> Facts {
    let holds = match (&policy.name, &policy.conflict) {
        (_, Some(conflict)) => conflict.clone(),
        (Some(name), None) => format!("SizingPolicy {name}"),
        (None, None) => "no SizingPolicy matches; the defaults hold".to_owned(),
    };
    let by = &policy.decided_by;
    let gate = match policy.shrink_gate {
        ShrinkGate::Guard => "a shrink waits until what the guest uses fits below it",
        ShrinkGate::Press => "a shrink does not wait for what the guest uses",
    };
    let meanwhile = if policy.largest_step { "as much of it as there is room for" } else { "nothing of it" };
    let mut facts = vec![
        ("policy", holds),
        ("allows", bounds(&policy.bounds)),
        ("floor", ends(policy.floor, by.min_vcpus, by.min_memory)),
        ("ceiling", ends(policy.ceiling, by.max_vcpus, by.max_memory)),
        (
            "pod",
            format!(
                "{} for this size: {} beside the guest, {} vCPU for each CPU",
                policy.pod, policy.overhead, policy.overcommit
            ),
        ),
        ("memory", gate.to_owned()),
        ("no room", format!("a growth stands for {} and gets {meanwhile} meanwhile", policy.lease)),
    ];
    facts.extend(forbids(policy));
    facts.extend(policy.violations.iter().map(|violation| ("refused", violation.clone())));
    facts
}

fn ends(size: reef_api::Size, vcpus: DecidedBy, memory: DecidedBy) -> String {
    let word = |by: DecidedBy| match by {
        DecidedBy::Spec => "its spec",
        DecidedBy::Policy => "the policy",
        DecidedBy::Default => "default",
    };
    if vcpus == memory {
        format!("{size} (by {})", word(vcpus))
    } else {
        format!("{size} (vCPUs by {}, memory by {})", word(vcpus), word(memory))
    }
}

fn chain(explained: &Explained) -> Facts {
    let vm = &explained.vm;
    let limits = vm.limits.as_ref().map(|limits| {
        let (cpu, memory) = ((limits.min_vcpus, limits.max_vcpus), (limits.min_memory, limits.max_memory));
        format!("{} to {} vCPU, {} to {} while it runs", cpu.0, cpu.1, memory.0, memory.1)
    });
    let mut facts = vec![
        ("desired", vm.desired.to_string()),
        ("pod", vm.pod.as_ref().map_or_else(|| "none".to_owned(), detail::pod)),
        ("granted", detail::granted(vm)),
        ("requested", detail::told(vm.requested)),
        ("guest has", format!("{}{}", detail::told(vm.actual), detail::used(vm))),
    ];
    facts.extend(limits.map(|limits| ("booted for", limits)));
    facts
}

fn waits(explained: &Explained, now: Timestamp) -> Facts {
    let mut facts = Facts::new();
    match &explained.vm.waiting {
        Some(waiting) => {
            facts.push(("reason", waiting.reason.clone()));
            facts.extend(waiting.since.map(|since| ("since", format!("{}, {} ago", clock(since), age(since, now)))));
            facts.push(("because", waiting.message.replace('\n', " ")));
        }
        None => facts.push(("nothing", "everything agrees".to_owned())),
    }
    facts.extend(explained.helps.iter().map(|help| ("help", help.clone())));
    facts
}
