//! What the endpoints tell of a role whose loop goes round, and of one whose loop is stuck.

use std::time::Duration;

use reef::simulation::{World, deterministic};
use reef::wiring::health::Probes;

/// Readiness and liveness, in this order.
fn told(probes: &Probes) -> [Result<(), String>; 2] {
    [(probes.ready)(), (probes.live)()]
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn a_stuck_role_says_so(role: &'static str) {
    deterministic(async move {
        let world = World::start(11).await.unwrap();
        let probes = Probes::of(world.health(role).unwrap());
        assert!((probes.ready)().is_err(), "nothing is listed yet");
        for _ in 0..40 {
            pass(15).await;
            assert_eq!(told(&probes), [Ok(()), Ok(())], "a loop that has nothing to do goes round all the same");
        }
        world.freeze(role, true);
        pass(44).await;
        assert_eq!(told(&probes), [Ok(()), Ok(())], "that may be a long turn");
        pass(17).await;
        for answer in told(&probes) {
            let why = answer.unwrap_err();
            assert!(why.starts_with("the loop has not gone round for "), "{why}");
        }
        world.freeze(role, false);
        pass(1).await;
        assert_eq!(told(&probes), [Ok(()), Ok(())], "it goes on");
    })
    .unwrap();
}

#[test]
fn a_controller_whose_loop_is_stuck_is_neither_ready_nor_live_until_it_goes_on() {
    a_stuck_role_says_so("controller");
}

#[test]
fn a_daemon_whose_loop_is_stuck_is_neither_ready_nor_live_until_it_goes_on() {
    a_stuck_role_says_so("node-1");
}
