//! The rules that sources can break: imports among the workspace's crates, and impure things in `api` and in `decide`.

use std::collections::BTreeSet;

use crate::Breach;
use crate::manifests::{allowed, dependencies_of};
use crate::sources::{Named, PACKAGES, Source, outline};

/// Crates of plain data and pure functions, which a pure room may name. `kube` comes on top in `api`, for its derives.
const PLAIN: [&str; 9] =
    ["reef_api", "reef_policy", "serde", "serde_json", "json_patch", "thiserror", "jiff", "schemars", "k8s_openapi"];
/// Crates that the tests of a pure room may name as well.
const FOR_TESTS: [&str; 2] = ["proptest", "insta"];
/// What `api` may take of kube: derives and descriptions of kinds, nothing that talks to anyone.
const KUBE: [&str; 6] = ["CustomResource", "CustomResourceExt", "KubeSchema", "Resource", "ResourceExt", "core"];
/// The parts of std that reach the world outside.
const OUTSIDE: [&str; 7] = ["fs", "net", "env", "thread", "process", "os", "*"];

/// Imports of a crate of the workspace that go against the arrows.
pub fn arrows(source: &Source) -> Vec<Breach> {
    let Some(allowed) = allowed(source.package) else { return Vec::new() };
    let own = PACKAGES.iter().find(|(folder, _)| *folder == source.package).map(|(_, name)| *name);
    judge(source, |named| {
        let first = named.segments.first()?.as_str();
        let foreign =
            PACKAGES.iter().any(|(_, name)| *name == first) && Some(first) != own && !allowed.contains(&first);
        foreign.then(|| {
            "api, watch and image import no crate of the workspace, policy and sim import api alone, roles import what is below them"
                .to_owned()
        })
    })
}

/// Impure things in a file of a pure room; none for a file of another room.
pub fn purity(source: &Source) -> Vec<Breach> {
    let room = match (source.package, source.module.first().map(String::as_str)) {
        (_, Some("tests" | "benches")) => return Vec::new(),
        ("api", _) => Room::Api,
        (_, Some("decide")) => Room::Decide,
        _ => return Vec::new(),
    };
    let crates = dependencies_of(source.package);
    judge(source, |named| room.refuses(named, &crates))
}

fn judge(source: &Source, rule: impl Fn(&Named) -> Option<String>) -> Vec<Breach> {
    let (paths, _) = outline(source);
    let breach = |named: &Named, rule| Breach {
        file: source.path.clone(),
        line: named.line,
        found: named.segments.join("::"),
        rule,
    };
    paths.iter().filter_map(|named| rule(named).map(|rule| breach(named, rule))).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Api,
    Decide,
}

impl Room {
    /// `crates` are the names of crates; another first segment is a module, a type, or what a `use` brought that was judged.
    fn refuses(self, named: &Named, crates: &BTreeSet<String>) -> Option<String> {
        let first = named.segments.first()?.as_str();
        let second = named.segments.get(1).map_or("", String::as_str);
        let third = named.segments.get(2).map_or("", String::as_str);
        match first {
            "std" | "core" | "alloc" => outside_of_std(second, third),
            "crate" | "self" | "super" => self.leaves(named),
            "kube" if self == Room::Api => {
                (!KUBE.contains(&second)).then(|| "api takes derives of kube only".to_owned())
            }
            _ if is_plain(first, named) || !crates.contains(first) => None,
            _ => Some(format!("a pure room names {} and pure parts of std only", PLAIN.join(", "))),
        }
    }

    /// A path that ends outside `decide` imports what is not pure; in `api` everything is.
    fn leaves(self, named: &Named) -> Option<String> {
        let target = absolute(named);
        let stays = self == Room::Api || target.first().is_some_and(|module| module == "decide");
        (!stays).then(|| "a decide module names its own crate's decide modules only".to_owned())
    }
}

fn outside_of_std(second: &str, third: &str) -> Option<String> {
    let clock = second == "time" && third != "Duration";
    (clock || OUTSIDE.contains(&second))
        .then(|| "a pure room knows no files, network, environment, clock, threads or processes".to_owned())
}

fn is_plain(name: &str, named: &Named) -> bool {
    let in_tests = named.module.iter().any(|module| module == "tests");
    PLAIN.contains(&name) || in_tests && FOR_TESTS.contains(&name)
}

/// Resolves `crate`, `self` and `super` against the module in which the path stands.
fn absolute(named: &Named) -> Vec<String> {
    let mut target = match named.segments.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        _ => named.module.clone(),
    };
    for segment in &named.segments {
        match segment.as_str() {
            "crate" | "self" => {}
            "super" => drop(target.pop()),
            name => target.push(name.to_owned()),
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str, rule: fn(&Source) -> Vec<Breach>) -> Vec<(usize, String)> {
        let source = Source::new(path, text).unwrap();
        rule(&source).into_iter().map(|breach| (breach.line, breach.found)).collect()
    }

    fn impure(path: &str, text: &str) -> Vec<String> {
        found(path, text, purity).into_iter().map(|(_, found)| found).collect()
    }

    const DECIDE: &str = "daemon/src/decide/step.rs";

    #[test]
    fn what_a_decide_module_may_name_passes() {
        let text = "use std::{collections::BTreeMap, fmt, time::Duration};\nuse reef_api::{Bytes, vm::Cpu as C};\n\
            use crate::decide::{self, grant::Grant};\nuse super::grant;\nuse self::inner::X;\n\
            /// Not std::fs::read.\nfn f<'a>(x: &'a str) -> Option<()> { grant::next(\"std::env::var\", 'x', '\\'', b'\"'); Phase::Running }\n\
            #[cfg(test)]\nmod tests { use super::*; use proptest::prelude::*; }\n";
        assert_eq!(impure(DECIDE, text), Vec::<String>::new());
    }

    #[test]
    fn what_it_may_not_name_is_found_in_imports_and_in_code() {
        let table = [
            ("use std::fs;", "std::fs"),
            ("use std::{fmt, time::{Duration, Instant}};", "std::time::Instant"),
            ("use std::time;", "std::time"),
            ("use ::std::net::TcpStream;", "std::net::TcpStream"),
            ("use std::*;", "std::*"),
            ("fn f() { let x = std::env::var(\"X\"); }", "std::env::var"),
            ("fn f() { for i in 0..std::process::id() {} }", "std::process::id"),
            ("use tokio::time::sleep;", "tokio::time::sleep"),
            ("use kube::Client;", "kube::Client"),
            ("use http as web;", "http"),
            ("use reef_sim::Clock;", "reef_sim::Clock"),
            ("use crate::vmm::Vmm;", "crate::vmm::Vmm"),
            ("use super::super::vmm;", "super::super::vmm"),
            ("use proptest::prelude::*;", "proptest::prelude::*"),
            ("mod a { mod b {} use super::super::super::vmm::X; }", "super::super::super::vmm::X"),
        ];
        for (text, expected) in table {
            assert_eq!(impure(DECIDE, text), [expected], "{text}");
        }
    }

    #[test]
    fn the_line_of_a_breach_is_told_after_comments_and_texts() {
        let text =
            "/* one\n /* two */\n*/\nconst A: &str = r#\"\n\"use std::fs;\"\n\"#;\nuse std::{\n    fmt,\n    fs,\n};\n";
        assert_eq!(found(DECIDE, text, purity), [(9, "std::fs".to_owned())]);
    }

    #[test]
    fn api_takes_derives_of_kube_and_is_pure_throughout() {
        let path = "api/src/vm/spec.rs";
        assert_eq!(
            impure(path, "use kube::{CustomResource, ResourceExt};\nuse crate::size::Size;\n"),
            Vec::<String>::new()
        );
        assert_eq!(impure(path, "use kube::{Api, client::Client};"), ["kube::Api", "kube::client::Client"]);
        assert_eq!(impure(path, "use std::fs;"), ["std::fs"]);
    }

    #[test]
    fn other_rooms_are_free_but_for_the_arrows() {
        let path = "daemon/src/vmm/socket.rs";
        let text = "use std::fs;\nuse reef_api::Bytes;\nuse reef_daemon::vmm;\nuse reef_sim::core::Node;\nfn f() { reef_reconciler::run(); }\n";
        assert_eq!(impure(path, text), Vec::<String>::new());
        let against = [(4, "reef_sim::core::Node".to_owned()), (5, "reef_reconciler::run".to_owned())];
        assert_eq!(found(path, text, arrows), against);
        assert_eq!(found("src/main.rs", text, arrows), []);
        assert_eq!(found("api/src/lib.rs", "use reef_daemon::X;", arrows).len(), 1);
    }
}
