//! A slot for a run: whoever listens on its first port has it. The kernel takes it back when its holder dies.
//!
//! Nothing of a claim is ever on disk.
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

use crate::layout::{Layout, SLOTS, claim_port};

/// A claimed slot, until it is dropped.
pub struct Claim {
    /// Its number.
    pub slot: u16,
    _held: TcpListener,
}

/// Takes the first slot whose ports are all free.
///
/// # Errors
/// No slot is free.
pub fn take() -> Result<Claim> {
    (0..SLOTS).find_map(claimed).with_context(|| {
        format!("none of the ports from {} to {} is free on loopback", claim_port(0), claim_port(SLOTS))
    })
}

fn claimed(slot: u16) -> Option<Claim> {
    let held = listen(claim_port(slot))?;
    let layout = Layout { slot, folder: "".into(), logs: "".into(), programs: "".into() };
    layout.ports().all(|port| listen(port).is_some()).then_some(Claim { slot, _held: held })
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_never_have_the_same_slot() {
        let (first, second) = (take().unwrap(), take().unwrap());
        assert_ne!(first.slot, second.slot);
        let slot = first.slot;
        drop(first);
        assert_eq!(claimed(slot).map(|again| again.slot), Some(slot));
    }
}
