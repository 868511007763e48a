//! Manifests as people write them, each with the lines that change and what else is said; then many, put together at random.

use std::sync::Arc;

use proptest::prelude::*;
use reef_api::{GIB, MIB};

use super::*;
use crate::desired::object::DesiredVm;
use crate::desired::tests::{Reader, snapshot_of};
use crate::desired::{Desired, ParseCache, read};

const HEAD: &str = "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: web-1\n";

fn wish(vcpus: u32, gib: u64) -> Wish {
    Wish { vcpus: Some(Vcpus(vcpus)), memory: Some(Bytes(gib * GIB.get())) }
}

fn edited(text: &str, wish: Wish) -> Result<Edited, EditError> {
    let file = RepoPath::parse("web.yaml").unwrap();
    resized(text.as_bytes(), &stating(&file, text.as_bytes(), "web-1").unwrap(), wish)
}

/// The lines that came for those that went: `-` and `+` before each.
fn changed(before: &str, after: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(before, after);
    let lines = diff.iter_all_changes().filter(|line| line.tag() != similar::ChangeTag::Equal);
    lines.map(|line| format!("{}{}", line.tag(), line.value())).collect()
}

#[test]
fn a_value_is_exchanged_where_it_stands_in_the_way_it_is_written() {
    let table: [(&str, &[&str]); 8] = [
        (
            "spec:\n  instance:\n    cpu:\n      coresPerSocket: 2   # two\n    memory:\n      size: 2Gi\t# two\n",
            &[
                "-      coresPerSocket: 2   # two\n",
                "+      coresPerSocket: 4   # two\n",
                "-      size: 2Gi\t# two\n",
                "+      size: 8Gi\t# two\n",
            ],
        ),
        (
            "spec:\n  instance:\n    cpu: {sockets: 2, max: 8}\n    memory: { \"size\": \"2Gi\" }",
            &[
                "-    cpu: {sockets: 2, max: 8}\n",
                "-    memory: { \"size\": \"2Gi\" }",
                "+    cpu: {sockets: 4, max: 8}\n",
                "+    memory: { \"size\": \"8Gi\" }",
            ],
        ),
        (
            "spec: { instance: { cpu: { coresPerSocket: 2 }, memory: { size: 2Gi } } } # one\n",
            &[
                "-spec: { instance: { cpu: { coresPerSocket: 2 }, memory: { size: 2Gi } } } # one\n",
                "+spec: { instance: { cpu: { coresPerSocket: 4 }, memory: { size: 8Gi } } } # one\n",
            ],
        ),
        (
            "spec:\n  instance:\n    cpu:\n      sockets: 2\n      coresPerSocket: 1\n    memory:\n      size: 2147483648\n",
            &[
                "-      coresPerSocket: 1\n",
                "+      coresPerSocket: 2\n",
                "-      size: 2147483648\n",
                "+      size: 8Gi\n",
            ],
        ),
        (
            "spec:\n  instance:\n    cpu:\n      sockets:\n        2\n    memory:\n      size: >-\n        2Gi\n",
            &["-        2\n", "+        4\n", "-        2Gi\n", "+        8Gi\n"],
        ),
        (
            "spec:\r\n  instance:\r\n    cpu: # ü\r\n      # The ceiling.\r\n      max: 8\r\n    memory:\r\n      size: '2Gi'\r\n",
            &["+      coresPerSocket: 4\r\n", "-      size: '2Gi'\r\n", "+      size: '8Gi'\r\n"],
        ),
        (
            "spec:\n instance:\n  cpu: {max: 8}\n  memory:\n     \"max\": 16Gi\n     min: 1Gi",
            &["-  cpu: {max: 8}\n", "+  cpu: {coresPerSocket: 4, max: 8}\n", "+     \"size\": \"8Gi\"\n"],
        ),
        (
            "spec:\n  instance:\n    cpu: {\n      max: 8\n    }\n    memory: {\n      # The ceiling.\n      max: 16Gi }\n",
            &["+      coresPerSocket: 4,\n", "+      size: 8Gi,\n"],
        ),
    ];
    for (spec, expected) in table {
        for (before, after) in
            [("", ""), ("\u{feff}# ä\n", ""), ("---\nkind: Service\n---\n", "\n---\nkind: Service\n")]
        {
            let text = format!("{before}{HEAD}{spec}{after}");
            let found = edited(&text, wish(4, 8)).unwrap();
            let last = expected.last().filter(|last| !last.ends_with('\n') && !after.is_empty());
            let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
            if last.is_some() {
                expected.iter_mut().filter(|line| !line.ends_with('\n')).for_each(|line| line.push('\n'));
            }
            assert_eq!(changed(&text, &found.text), expected, "{text}");
            assert_eq!(found.to, Size::new(Vcpus(4), Bytes(8 * GIB.get())));
        }
    }
}

#[test]
fn json_keeps_its_way_of_writing() {
    let json = |cpu: &str, memory: &str, line: &str| {
        format!(
            "{{{line}\"apiVersion\": \"cloudhypervisor.quill.today/v1beta1\", \"kind\": \"VirtualMachine\",{line}\"metadata\": {{ \"name\": \"web-1\" }},\
             {line}\"spec\": {{ \"instance\": {{{line}\"cpu\": {{{cpu}}},{line}\"memory\": {{{memory}}} }} }} }}{line}"
        )
    };
    for line in ["\n  ", "\r\n\t", ""] {
        let text = json(" \"coresPerSocket\" : 2", "\"size\":\"2Gi\", \"max\": \"16Gi\"", line);
        let expected = json(" \"coresPerSocket\" : 4", "\"size\":\"8Gi\", \"max\": \"16Gi\"", line);
        assert_eq!(edited(&text, wish(4, 8)).map(|it| it.text), Ok(expected));
        let text = json("\"max\":8", " \"max\": \"16Gi\" ", line);
        let expected = json("\"coresPerSocket\": 4, \"max\":8", " \"size\": \"8Gi\", \"max\": \"16Gi\" ", line);
        assert_eq!(edited(&text, wish(4, 8)).map(|it| it.text), Ok(expected));
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}

#[test]
fn what_is_so_already_changes_no_letter_however_it_is_written() {
    let text = format!(
        "{HEAD}spec:\n  instance:\n    cpu:\n      sockets: 2\n      coresPerSocket: 2\n    memory:\n      size: 8192Mi\n"
    );
    assert_eq!(edited(&text, wish(4, 8)).map(|it| it.text), Ok(text.clone()));
    let text = format!("{HEAD}spec:\n  instance: {{}}\n");
    assert_eq!(edited(&text, wish(1, 1)).map(|it| it.text), Ok(text.clone()), "the defaults");
    assert_eq!(edited(&text, Wish::default()).map(|it| it.from), Ok(Size::new(Vcpus(1), GIB)));
}

#[test]
fn what_cannot_be_done_by_one_value_is_said_with_what_to_do() {
    let told =
        |spec: &str, wish: Wish| edited(&format!("{HEAD}spec:\n  instance:\n{spec}"), wish).unwrap_err().to_string();
    let memory = |mib: u64| Wish { vcpus: None, memory: Some(Bytes(mib * MIB.get())) };
    let table = [
        (
            told("    cpu:\n      sockets: 2\n      coresPerSocket: 2\n", wish(3, 1)),
            "web.yaml:7:5: with 2 sockets of 2 cores, no single number yields 3 vCPUs, which is a multiple of neither; \
             ask for 2 or 4, or write `sockets: 1` and `coresPerSocket: 3`",
        ),
        (
            told("    memory:\n      size: 1Gi\n", wish(3, 1)),
            "web.yaml:6:3: `spec.instance.cpu.coresPerSocket` is not stated, and where it belongs there is nothing to add a line to; \
             write `cpu: { coresPerSocket: 3 }` below `spec.instance`",
        ),
        (
            told("    memory:\n      size:\n      max: 4Gi\n", memory(2048)),
            "web.yaml:7:5: `spec.instance.memory.size` is not stated, and where it belongs there is nothing to add a line to; \
             write `size: 2Gi` below `spec.instance.memory`",
        ),
        (
            told("    memory: {}\n", memory(2048)),
            "web.yaml:7:5: `spec.instance.memory.size` is not stated, and where it belongs there is nothing to add a line to; \
             write `memory: { size: 2Gi }` below `spec.instance`",
        ),
    ];
    for (found, expected) in table {
        assert_eq!(found, expected);
    }
    let found = told("    memory:\n      size: 1Gi\n      max: 4Gi\n", memory(8192));
    assert!(
        found.starts_with("web.yaml:8:13: with this size the manifest would not be valid, and it is left as it is: "),
        "{found}"
    );
    assert!(found.contains("8Gi") && found.contains("4Gi"), "{found}");
}

#[test]
fn a_guard_refuses_whatever_else_would_change() {
    let text = format!("{HEAD}spec:\n  instance:\n    memory:\n      size: 1Gi # one\n---\nkind: Service\n");
    let origin = stating(&RepoPath::parse("web.yaml").unwrap(), text.as_bytes(), "web-1").unwrap();
    let document = Document::of(text.as_bytes(), &origin).unwrap();
    let fields = [Field { parent: MEMORY, name: "size", value: Value::from("2Gi") }];
    let patches = [patch::of(&document, &fields[0]).unwrap()];
    let told = |after: &str| match guard::check(&document, &fields, &patches, after) {
        Err(EditError::Guard { detail, .. }) => Some(detail),
        Ok(()) | Err(_) => None,
    };
    let meant = text.replace("1Gi", "2Gi");
    let table = [
        (meant.clone(), None),
        (meant.replace("web-1", "web-2"), Some("something else would change")),
        (text.clone(), Some("something else would change")),
        (meant.replace("one", "two two").replace("web-1", "web-1 # x"), Some("another line would change")),
        (meant.replace("Service", "Pod"), Some("another document would change")),
        (meant.replace("---\n", "---\n---\n"), Some("another document would change")),
        (meant.replace("2Gi # one", "2Gi: # one"), Some("it could not be read any more")),
    ];
    for (after, expected) in table {
        assert_eq!(told(&after), expected, "{after}");
    }
}

/// A style of writing.
#[derive(Clone, Debug)]
struct Style {
    json: bool,
    flow: bool,
    mark: bool,
    end: &'static str,
    indent: usize,
    quote: &'static str,
    comment: &'static str,
    sockets: Option<u32>,
    cores: Option<u32>,
    size: Option<u64>,
    reversed: bool,
}

prop_compose! {
    fn style()(
        (json, flow, mark, reversed) in any::<(bool, bool, bool, bool)>(),
        end in prop::sample::select(vec!["\n", "\r\n"]),
        indent in 1_usize..5,
        quote in prop::sample::select(vec!["", "'", "\""]),
        comment in prop::sample::select(vec!["", " # ü 2Gi", "   # size: 1Gi"]),
        sockets in prop::option::of(1_u32..4),
        cores in prop::option::of(1_u32..4),
        size in prop::option::of(1_u64..9),
    ) -> Style {
        Style { json, flow, mark, end, indent, quote, comment, sockets, cores, size, reversed }
    }
}

impl Style {
    fn block(&self, depth: usize, name: &str, mut entries: Vec<String>) -> String {
        if self.reversed {
            entries.reverse();
        }
        let Self { end, comment, .. } = self;
        let pad = |depth: usize| " ".repeat(depth * self.indent);
        if self.json {
            let inner: Vec<String> = entries.iter().map(|entry| format!("{}{entry}", pad(depth + 1))).collect();
            return format!("\"{name}\": {{{end}{}{end}{}}}", inner.join(&format!(",{end}")), pad(depth));
        }
        if self.flow {
            return format!("{name}: {{ {} }}{comment}", entries.join(", "));
        }
        let inner: Vec<String> = entries.iter().map(|entry| format!("{}{entry}{comment}", pad(depth + 1))).collect();
        format!("{name}:{comment}{end}{}", inner.join(end))
    }

    fn vm(&self, name: &str) -> String {
        let (key, quote) = if self.json { ("\"", "\"") } else { ("", self.quote) };
        let number = |name: &str, count: Option<u32>| count.map(|count| format!("{key}{name}{key}: {count}"));
        let cpu = [number("sockets", self.sockets), number("coresPerSocket", self.cores), number("max", Some(64))];
        let bytes = |name: &str, gib: u64| format!("{key}{name}{key}: {quote}{gib}Gi{quote}");
        let memory = [self.size.map(|size| bytes("size", size)), Some(bytes("min", 1)), Some(bytes("max", 64))];
        let blocks = [
            self.block(2, "cpu", cpu.into_iter().flatten().collect()),
            self.block(2, "memory", memory.into_iter().flatten().collect()),
        ];
        let (end, pad) = (self.end, " ".repeat(2 * self.indent));
        if self.json {
            return format!(
                "{{ \"apiVersion\": \"cloudhypervisor.quill.today/v1beta1\", \"kind\": \"VirtualMachine\",{end} \"metadata\": {{\"name\": \"{name}\"}},{end}\
                 \"spec\": {{ \"instance\": {{{end}{pad}{},{end}{pad}{}{end}}}}}}}{end}",
                blocks[0], blocks[1]
            );
        }
        let instance = format!(
            "spec:{end}{}instance:{end}{pad}{}{end}{pad}{}{end}",
            " ".repeat(self.indent),
            blocks[0],
            blocks[1]
        );
        format!("{}{instance}", HEAD.replace("web-1", name).replace('\n', end))
    }

    /// A file of JSON is one document.
    fn file(&self) -> String {
        let mark = if self.mark { "\u{feff}" } else { "" };
        let names: &[&str] = if self.json { &["web-1"] } else { &["web-0", "web-1", "web-2"] };
        let vms: Vec<String> = names.iter().map(|name| self.vm(name)).collect();
        format!("{mark}{}", vms.join(&format!("---{}", self.end)))
    }
}

fn vms(text: &str) -> Vec<Arc<DesiredVm>> {
    let stated: Desired = read(
        &snapshot_of("a", &[("web.yaml", text.as_bytes())]),
        &Desired::default(),
        "team",
        &mut ParseCache::default(),
    );
    assert_eq!(stated.problems, []);
    stated.vms.into_values().collect()
}

proptest! {
    #[test]
    fn in_every_style_one_vm_changes_by_one_or_two_lines(style in style(), vcpus in 1_u32..9, gib in 1_u64..17) {
        let before = style.file();
        match edited(&before, wish(vcpus, gib)) {
            Ok(found) => {
                let differs = changed(&before, &found.text);
                let came = differs.iter().filter(|line| line.starts_with('+')).count();
                prop_assert!(came <= 2 && differs.len() - came <= came, "{differs:?}");
                prop_assert_eq!(found.text.matches("\r\n").count() == found.text.matches('\n').count(), style.end == "\r\n");
                for (old, new) in vms(&before).iter().zip(vms(&found.text)) {
                    let (old, new) = (old.vm("team").unwrap(), new.vm("team").unwrap());
                    let mut meant = old.clone();
                    if old.metadata.name.as_deref() == Some("web-1") {
                        prop_assert_eq!(defaulted(&new, &EffectivePolicy::default()).size, found.to);
                        prop_assert_eq!(found.to, Size::new(Vcpus(vcpus), Bytes(gib * GIB.get())));
                        let (told, stated) = (meant.spec.instance.cpu.as_mut().unwrap(), new.spec.instance.cpu.as_ref().unwrap());
                        (told.sockets, told.cores_per_socket) = (stated.sockets, stated.cores_per_socket);
                        meant.spec.instance.memory.as_mut().unwrap().size = new.spec.instance.memory.as_ref().unwrap().size;
                    }
                    prop_assert_eq!(new, meant);
                }
            }
            Err(EditError::Uneven { sockets, cores, .. }) => {
                prop_assert!(vcpus % sockets != 0 && vcpus % cores != 0);
            }
            Err(other) => prop_assert!(false, "{other}\n{before}"),
        }
    }
}

#[test]
fn a_document_with_anchors_is_refused_by_the_reader_with_its_line() {
    let text = format!("{HEAD}spec:\n  instance:\n    memory: &shared\n      size: 1Gi\n");
    let mut reader = Reader::default();
    let said = reader.read("a", &[("web.yaml", &text)]).said();
    assert!(said.contains("web.yaml:8") && said.contains("anchors and aliases are not accepted"), "{said}");
    assert_eq!(stating(&RepoPath::parse("web.yaml").unwrap(), text.as_bytes(), "web-1"), None);
}
