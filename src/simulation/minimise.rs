//! A script that breaks an invariant is made smaller: deeds are left out, then VMs, as long as the same invariant breaks.

use super::invariants::Invariant;
use super::run::{Play, play};
use super::script::{Script, Timed};

/// A smaller script, and how it was found.
#[derive(Clone, Debug)]
pub struct Smaller {
    /// The script.
    pub script: Script,
    /// How many were tried.
    pub tried: u32,
}

/// Makes a script smaller that breaks `broken`; stops when `enough` says so.
pub fn minimised(script: &Script, broken: Invariant, mut enough: impl FnMut(u32) -> bool) -> Smaller {
    let mut smaller = Smaller { script: script.clone(), tried: 0 };
    loop {
        let before = smaller.script.deeds.len();
        smaller.without_deeds(broken, &mut enough);
        smaller.without_vms(broken, &mut enough);
        if smaller.script.deeds.len() == before || enough(smaller.tried) {
            return smaller;
        }
    }
}

impl Smaller {
    /// Takes over a script that still breaks the same.
    fn try_one(&mut self, script: Script, broken: Invariant) -> bool {
        self.tried += 1;
        let breaks = play(&script, Play::BARE).is_ok_and(|outcome| outcome.broken() == Some(broken));
        if breaks {
            self.script = script;
        }
        breaks
    }

    /// Leaves out pieces of half of the deeds, then of a quarter, down to single ones. The last go first: most failures need only what came before.
    fn without_deeds(&mut self, broken: Invariant, enough: &mut impl FnMut(u32) -> bool) {
        let mut piece = self.script.deeds.len().div_ceil(2);
        while piece > 0 {
            let mut end = self.script.deeds.len();
            while end > 0 && !enough(self.tried) {
                let start = end.saturating_sub(piece);
                let left = |(number, timed): (usize, &Timed)| (!(start..end).contains(&number)).then(|| timed.clone());
                let deeds = self.script.deeds.iter().enumerate().filter_map(left).collect();
                self.try_one(Script { deeds, ..self.script.clone() }, broken);
                end = start;
            }
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
    }

    fn without_vms(&mut self, broken: Invariant, enough: &mut impl FnMut(u32) -> bool) {
        for vm in self.script.vms() {
            if enough(self.tried) {
                return;
            }
            self.try_one(self.script.without_vm(&vm), broken);
        }
    }
}
