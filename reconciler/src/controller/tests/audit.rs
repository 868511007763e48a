//! The pass over all VMs: what nothing had told of is found and counted, and nothing else is.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{VMS, World};
use crate::controller::task::Task;
use crate::observe::{Kind, ObjectKey};

const WEB: &str = "/apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines/web";

fn vm(policy: &str) -> Value {
    json!({"apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "team"},
        "spec": {"runPolicy": policy, "instance": {"memory": {"size": "2Gi"}}}})
}

/// A VM that is at rest.
async fn resting() -> World {
    assert_eq!(WEB, format!("{VMS}/web"));
    let mut world = World::new();
    world.write(Kind::Vm, WEB, vm("Halted"));
    world.settle().await;
    world.api.log();
    world
}

/// Lets some time pass, and the next part of the VMs be looked at.
async fn audit(world: &mut World) {
    world.pass_time(15).await;
    world.control.audit(Instant::now());
    world.settle().await;
}

fn starts(world: &World) -> Value {
    let mut started = world.vm("web");
    started["spec"]["runPolicy"] = json!("Always");
    started
}

#[tokio::test(start_paused = true)]
async fn what_nothing_has_told_of_is_found_counted_and_done() {
    let mut world = resting().await;
    for _ in 0..5 {
        audit(&mut world).await;
    }
    assert_eq!((world.metrics.audit_misses.get(), world.api.log()), (0, Vec::new()), "all is as it should be");
    world.api.put(WEB, starts(&world));
    let stored = serde_json::from_value(world.vm("web")).unwrap();
    // It is known, and nobody looks at it.
    let _ = world.control.store.put(Kind::Vm, stored);
    world.pass_time(15).await;
    assert_eq!(world.api.log(), Vec::<String>::new());
    audit(&mut world).await;
    assert_eq!(world.metrics.audit_misses.get(), 1);
    assert!(world.api.log().contains(&"POST pods".to_owned()));
    audit(&mut world).await;
    assert_eq!(world.metrics.audit_misses.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_another_task_is_about_to_ask_for_is_no_miss() {
    let mut world = resting().await;
    world.pass_time(15).await;
    world.api.put(WEB, starts(&world));
    let _ = world.control.store.put(Kind::Vm, serde_json::from_value(world.vm("web")).unwrap());
    world.control.audit(Instant::now());
    world.control.look_at(Task::Source(ObjectKey::new("team", "fleet")));
    world.settle().await;
    assert!(world.api.log().contains(&"POST pods".to_owned()));
    assert_eq!(world.metrics.audit_misses.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_tells_in_the_same_moment_is_no_miss() {
    let mut world = resting().await;
    world.pass_time(15).await;
    world.control.audit(Instant::now());
    let started = starts(&world);
    world.write(Kind::Vm, WEB, started);
    world.settle().await;
    assert!(world.api.log().contains(&"POST pods".to_owned()));
    assert_eq!(world.metrics.audit_misses.get(), 0);
}
