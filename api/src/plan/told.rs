//! A plan in sentences: the words that the command line, forges and the status of a check have in common. Nothing for terminals.

use std::fmt;

use super::{Action, Amounts, CapacityPlan, Change, Mode, Place, Remark};

impl Change {
    /// The change in one line: the VM, how, from what to what, and why.
    pub fn line(&self) -> String {
        let (vm, mode, why) = (self.vm(), self.mode.as_str(), self.why());
        match self.action {
            Action::Create if self.mode == Mode::Live => format!("{vm}  create      {} ({why})", self.sizes()),
            _ => format!("{vm}  {mode:<10}  {} ({why})", self.sizes()),
        }
    }

    /// What happens to the size, in words.
    pub fn sizes(&self) -> String {
        match (self.size.from, self.size.to) {
            (None, Some(to)) => to.to_string(),
            (Some(from), Some(to)) if from == to => match self.action {
                Action::Start | Action::Stop | Action::Move => format!("{}, {to}", self.action.as_str()),
                _ => format!("{to}, no resize"),
            },
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (Some(from), None) if self.action == Action::Remove => format!("{from}, no longer stated"),
            (_, None) => "not applied".to_owned(),
        }
    }

    /// The same in one line with its place in the repository, each finding with what would help.
    fn exact(&self) -> String {
        let place = self.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let told = self.findings.iter().map(|finding| match &finding.remedy {
            Some(remedy) => format!("{}; help: {remedy}", finding.message),
            None => finding.message.clone(),
        });
        let (vm, action, mode) = (self.vm(), self.action.as_str(), self.mode.as_str());
        format!("{place}{vm} {action} {mode}: {} ({})", self.sizes(), told.collect::<Vec<_>>().join("; "))
    }
}

impl Remark {
    fn exact(&self) -> String {
        let object = self.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        format!("{}: {object}{}", self.place, self.message)
    }
}

/// `FILE:LINE`, or the file alone.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

impl CapacityPlan {
    /// The plan in one sentence.
    pub fn headline(&self) -> String {
        let summary = &self.summary;
        let counts = [
            (summary.live, "live"),
            (summary.restart, "restart"),
            (summary.deferred, "deferred"),
            (summary.blocked, "blocked"),
            (summary.infeasible, "infeasible"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, mode)| format!("{count} {mode}")).collect();
        let problems = match self.problems.len() {
            0 => String::new(),
            1 => "; 1 problem".to_owned(),
            many => format!("; {many} problems"),
        };
        let takes = if summary.takes == Amounts::default() { String::new() } else { format!("; {}", summary.takes) };
        match summary.vms {
            0 => format!("nothing changes{problems}"),
            1 => format!("1 VM changes: {}{takes}{problems}", counts.join(", ")),
            many => format!("{many} VMs change: {}{takes}{problems}", counts.join(", ")),
        }
    }

    /// Everything that the plan says of files and VMs, one line for each, what weighs most first.
    pub fn lines(&self) -> Vec<String> {
        let of = |mode| self.changes.iter().filter(move |change| change.mode == mode).map(Change::exact);
        let changes = Mode::ALL.into_iter().flat_map(of);
        let effect = |message: &str, vm: &str| format!("by the policies of the commit {vm} {message}");
        let effects = self.policies.iter().map(|it| effect(&it.message, &format!("{}/{}", it.namespace, it.name)));
        self.problems.iter().map(Remark::exact).chain(changes).chain(effects).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> CapacityPlan {
        let change = |name: &str, mode: &str, remedy: Option<&str>| {
            json!({"namespace": "vms", "name": name, "action": "resize", "mode": mode, "turn": 0, "pod": {},
                "size": {"from": {"vcpus": 1, "memory": "1Gi"}, "to": {"vcpus": 1, "memory": "2Gi"}},
                "findings": [{"rule": "NodeCapacity", "message": "too much", "remedy": remedy}],
                "place": {"file": "a.yaml", "line": 7, "column": 3}})
        };
        let text = json!({
            "apiVersion": "reef.dev/v1alpha1", "kind": "CapacityPlan", "base": {"name": "a"}, "head": {"name": "b"},
            "facts": {"from": "offline"},
            "summary": {"outcome": "problems", "vms": 2, "live": 1, "restart": 0, "deferred": 0, "blocked": 0,
                "infeasible": 1, "takes": {"milliCpu": 0, "memoryBytes": 0}},
            "changes": [change("a", "live", None), change("b", "infeasible", Some("ask for less"))],
            "policies": [{"namespace": "vms", "name": "c", "message": "would be blocked"}],
            "problems": [{"place": {"file": "x.yaml"}, "object": "VirtualMachine vms/x", "message": "no size"}],
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn a_plan_is_told_in_one_sentence_and_line_by_line_what_weighs_most_first() {
        assert_eq!(plan().headline(), "2 VMs change: 1 live, 1 infeasible; 1 problem");
        assert_eq!(
            plan().lines(),
            [
                "x.yaml: VirtualMachine vms/x: no size",
                "a.yaml:7: vms/b resize infeasible: 1 vCPU, 1Gi -> 1 vCPU, 2Gi (too much; help: ask for less)",
                "a.yaml:7: vms/a resize live: 1 vCPU, 1Gi -> 1 vCPU, 2Gi (too much)",
                "by the policies of the commit vms/c would be blocked",
            ]
        );
    }
}
