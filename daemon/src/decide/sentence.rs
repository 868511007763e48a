//! The sentences in which a wait is told to people: object, limit, value found, and what to do next.
//!
//! No number that moves by itself stands in a sentence, so that a wait is written once and not with each look.

use super::observed::Limit;
use super::step::Wait;
use reef_api::vm::UsedSource;
use reef_api::{Bytes, MIB};
use std::fmt;

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::At(limit) => limit.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGrant => f.write_str("nothing is granted for this Pod yet"),
            Self::StaleGrant { seq, pledged } => {
                write!(f, "grant {seq} is older than grant {pledged}, which was answered; a newer view has to come")
            }
            Self::Unaccounted => f.write_str("an earlier request has no known outcome; the VMM is being read again"),
            Self::NotRunning => f.write_str("the VMM has no machine that runs; it is resized once it has booted"),
            Self::Migrating => f.write_str("the VM is moving to another host; nothing is asked of it meanwhile"),
            Self::Guest => f.write_str("the VMM was asked and the guest has not followed yet"),
            Self::Stalled(stall) => stall.fmt(f),
            Self::RemovalPending { requested, present } => write!(
                f,
                "the guest still holds {present} vCPUs and was asked to let go all but {requested}; \
                 until it ejects them, or reboots, the VMM takes no other number"
            ),
            Self::GuestKeepsVcpus { granted } => write!(
                f,
                "the guest refuses to let go all vCPUs but {granted}; let it take them offline, or ask for more; \
                 it is asked again from time to time"
            ),
            Self::CpuLimit { limit, granted } => write!(
                f,
                "the CPU limit of the container is {limit} and does not cover {granted} vCPUs; the kubelet has to raise it first"
            ),
            Self::MemoryLimit { limit, granted } => write!(
                f,
                "the memory limit of the container is {limit} and does not cover {granted}; the kubelet has to raise it first"
            ),
            Self::GuestPressure { granted, step, margin, known_by } => write!(
                f,
                "the guest uses too much to shrink to {granted}: the next step is {step}, of which {} must be free; {}, or ask for more",
                in_mebibytes(*margin),
                how_to_free(*known_by)
            ),
            Self::UseRises { granted } => write!(
                f,
                "the guest uses more and more, so nothing is taken from it until its use rests for some seconds; \
                 let it rest, or ask for more than {granted}"
            ),
            Self::UseUnknown => {
                f.write_str("how much memory the guest uses cannot be read, and nothing is taken from it until it can")
            }
            Self::VcpusOutOfRange { granted, min, max } => {
                write!(f, "the VM booted with room for {min} to {max} vCPUs; for {granted} it has to be started anew")
            }
            Self::MemoryOutOfRange { granted, min, max } => {
                write!(f, "the VM booted with room for {min} to {max}; for {granted} it has to be started anew")
            }
            Self::Misaligned { granted, block } => write!(
                f,
                "{granted} is not a whole number of blocks of {block} from the size at boot; ask for a multiple of {block}"
            ),
            Self::NotResizable { why } => f.write_str(why),
            Self::Refused { message } => write!(f, "the VMM refused: {message}"),
        }
    }
}

/// A margin is a part of a size, to the byte: people are told whole mebibytes, rounded up.
fn in_mebibytes(amount: Bytes) -> Bytes {
    Bytes(amount.0.div_ceil(MIB.0).saturating_mul(MIB.0))
}

/// What brings the number down, by where it comes from.
const fn how_to_free(known_by: UsedSource) -> &'static str {
    match known_by {
        UsedSource::Cgroup => {
            "its use is what its VMM holds on the node, page cache of the guest included: free memory in the guest, or drop its page cache"
        }
        UsedSource::GuestStatistics => "its use is what the guest itself tells: free memory in the guest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::gate::margin;
    use reef_api::GIB;

    #[test]
    fn people_are_told_a_margin_in_whole_mebibytes() {
        let told = |gibibytes: u64| {
            let (granted, step) = (GIB, Bytes(gibibytes * GIB.0));
            Wait::GuestPressure { granted, step, margin: margin(step), known_by: UsedSource::Cgroup }.to_string()
        };
        assert!(told(6).contains("the next step is 6Gi, of which 308Mi must be free"), "{}", told(6));
        assert!(told(1).contains("of which 64Mi must be free"), "{}", told(1));
    }
}
