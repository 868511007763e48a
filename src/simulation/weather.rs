//! Bad weather on the way to the API server: what each request of a role meets, by a chance of its own.

use super::script::Sky;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reef_sim::api::{Failure, Fault, RequestFacts, WatchFailure};
use std::time::Duration;

/// What requests meet while a weather lasts.
pub(super) fn hook(sky: Sky, of_thousand: u32, seed: u64) -> impl FnMut(&RequestFacts) -> Fault + Send + 'static {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    move |facts| {
        if chance.random_range(0..1_000) >= of_thousand {
            return Fault::default();
        }
        met(&mut chance, sky, facts)
    }
}

fn met(chance: &mut ChaCha8Rng, sky: Sky, facts: &RequestFacts) -> Fault {
    let reads = facts.method.as_str() == "GET";
    match sky {
        Sky::Lossy => fails(one_of(chance, Failure::DropBefore, &[Failure::DropAfter, Failure::DropAfter])),
        Sky::Busy => fails(Failure::Status(one_of(chance, 429, &[500, 503, 504]))),
        Sky::Conflicts if reads => Fault::default(),
        Sky::Conflicts => fails(Failure::Status(409)),
        Sky::Slow => slow(chance),
        Sky::Cut => watched(WatchFailure::Ends(millis(chance, 20, 5_000))),
        Sky::Late => watched(WatchFailure::Late(millis(chance, 100, 10_000))),
        Sky::Frozen => watched(WatchFailure::Freezes(millis(chance, 100, 20_000))),
        Sky::Foul => {
            let skies = [Sky::Busy, Sky::Conflicts, Sky::Slow, Sky::Cut, Sky::Late, Sky::Frozen];
            let sky = one_of(chance, Sky::Lossy, &skies);
            met(chance, sky, facts)
        }
        Sky::Dark => fails(Failure::DropBefore),
    }
}

fn fails(failure: Failure) -> Fault {
    Fault { failure, ..Fault::default() }
}

fn watched(watch: WatchFailure) -> Fault {
    Fault { watch, ..Fault::default() }
}

/// A request or its reply is late: mostly a little, sometimes by more than anybody waits.
fn slow(chance: &mut ChaCha8Rng) -> Fault {
    let most = if chance.random_bool(0.2) { 30_000 } else { 1_500 };
    let late = millis(chance, 5, most);
    if chance.random_bool(0.5) {
        Fault { delay: late, ..Fault::default() }
    } else {
        Fault { reply_delay: late, ..Fault::default() }
    }
}

fn millis(chance: &mut ChaCha8Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(chance.random_range(least..most))
}

fn one_of<T: Copy>(chance: &mut ChaCha8Rng, first: T, others: &[T]) -> T {
    others.get(chance.random_range(0..=others.len())).copied().unwrap_or(first)
}
