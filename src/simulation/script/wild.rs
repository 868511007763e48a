//! What goes wrong, by chance: one trouble of any party.

use super::scenario::size;
use super::{Crash, Deed, GuestWays, KubeletWays, Moment, Sky, VmmWays};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use reef_api::Request;
use std::ops::Range;

/// One of these.
pub(super) fn one_of<T: Clone + Default>(chance: &mut ChaCha8Rng, among: &[T]) -> T {
    let place = chance.random_range(0..among.len().max(1));
    among.get(place).cloned().unwrap_or_default()
}

fn pick<T: Copy>(chance: &mut ChaCha8Rng, first: T, others: &[T]) -> T {
    others.get(chance.random_range(0..=others.len())).copied().unwrap_or(first)
}

/// Seconds, as milliseconds: mostly few.
fn while_(chance: &mut ChaCha8Rng, seconds: Range<u64>) -> u64 {
    let (shortest, longest) = (seconds.start * 1_000, seconds.end * 1_000);
    let end = if chance.random_bool(0.7) { shortest + (longest - shortest) / 6 + 1 } else { longest };
    chance.random_range(shortest..end)
}

/// One trouble.
pub(super) fn trouble(chance: &mut ChaCha8Rng, vms: &[String], nodes: &[String]) -> Deed {
    match chance.random_range(0..100) {
        0..22 => ourselves(chance, nodes),
        22..38 => of_the_server(chance),
        38..52 => of_a_node(chance, nodes),
        52..66 => of_a_vmm(chance, vms),
        66..84 => of_a_guest(chance, vms),
        _ => of_people(chance, vms),
    }
}

fn ourselves(chance: &mut ChaCha8Rng, nodes: &[String]) -> Deed {
    let node = one_of(chance, nodes);
    match chance.random_range(0..22) {
        0 => Deed::SecondDaemon { node, lasts: while_(chance, 5..120) },
        1 => {
            let seconds = chance.random_range(-7_200..7_200);
            Deed::ClockJumps { seconds, lasts: while_(chance, 10..600) }
        }
        _ => {
            let role = if chance.random_bool(0.5) { "controller".to_owned() } else { node };
            let crash = crash(chance, &role);
            Deed::Kill { role, crash, down: while_(chance, 0..60) }
        }
    }
}

fn crash(chance: &mut ChaCha8Rng, role: &str) -> Crash {
    let moment = pick(chance, Moment::Before, &[Moment::Sent, Moment::After]);
    let n = chance.random_range(1..12);
    match chance.random_range(0..10) {
        0 => Crash::Now,
        1..6 if role != "controller" => Crash::Resize { n: n.min(4), moment },
        _ => Crash::Write { n, moment },
    }
}

fn of_the_server(chance: &mut ChaCha8Rng) -> Deed {
    let skies = [Sky::Lossy, Sky::Busy, Sky::Conflicts, Sky::Slow, Sky::Cut, Sky::Late, Sky::Frozen];
    match chance.random_range(0..16) {
        0 => Deed::DropWatches,
        1 => Deed::Compact,
        2 => Deed::GitFails { lasts: while_(chance, 5..300) },
        3 => Deed::Weather { sky: Sky::Dark, of_thousand: 1_000, seed: 0, lasts: while_(chance, 2..120) },
        _ => Deed::Weather {
            sky: pick(chance, Sky::Foul, &skies),
            of_thousand: chance.random_range(20..500),
            seed: chance.random(),
            lasts: while_(chance, 5..240),
        },
    }
}

fn of_a_node(chance: &mut ChaCha8Rng, nodes: &[String]) -> Deed {
    let node = one_of(chance, nodes);
    if chance.random_bool(0.1) {
        return Deed::Cordon { node, lasts: while_(chance, 10..300) };
    }
    let others = [
        KubeletWays::Defers,
        KubeletWays::Refuses,
        KubeletWays::Stalls,
        KubeletWays::Flaps,
        KubeletWays::KeepsMemory,
        KubeletWays::Lost,
    ];
    let ways = pick(chance, KubeletWays::Restarts, &others);
    Deed::Kubelet { node, ways, lasts: while_(chance, 2..400) }
}

fn of_a_vmm(chance: &mut ChaCha8Rng, vms: &[String]) -> Deed {
    let vm = one_of(chance, vms);
    let slow = VmmWays::Slow(chance.random_range(200..40_000));
    let others = [slow, VmmWays::TooMany, VmmWays::Internal, VmmWays::HalfReply, VmmWays::LostReply, VmmWays::Hangs];
    match chance.random_range(0..12) {
        3 | 4 => {
            let ways = VmmWays::Overtaken(chance.random_range(20..6_000));
            Deed::Vmm { vm, ways, requests: chance.random_range(1..4), lasts: while_(chance, 60..1_200) }
        }
        0 => Deed::SwapSocket { vm, other: one_of(chance, vms), lasts: while_(chance, 5..120) },
        1 => Deed::KillVmm { vm },
        2 => Deed::OomKill { vm },
        _ => {
            let ways = pick(chance, VmmWays::Garbage, &others);
            Deed::Vmm { vm, ways, requests: chance.random_range(1..20), lasts: while_(chance, 5..300) }
        }
    }
}

fn of_a_guest(chance: &mut ChaCha8Rng, vms: &[String]) -> Deed {
    let vm = one_of(chance, vms);
    let others = [
        GuestWays::KeepsVcpus,
        GuestWays::OneVcpu,
        GuestWays::NeverPlugs,
        GuestWays::PlugsOne,
        GuestWays::NeverUnplugs,
        GuestWays::KeepsOne,
        GuestWays::NoDriver,
    ];
    match chance.random_range(0..18) {
        0..4 => Deed::Reboot { vm },
        4..8 => Deed::GuestUses { vm, mib: chance.random_range(100..7_000), lasts: while_(chance, 10..400) },
        8 => Deed::GuestDrops { vm, mib: chance.random_range(1..8) * 128 },
        9 | 10 => Deed::Pause { vm, lasts: chance.random_bool(0.8).then(|| while_(chance, 1..300)) },
        11 => Deed::Migrate { vm, lasts: while_(chance, 1..120) },
        _ => {
            let ways = pick(chance, GuestWays::Kills, &others);
            Deed::Guest { vm, ways, lasts: chance.random_bool(0.8).then(|| while_(chance, 10..600)) }
        }
    }
}

fn of_people(chance: &mut ChaCha8Rng, vms: &[String]) -> Deed {
    let vm = one_of(chance, vms);
    match chance.random_range(0..14) {
        0..3 => Deed::DeleteVm { vm },
        3..6 => Deed::DeletePod { vm },
        6..8 => Deed::EditPod { vm, size: size(chance) },
        8..12 => Deed::Ask { vm, request: pick(chance, Request::Restart, &[Request::Retry, Request::Settle]) },
        _ => Deed::EditVm { vm, size: size(chance) },
    }
}
