//! Tables and properties of who may try again.

use super::*;
use proptest::prelude::*;

const NODE: Claim = Claim { cpu: MilliCpu(16_000), memory: Bytes(64 << 30) };

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + minutes * 60).unwrap()
}

fn claim(cpu: u64, gib: u64) -> Claim {
    Claim { cpu: MilliCpu(cpu), memory: Bytes(gib << 30) }
}

/// A VM of 1 CPU and 4 GiB that waits for so much, on a node that has 8 CPUs for VMs.
fn waiter(name: &str, asks: Claim, since: i64) -> Waiter {
    Waiter {
        key: VmKey::new("web", name),
        has: claim(1000, 4),
        asks,
        room: NodeRoom { cpu: Some(MilliCpu(8000)), memory: None },
        since: at(since),
        due: at(60),
        trying: None,
    }
}

fn turns(all: Claim, waiters: Vec<Waiter>, now: i64) -> Vec<String> {
    let neighbourhood = Neighbourhood { all, waiters };
    let keys = neighbourhood.waiters.iter().map(|waiter| &waiter.key);
    keys.filter(|key| is_turn_of(key, &neighbourhood, NODE, at(now))).map(|key| key.name.clone()).collect()
}

#[test]
fn the_one_that_fits_and_needs_the_least_more_goes_first() {
    let waiters = vec![
        waiter("large", claim(6000, 4), 1),
        waiter("small", claim(2000, 4), 2),
        waiter("also-small", claim(2000, 4), 3),
    ];
    assert_eq!(turns(claim(7000, 12), waiters.clone(), 5), ["small"]);
    assert_eq!(turns(claim(8000, 12), waiters.clone(), 5), [""; 0], "nothing fits");
    assert_eq!(turns(claim(3000, 12), waiters, 5), ["small"], "and the smallest where all fit");
}

#[test]
fn memory_and_cpu_are_compared_by_their_share_of_the_node() {
    let waiters = vec![waiter("cpu", claim(5000, 4), 1), waiter("memory", claim(1000, 8), 2)];
    assert_eq!(turns(claim(2000, 8), waiters, 5), ["memory"], "a sixteenth of the node is less than a quarter");
}

#[test]
fn others_wait_for_one_that_tries_and_not_for_ever() {
    let mut waiters = vec![waiter("first", claim(2000, 4), 1), waiter("second", claim(2000, 4), 2)];
    waiters[0].trying = Some(at(10));
    assert_eq!(turns(claim(2000, 8), waiters.clone(), 10), [""; 0]);
    assert_eq!(turns(claim(2000, 8), waiters, 11), ["second"]);
}

#[test]
fn where_nothing_is_known_to_fit_the_one_that_is_due_and_waits_the_longest_asks() {
    let mut waiters = vec![waiter("first", claim(6000, 4), 1), waiter("second", claim(5000, 4), 0)];
    assert_eq!(turns(claim(8000, 8), waiters.clone(), 59), [""; 0]);
    assert_eq!(turns(claim(8000, 8), waiters.clone(), 60), ["second"]);
    waiters[1].due = at(90);
    assert_eq!(turns(claim(8000, 8), waiters.clone(), 60), ["first"]);
    waiters[0].room = NodeRoom::default();
    assert_eq!(turns(claim(0, 0), waiters, 59), ["second"], "a room of which nothing is known fits nobody");
}

#[test]
fn the_words_of_the_kubelet_are_read_and_other_words_say_nothing() {
    let said = "Node didn't have enough resource: cpu, requested: 1500, used: 1250, capacity: 2000";
    let free = |message, asked| free(message, claim(asked, 0));
    assert_eq!(free(said, 1500), NodeRoom { cpu: Some(MilliCpu(750)), memory: None });
    assert_eq!(free(said, 1400), NodeRoom { cpu: Some(MilliCpu(650)), memory: None }, "a sidecar asks for the rest");
    let memory = "Node didn't have enough resource: memory, requested: 9, used: 8, capacity: 12";
    assert_eq!(super::free(memory, Claim { cpu: MilliCpu(0), memory: Bytes(9) }).memory, Some(Bytes(4)));
    for odd in ["", "cpu, requested: ", "cpu, requested: x, used: 1", "cpu, requested: 1, used: 2", "no room"] {
        assert_eq!(free(odd, 1500), NodeRoom::default(), "{odd}");
    }
    let huge = format!("cpu, requested: 1, used: 99{}, capacity: 3", "9".repeat(30));
    assert_eq!(free(&huge, 1), NodeRoom::default());
}

#[test]
fn pauses_double_between_a_lease_and_six_hours() {
    let refused = |first: i64, last: i64| Refused {
        generation: 1,
        reason: reef_api::Reason::Deferred,
        capacity: String::new(),
        message: String::new(),
        at: Some(at(last)),
        first_at: Some(at(first)),
        retried_at: None,
        room: None,
        step: None,
    };
    let minutes = |first, last| {
        due(&refused(first, last), SignedDuration::from_mins(10), at(0)).duration_since(at(last)).as_mins()
    };
    assert_eq!([minutes(0, 0), minutes(0, 20), minutes(0, 50), minutes(0, 2000)], [10, 20, 50, 360]);
}

proptest! {
    #[test]
    fn at_most_one_of_a_node_has_its_turn(
        all in (0..16_000_u64, 0..64_u64),
        asks in proptest::collection::vec((1..9000_u64, 1..32_u64, 0..100_i64, proptest::option::of(0..100_i64)), 0..6),
        now in 0..120_i64,
    ) {
        let waiters = asks.iter().enumerate().map(|(number, (cpu, gib, since, trying))| Waiter {
            trying: trying.map(at),
            ..waiter(&format!("vm-{number}"), claim(*cpu, *gib), *since)
        });
        prop_assert!(turns(claim(all.0, all.1), waiters.collect(), now).len() <= 1);
    }

    #[test]
    fn no_words_of_the_kubelet_do_harm(message in ".*", asked in any::<u64>()) {
        let _ = free(&message, Claim { cpu: MilliCpu(asked), memory: Bytes(asked) });
    }
}
