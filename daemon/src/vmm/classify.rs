//! What a refusal of Cloud Hypervisor means: by status, then by the text of its JSON array.
//!
//! Texts differ between versions and are matched in part, without case. What matches nothing is `Other`, and is asked again slowly.

use crate::decide::classify::RefusalKind;

/// Entries of the array that are kept for people: the outermost tell what failed, the later ones hold a backtrace.
const KEPT_ENTRIES: usize = 6;
/// Characters that are kept of one entry.
const KEPT_CHARACTERS: usize = 200;

/// Parts of texts, and the kind of refusal that each gives away. The first that matches counts.
const TEXTS: [(&str, RefusalKind); 15] = [
    ("are identical", RefusalKind::AlreadyRequested),
    ("pending removed vcpu", RefusalKind::RemovalPending),
    ("too many requests", RefusalKind::RemovalPending),
    ("migrating", RefusalKind::Migrating),
    ("user defined memory", RefusalKind::NotResizable),
    ("no virtio-mem", RefusalKind::NotResizable),
    ("no acpi slot", RefusalKind::OutOfRange),
    ("exceed maximum", RefusalKind::OutOfRange),
    ("zero vcpus", RefusalKind::OutOfRange),
    ("bigger than region_size", RefusalKind::OutOfRange),
    ("not aligned", RefusalKind::OutOfRange),
    ("below boot size", RefusalKind::OutOfRange),
    ("not a valid size", RefusalKind::OutOfRange),
    ("not enough space", RefusalKind::OutOfRange),
    ("vm is not", RefusalKind::NotRunning),
];

/// Finds the kind of a refusal, and what of it people should read.
pub fn classify_refusal(status: u16, body: &[u8]) -> (RefusalKind, String) {
    let entries = entries(body);
    let kind = match status {
        400 => RefusalKind::Malformed,
        404 => RefusalKind::NotRunning,
        429 => RefusalKind::RemovalPending,
        503 => RefusalKind::Busy,
        _ => by_text(&entries),
    };
    (kind, message(&entries))
}

fn by_text(entries: &[String]) -> RefusalKind {
    let text = entries.join("\n").to_lowercase();
    TEXTS.iter().find(|(part, _)| text.contains(part)).map_or(RefusalKind::Other, |(_, kind)| *kind)
}

/// The entries of the array; a body that is none counts as one entry.
fn entries(body: &[u8]) -> Vec<String> {
    serde_json::from_slice(body).unwrap_or_else(|_| vec![String::from_utf8_lossy(body).into_owned()])
}

fn message(entries: &[String]) -> String {
    let kept: Vec<String> = entries.iter().take(KEPT_ENTRIES).map(|entry| first_line(entry)).collect();
    kept.join(": ")
}

/// The first line of an entry, without what could move a terminal.
fn first_line(entry: &str) -> String {
    let line = entry.lines().next().unwrap_or_default();
    line.chars().filter(|letter| !letter.is_control()).take(KEPT_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> RefusalKind {
        classify_refusal(status, body.as_bytes()).0
    }

    #[test]
    fn the_status_alone_tells_four_kinds() {
        assert_eq!(kind(400, r#"["Bad Request"]"#), RefusalKind::Malformed);
        assert_eq!(kind(404, r#"["Error from API"]"#), RefusalKind::NotRunning);
        assert_eq!(kind(429, r#"["Too Many Requests"]"#), RefusalKind::RemovalPending);
        assert_eq!(kind(503, ""), RefusalKind::Busy);
    }

    #[test]
    fn everything_else_is_told_by_its_text() {
        let cases = [
            ("new size 0x40000000 and requested_size are identical", RefusalKind::AlreadyRequested),
            ("Still pending removed vCPU", RefusalKind::RemovalPending),
            ("VM is currently migrating and can't be modified", RefusalKind::Migrating),
            ("Requested vCPUs exceed maximum", RefusalKind::OutOfRange),
            ("Requested zero vCPUs", RefusalKind::OutOfRange),
            ("new size 0x1 is bigger than region_size 0x0", RefusalKind::OutOfRange),
            ("new size 0x1 is not aligned on block_size 0x200000", RefusalKind::OutOfRange),
            ("desired_size = 1 below boot size = 2", RefusalKind::OutOfRange),
            ("Not enough space in the hotplug RAM region", RefusalKind::OutOfRange),
            ("No ACPI slot available", RefusalKind::OutOfRange),
            (
                "Impossible to resize guest memory if it is backed by user defined memory regions",
                RefusalKind::NotResizable,
            ),
            ("No virtio-mem resizing handler found", RefusalKind::NotResizable),
            ("VM is not running", RefusalKind::NotRunning),
            ("VM is not created", RefusalKind::NotRunning),
            ("the moon is full", RefusalKind::Other),
        ];
        for (text, expected) in cases {
            let body = serde_json::to_string(&["Error from API", "The VM could not be resized", text]).unwrap();
            assert_eq!(kind(500, &body), expected, "{text}");
        }
    }

    #[test]
    fn people_read_the_chain_without_its_backtrace() {
        let long = format!("ResizeError(identical\n{})", "at mem.rs:1\n".repeat(500));
        let body = serde_json::to_string(&["Error from API", "The VM could not be resized", &long]).unwrap();
        let (_, message) = classify_refusal(500, body.as_bytes());
        assert_eq!(message, "Error from API: The VM could not be resized: ResizeError(identical");
    }

    #[test]
    fn a_body_that_is_no_array_is_shortened_and_stripped() {
        let (kind, message) = classify_refusal(500, "\u{1b}[31mboom".repeat(100).as_bytes());
        assert_eq!(kind, RefusalKind::Other);
        assert_eq!(message.chars().count(), KEPT_CHARACTERS);
        assert!(!message.contains('\u{1b}'));
        assert_eq!(classify_refusal(500, &[0xff, 0xfe]).1, "\u{fffd}\u{fffd}");
    }
}
