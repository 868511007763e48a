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
    (0..SLOTS).find_map(|slot| of(slot).filter(Claim::is_usable)).with_context(|| {
        format!("none of the ports from {} to {} is free on loopback", claim_port(0), claim_port(SLOTS))
    })
}

/// Claims one slot; `None` while somebody else holds it.
pub fn of(slot: u16) -> Option<Claim> {
    listen(claim_port(slot)).map(|held| Claim { slot, _held: held })
}

impl Claim {
    fn is_usable(&self) -> bool {
        let layout = Layout { slot: self.slot, folder: "".into(), logs: "".into(), programs: "".into() };
        layout.ports().all(|port| listen(port).is_some())
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_held_by_one_and_free_again_when_its_holder_is_gone() {
        let slot = SLOTS - 1;
        let held = of(slot).unwrap();
        assert!(held.is_usable());
        assert!(of(slot).is_none());
        drop(held);
        assert_eq!(of(slot).map(|again| again.slot), Some(slot));
    }
}
