//! Fetches over TLS under an authority of one's own. Whom to trust is the process's: each fetch is a process of its own.

use std::path::PathBuf;

use crate::http_server::{Server, Site, Transport};
use crate::origin::{Origin, noise};
use crate::other_process::fetch_trusting;
use crate::tls::{Authority, Validity};

/// An HTTPS server, its authority's file, and another's.
struct World {
    origin: Origin,
    authority: Authority,
    ours: PathBuf,
    theirs: PathBuf,
}

impl World {
    fn new() -> Self {
        let (origin, authority) = (Origin::new(), Authority::new());
        let (ours, theirs) = (origin.root().join("ours.pem"), origin.root().join("theirs.pem"));
        authority.write(&ours);
        Authority::new().write(&theirs);
        origin.push(&[("a.yaml", "1")]);
        Self { origin, authority, ours, theirs }
    }

    async fn serve(&self, name: &str, validity: Validity) -> Server {
        let acceptor = self.authority.server(name, validity);
        Server::start(Site::of(self.origin.root()), Transport::Tls(acceptor)).await
    }
}

fn url(host: &str, server: &Server) -> String {
    format!("https://{host}:{}/r.git", server.address.port())
}

#[tokio::test]
async fn a_server_under_a_trusted_authority_is_fetched_from() {
    let world = World::new();
    let tip = world.origin.push(&[("a.yaml", "2"), ("noise.bin", &noise())]);
    for host in ["localhost", "127.0.0.1"] {
        let server = world.serve(host, Validity::Current).await;
        assert_eq!(fetch_trusting(&world.ours, &url(host, &server)).await, format!("commit {tip}"));
    }
}

#[tokio::test]
async fn a_server_under_another_authority_is_refused_before_any_request() {
    let world = World::new();
    let server = world.serve("localhost", Validity::Current).await;
    let told = fetch_trusting(&world.theirs, &url("localhost", &server)).await;
    assert!(told.starts_with("HostKey AfterChange: ") && told.contains("is not trusted"), "{told}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let world = World::new();
    let server = world.serve("git.example.com", Validity::Current).await;
    let told = fetch_trusting(&world.ours, &url("localhost", &server)).await;
    assert!(told.starts_with("HostKey AfterChange: ") && told.contains("is not trusted"), "{told}");
    // To an address in numbers libgit2 says no word about the certificate.
    let told = fetch_trusting(&world.ours, &url("127.0.0.1", &server)).await;
    assert!(told.starts_with("Unreachable Backoff: "), "{told}");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let world = World::new();
    let server = world.serve("localhost", Validity::Expired).await;
    let told = fetch_trusting(&world.ours, &url("localhost", &server)).await;
    assert!(told.starts_with("HostKey AfterChange: "), "{told}");
    assert_eq!(server.requests(), 0);
}
