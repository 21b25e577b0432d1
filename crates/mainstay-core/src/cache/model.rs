//! The protocol as an explicit-state model: every reachable state of a small world is visited.
//!
//! The world: a few writing transactions on one row under one tag, a replica that lags and can take over (the writes it
//! lacks are lost), two instances with a memory each, a second level that survives everything, loads that land
//! arbitrarily late, polls and hints that come at any time or never, and instances that restart.
//! The rule: what an instance would serve contains every commit that it has applied, in the log that it follows.
//! Each variant leaves out or weakens one part of the protocol and must be caught.

mod world;

use std::collections::HashSet;

use foldhash::fast::RandomState;
use world::{Bounds, Variant, World};

/// States beyond which a search gives up; a passing test has visited all of them.
const STATES_MAX: usize = 3_000_000;

/// What a search has found.
#[derive(Debug)]
enum Found {
    /// The rule holds in all of this many states.
    Holds(usize),
    /// The steps to a state in which it does not.
    Violated(Vec<String>),
}

fn search(variant: Variant, bounds: Bounds) -> Found {
    let start = World::start();
    let mut seen: HashSet<World, RandomState> = HashSet::default();
    let mut states = vec![(start, 0_usize)];
    seen.insert(start);
    let mut at = 0;
    while at < states.len() {
        let world = states[at].0;
        if world.violates(variant) {
            return Found::Violated(trace(&states, at, variant, bounds));
        }
        world.steps(variant, bounds, |next| {
            let next = next.canonical();
            if seen.insert(next) {
                states.push((next, at));
            }
        });
        assert!(states.len() <= STATES_MAX, "the world is too large to be searched");
        at += 1;
    }
    Found::Holds(states.len())
}

/// The states from the start to the one at `at`.
fn trace(
    states: &[(World, usize)],
    mut at: usize,
    variant: Variant,
    bounds: Bounds,
) -> Vec<String> {
    let mut steps = vec![format!("{variant:?} in {bounds:?} ends in {:?}", states[at].0)];
    while at != 0 {
        at = states[at].1;
        steps.push(format!("{:?}", states[at].0));
    }
    steps.reverse();
    steps
}

const WRITERS: Bounds = Bounds { writers: 3, loads: 1, restarts: 0, failovers: 0 };
const SMALL: Bounds = Bounds { writers: 2, loads: 2, restarts: 0, failovers: 0 };
const RESTARTS: Bounds = Bounds { restarts: 1, ..SMALL };
const FAILOVERS: Bounds = Bounds { loads: 1, failovers: 1, ..SMALL };
const BOTH: Bounds = Bounds { writers: 1, loads: 2, restarts: 1, failovers: 1 };

fn holds(variant: Variant, bounds: Bounds) {
    match search(variant, bounds) {
        // The figure keeps a change of the model from emptying it unnoticed.
        Found::Holds(states) => assert!(states > 3_000, "only {states} states"),
        Found::Violated(steps) => panic_with(&steps),
    }
}

#[expect(clippy::panic, reason = "a test panics on failure")]
fn panic_with(steps: &[String]) {
    panic!("an instance serves what it knows to be outdated:\n{}", steps.join("\n"));
}

fn is_caught(variant: Variant, bounds: Bounds) {
    let found = search(variant, bounds);
    assert!(matches!(found, Found::Violated(_)), "{variant:?} is broken, but: {found:?}");
}

#[test]
fn the_protocol_holds_with_three_writers() {
    holds(Variant::Protocol, WRITERS);
}

#[test]
fn the_protocol_holds_with_two_loads_under_way() {
    holds(Variant::Protocol, SMALL);
}

#[test]
fn the_protocol_holds_through_restarts() {
    holds(Variant::Protocol, RESTARTS);
}

#[test]
fn the_protocol_holds_through_a_failover_that_loses_commits() {
    holds(Variant::Protocol, FAILOVERS);
}

#[test]
fn the_protocol_holds_through_a_restart_and_a_failover() {
    holds(Variant::Protocol, BOTH);
}

#[test]
fn writing_through_with_the_stamp_of_the_own_snapshot_holds() {
    holds(Variant::WriteThrough, SMALL);
}

#[test]
fn the_log_epoch_of_the_call_is_enough_when_only_the_primary_is_read() {
    holds(Variant::EpochOfTheCallOnPrimary, FAILOVERS);
}

#[test]
fn writing_through_with_the_own_position_is_caught() {
    is_caught(Variant::WriteThroughOwnPosition, SMALL);
}

#[test]
fn stamping_with_the_newest_position_is_caught() {
    is_caught(Variant::StampNewest, SMALL);
}

#[test]
fn stamping_when_the_value_arrives_is_caught() {
    is_caught(Variant::StampAtArrival, SMALL);
}

#[test]
fn stamping_with_the_applied_position_is_caught_on_a_replica() {
    is_caught(Variant::StampApplied, SMALL);
}

#[test]
fn stamping_with_the_applied_position_is_caught_on_the_primary() {
    is_caught(Variant::StampAppliedOnPrimary, SMALL);
}

#[test]
fn starting_without_the_first_horizon_is_caught() {
    is_caught(Variant::NoFloor, RESTARTS);
}

#[test]
fn entries_without_a_log_epoch_are_caught() {
    is_caught(Variant::NoLogEpoch, FAILOVERS);
}

#[test]
fn the_log_epoch_of_the_call_is_caught_on_a_replica() {
    is_caught(Variant::EpochOfTheCall, FAILOVERS);
}
