//! With any one guard left out the search finds a VM that holds more than its Pod carries. The shortest way to each is kept as a snapshot, to be
//! read as prose.
//!
//! A snapshot that changes is no failure of the protocol: a way has become shorter or longer. One that is no longer found is.

#![allow(clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

use reef_model::bounds::Guard;
use reef_model::{Fault, Model, Options, Outcome, plans, search};

/// The shortest way to a breach without `guard`, and none with it.
fn broken(guard: Guard) -> String {
    let options = plans::without(guard);
    let outcome = search(&mut Model::new(options.bounds), &options.tempers, options.most);
    let Outcome::Found(trace) = outcome else { panic!("without guard {guard:?} nothing is found: {outcome:?}") };
    assert!(matches!(trace.fault, Fault::Breach(_)), "{trace}");
    format!("Without guard {}\n{} moves\n\n{trace}", guard.sentence(), trace.len())
}

/// Every state within the bounds in which the guard is needed, with the guard.
fn whole(guard: Guard) {
    let mut options: Options = plans::without(guard);
    options.bounds.without = None;
    let outcome = search(&mut Model::new(options.bounds), &options.tempers, options.most);
    let Outcome::Exhausted(numbers) = outcome else { panic!("with guard {guard:?}: {outcome:?}") };
    assert!(numbers.states > 500, "{numbers:?}");
}

macro_rules! guards {
    ($($name:ident: $guard:ident,)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($guard), broken(Guard::$guard));
            whole(Guard::$guard);
        })+
    };
}

guards! {
    a_write_without_resource_version_breaks_containment: Preconditions,
    a_view_without_own_last_writes_breaks_containment: OwnWrites,
    grants_that_do_not_count_as_held_break_containment: GrantsHeld,
    a_raise_on_the_spec_alone_breaks_containment: AllThree,
    a_request_for_a_grant_that_another_process_acknowledged_breaks_containment: OwnAck,
    an_acknowledgement_while_a_request_is_unaccounted_for_breaks_containment: TwoInfos,
    two_daemons_break_containment: OneDaemon,
    a_write_of_a_controller_that_is_gone_breaks_containment: Inherited,
    a_report_about_another_start_breaks_containment: Incarnation,
    an_older_grant_than_the_acknowledged_one_breaks_containment: Pledge,
    a_grant_beside_a_write_that_may_still_arrive_breaks_containment: Suspects,
    a_view_that_a_late_write_has_outdated_breaks_containment: ReadAgain,
}
