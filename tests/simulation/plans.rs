//! Plans held against what then happens; and what the first ones that did not come true have shown.

use crate::fleet::{manifest, size};
use crate::story::Story;
use reef::simulation::deterministic;
use reef::simulation::plans::{COMMITS, Forecasts, forecasts};
use reef_api::VirtualMachine;
use reef_api::plan::Rule;

#[test]
fn what_a_plan_says_of_each_vm_comes_true() {
    let all = (0..10).map(|seed| forecasts(seed).unwrap()).fold(Forecasts::default(), Forecasts::plus);
    assert_eq!(all.wrong, Vec::<String>::new());
    assert_eq!(all.commits, 10 * usize::try_from(COMMITS).unwrap());
    assert!(all.right.values().sum::<usize>() > 50, "{:?}", all.right);
    let played = [Rule::Fits, Rule::BootLayout, Rule::NoNode, Rule::Contended, Rule::Hypervisor];
    assert_eq!(played.map(|rule| all.rules.contains_key(&rule)), [true; 5], "{:?}", all.rules);
}

#[test]
fn the_same_seed_gives_the_same_forecasts() {
    assert_eq!(forecasts(3).unwrap(), forecasts(3).unwrap());
}

#[test]
fn a_vm_that_has_found_no_node_starts_when_git_asks_for_less() {
    deterministic(async {
        let mut story = Story::of(1, 1).await;
        // Larger than either node, and of one start only: its Pod is not the end of it.
        let huge = manifest("huge-1", size(64, 8)).replace("max: 8\n", "max: 64\n").replace("Always", "Once");
        story.files.insert("huge-1.yaml".to_owned(), huge);
        story.push("huge");
        story.says("huge-1", "Scheduling", 60).await;
        let first = story.pod("huge-1");
        story.files.insert("huge-1.yaml".to_owned(), manifest("huge-1", size(2, 2)).replace("Always", "Once"));
        story.push("less");
        let runs = |vm: &VirtualMachine| vm.is_settled() && vm.actual() == Some(size(2, 2));
        story.world.until("huge-1 runs", 120, |vms| vms.get("huge-1").is_some_and(runs)).await.unwrap();
        assert_ne!(story.pod("huge-1"), first, "its Pod is another one");
        story.contained();
    })
    .unwrap();
}
