//! Files that were made to do harm: none of them may cost much, and none may panic.

use proptest::prelude::*;

use super::*;

fn told(bytes: &[u8]) -> String {
    let desired =
        read(&snapshot_of("c1", &[("x.yaml", bytes)]), &Desired::default(), "team", &mut ParseCache::default());
    assert!(desired.vms.is_empty());
    desired.said()
}

#[test]
fn alias_bombs_are_refused_before_they_unfold() {
    let nested: String =
        (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))).collect();
    let bomb = format!("a0: &a0 [x,x,x,x,x,x,x,x,x]\n{nested}");
    assert!(told(bomb.as_bytes()).contains("anchors and aliases are not accepted"));
    let flat = format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), vec!["*a"; 20_000].join(","));
    assert!(told(flat.as_bytes()).contains("anchors and aliases are not accepted"));
}

#[test]
fn deep_and_wide_documents_are_cut_at_the_limit() {
    for text in ["[".repeat(400_000), "{a: ".repeat(200_000), "- ".repeat(400_000), "a:\n".repeat(3)] {
        assert!(told(text.as_bytes()).starts_with("x.yaml:"), "{}", &text[..4]);
    }
    let deepest = (0..24).fold("1".to_owned(), |inner, _| format!("[{inner}]"));
    assert!(told(deepest.as_bytes()).is_empty());
    let nested: String = (0..300).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert!(told(nested.as_bytes()).starts_with("x.yaml:"));
    assert!(told(format!("[{}]", "1,".repeat(200_000)).as_bytes()).starts_with("x.yaml:"));
    assert!(told(&"---\na: 1\n".repeat(5_000).into_bytes()).contains("more than 1000 documents"));
}

#[test]
fn a_file_beyond_the_limit_is_refused_by_its_size() {
    let text = format!("# {}\n", "x".repeat(1024 * 1024));
    assert_eq!(told(text.as_bytes()), "x.yaml: the file has 1048579 bytes, and 1048576 are allowed");
}

#[test]
fn bytes_that_are_no_text_are_refused_by_place() {
    let utf16: Vec<u8> =
        std::iter::once(0xfeff_u16).chain(vm("a", "1Gi").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(told(&utf16), "x.yaml: the file is UTF-16; save it as UTF-8");
    assert_eq!(told(b"a: 1\nb\0"), "x.yaml:2:2: the file holds a NUL byte; it is not text");
    assert_eq!(told(b"a: \xff"), "x.yaml:1:4: the file is not UTF-8 from here on");
}

#[test]
fn control_characters_never_reach_a_message() {
    for text in [
        "kind: \"\\e[31m\"\napiVersion: reef.dev\nspec: []\nspec: {}\n",
        &vm("\"\\e[31m\"", "1Gi"),
        &vm("x\n  namespace: \"\\e[31m\"", "1Gi"),
        &vm("x", "\"\\e[31m\""),
        "a: [\u{1b}[31m\n",
        "\u{202e}: [",
        "kind: SizingPolicy\napiVersion: \"reef.dev/\\e[2J\"\n",
    ] {
        let said = told(text.as_bytes());
        assert!(!said.is_empty());
        assert!(!said.chars().any(|character| character != '\n' && character.is_control()), "{said:?}");
        assert!(!said.contains('\u{202e}'), "{said:?}");
    }
}

/// A valid manifest with some of its bytes replaced.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let tokens = prop::sample::select(vec![
        "{", "}", "[", "]", ": ", "- ", "\n", "---\n", "&a ", "*a ", "!t ", "\"", "'", "|\n", "\t", "\u{feff}", "\r\n",
        "0x1", "~", "? ",
    ]);
    prop::collection::vec((0..200_usize, tokens), 0..8).prop_map(|edits| {
        let mut text = vm("web", "2Gi").into_bytes();
        for (at, token) in edits {
            let at = at.min(text.len());
            text.splice(at..at, token.bytes());
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let desired = read(&snapshot_of("c1", &[("x.yaml", &bytes)]), &Desired::default(), "team", &mut ParseCache::default());
        prop_assert_eq!(desired.vms.len(), 0);
    }

    #[test]
    fn any_change_of_one_file_leaves_the_others_alone_and_removes_nothing_unread(bytes in mutated()) {
        let (good, other) = (vm("web", "2Gi"), vm("other", "1Gi"));
        let mut cache = ParseCache::default();
        let first = snapshot_of("c1", &[("a.yaml", good.as_bytes()), ("b.yaml", other.as_bytes())]);
        let before = read(&first, &Desired::default(), "team", &mut cache);
        let second = snapshot_of("c2", &[("a.yaml", &bytes), ("b.yaml", other.as_bytes())]);
        let after = read(&second, &before, "team", &mut cache);
        let key = VmKey::new("team", "other");
        prop_assert!(after.vms.contains_key(&key));
        let defines_other = after.problems.iter().any(|problem| problem.message.contains("defined in"));
        prop_assert!(defines_other || Arc::ptr_eq(&before.vms[&key], &after.vms[&key]));
        if !after.problems.is_empty() {
            prop_assert_eq!(after.removed().count(), 0);
            prop_assert!(after.vms.contains_key(&VmKey::new("team", "web")));
        }
        let fresh = read(&second, &before, "team", &mut ParseCache::default());
        prop_assert_eq!(fresh, after, "the cache changes the result");
    }
}
