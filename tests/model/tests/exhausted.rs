//! Within bounds that take about a minute of one CPU, every state keeps the VM within its Pod, and from every state the VM comes to rest: settled, or
//! with a reason that says what would move it. Under each temper of the other parties.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use reef_model::{Model, Outcome, plans, search};

#[test]
fn every_state_is_contained_and_comes_to_rest() {
    for plan in plans::quick() {
        let outcome = search(&mut Model::new(plan.options.bounds), &plan.options.tempers, plan.options.most);
        match outcome {
            Outcome::Exhausted(numbers) => {
                println!("{}: {} states, depth {}", plan.name, numbers.states, numbers.depth)
            }
            Outcome::Found(trace) => panic!("{}\n{trace}", plan.name),
            Outcome::TooMany(numbers) => panic!("{}: {numbers:?}", plan.name),
        }
    }
}
