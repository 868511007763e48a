//! Which names objects may have. Pure.

/// Why a name is refused, in the server's words; `None` where it is fine.
pub fn subdomain_fault(name: &str) -> Option<&'static str> {
    if name.len() > 253 {
        return Some("must be no more than 253 characters");
    }
    let fine = !name.is_empty() && name.split('.').all(is_label);
    (!fine).then_some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/// Why the name of a namespace is refused; `None` where it is fine.
pub fn label_fault(name: &str) -> Option<&'static str> {
    if name.contains('.') {
        return Some("must not contain dots");
    }
    if name.len() > 63 {
        return Some("must be no more than 63 characters");
    }
    (!is_label(name)).then_some(
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    )
}

fn is_label(part: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for fine in ["a", "web-1", "a.b.c", "1"] {
            assert_eq!(subdomain_fault(fine), None, "{fine}");
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", ".a"] {
            assert!(subdomain_fault(bad).is_some(), "{bad}");
        }
        assert!(subdomain_fault(&"a".repeat(254)).is_some());
        assert!(label_fault("a.b").is_some());
        assert!(label_fault(&"a".repeat(64)).is_some());
        assert_eq!(label_fault("team-a"), None);
    }
}
