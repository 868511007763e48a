//! Which of sockets and cores yields a number of vCPUs. Numbers only; no text.

use reef_api::Vcpus;
use reef_api::vm::Cpu;

use super::error::EditError;
use crate::desired::Origin;

/// A number that neither count yields by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uneven {
    sockets: u32,
    cores: u32,
    wanted: u32,
}

/// The one count to change, and its value. Cores go first, then what is stated; where nothing is, cores are added.
pub(super) fn yielding(cpu: &Cpu, wanted: Vcpus) -> Result<(&'static str, u32), Uneven> {
    let count = |stated: Option<i32>| stated.map_or(1, |count| u32::try_from(count).unwrap_or(0));
    let (sockets, cores, wanted) = (count(cpu.sockets), count(cpu.cores_per_socket), wanted.get());
    let by = |other: u32| wanted.checked_div(other).filter(|_| wanted.checked_rem(other) == Some(0));
    let cores_first = cpu.cores_per_socket.is_some() || cpu.sockets.is_none();
    let by_cores = by(sockets).filter(|_| cores_first).map(|count| ("coresPerSocket", count));
    let by_sockets = || by(cores).filter(|_| cpu.sockets.is_some()).map(|count| ("sockets", count));
    by_cores.or_else(by_sockets).ok_or(Uneven { sockets, cores, wanted })
}

impl Uneven {
    pub(super) fn at(self, at: Origin) -> EditError {
        let Self { sockets, cores, wanted } = self;
        EditError::Uneven { at, sockets, cores, wanted, near: self.near() }
    }

    /// The numbers next to it that one count alone yields.
    fn near(self) -> String {
        let multiples = |of: u32| {
            let below = self.wanted.checked_div(of).unwrap_or(0).saturating_mul(of);
            (below, below.saturating_add(of))
        };
        let (by_sockets, by_cores) = (multiples(self.sockets), multiples(self.cores));
        let (below, above) = (by_sockets.0.max(by_cores.0), by_sockets.1.min(by_cores.1));
        if below == 0 { above.to_string() } else { format!("{below} or {above}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_count_yields_the_number_or_its_neighbours_are_told() {
        let cpu = |sockets, cores_per_socket| Cpu { sockets, cores_per_socket, ..Cpu::default() };
        let table = [
            (cpu(None, None), 6, Ok(("coresPerSocket", 6))),
            (cpu(None, Some(2)), 3, Ok(("coresPerSocket", 3))),
            (cpu(Some(2), None), 3, Ok(("sockets", 3))),
            (cpu(Some(2), Some(2)), 8, Ok(("coresPerSocket", 4))),
            (cpu(Some(2), Some(1)), 3, Ok(("sockets", 3))),
            (cpu(Some(2), Some(3)), 9, Ok(("sockets", 3))),
            (cpu(Some(2), Some(2)), 3, Err("2 or 4")),
            (cpu(Some(4), Some(3)), 2, Err("3")),
            (cpu(Some(4), Some(3)), 7, Err("6 or 8")),
        ];
        for (cpu, wanted, expected) in table {
            let found = yielding(&cpu, Vcpus(wanted)).map_err(Uneven::near);
            assert_eq!(found, expected.map_err(str::to_owned), "{cpu:?} {wanted}");
        }
    }
}
