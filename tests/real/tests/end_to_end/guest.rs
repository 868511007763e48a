//! The guest's own word: the lines that it prints on its console, read from the log of its container.
//!
//! Reads only. What the API or the VMM says about the guest is of no interest here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reef_api::Size;

/// One line of the guest.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// When the container's log got it, in milliseconds since 1970.
    pub at: i64,
    /// Id of this boot of its kernel.
    pub boot: String,
    /// CPUs that are online: what `nproc` says.
    pub cpus: u32,
    /// MemTotal in KiB.
    pub total_kib: u64,
    /// MemAvailable in KiB.
    pub available_kib: u64,
    /// KiB that its process holds because it was told to.
    pub held_kib: u64,
    /// Processes that its own OOM killer ended.
    pub killed: u32,
    /// The last order that it carried out.
    pub order: u64,
}

/// MemTotal lacks what the kernel keeps for itself since it booted: a fixed part of its first memory, measured as 104 MiB
/// at 256 MiB with a ceiling above 4 GiB, and 40 MiB below.
const KERNEL_KEEPS: u64 = 112 << 20;

impl Line {
    /// Whether the guest has a size, but for what its kernel keeps.
    pub fn has(&self, size: Size) -> bool {
        let (total, memory) = (self.total_kib * 1024, size.memory.get());
        self.cpus == size.vcpus.0 && total <= memory && total + KERNEL_KEEPS >= memory
    }
}

/// All lines of a container, the oldest first. `logs` is the folder in which the kubelet keeps them.
pub fn lines(logs: &Path, namespace: &str, pod: &str, uid: &str) -> Vec<Line> {
    let text = console(logs, namespace, pod, uid);
    text.iter().filter_map(|(at, line)| parse(*at, line)).collect()
}

/// All that a container printed, with the time of each line in milliseconds since 1970.
pub fn console(logs: &Path, namespace: &str, pod: &str, uid: &str) -> Vec<(i64, String)> {
    let folder = logs.join(format!("{namespace}_{pod}_{uid}")).join("vm-manager");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read(file).ok());
    texts.flat_map(|text| String::from_utf8_lossy(&text).lines().filter_map(entry).collect::<Vec<_>>()).collect()
}

/// `2026-11-22T02:00:00.123456789Z stdout F text`, as container runtimes write logs.
fn entry(line: &str) -> Option<(i64, String)> {
    let mut words = line.splitn(4, ' ');
    let at: jiff::Timestamp = words.next()?.parse().ok()?;
    let text = words.nth(2)?;
    Some((at.as_millisecond(), text.to_owned()))
}

fn parse(at: i64, line: &str) -> Option<Line> {
    let (_, words) = line.split_once("guest: boot=")?;
    let first = std::iter::once(("boot", words.split(' ').next()?));
    let rest = words.split_whitespace().skip(1).filter_map(|word| word.split_once('='));
    let words: BTreeMap<&str, &str> = first.chain(rest).collect();
    let number = |name: &str| words.get(name)?.parse::<u64>().ok();
    Some(Line {
        at,
        boot: (*words.get("boot")?).to_owned(),
        cpus: u32::try_from(number("cpus")?).ok()?,
        total_kib: number("mem")?,
        available_kib: number("available")?,
        held_kib: number("held")?,
        killed: u32::try_from(number("killed")?).ok()?,
        order: number("order")?,
    })
}

/// What a guest can be told to do, by the disk that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Hold so many MiB of memory.
    Hold(u64),
    /// Take all memory but so many MiB, also that which is added later.
    Eat(u64),
    /// Let go of all that is held.
    Release,
    /// Refuse to eject CPUs.
    RefuseEject,
    /// Eject them again.
    AllowEject,
    /// Shut down.
    PowerOff,
    /// Start anew.
    Reboot,
}

impl Order {
    /// The text that goes onto the disk.
    pub fn text(self, number: u64) -> Vec<u8> {
        let (verb, mib) = match self {
            Self::Hold(mib) => ("hold", mib),
            Self::Eat(leave) => ("eat", leave),
            Self::Release => ("release", 0),
            Self::RefuseEject => ("refuse-eject", 0),
            Self::AllowEject => ("allow-eject", 0),
            Self::PowerOff => ("power-off", 0),
            Self::Reboot => ("reboot", 0),
        };
        let mut text = serde_json::json!({ "number": number, "do": verb, "mib": mib }).to_string().into_bytes();
        text.resize(512, 0);
        text
    }
}

#[test]
fn a_line_of_the_guest_is_read_out_of_the_log_of_a_container() {
    let line =
        "2026-11-22T02:00:00.5Z stdout F guest: boot=ab-1 up=3.7 cpus=2 mem=4176 available=389 held=4 killed=1 order=3";
    let (at, text) = entry(line).unwrap();
    let read = parse(at, &text).unwrap();
    let expected = Line {
        at: 1_795_312_800_500,
        boot: "ab-1".to_owned(),
        cpus: 2,
        total_kib: 4176,
        available_kib: 389,
        held_kib: 4,
        killed: 1,
        order: 3,
    };
    assert_eq!(read, expected);
}
