//! What a refusal of QEMU means: by class, then by the text of its sentence.
//!
//! Texts differ between versions and are matched in part, without case. What matches nothing is `Other`, and is asked again slowly.

use super::super::VmmError;
use super::message::Refusal;
use crate::decide::classify::RefusalKind;

/// Characters that are kept of a sentence.
const KEPT_CHARACTERS: usize = 400;

/// Parts of texts, and the kind of refusal that each gives away. The first that matches counts.
const TEXTS: [(&str, RefusalKind); 11] = [
    ("in the process of unplug", RefusalKind::RemovalPending),
    ("migrat", RefusalKind::Migrating),
    ("has to be multiples of", RefusalKind::OutOfRange),
    ("cannot exceed the memory backend size", RefusalKind::OutOfRange),
    ("must be in range", RefusalKind::OutOfRange),
    ("boot cpu is unpluggable", RefusalKind::OutOfRange),
    // Until the guest's firmware has run, the machine speaks an older way of hotplug, which knows no removal.
    ("unplug request for not supported device type", RefusalKind::NotRunning),
    ("does not support hotplugging", RefusalKind::NotResizable),
    ("invalid parameter", RefusalKind::Malformed),
    ("expects", RefusalKind::Malformed),
    ("is missing", RefusalKind::Malformed),
];

/// The error of a command that was refused.
pub(super) fn refused(call: &'static str, refusal: Refusal) -> VmmError {
    let kind = classify(&refusal);
    VmmError::Refused { call, code: plain(&refusal.class), kind, message: plain(&refusal.desc) }
}

fn classify(refusal: &Refusal) -> RefusalKind {
    if refusal.class == "CommandNotFound" {
        return RefusalKind::Malformed;
    }
    let text = refusal.desc.to_lowercase();
    TEXTS.iter().find(|(part, _)| text.contains(part)).map_or(RefusalKind::Other, |(_, kind)| *kind)
}

/// A text without what could move a terminal, and not too long.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(KEPT_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusals_of_a_real_qemu_are_told_by_their_kind() {
        let cases = [
            (
                "GenericError",
                "'requested-size' has to be multiples of 'block-size' (0x200000)",
                RefusalKind::OutOfRange,
            ),
            (
                "GenericError",
                "'requested-size' cannot exceed the memory backend size(0x80000000)",
                RefusalKind::OutOfRange,
            ),
            ("GenericError", "Invalid CPU socket-id: 9 must be in range 0:3", RefusalKind::OutOfRange),
            ("GenericError", "Boot CPU is unpluggable", RefusalKind::OutOfRange),
            ("GenericError", "Device vcpu-1 is already in the process of unplug", RefusalKind::RemovalPending),
            (
                "GenericError",
                "acpi: device unplug request for not supported device type: max-x86_64-cpu",
                RefusalKind::NotRunning,
            ),
            ("GenericError", "device_add not allowed while migrating", RefusalKind::Migrating),
            ("GenericError", "Parameter 'requested-size' expects uint64", RefusalKind::Malformed),
            ("CommandNotFound", "The command nonsense has not been found", RefusalKind::Malformed),
            ("GenericError", "Duplicate device ID 'vcpu-1'", RefusalKind::Other),
            ("DeviceNotFound", "Device 'vcpu-7' not found", RefusalKind::Other),
        ];
        for (class, desc, expected) in cases {
            let refusal = Refusal { class: class.to_owned(), desc: desc.to_owned() };
            assert_eq!(classify(&refusal), expected, "{desc}");
        }
    }

    #[test]
    fn a_sentence_is_shortened_and_stripped() {
        let refusal = Refusal { class: "GenericError".to_owned(), desc: "\u{1b}[31mboom\n".repeat(200) };
        let VmmError::Refused { message, code, .. } = refused("device_add", refusal) else { panic!("not refused") };
        assert_eq!((message.chars().count(), code.as_str()), (KEPT_CHARACTERS, "GenericError"));
        assert!(!message.contains('\u{1b}'));
    }
}
