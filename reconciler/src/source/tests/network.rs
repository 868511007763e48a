//! Remotes over HTTP: real ones, and ones that hang, refuse, redirect, drip and send too much.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::source::fixture::{Clones, Origin, pairs, texts};
use crate::source::stubs::{Stub, backend, drip, status};
use crate::source::*;

fn impatient() -> Clones {
    Clones::with(Limits { total: Duration::from_millis(2500), ..Limits::default() })
}

#[tokio::test]
async fn a_remote_is_fetched_shallowly_and_followed_from_tip_to_tip() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let base = origin.push(&[("a.yaml", "0"), ("b.yaml", "same")]);
    origin.push(&[("a.yaml", "1"), ("b.yaml", "same")]);
    let server = Stub::git(&origin.path());
    let first = clones.fetch(&server.location(""), None).await.unwrap();
    assert_eq!(texts(&first), pairs(&[("a.yaml", "1"), ("b.yaml", "same")]));
    let clone = git2::Repository::open_bare(clones.clone_dir()).unwrap();
    assert!(clone.find_commit(base).is_err(), "the past was fetched");
    assert!(Arc::ptr_eq(&first, &clones.fetch(&server.location(""), Some(&first)).await.unwrap()));
    origin.push(&[("a.yaml", "2"), ("b.yaml", "same")]);
    let second = clones.fetch(&server.location(""), Some(&first)).await.unwrap();
    assert_eq!((texts(&second), second.blobs_read), (pairs(&[("a.yaml", "2"), ("b.yaml", "same")]), 1));
    assert_eq!(second.descent, Descent::Descends);
    origin.commit_tree("refs/heads/main", origin.tree(&[("a.yaml", "3")]), &[base], 0);
    let third = clones.fetch(&server.location(""), Some(&second)).await.unwrap();
    assert_eq!((texts(&third), third.descent), (pairs(&[("a.yaml", "3")]), Descent::Unknown));
}

#[tokio::test]
async fn the_whole_history_tells_a_rewrite_from_a_step() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let server = Stub::git(&origin.path());
    let location = server.location("").with_history(History::Full);
    assert_eq!(clones.fetch(&location, None).await.unwrap_err().category(), "Empty");
    let base = origin.push(&[("a.yaml", "0")]);
    let first = clones.fetch(&location, None).await.unwrap();
    origin.push(&[("a.yaml", "1")]);
    origin.push(&[("a.yaml", "2")]);
    let second = clones.fetch(&location, Some(&first)).await.unwrap();
    assert_eq!(second.descent, Descent::Descends);
    origin.commit_tree("refs/heads/main", origin.tree(&[("a.yaml", "3")]), &[base], 0);
    let third = clones.fetch(&location, Some(&second)).await.unwrap();
    assert_eq!((texts(&third), third.descent), (pairs(&[("a.yaml", "3")]), Descent::Rewritten));
    let gone = location.with_reference(Some("prod")).unwrap();
    assert_eq!(clones.fetch(&gone, Some(&third)).await.unwrap_err().category(), "BranchMissing");
}

#[tokio::test]
async fn refused_credentials_end_the_fetch_at_once_and_are_never_shown() {
    for line in ["401 Unauthorized", "403 Forbidden"] {
        let clones = Clones::new();
        let server = Stub::serve(move |_, stream| status(stream, line, "WWW-Authenticate: Basic realm=\"hunter2\""));
        let credentials = Credentials::Basic { username: "ann".into(), password: "hunter2".into() };
        for location in [server.location("r"), server.location("r").with_credentials(credentials).unwrap()] {
            let error = clones.fetch(&location, None).await.unwrap_err();
            assert_eq!((error.category(), error.retry()), ("Auth", Retry::AfterChange), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        assert!(server.requests.load(Ordering::SeqCst) <= 4, "it kept asking");
    }
}

#[tokio::test]
async fn the_right_credentials_are_sent_when_asked_for() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let root = origin.path();
    let server = Stub::serve(move |request, stream| {
        if request.headers.iter().any(|line| line == "Authorization: Basic YW5uOmh1bnRlcjI=") {
            return stream.write_all(&backend(&root, &request));
        }
        status(stream, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"r\"")
    });
    let credentials = Credentials::Basic { username: "ann".into(), password: "hunter2".into() };
    let location = server.location("").with_credentials(credentials).unwrap();
    assert_eq!(texts(&clones.fetch(&location, None).await.unwrap()), pairs(&[("a.yaml", "1")]));
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_own_source_a_deadline_and_others_nothing() {
    let (origin, clones) = (Origin::new(), impatient());
    origin.push(&[("a.yaml", "1")]);
    let server = Stub::serve(|_, _| {
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let hanging = server.location("r");
    let hangs = tokio::spawn(clones.repositories.fetch(&hanging, None));
    assert!(clones.fetch(&origin.location(), None).await.is_ok());
    assert_eq!(hangs.await.unwrap().unwrap_err().category(), "TimedOut");
    let again = clones.fetch(&hanging, None).await.unwrap_err();
    assert!(again.to_string().contains("an earlier fetch of it has not come back"), "{again}");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1, "a second fetch was started beside the first");
    assert!(clones.fetch(&origin.location(), None).await.is_ok());
}

#[tokio::test]
async fn silence_ends_a_fetch_before_its_deadline() {
    let clones = Clones::new();
    let server = Stub::serve(|_, _| {
        std::thread::sleep(Duration::from_secs(30));
        Ok(())
    });
    let error = tokio::time::timeout(Duration::from_secs(18), clones.fetch(&server.location("r"), None)).await;
    assert_eq!(error.unwrap().unwrap_err().category(), "TimedOut");
}

#[tokio::test]
async fn a_pack_that_drips_is_given_up_at_the_deadline_and_the_next_fetch_starts_anew() {
    let (origin, clones) = (Origin::new(), impatient());
    origin.push(&[("a.yaml", &"x: 1\n".repeat(500))]);
    let (root, slow) = (origin.path(), Arc::new(AtomicBool::new(true)));
    let is_slow = Arc::clone(&slow);
    let server = Stub::serve(move |request, stream| {
        let answer = backend(&root, &request);
        if request.method != "POST" || !is_slow.load(Ordering::SeqCst) {
            return stream.write_all(&answer);
        }
        let start = answer.len().min(300);
        stream.write_all(&answer[..start])?;
        drip(stream, &answer[start..])
    });
    let location = server.location("").with_history(History::Full);
    assert_eq!(clones.fetch(&location, None).await.unwrap_err().category(), "TimedOut");
    slow.store(false, Ordering::SeqCst);
    let mut tries = 0;
    while let Err(error) = clones.fetch(&location, None).await {
        assert_eq!(error.category(), "TimedOut", "{error}");
        tries += 1;
        assert!(tries < 10, "the abandoned transfer never let go");
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    for target in ["http://169.254.169.254/latest/meta-data", "http://localhost:9/r", "https://example.com/r"] {
        let clones = Clones::new();
        let server = Stub::serve(move |_, stream| status(stream, "302 Found", &format!("Location: {target}")));
        let error = clones.fetch(&server.location("r"), None).await.unwrap_err();
        assert_eq!((error.category(), error.retry()), ("Redirected", Retry::AfterChange), "{error}");
    }
}

#[tokio::test]
async fn refused_connections_unknown_names_and_nonsense_are_unreachable() {
    let clones = Clones::new();
    let nonsense =
        Stub::serve(|_, stream| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"));
    let missing = Stub::serve(|_, stream| status(stream, "404 Not Found", "X-A: b"));
    let remote = |url: &str| Location::parse(url, FileUrls::Refused).unwrap();
    for location in [
        remote("http://127.0.0.1:9/r"),
        remote("http://nowhere.invalid/r"),
        nonsense.location("r"),
        missing.location("r"),
    ] {
        let error = clones.fetch(&location, None).await.unwrap_err();
        assert_eq!((error.category(), error.retry()), ("Unreachable", Retry::Backoff), "{error}");
    }
}

#[tokio::test]
async fn a_transfer_beyond_the_limits_is_cut() {
    let origin = Origin::new();
    let noise: String = (0..200_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    origin.push(&[("a.yaml", "1"), ("noise.bin", &noise)]);
    let server = Stub::git(&origin.path());
    for limits in [Limits { pack_bytes: 100_000, ..Limits::default() }, Limits { objects: 2, ..Limits::default() }] {
        let clones = Clones::with(limits);
        let error = clones.fetch(&server.location(""), None).await.unwrap_err();
        assert_eq!(error.category(), "TooLarge", "{error}");
        assert!(!clones.dir.path().join("cache").read_dir().is_ok_and(|mut entries| entries.next().is_some()));
    }
}

#[tokio::test]
async fn a_damaged_pack_of_the_server_is_its_fault_and_leaves_the_clone_alone() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let (root, bad) = (origin.path(), Arc::new(AtomicBool::new(false)));
    let is_bad = Arc::clone(&bad);
    let server = Stub::serve(move |request, stream| {
        let mut answer = backend(&root, &request);
        let pack = answer.windows(4).position(|window| window == b"PACK");
        if let Some(start) = pack.filter(|_| is_bad.load(Ordering::SeqCst)) {
            for byte in &mut answer[start + 14..start + 40] {
                *byte ^= 0x5a;
            }
        }
        stream.write_all(&answer)
    });
    let location = server.location("");
    let first = clones.fetch(&location, None).await.unwrap();
    origin.push(&[("a.yaml", "2")]);
    bad.store(true, Ordering::SeqCst);
    let error = clones.fetch(&location, Some(&first)).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("Corrupt", Retry::Backoff), "{error}");
    bad.store(false, Ordering::SeqCst);
    let second = clones.fetch(&location, Some(&first)).await.unwrap();
    assert_eq!((texts(&second), second.descent), (pairs(&[("a.yaml", "2")]), Descent::Descends));
}

#[tokio::test]
async fn branches_with_unreadable_names_do_not_disturb_others() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let tip = origin.push(&[("a.yaml", "1")]);
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"refs/heads/bad\xff");
    std::fs::write(origin.path().join(name), format!("{tip}\n")).unwrap();
    let server = Stub::git(&origin.path());
    for location in [origin.location(), server.location("")] {
        assert_eq!(texts(&clones.fetch(&location, None).await.unwrap()), pairs(&[("a.yaml", "1")]));
    }
}
