//! The rights of `deploy/rbac.yaml`: each is used, no other is asked for, and a role that lacks one says so, waits, and goes on when it has it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::fleet::size;
use crate::story::{Story, reason};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use reef::simulation::deterministic;
use reef::wiring::kubeconfig::Cluster;
use reef::wiring::predecessor::{self, Seen};
use reef::wiring::subject::{Change, Subject};
use reef_api::names::{APPLIED_BY_EXTRA, SUSPENDED_ANNOTATION};
use reef_api::{CapacityCheck, GitSource, VirtualMachine};
use reef_sim::api::request::{Route, Target};
use reef_sim::api::{Failure, Fault, RequestFacts};
use reef_watch::metrics::Calls;
use serde::Deserialize;
use serde_json::json;

/// A verb on a resource, as rules name them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    resource: String,
    verb: &'static str,
}

const VERBS: [&str; 7] = ["get", "list", "watch", "create", "patch", "delete", "impersonate"];

/// What `deploy/rbac.yaml` gives to a role.
fn granted(role: &str) -> BTreeSet<Right> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rbac.yaml")).unwrap();
    let roles =
        serde_yaml::Deserializer::from_str(&text).map(|document| serde_json::Value::deserialize(document).unwrap());
    let role = roles.filter(|object| object["kind"] == "ClusterRole").find(|found| found["metadata"]["name"] == role);
    let role: ClusterRole = serde_json::from_value(role.unwrap()).unwrap();
    let mut rights = BTreeSet::new();
    for rule in role.rules.unwrap() {
        let (groups, resources) = (rule.api_groups.unwrap(), rule.resources.unwrap());
        let each = groups.iter().flat_map(|group| resources.iter().map(move |resource| (group, resource)));
        for (group, resource) in each {
            for verb in &rule.verbs {
                let verb = VERBS.iter().find(|known| *known == verb).unwrap();
                rights.insert(Right { group: group.clone(), resource: resource.clone(), verb });
            }
        }
    }
    rights
}

/// What a request needs. Server-side apply may make the object.
fn needed(facts: &RequestFacts, target: &Target) -> Vec<Right> {
    if facts.acting_as.is_some() {
        let as_another = |group: &str, resource: &str| Right {
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: "impersonate",
        };
        let extra = format!("userextras/{APPLIED_BY_EXTRA}");
        return vec![as_another("", "serviceaccounts"), as_another("authentication.k8s.io", &extra)];
    }
    let resource = match &target.subresource {
        Some(part) => format!("{}/{part}", target.plural),
        None => target.plural.clone(),
    };
    let verbs: &[&str] = match (facts.method.as_str(), &target.name) {
        ("GET", Some(_)) => &["get"],
        ("GET", None) if facts.flag("watch") => &["watch"],
        ("GET", None) => &["list"],
        ("POST", _) => &["create"],
        ("PATCH", _) if facts.content_type.contains("apply") && target.subresource.is_none() => &["patch", "create"],
        ("PATCH", _) => &["patch"],
        ("DELETE", _) => &["delete"],
        other => panic!("{other:?} {}", facts.path),
    };
    let right = |verb: &&'static str| Right { group: target.group.clone(), resource: resource.clone(), verb };
    verbs.iter().map(right).collect()
}

/// Who asks, as `deploy/rbac.yaml` calls it.
fn account(facts: &RequestFacts) -> &'static str {
    if facts.user_agent == "controller" { "reef-controller" } else { "reef-daemon" }
}

/// What the two roles have asked for.
#[derive(Clone, Default)]
struct Record {
    /// Rights that were needed, each with the account.
    rights: BTreeSet<(&'static str, Right)>,
    /// Paths of what is no resource.
    others: Vec<String>,
}

#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Record>>);

impl Asked {
    fn record(&self, facts: &RequestFacts) {
        let mut asked = self.0.lock().unwrap();
        match &facts.route {
            Route::Resource(target) => {
                asked.rights.extend(needed(facts, target).into_iter().map(|right| (account(facts), right)));
            }
            Route::Other(_) => asked.others.push(facts.path.clone()),
        }
    }
}

const POLICY: &str =
    "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: all\nspec:\n  overhead: 256Mi\n";

/// Everything that makes a role ask for something: policies, secrets, growth, shrink, deletions, replies that are lost, lists anew.
async fn everything(asked: Asked) {
    let mut story = Story::of(1, 2).await;
    let mut count = 0;
    story.world.faults.set(move |facts| {
        asked.record(facts);
        count += 1;
        let loses = facts.method.as_str() == "PATCH" && count % 7 == 0;
        Fault { failure: if loses { Failure::DropAfter } else { Failure::None }, ..Fault::default() }
    });
    let client = story.world.server.client();
    let secret = json!({"metadata": {"name": "token"}, "data": {"username": "dQ==", "password": "cA=="}});
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "default");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    story.world.start_controller();
    for node in ["node-1", "node-2"] {
        story.world.start_daemon(node);
    }
    story.source_edit(&json!({"spec": {"secretRef": {"name": "token"}}})).await;
    story.files.insert("policy.yaml".to_owned(), POLICY.to_owned());
    // Of a source that is not there: what a plan is judged by is no right of an installation's, but of argocd/rbac.yaml.
    let check = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "CapacityCheck", "metadata": {"name": "gate"},
        "spec": {"sourceRef": {"name": "nobody"}}});
    let checks: Api<CapacityCheck> = Api::namespaced(client.clone(), "default");
    checks.create(&PostParams::default(), &serde_json::from_value(check).unwrap()).await.unwrap();
    for wanted in [size(4, 4), size(1, 1)] {
        story.resize("web-1", wanted);
        story.settles(300).await;
    }
    story.source_edit(&json!({"spec": {"serviceAccountName": "reef-source"}})).await;
    story.resize("web-1", size(3, 2));
    story.settles(300).await;
    let vms: Api<VirtualMachine> = Api::namespaced(client.clone(), "default");
    vms.delete("web-2", &DeleteParams::default()).await.unwrap();
    story.wait(60).await;
    story.world.cluster.kill_vmm(&story.pod("web-1")).unwrap();
    story.wait(10).await;
    story.settles(300).await;
    // Objects that a list leaves out are read again before they count as gone.
    let sources: Api<GitSource> = Api::namespaced(client.clone(), "default");
    story.world.server.drop_watches();
    story.world.cluster.store().compact();
    sources.delete("fleet", &DeleteParams::default()).await.unwrap();
    vms.delete("web-2", &DeleteParams::default()).await.unwrap();
    story.wait(60).await;
    story.contained();
}

#[test]
fn each_right_that_is_given_is_used_no_other_is_asked_for_and_discovery_is_left_alone() {
    let asked = Asked::default();
    deterministic(everything(asked.clone())).unwrap();
    let Record { rights: used, others } = asked.0.lock().unwrap().clone();
    assert_eq!(others, Vec::<String>::new(), "something that is no resource was asked for");
    for account in ["reef-controller", "reef-daemon"] {
        let granted = granted(account);
        let used: BTreeSet<Right> =
            used.iter().filter(|(who, _)| *who == account).map(|(_, right)| right.clone()).collect();
        let missing: Vec<&Right> = used.difference(&granted).collect();
        assert_eq!(missing, Vec::<&Right>::new(), "{account} asks for what it may not have");
        // Read again only where it is in doubt, which a story cannot bring about for each kind.
        let spare: Vec<&Right> = granted.difference(&used).filter(|right| right.verb != "get").collect();
        assert_eq!(spare, Vec::<&Right>::new(), "{account} may do what it never does");
    }
}

/// Without one right from the start of the roles on: what moves is told, little is asked, and with the right it all goes on.
async fn without(lacking: &'static str, right: Right) {
    let mut story = Story::of(2, 2).await;
    let (lacked, at) = (right.clone(), format!("{lacking} lacks {right:?}"));
    story.world.faults.set(move |facts| {
        let Route::Resource(target) = &facts.route else { return Fault::default() };
        let meets = account(facts) == lacking && needed(facts, target).contains(&lacked);
        Fault { failure: if meets { Failure::Status(403) } else { Failure::None }, ..Fault::default() }
    });
    story.world.start_controller();
    for node in ["node-1", "node-2"] {
        story.world.start_daemon(node);
    }
    let (calls, writes) = (story.world.faults.calls().len(), story.world.faults.writes());
    story.resize("web-1", size(4, 1));
    story.wait(900).await;
    let (calls, writes) = (story.world.faults.calls().len() - calls, story.world.faults.writes() - writes);
    assert!(writes < 150 && calls < 600, "{at}: {calls} calls and {writes} writes in a quarter of an hour");
    let told = reason(&story.vm("web-1"));
    assert!(TOLD.contains(&told.as_str()), "{at}: it says {told:?}");
    story.contained();
    story.world.faults.clear();
    story.settles(900).await;
    story.rests().await;
}

/// What a VM says meanwhile: nothing about a generation that nobody could read or tell of, or what it waits for.
const TOLD: [&str; 5] = ["", "Settled", "Forbidden", "WaitingForDaemon", "RaisingPod"];

#[test]
fn a_controller_that_lacks_any_one_right_asks_little_and_goes_on_when_it_has_it() {
    for right in granted("reef-controller") {
        println!("{right:?}");
        deterministic(without("reef-controller", right)).unwrap();
    }
}

#[test]
fn a_daemon_that_lacks_any_one_right_asks_little_and_goes_on_when_it_has_it() {
    for right in granted("reef-daemon") {
        println!("{right:?}");
        deterministic(without("reef-daemon", right)).unwrap();
    }
}

#[test]
fn a_plan_reads_with_the_rights_of_a_reader_and_no_others() {
    let asked = Asked::default();
    let recorded = asked.clone();
    deterministic(async move {
        let story = Story::of(1, 1).await;
        story.world.faults.set(move |facts| {
            if facts.user_agent == "reader" {
                recorded.record(facts);
            }
            Fault::default()
        });
        reef::wiring::facts::facts_of(&story.world.client_of("reader")).await.unwrap();
    })
    .unwrap();
    let used: BTreeSet<Right> = asked.0.lock().unwrap().rights.iter().map(|(_, right)| right.clone()).collect();
    // Which cluster it is, is told by a real one alone.
    let mut granted = granted("reef-reader");
    granted.retain(|right| right.resource != "namespaces");
    assert_eq!(used, granted);
}

#[test]
fn the_preflight_looks_for_ch_vmm_with_the_rights_that_it_is_given_for_that_and_no_others() {
    let asked = Asked::default();
    let recorded = asked.clone();
    deterministic(async move {
        let story = Story::of(1, 1).await;
        story.world.faults.set(move |facts| {
            if facts.user_agent == "preflight" {
                recorded.record(facts);
            }
            Fault::default()
        });
        let client = story.world.client_of("preflight");
        let cluster = Cluster {
            requests: client.clone(),
            watches: client,
            calls: Calls::of(&[]),
            namespace: "default".to_owned(),
            server: "the embedded cluster".to_owned(),
            user: None,
        };
        predecessor::refuse(&cluster, Seen::All).await.unwrap();
    })
    .unwrap();
    let mut used: BTreeSet<Right> = asked.0.lock().unwrap().rights.iter().map(|(_, right)| right.clone()).collect();
    // The controller lists Pods anyway.
    used.retain(|right| right.resource != "pods");
    assert_eq!(used, granted("reef-preflight"));
}

#[test]
fn a_suspension_is_begun_and_ended_with_the_rights_of_an_operator_and_no_others() {
    let asked = Asked::default();
    let recorded = asked.clone();
    deterministic(async move {
        let story = Story::of(1, 1).await;
        story.world.faults.set(move |facts| {
            if facts.user_agent == "operator" {
                recorded.record(facts);
            }
            Fault::default()
        });
        let client = story.world.client_of("operator");
        for named in ["fleet", "web-1"] {
            let mut subject = Subject::find(&client, "default", &named.parse().unwrap()).await.unwrap();
            subject.change(|_| Ok(Some(Change::Mark(SUSPENDED_ANNOTATION, "{}".to_owned())))).await.unwrap();
            assert!(subject.suspended(story.world.now()).is_some());
        }
        story.world.faults.set(|facts| {
            let meets = facts.user_agent == "operator" && facts.method.as_str() == "PATCH";
            Fault { failure: if meets { Failure::Status(403) } else { Failure::None }, ..Fault::default() }
        });
        let mut subject = Subject::find(&client, "default", &"web-1".parse().unwrap()).await.unwrap();
        let told = subject.change(|_| Ok(Some(Change::Resume))).await.unwrap_err().to_string();
        let missing = "the right to patch virtualmachines.cloudhypervisor.quill.today in namespace default is missing";
        assert!(told.contains(missing) && told.contains("reef-operator"), "{told}");
    })
    .unwrap();
    let used: BTreeSet<Right> = asked.0.lock().unwrap().rights.iter().map(|(_, right)| right.clone()).collect();
    assert_eq!(used, granted("reef-operator"));
}
