//! Conditions by the rules of kstatus: `Ready`, `Reconciling`, `Stalled`, and Reef's own `Resized` and `Resizable`.
//!
//! Building only. When a condition's transition time moves is decided here; the time itself is handed in.

use crate::reason::Reason;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The object is as its spec says (kstatus).
pub const READY: &str = "Ready";
/// Work on the spec is going on (kstatus); absent or False when not.
pub const RECONCILING: &str = "Reconciling";
/// Work has stopped and will not go on by itself (kstatus); absent or False when not.
pub const STALLED: &str = "Stalled";
/// The last resize is complete: the guest has what the spec says and the Pod agrees.
pub const RESIZED: &str = "Resized";
/// The VM can take its target while it runs.
pub const RESIZABLE: &str = "Resizable";

/// Somebody keeps what Git states from the object; absent when not.
pub const SUSPENDED: &str = "Suspended";

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// The word as it stands in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// `True` or `False` for a fact that is known.
    pub const fn of(fact: bool) -> Self {
        if fact { Self::True } else { Self::False }
    }
}

/// Builds a condition. Its transition time is the old one's as long as the truth is the same, else `now` (truncated to seconds, as Kubernetes writes it).
/// A time that is still to come was written by a clock that was wrong; what is counted from it would wait until then, so it begins anew.
pub fn condition(
    kind: &str,
    truth: Truth,
    reason: Reason,
    message: impl Into<String>,
    generation: i64,
    previous: &[Condition],
    now: Timestamp,
) -> Condition {
    let kept =
        find(previous, kind).filter(|old| old.status == truth.as_str()).map(|old| old.last_transition_time.clone());
    let kept = kept.filter(|since| since.0 <= now);
    Condition {
        type_: kind.to_owned(),
        status: truth.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.into(),
        observed_generation: Some(generation),
        last_transition_time: kept.unwrap_or_else(|| Time(seconds(now))),
    }
}

/// The condition of one type.
pub fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// Whether the condition of one type is there and True.
pub fn is_true(conditions: &[Condition], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|condition| condition.status == "True")
}

/// Cuts a time to whole seconds, the precision of Kubernetes' `Time`.
pub fn seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_when_the_truth_changes() {
        let first = condition(READY, Truth::False, Reason::Deferred, "no room", 1, &[], at(10));
        let same = condition(READY, Truth::False, Reason::Infeasible, "never", 2, std::slice::from_ref(&first), at(20));
        assert_eq!(same.last_transition_time, first.last_transition_time);
        let turned = condition(READY, Truth::True, Reason::Settled, "", 2, &[same], at(30));
        assert_eq!(turned.last_transition_time, Time(at(30)));
    }

    #[test]
    fn a_transition_time_that_is_still_to_come_begins_anew() {
        let ahead = condition(READY, Truth::False, Reason::Ended, "ended", 1, &[], at(5_000));
        let set_right = condition(READY, Truth::False, Reason::Ended, "ended", 1, &[ahead], at(20));
        assert_eq!(set_right.last_transition_time, Time(at(20)));
        let later = condition(READY, Truth::False, Reason::Ended, "ended", 1, &[set_right], at(30));
        assert_eq!(later.last_transition_time, Time(at(20)));
    }
}
