//! The bounds of a search as words on a command line: `memory=2 begin=0/1 minds=3 without=OwnAck`.

use crate::bounds::{Bounds, Caches, Guard, Limits, Starts, Telling, VcpuKind};
use crate::calm::Temper;
use crate::size::Level;

/// A search as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Its bounds.
    pub bounds: Bounds,
    /// How the other parties may be while everything calms down.
    pub tempers: Vec<Temper>,
    /// Most states.
    pub most: usize,
}

/// Most states of a search that does not say.
const MOST: usize = 200_000_000;

impl Default for Options {
    fn default() -> Self {
        let bounds = Bounds::quiet(Level::new(0, 2), Level::new(0, 1));
        Self { bounds, tempers: Vec::new(), most: MOST }
    }
}

impl Options {
    /// Reads words of the form `name=value`.
    ///
    /// # Errors
    /// Says which word is not understood.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| unknown(&word))?;
            options.set(name, value).ok_or_else(|| unknown(&word))?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        let bounds = &mut self.bounds;
        let number = || value.parse::<u8>().ok();
        match name {
            "cpu" => bounds.top.cpu = number()?,
            "memory" => bounds.top.memory = number()?,
            "begin" => bounds.begin = level(value)?,
            "minds" => bounds.minds = number()?,
            "crashes" => bounds.crashes = number()?,
            "losses" => bounds.losses = number()?,
            "refusals" => bounds.refusals = number()?,
            "upsets" => bounds.upsets = number()?,
            "stalls" => bounds.stalls = number()?,
            "starts" => bounds.starts = one_of(value, &[("1", Starts::One), ("2", Starts::Two)])?,
            "caches" => bounds.caches = one_of(value, &[("fresh", Caches::Fresh), ("lag", Caches::Lag)])?,
            "kubelet" => {
                bounds.kubelet = one_of(value, &[("at-once", Telling::AtOnce), ("later", Telling::Later)])?;
            }
            "limits" => {
                bounds.limits = one_of(value, &[("looked", Limits::Looked), ("unknown", Limits::Unknown)])?;
            }
            "vcpus" => {
                bounds.vcpus = one_of(value, &[("counted", VcpuKind::Counted), ("slots", VcpuKind::Slots)])?;
            }
            "without" => bounds.without = Some(*Guard::ALL.iter().find(|guard| format!("{guard:?}") == value)?),
            "tempers" => self.tempers = tempers(value)?,
            "most" => self.most = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

fn unknown(word: &str) -> String {
    format!("{word:?} is not understood; see docs/model.md for the words of a search")
}

fn one_of<T: Copy>(value: &str, known: &[(&str, T)]) -> Option<T> {
    known.iter().find(|(name, _)| *name == value).map(|(_, meaning)| *meaning)
}

fn level(value: &str) -> Option<Level> {
    let (cpu, memory) = value.split_once('/')?;
    Some(Level::new(cpu.parse().ok()?, memory.parse().ok()?))
}

fn tempers(value: &str) -> Option<Vec<Temper>> {
    if value == "all" {
        return Some(Temper::ALL.to_vec());
    }
    let named = |name: &str| Temper::ALL.iter().find(|temper| format!("{temper:?}") == name).copied();
    value.split(',').map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_bounds_and_an_odd_word_is_named() {
        let words = |words: &str| Options::read(words.split(' ').map(str::to_owned));
        let options = words("cpu=2 begin=1/0 minds=3 without=OwnAck tempers=Willing,NoRoom").unwrap();
        assert_eq!((options.bounds.top.cpu, options.bounds.begin), (2, Level::new(1, 0)));
        assert_eq!((options.bounds.minds, options.bounds.without), (3, Some(Guard::OwnAck)));
        assert_eq!(options.tempers, [Temper::Willing, Temper::NoRoom]);
        assert!(words("minds=many").unwrap_err().contains("minds=many"));
    }
}
