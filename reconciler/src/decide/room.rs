//! Room on a node: what the kubelet has said of it, and whose turn it is to try again when there is some.
//!
//! Pure. The kubelet has the last word: all this says is when asking it again is worth while.

use jiff::{SignedDuration, Timestamp};
pub use reef_api::facts::Claim;
use reef_api::vm::{NodeRoom, Refused};
use reef_api::{Bytes, MilliCpu, VmKey};

/// How long others of its node wait for a VM that tries again: where there is room the kubelet takes a second.
pub const TRIED_ALONE: SignedDuration = SignedDuration::from_secs(60);
/// The longest pause between two attempts: while a wish stands without room, the scheduler counts it against the node.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);

/// The VMs of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbourhood {
    /// What the Pods of all VMs of the node take, this one's too: what the kubelet has set aside for them.
    pub all: Claim,
    /// Those that wait for room, this one too.
    pub waiters: Vec<Waiter>,
}

/// A VM whose wish was taken back because its node had no room.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiter {
    /// The VM.
    pub key: VmKey,
    /// What its Pod takes now.
    pub has: Claim,
    /// The least that its Pod has to be for the VM to gain anything.
    pub asks: Claim,
    /// The room that the node had for Pods of VMs when it refused, as far as is known.
    pub room: NodeRoom,
    /// Since when it waits.
    pub since: Timestamp,
    /// When it tries again though nothing is known to have changed.
    pub due: Timestamp,
    /// When it tried again, where that is under way.
    pub trying: Option<Timestamp>,
}

/// Whether it is this VM's turn to try again.
///
/// One at a time. Of those that fit into the room that is there, the one that needs the least more, then the one that waits the longest: so the
/// most VMs have what they want the soonest. Where nothing is known to fit, the one that is due and waits the longest asks the kubelet.
pub fn is_turn_of(key: &VmKey, neighbourhood: &Neighbourhood, allocatable: Claim, now: Timestamp) -> bool {
    let waiters = neighbourhood.waiters.iter();
    let tries = |waiter: &Waiter| waiter.trying.is_some_and(|since| now.duration_since(since) < TRIED_ALONE);
    if waiters.clone().any(tries) {
        return false;
    }
    let idle = || waiters.clone().filter(|waiter| waiter.trying.is_none());
    let fitting = idle().filter(|waiter| fits(waiter, neighbourhood.all, allocatable));
    let first = fitting.min_by_key(|waiter| (missing(waiter, allocatable), waiter.since, &waiter.key));
    let due = || idle().filter(|waiter| waiter.due <= now).min_by_key(|waiter| (waiter.since, &waiter.key));
    first.or_else(due).is_some_and(|waiter| waiter.key == *key)
}

/// Whether there is known to be room for what a VM asks. What the kubelet did not speak of is measured by what the node has in all.
fn fits(waiter: &Waiter, all: Claim, allocatable: Claim) -> bool {
    let needed = all.less(waiter.has).plus(waiter.asks);
    let known = waiter.room.cpu.is_some() || waiter.room.memory.is_some();
    let cpu = waiter.room.cpu.unwrap_or(allocatable.cpu);
    let memory = waiter.room.memory.unwrap_or(allocatable.memory);
    known && needed.cpu <= cpu && needed.memory <= memory
}

/// How much more a VM asks for, in millionths of what its node has in all: of the two resources the one that it asks more of.
fn missing(waiter: &Waiter, allocatable: Claim) -> u128 {
    let more = waiter.asks.less(waiter.has);
    let share = |part: u64, whole: u64| u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    share(more.cpu.0, allocatable.cpu.0).max(share(more.memory.0, allocatable.memory.0))
}

/// When a wish that was taken back is made again though nothing is known to have changed: after as long as it has been tried by then, so that
/// the pauses double without a counter, and never sooner than after a lease.
pub fn due(refused: &Refused, lease: SignedDuration, now: Timestamp) -> Timestamp {
    let at = refused.at.unwrap_or(now);
    let tried = refused.first_at.map_or(lease, |first| at.duration_since(first));
    at.saturating_add(tried.clamp(lease.min(LONGEST_PAUSE), LONGEST_PAUSE)).unwrap_or(at)
}

/// What the kubelet says is free for a Pod that asks for `asked`: "Node didn't have enough resource: cpu, requested: 1500, used: 1250,
/// capacity: 2000", CPU in thousandths and memory in bytes. `requested` is all of the Pod, `used` is what other Pods have.
pub fn free(message: &str, asked: Claim) -> NodeRoom {
    let of = |name: &str, asked: u64| {
        let [requested, used, capacity] = shortage(message, name)?;
        let beside = requested.saturating_sub(asked);
        Some(capacity.saturating_sub(used).saturating_sub(beside))
    };
    NodeRoom { cpu: of("cpu", asked.cpu.0).map(MilliCpu), memory: of("memory", asked.memory.0).map(Bytes) }
}

/// The room for all Pods of VMs, from what is free for one of them and what the others take.
pub fn for_all(free: NodeRoom, others: Claim) -> NodeRoom {
    NodeRoom {
        cpu: free.cpu.map(|cpu| cpu.saturating_add(others.cpu)),
        memory: free.memory.map(|memory| memory.saturating_add(others.memory)),
    }
}

fn shortage(message: &str, name: &str) -> Option<[u64; 3]> {
    let mut rest = message.split_once(&format!("{name}, requested: "))?.1;
    let (requested, after) = number(rest)?;
    rest = after.strip_prefix(", used: ")?;
    let (used, after) = number(rest)?;
    rest = after.strip_prefix(", capacity: ")?;
    let (capacity, _) = number(rest)?;
    Some([requested, used, capacity])
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests;
