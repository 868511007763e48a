//! Whether two addresses are of one repository, and two texts of one folder in it, as people write them in two places. Liberal: it guards against a mistake,
//! and gives nobody a right. Pure.

/// Whether two addresses are of one repository, whatever the scheme, user and port: `https://h/a/b.git`, `ssh://git@h:22/a/b` and `git@h:a/b` are one.
#[must_use]
pub fn same_repository(one: &str, other: &str) -> bool {
    place(one) == place(other)
}

/// Whether two texts name one folder; the root is nothing, `.` or `/`.
#[must_use]
pub fn same_folder(one: &str, other: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    parts(one) == parts(other)
}

/// Host and path, in small letters and without what may be written or left out.
fn place(url: &str) -> (String, String) {
    let url = url.trim().to_lowercase();
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
        None => url.split_once(':').unwrap_or(("", &url)),
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let host = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(host, _)| host);
    let path = path.trim_matches('/');
    (host.to_owned(), path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_repository_are_the_same_whatever_the_transport() {
        let forms = [
            "https://git.example.com/team/vms.git",
            "https://git.example.com/team/vms/",
            "http://ann:secret@Git.Example.com:8443/team/VMs.git/",
            "ssh://git@git.example.com:2222/team/vms.git",
            "git@git.example.com:team/vms",
            "git.example.com:/team/vms.git",
        ];
        for form in forms {
            assert!(same_repository(forms[0], form), "{form}");
        }
        let others =
            ["https://git.example.com/team/other", "https://git.example.org/team/vms", "", "vms", "file:///team/vms"];
        for other in others {
            assert!(!same_repository(forms[0], other), "{other}");
        }
        assert!(same_repository("file:///srv/vms.git", "file:///srv/vms"));
    }

    #[test]
    fn folders_are_the_same_however_the_root_and_slashes_are_written() {
        for (one, other) in [("", "."), ("", "/"), ("teams/a", "./teams/a/"), ("/teams//a", "teams/a")] {
            assert!(same_folder(one, other), "{one} {other}");
        }
        assert!(!same_folder("teams/a", "teams") && !same_folder("Teams", "teams"));
    }
}
