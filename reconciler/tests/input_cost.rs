//! What the worst files within the limits cost: memory at once, and memory in all, which stands for the time.
//!
//! Counted by the allocator of this program, so its cases run one after the other, in one test.

#[path = "../../fuzz/src/manifest.rs"]
#[allow(dead_code, reason = "the corpus is played elsewhere")]
mod manifest;
#[path = "../../fuzz/src/plain.rs"]
mod plain;

use std::alloc::System;

use cap::Cap;
use reef_reconciler::desired::{Desired, ParseCache, read};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// What a file may have.
const FILE: usize = 1024 * 1024;
/// What reading one may take beside it: a quarter of what a controller of ten thousand VMs has.
const MOST_AT_ONCE: usize = 64 * FILE;
/// And in all.
const MOST_IN_ALL: usize = 1024 * FILE;

/// The smallest VM that is one, and whatever is to follow it.
fn vm(name: &str, more: &str) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\nspec:\n  \
         instance:\n    cpu:\n      coresPerSocket: 1\n    memory:\n      size: 1Gi\n{more}"
    )
}

/// As often as it fits.
fn filled(size: usize, begin: &str, one: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = begin.to_owned();
    for next in (0..).map(one) {
        if text.len() + next.len() + end.len() > size {
            break;
        }
        text.push_str(&next);
    }
    text + end
}

/// As many documents as a file may have, each with so many fields or comments that the file is full.
fn documents(size: usize, one: impl Fn(usize) -> String) -> String {
    let all = size / 1100;
    let text: String = (0..all).map(|number| format!("---\n{}", one(number))).collect();
    assert!((size / 2..=size).contains(&text.len()), "{}", text.len());
    text
}

fn worst(size: usize) -> Vec<(&'static str, String)> {
    let labels = |more: &str| format!("  labels: {{{more}}}\n");
    let wide = |number: usize| format!("  field{number}: 1\n");
    vec![
        ("a thousand VMs", documents(size, |number| vm(&format!("vm-{number}"), &format!("# {}\n", "x".repeat(700))))),
        ("a thousand VMs with many fields that are unknown", {
            documents(size, |number| vm(&format!("vm-{number}"), &(0..50).map(wide).collect::<String>()))
        }),
        ("a thousand VMs of one name", documents(size, |_| vm("same", &format!("# {}\n", "x".repeat(700))))),
        ("one VM with labels only", {
            let end = "}\nspec: {}\n";
            let begin = "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: a\n  labels: {";
            filled(size, begin, |number| format!("label-{number}: x, "), end)
        }),
        ("one VM with unknown fields only", filled(size, &vm("a", ""), wide, "")),
        ("a list of numbers", filled(size, "[", |number| format!("{number},"), "]")),
        ("a list of empty lists", filled(size, "[", |_| "[],".to_owned(), "]")),
        ("lists in lists to the limit", filled(size, "[", |_| format!("{}{},", "[".repeat(22), "]".repeat(22)), "]")),
        ("keys that all differ", filled(size, "", |number| format!("k{number}: 1\n"), "")),
        ("keys that are all the same", filled(size, "", |_| "k: 1\n".to_owned(), "")),
        ("one text of escapes", filled(size, "a: \"", |_| "\\u0041".to_owned(), "\"\n")),
        ("one name", vm(&"x".repeat(size - 400), "")),
        ("one size", vm("a", "").replace("1Gi", &"9".repeat(size - 400))),
        ("one comment", filled(size, "", |_| "# x\n".to_owned(), "")),
        ("anchors", filled(size, "", |number| format!("a{number}: &a{number} x\n"), "")),
        ("tags", filled(size, "", |number| format!("a{number}: !t{number} x\n"), "")),
        ("open brackets", "[".repeat(size)),
        ("labels of a label", vm("a", &labels(&"a: {".repeat(size / 6)))),
    ]
}

/// The most that was in use at once so far beside what was there before, and what was taken in all.
fn cost(text: &str) -> (usize, usize) {
    let snapshot = manifest::snapshot(text.as_bytes());
    let (before, taken) = (MEMORY.allocated(), MEMORY.total_allocated());
    drop(read(&snapshot, &Desired::default(), "team", &mut ParseCache::default()));
    (MEMORY.max_allocated() - before, MEMORY.total_allocated() - taken)
}

#[test]
fn the_worst_files_within_the_limits_cost_little_memory_and_twice_as_much_when_they_are_twice_as_large() {
    for ((name, half), (_, whole)) in worst(FILE / 2).into_iter().zip(worst(FILE)) {
        assert!(whole.len() <= FILE, "{name}: {}", whole.len());
        let (_, of_half) = cost(&half);
        let (at_once, in_all) = cost(&whole);
        println!("{name}: at most {} MiB at once, {} KiB in all", at_once >> 20, in_all >> 10);
        assert!(at_once <= MOST_AT_ONCE && in_all <= MOST_IN_ALL, "{name}: {at_once} and {in_all}");
        assert!(in_all <= of_half * 5 / 2 + FILE, "{name}: {in_all}, and {of_half} for half of it");
    }
}
