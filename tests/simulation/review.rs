//! What people do to a VM beside Git, while the whole of Reef looks on.

use super::fleet::{manifest, size};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use reef::simulation::{World, deterministic};
use reef_api::VirtualMachine;
use std::collections::BTreeMap;
use std::time::Duration;

/// A world with one VM that runs.
async fn running(seed: u64) -> World {
    let world = World::start(seed).await.unwrap();
    let files = BTreeMap::from([("web-1.yaml".to_owned(), manifest("web-1", size(2, 2)))]);
    world.push("a VM", &files).unwrap();
    world.until("it runs", 300, |vms| vms.len() == 1 && vms.values().all(VirtualMachine::is_settled)).await.unwrap();
    world
}

#[test]
fn a_vm_that_is_deleted_and_applied_again_never_runs_twice() {
    let most = deterministic(async {
        let world = running(3).await;
        let vms: Api<VirtualMachine> = Api::namespaced(world.server.client(), "default");
        let pods: Api<Pod> = Api::namespaced(world.server.client(), "default");
        let first = vms.get("web-1").await.unwrap().metadata.uid;
        vms.delete("web-1", &DeleteParams::default()).await.unwrap();
        let mut most = 0;
        for _ in 0..600 {
            most = most.max(pods.list(&ListParams::default()).await.unwrap().items.len());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let again = |vm: &VirtualMachine| vm.is_settled() && vm.metadata.uid != first;
        world.until("it runs again", 300, |vms| vms.len() == 1 && vms.values().all(again)).await.unwrap();
        most
    });
    assert_eq!(most.unwrap(), 1);
}
