//! What holds of a node whatever is asked of its Pods, in whatever order.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Create(usize, u64),
    Resize(usize, u64, u64),
    Use(usize, u64),
    Delete(usize),
    Kill(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..NAMES.len();
    prop_oneof![
        2 => (who.clone(), 512..3000u64).prop_map(|(who, mib)| Step::Create(who, mib)),
        5 => (who.clone(), 100..3000u64, 300..5000u64).prop_map(|(who, cpu, mib)| Step::Resize(who, cpu, mib)),
        2 => (who.clone(), 100..3000u64).prop_map(|(who, mib)| Step::Use(who, mib)),
        1 => who.clone().prop_map(Step::Delete),
        1 => who.prop_map(Step::Kill),
        4 => (1..20_000u64).prop_map(Step::Wait),
    ]
}

async fn take(bench: &Bench, step: Step) {
    let there = |who: usize| bench.store.get(&pod_key(NAMES[who])).is_some();
    match step {
        Step::Create(who, mib) if !there(who) => bench.create_vm(NAMES[who], 1, mib / 128 * 128),
        Step::Resize(who, cpu, mib) if there(who) => bench.resize(NAMES[who], &format!("{cpu}m"), mib),
        Step::Use(who, mib) => {
            if let Some((vmm, _)) = bench.hosts.vmm_of(&pod_key(NAMES[who])) {
                // It may have been killed in this instant.
                let _ = vmm.control(move |machine| machine.set_used(mib * MIB)).await;
            }
        }
        Step::Delete(who) if there(who) => bench.delete(NAMES[who]),
        Step::Kill(who) => drop(bench.hosts.vmm_of(&pod_key(NAMES[who])).map(|(vmm, _)| vmm.kill())),
        Step::Wait(millis) => wait(millis).await,
        Step::Create(..) | Step::Resize(..) | Step::Delete(_) => {}
    }
}

fn allocated(bench: &Bench) -> (u64, u64) {
    let pods = bench.store.list(&ResourceId::core("pods"), None);
    let views = pods.iter().map(|pod| PodView::parse(pod)).filter(|pod| !pod.is_over());
    let sums = views.flat_map(|pod| pod.containers).filter_map(|container| container.allocated);
    let sum = sums.fold(Amounts::default(), Amounts::plus);
    (sum.cpu().get(), sum.memory().get())
}

/// A Pod that has come to rest has what it asks for, or says why not.
fn is_settled_or_says_why(bench: &Bench, name: &str) -> bool {
    let Some(pod) = bench.store.get(&pod_key(name)) else { return true };
    let view = PodView::parse(&pod);
    if view.is_over() || view.phase == "Pending" {
        return true;
    }
    let container = &view.containers[0];
    let has_all =
        container.allocated == Some(container.desired.requests) && container.actual == Some(container.desired);
    let pending = bench.condition(name, "PodResizePending").is_some();
    let stuck = bench.condition(name, "PodResizeInProgress").is_some_and(|(reason, _)| reason == "Error");
    bench.is_observed(name) && (has_all != (pending || stuck))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_node_never_promises_more_than_it_has_and_every_pod_settles_or_says_why(
        steps in proptest::collection::vec(step(), 1..40),
        seed in 0..1000u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let bench = Bench::with_seed(seed);
            wait(100).await;
            for step in steps {
                take(&bench, step).await;
                let (cpu, memory) = allocated(&bench);
                prop_assert!(cpu <= 2_000 && memory <= 4096 * MIB, "{cpu} {memory}");
            }
            wait(60_000).await;
            for name in NAMES {
                prop_assert!(is_settled_or_says_why(&bench, name), "{name}: {:?}", bench.store.get(&pod_key(name)));
            }
            Ok(())
        })?;
    }
}
