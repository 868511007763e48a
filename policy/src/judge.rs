//! The verdict on one change: every rule of its policy that it breaks.

use std::collections::BTreeMap;

use reef_api::plan::Rule;
use reef_api::{EffectivePolicy, RestartPolicy};

use crate::change::{Before, Broken, Change, Host, broken};
use crate::expression::{Compiled, RuleError, Seen, compile, on_large_stack};
use crate::sizes::{self, named};

/// A policy that is ready to be asked: its own rules are compiled once.
#[derive(Debug)]
pub struct Rulebook {
    policy: EffectivePolicy,
    rules: Vec<Result<Compiled, RuleError>>,
}

/// Policies made ready once each, for whoever judges many VMs.
#[derive(Debug, Default)]
pub struct Rulebooks(BTreeMap<(String, Option<String>), Rulebook>);

impl Rulebooks {
    /// The policy of a namespace, made ready. One name is one policy.
    pub fn of(&mut self, namespace: &str, policy: &EffectivePolicy) -> &Rulebook {
        self.0.entry((namespace.to_owned(), policy.name.clone())).or_insert_with(|| Rulebook::of(policy))
    }
}

/// What a policy says of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What it breaks; nothing where it is allowed.
    pub broken: Vec<Broken>,
    /// Rules that could not be asked, because what they are about is not known.
    pub open: Vec<String>,
}

impl Rulebook {
    /// Makes a policy ready.
    pub fn of(policy: &EffectivePolicy) -> Self {
        let rules = policy.rules.iter().enumerate().map(|(index, rule)| compile(index, rule)).collect();
        Self { policy: policy.clone(), rules }
    }

    /// The policy.
    pub fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// Judges a change of one VM. Budgets, which are about a whole commit, are [`over_budget`](crate::over_budget).
    pub fn judge(&self, change: &Change<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        judgement.broken.extend(self.protection(change));
        if change.is_of_size() {
            judgement.broken.extend(sizes::judge(&self.policy, change.after.size));
            judgement.broken.extend(self.restart(change));
            self.own_rules(change, &mut judgement);
        }
        judgement
    }

    fn protection(&self, change: &Change<'_>) -> Option<Broken> {
        let limit = || format!("{} protects it", named(&self.policy));
        let remedy = "leave it as it is, or have the policy changed first";
        match change.before {
            _ if !self.policy.protected => None,
            _ if change.stops => {
                let found = format!("{:?}", change.after.run_policy);
                Some(broken(Rule::Protected, "spec.runPolicy", found, limit(), remedy))
            }
            Before::Had(size) if size != change.after.size => {
                let found = format!("{} instead of {size}", change.after.size);
                Some(broken(Rule::Protected, "spec.instance", found, limit(), remedy))
            }
            Before::Had(_) | Before::New | Before::Unknown => None,
        }
    }

    fn restart(&self, change: &Change<'_>) -> Option<Broken> {
        let forbidden = change.restart && self.policy.restart == RestartPolicy::Never;
        let limit = format!("the VM would need a restart for it, which {} forbids", named(&self.policy));
        let remedy = "ask for a size within what it booted with, or have the policy allow restarts";
        forbidden.then(|| broken(Rule::RestartForbidden, "spec.instance", change.after.size, limit, remedy))
    }

    fn own_rules(&self, change: &Change<'_>, judgement: &mut Judgement) {
        if !self.rules.is_empty() {
            on_large_stack(|| self.ask_all(change, judgement));
        }
    }

    fn ask_all(&self, change: &Change<'_>, judgement: &mut Judgement) {
        let seen = Seen::of(change);
        for rule in &self.rules {
            match rule {
                Err(error) => judgement.broken.push(self.unusable(change, &error.to_string())),
                Ok(rule) if lacks(rule, change) => judgement.open.push(format!("`{}`", rule.text)),
                Ok(rule) => match rule.ask(&seen) {
                    Ok(true) => {}
                    Ok(false) => judgement.broken.push(self.false_rule(change, rule)),
                    Err(why) => {
                        let hint = hint(rule, change);
                        judgement
                            .broken
                            .push(self.unusable(change, &format!("`{}` has no answer: {why}{hint}", rule.text)));
                    }
                },
            }
        }
    }

    fn false_rule(&self, change: &Change<'_>, rule: &Compiled) -> Broken {
        let limit = format!("{} says: {}", named(&self.policy), rule.message);
        let remedy = format!("ask for a size for which `{}` is true", rule.text);
        broken(Rule::PolicyRule, "spec.instance", told(change), limit, remedy)
    }

    fn unusable(&self, change: &Change<'_>, why: &str) -> Broken {
        let limit = format!("{} has a rule that cannot be used: {why}", named(&self.policy));
        broken(
            Rule::PolicyRule,
            "spec.instance",
            told(change),
            limit,
            "have the policy mended; until then no size changes",
        )
    }
}

/// Whether a rule is about what is not known.
fn lacks(rule: &Compiled, change: &Change<'_>) -> bool {
    let without_old = change.before == Before::Unknown && (rule.mentions("old") || rule.mentions("change"));
    without_old || change.host == Host::Unknown && rule.mentions("node")
}

fn hint(rule: &Compiled, change: &Change<'_>) -> &'static str {
    match (change.before, change.host) {
        (Before::New, _) if rule.mentions("old") => "; `old` is null for a new VM, so begin with `old == null ||`",
        (_, Host::None) if rule.mentions("node") => {
            "; `node` is null while the VM does not run, so begin with `node == null ||`"
        }
        _ => "",
    }
}

fn told(change: &Change<'_>) -> String {
    match change.before {
        Before::Had(size) => format!("{} instead of {size}", change.after.size),
        Before::New | Before::Unknown => change.after.size.to_string(),
    }
}
