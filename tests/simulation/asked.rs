//! What people ask of VMs beside their spec: another try, an end of trying, a new start. Each is taken up once, whatever happens meanwhile.

use crate::fleet::size;
use crate::kubelet::quirk;
use crate::story::{Story, aim, reason};
use kube::api::{Patch, PatchParams};
use reef::simulation::deterministic;
use reef_api::Request;
use reef_api::names::CLI_MANAGER;
use reef_sim::node::Quirks;
use reef_sim::vmm::Plug;
use serde_json::json;

impl Story {
    async fn ask(&self, vm: &str, request: Request, value: &str) {
        let params = PatchParams { field_manager: Some(CLI_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json!({"metadata": {"annotations": {request.annotation(): value}}});
        self.vm_api().patch(vm, &params, &Patch::Merge(patch)).await.unwrap();
        self.wait(2).await;
    }
}

#[test]
fn what_a_node_could_not_hold_is_asked_for_again_when_somebody_says_so_and_not_before() {
    deterministic(async {
        let mut story = Story::of(3, 1).await;
        story.kubelets(quirk(|quirks| quirks.infeasible = Some("static CPU manager".to_owned()))).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Infeasible", 60).await;
        story.rests().await;
        story.kubelets(Quirks::default()).await;
        let asked = story.pod_resizes("web-1");
        story.wait(3600).await;
        assert_eq!((reason(&story.vm("web-1")).as_str(), story.pod_resizes("web-1")), ("Infeasible", asked));
        story.ask("web-1", Request::Retry, "one").await;
        story.settles(60).await;
        story.rests().await;
        story.contained();
    })
    .unwrap();
}

#[test]
fn what_a_guest_has_is_settled_for_and_the_rest_is_asked_for_again_on_request() {
    deterministic(async {
        let mut story = Story::of(4, 1).await;
        story.guest("web-1", |guest| guest.plug = Plug::Never).await;
        story.resize("web-1", size(2, 4));
        story.says("web-1", "WaitingForGuest", 60).await;
        story.ask("web-1", Request::Settle, "now").await;
        story.says("web-1", "Partial", 30).await;
        assert_eq!(aim(&story.vm("web-1")), Some(size(2, 2)));
        story.wait(30).await;
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "2304Mi", "the Pod follows");
        story.guest("web-1", |_| {}).await;
        story.wait(24 * 3600).await;
        assert_eq!(reason(&story.vm("web-1")), "Partial", "no time and no guest takes it up again");
        story.ask("web-1", Request::Retry, "now").await;
        story.settles(120).await;
        story.rests().await;
        story.contained();
    })
    .unwrap();
}

#[test]
fn a_vm_is_started_anew_once_for_each_request_and_comes_back_with_its_size() {
    deterministic(async {
        let mut story = Story::of(5, 2).await;
        let (first, other) = (story.pod("web-1"), story.pod("web-2"));
        story.resize("web-1", size(4, 4));
        story.settles(60).await;
        story.ask("web-1", Request::Restart, "one").await;
        story.settles(300).await;
        let second = story.pod("web-1");
        assert!(second != first && story.vm("web-1").actual() == Some(size(4, 4)));
        story.rests().await;
        story.world.start_controller();
        story.wait(3600).await;
        assert_eq!((story.pod("web-1"), story.pod("web-2")), (second, other));
        story.contained();
    })
    .unwrap();
}
