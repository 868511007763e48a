//! Tells what happens on the tour: as text for people, or as one JSON object a line for programs.

use std::io::{self, Write};
use std::time::Duration;

use reef_api::Size;

use super::record::{Happened, State};
use crate::view::VmView;
use crate::view::text::short;

/// The form in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    JsonLines,
}

/// Where lines of a paragraph begin.
const INDENT: &str = "\n           ";

impl Form {
    /// Prints one thing that happened.
    ///
    /// # Errors
    /// Where standard output cannot be written.
    pub fn tell(self, happened: &Happened) -> io::Result<()> {
        let text = match self {
            Self::Text => text(happened),
            Self::JsonLines => format!("{}\n", serde_json::to_string(happened)?),
        };
        let mut out = anstream::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// One thing that happened, in words.
pub fn text(happened: &Happened) -> String {
    match happened {
        Happened::Started { clone, kubeconfig } => {
            format!("git clone {clone}\nexport KUBECONFIG={kubeconfig}\n")
        }
        Happened::Step { step, of, title } => format!("\n{step}/{of} {title}\n"),
        Happened::Commit { commit, subject, diff, plan, problems, removed, .. } => {
            let changes = plan.iter().map(|change| change.text.clone());
            let problems = problems.iter().map(|problem| paragraph(problem));
            let lines: Vec<String> = changes.chain(problems).chain(removed.iter().cloned()).collect();
            let plan = if lines.is_empty() { "nothing changes".to_owned() } else { lines.join(INDENT) };
            let diff = diff.join(INDENT);
            format!("    commit {} {subject}{INDENT}{diff}\n    plan   {plan}\n", short(commit))
        }
        Happened::Request { branch, commit, subject, diff, comment, .. } => {
            let (commit, diff) = (short(commit), diff.join(INDENT));
            let command = format!("reef plan --base main --head {branch} -o markdown");
            format!(
                "    branch {branch} {commit} {subject}{INDENT}{diff}\n    review {command}{INDENT}{}\n",
                paragraph(comment)
            )
        }
        Happened::Guest { vm, used, .. } => format!("    guest  {vm}: its processes use {used} now\n"),
        Happened::Moved { after, state, .. } => format!("{:>10}  {}\n", seconds(*after), moved(state)),
        Happened::Ended { took, ok, missing, vms, reports, .. } => ended(*took, *ok, missing, vms, reports),
        Happened::Finished { passed, of, breaches, took } => {
            let contained = if breaches.is_empty() {
                "no VM held more than its Pod at any moment".to_owned()
            } else {
                format!("containment was broken {} times:\n  {}", breaches.len(), breaches.join("\n  "))
            };
            format!("\n{passed} of {of} steps ended as expected in {}; {contained}.\n", seconds(*took))
        }
    }
}

/// Indented but for its first line; an empty line stays empty.
fn paragraph(text: &str) -> String {
    let indented = text.trim_end().replace('\n', INDENT);
    indented.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

fn moved(state: &State) -> String {
    let waits = state.waits_for.as_deref().unwrap_or("-");
    let pod = state.pod.map_or_else(|| "no Pod".to_owned(), |pod| format!("Pod {pod}"));
    let same = state.granted.is_none_or(|granted| Some(granted) == state.requested) && state.requested == state.actual;
    let sizes = if same {
        format!("VM {}", told(state.actual))
    } else {
        let (granted, requested, actual) = (told(state.granted), told(state.requested), told(state.actual));
        format!("granted {granted}; requested {requested}; actual {actual}")
    };
    format!("{:<8} {:<20} {waits:<17} {pod}; {sizes}", state.vm, state.phase.as_str())
}

fn told(size: Option<Size>) -> String {
    size.map_or_else(|| "-".to_owned(), |size| size.to_string())
}

fn ended(took: Duration, ok: bool, missing: &[String], vms: &[VmView], reports: &[String]) -> String {
    let vms = vms.iter().map(|vm| {
        let waits = vm.waiting.as_ref().map(|waiting| format!("; waits for {}: {}", waiting.reason, waiting.message));
        let pod = vm.pod.as_ref().map(|pod| format!(", Pod {}", pod.wish));
        format!("{}: {}{}{}", vm.name, told(vm.actual), pod.unwrap_or_default(), waits.unwrap_or_default())
    });
    let lines: Vec<String> = vms.chain(reports.iter().map(|report| paragraph(report))).collect();
    let missing: String = missing.iter().map(|missing| format!("    MISSING {missing}\n")).collect();
    let verdict = if ok { "as expected" } else { "NOT AS EXPECTED" };
    format!("    end    {}\n{missing}    {verdict}, after {}\n", lines.join(INDENT), seconds(took))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tour::record::PlannedChange;
    use reef_api::plan::Outcome;
    use reef_api::{Bytes, GIB, Overcommit, Phase, PodSize, Vcpus};

    fn size(vcpus: u32, gib: u64) -> Size {
        Size::new(Vcpus(vcpus), Bytes(gib * GIB.get()))
    }

    fn state(requested: Size, actual: Size) -> State {
        State {
            vm: "web-1".to_owned(),
            phase: Phase::ResizeInProgress,
            waits_for: Some("WaitingForGuest".to_owned()),
            granted: Some(size(4, 4)),
            requested: Some(requested),
            actual: Some(actual),
            pod: Some(PodSize::carrying(size(4, 4), Bytes(GIB.get() / 4), Overcommit::NONE)),
        }
    }

    #[test]
    fn a_step_reads_as_prose() {
        let change = "default/web-1  live  2 vCPU, 2Gi -> 4 vCPU, 4Gi".to_owned();
        let events = [
            Happened::Step { step: 1, of: 9, title: "a growth" },
            Happened::Commit {
                step: 1,
                commit: "0123456789abcdef".to_owned(),
                subject: "web-1: more".to_owned(),
                diff: vec!["web-1.yaml".to_owned(), "  -   size: 2Gi".to_owned(), "  +   size: 4Gi".to_owned()],
                plan: vec![PlannedChange { vm: "web-1".to_owned(), mode: "live", text: change }],
                problems: vec!["a.yaml:3: unclosed bracket\n3 | [".to_owned()],
                removed: Vec::new(),
            },
            Happened::Request {
                step: 1,
                branch: "sale",
                commit: "0123456789abcdef".to_owned(),
                subject: "web-1: more".to_owned(),
                diff: vec!["web-1.yaml".to_owned(), "  -   size: 2Gi".to_owned(), "  +   size: 4Gi".to_owned()],
                outcome: Outcome::Changes,
                comment: "**1 VM changes**\n\n\n### live\n<!-- reef plan -->\n".to_owned(),
            },
            Happened::Guest { step: 1, vm: "web-1", used: "6Gi".to_owned() },
            Happened::Moved { step: 1, after: Duration::from_millis(312), state: state(size(4, 4), size(4, 2)) },
            Happened::Moved { step: 1, after: Duration::from_millis(1_312), state: state(size(4, 4), size(4, 4)) },
            Happened::Ended {
                step: 1,
                took: Duration::from_secs(90),
                ok: false,
                missing: vec!["web-1 waits for Deferred: no room".to_owned()],
                vms: Vec::new(),
                reports: vec!["reported: a.yaml:3: unclosed bracket\n3 | [".to_owned()],
            },
            Happened::Finished { passed: 8, of: 9, breaches: Vec::new(), took: Duration::from_millis(78_106) },
        ];
        insta::assert_snapshot!(events.iter().map(text).collect::<String>());
    }
}
