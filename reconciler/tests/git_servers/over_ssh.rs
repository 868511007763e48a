//! Fetches over SSH from OpenSSH's server.

use std::path::PathBuf;
use std::sync::Arc;

use git2::Oid;
use reef_reconciler::source::{Credentials, Descent, FetchError, Location, Retry};

use crate::origin::{Clones, MAIN, Origin, location, noise, pairs, texts};
use crate::other_process::fetch_at_home;
use crate::sshd::Sshd;

/// A server, a repository on it, and somebody who fetches.
struct World {
    server: Sshd,
    origin: Origin,
    clones: Clones,
    base: Oid,
}

impl World {
    async fn new() -> Self {
        let (origin, clones) = (Origin::new(), Clones::new());
        let base = origin.push(&[("a.yaml", "1")]);
        Self { server: Sshd::start().await, origin, clones, base }
    }

    fn repository(&self) -> PathBuf {
        self.origin.root().join("r.git")
    }

    /// The repository, with this private key and these known hosts.
    fn location(&self, private_key: &str, known_hosts: &str) -> Location {
        self.protected(private_key, None, known_hosts)
    }

    fn protected(&self, private_key: &str, passphrase: Option<&str>, known_hosts: &str) -> Location {
        let credentials = Credentials::SshKey {
            username: None,
            private_key: private_key.to_owned(),
            passphrase: passphrase.map(str::to_owned),
        };
        let here = location(&self.server.url(&self.repository())).with_credentials(credentials).unwrap();
        here.with_known_hosts(known_hosts).unwrap()
    }

    /// The way that works.
    fn trusted(&self) -> Location {
        self.location(&self.server.private("client"), &self.server.known_hosts())
    }

    async fn refusal(&self, location: &Location) -> FetchError {
        self.clones.fetch(location, None).await.unwrap_err()
    }
}

#[track_caller]
fn assert_refused(error: &FetchError, category: &str) {
    assert_eq!((error.category(), error.retry()), (category, Retry::AfterChange), "{error}");
}

#[tokio::test]
async fn a_repository_is_cloned_and_followed_through_pushes_and_force_pushes() {
    let world = World::new().await;
    let here = world.trusted();
    let first = world.clones.fetch(&here, None).await.unwrap();
    assert_eq!((texts(&first), first.descent), (pairs(&[("a.yaml", "1")]), Descent::First));
    assert!(Arc::ptr_eq(&first, &world.clones.fetch(&here, Some(&first)).await.unwrap()));
    world.origin.push(&[("a.yaml", "2"), ("b.yaml", "b")]);
    let second = world.clones.fetch(&here, Some(&first)).await.unwrap();
    assert_eq!((texts(&second), second.descent), (pairs(&[("a.yaml", "2"), ("b.yaml", "b")]), Descent::Descends));
    world.origin.commit(MAIN, &[("a.yaml", "3")], &[world.base]);
    let third = world.clones.fetch(&here, Some(&second)).await.unwrap();
    assert_eq!(texts(&third), pairs(&[("a.yaml", "3")]));
}

#[tokio::test]
async fn a_tip_is_cloned_without_its_past() {
    let world = World::new().await;
    let tip = world.origin.push(&[("a.yaml", "2")]);
    let snapshot = world.clones.fetch(&world.trusted(), None).await.unwrap();
    assert_eq!(snapshot.commit.id, tip.to_string());
    assert!(world.clones.only().is_shallow() && world.clones.only().find_commit(world.base).is_err());
}

#[tokio::test]
async fn a_transfer_of_many_packets_arrives_whole() {
    let world = World::new().await;
    let tip = world.origin.push(&[("a.yaml", "2"), ("noise.bin", &noise())]);
    assert_eq!(world.clones.fetch(&world.trusted(), None).await.unwrap().commit.id, tip.to_string());
}

#[tokio::test]
async fn keys_of_every_usual_kind_and_form_open_the_door() {
    let world = World::new().await;
    let known_hosts = world.server.known_hosts();
    for (name, kind, options) in [
        ("rsa", "rsa", &["-b", "2048"][..]),
        ("rsa-pem", "rsa", &["-b", "2048", "-m", "PEM"]),
        ("ecdsa", "ecdsa", &[]),
        ("ed25519", "ed25519", &[]),
    ] {
        let key = world.server.key(name, kind, options);
        world.server.authorize(name);
        for form in [key.clone(), key.trim_end().to_owned(), key.replace('\n', "\r\n")] {
            let fetched = world.clones.fetch(&world.location(&form, &known_hosts), None).await;
            assert_eq!(texts(&fetched.unwrap_or_else(|error| panic!("{name}: {error}"))), pairs(&[("a.yaml", "1")]));
        }
    }
}

#[tokio::test]
async fn a_key_behind_a_passphrase_opens_with_it_alone() {
    let world = World::new().await;
    let known_hosts = world.server.known_hosts();
    let key = world.server.key("locked", "ed25519", &["-N", "hunter2"]);
    world.server.authorize("locked");
    let with = |passphrase| world.protected(&key, passphrase, &known_hosts);
    assert!(world.clones.fetch(&with(Some("hunter2")), None).await.is_ok());
    for passphrase in [None, Some("Hunter2")] {
        let error = world.refusal(&with(passphrase)).await;
        assert_refused(&error, "Auth");
        assert!(!format!("{error} {error:?}").contains("Hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_key_that_the_server_does_not_know_is_refused_at_once() {
    let world = World::new().await;
    let stranger = world.server.key("stranger", "ed25519", &[]);
    for key in [stranger.as_str(), "no key at all", ""] {
        let before = world.server.connections();
        let error = world.refusal(&world.location(key, &world.server.known_hosts())).await;
        assert_refused(&error, "Auth");
        assert_eq!(world.server.connections() - before, 1, "it kept asking");
    }
    let without = location(&world.server.url(&world.repository()));
    let without = without.with_known_hosts(&world.server.known_hosts()).unwrap();
    assert_refused(&world.refusal(&without).await, "Auth");
}

#[tokio::test]
async fn an_unknown_host_is_refused_before_anything_is_shown_to_it() {
    let world = World::new().await;
    let key = world.server.private("client");
    let elsewhere = world.server.known_hosts().replace("[127.0.0.1]", "[git.example.com]");
    for known_hosts in ["", elsewhere.as_str()] {
        let error = world.refusal(&world.location(&key, known_hosts)).await;
        assert_refused(&error, "HostKey");
        assert!(error.to_string().contains("ssh-ed25519 SHA256:"), "{error}");
    }
    assert_eq!(world.server.connections(), 2);
    let log = world.server.log();
    assert!(!log.contains("publickey") && !log.contains("authenticating user"), "{log}");
}

#[tokio::test]
async fn a_changed_host_key_is_refused_until_the_source_knows_it() {
    let world = World::new().await;
    let before = world.trusted();
    let last = world.clones.fetch(&before, None).await.unwrap();
    world.server.set_host_key("ed25519");
    world.origin.push(&[("a.yaml", "2")]);
    for _ in 0..2 {
        let error = world.clones.fetch(&before, Some(&last)).await.unwrap_err();
        assert_refused(&error, "HostKey");
        assert!(error.to_string().contains("differs from the known hosts"), "{error}");
    }
    let after = world.clones.fetch(&world.trusted(), Some(&last)).await.unwrap();
    assert_eq!(texts(&after), pairs(&[("a.yaml", "2")]));
    let revoked = format!("{0}@revoked {0}", world.server.known_hosts());
    let error = world.refusal(&world.location(&world.server.private("client"), &revoked)).await;
    assert_refused(&error, "HostKey");
}

#[tokio::test]
async fn host_keys_of_every_usual_kind_are_known_again() {
    let world = World::new().await;
    for kind in ["rsa", "ecdsa"] {
        world.server.set_host_key(kind);
        assert!(world.clones.fetch(&world.trusted(), None).await.is_ok(), "{kind}");
    }
}

#[tokio::test]
async fn a_host_that_shows_another_kind_of_key_is_refused_with_what_to_add() {
    let world = World::new().await;
    world.server.set_host_key("ecdsa");
    let before = world.trusted();
    world.server.set_host_key("ed25519");
    let error = world.refusal(&before).await;
    assert_refused(&error, "HostKey");
    assert!(error.to_string().contains("have other kinds of keys"), "{error}");
}

/// The machine's file would be read by libgit2, and asked which kind of key the host shall show.
#[tokio::test]
async fn known_hosts_of_the_machine_have_no_say() {
    let world = World::new().await;
    let (home, url) = (world.origin.root(), world.server.url(&world.repository()));
    let (key, known_hosts) = (world.server.private("client"), world.server.known_hosts());
    let other_kind = known_hosts.replace("ssh-ed25519", "ssh-rsa").replace("AAAAC3NzaC1lZDI1NTE5", "AAAAB3NzaC1yc2E");
    std::fs::create_dir(home.join(".ssh")).unwrap();
    for text in ["", "[127.0.0.1]:22\n", &other_kind] {
        std::fs::write(home.join(".ssh/known_hosts"), text).unwrap();
        let told = fetch_at_home(home, &url, &key, &known_hosts).await;
        assert_eq!(told, format!("commit {}", world.base), "{text}");
    }
}

#[tokio::test]
async fn a_repository_that_is_missing_is_unreachable_and_the_servers_words_are_shown() {
    let world = World::new().await;
    let here = world.trusted();
    std::fs::rename(world.repository(), world.origin.root().join("away.git")).unwrap();
    let error = world.refusal(&here).await;
    assert_eq!((error.category(), error.retry()), ("Unreachable", Retry::Backoff), "{error}");
    std::fs::rename(world.origin.root().join("away.git"), world.repository()).unwrap();
    assert!(world.clones.fetch(&here, None).await.is_ok());
}

/// A listener whose connections nobody accepts.
#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let world = World::new().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ssh://git@{}/r.git", silent.local_addr().unwrap());
    let error = world.refusal(&location(&url)).await;
    assert_eq!((error.category(), error.retry()), ("TimedOut", Retry::Backoff), "{error}");
}
