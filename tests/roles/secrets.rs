//! What a role is told in confidence is told to nobody: not in logs at their fullest, not in any object, not by the command line.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::Cluster;

const USER: &str = "ann";
const PASSWORD: &str = "pass/w0rd-of+ann";
/// The body of a key that cannot be read, so that an error is about it.
const KEY: &str = "bm90LWEta2V5LWJ1dC1zZWNyZXQ";

/// A forge that repeats all that it is told: it refuses, sends elsewhere, fails and answers nonsense, with what it has heard.
struct Gossip {
    address: SocketAddr,
    /// Paths at which it was told something.
    told: Arc<Mutex<BTreeSet<String>>>,
}

impl Gossip {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gossip = Self { address: listener.local_addr().unwrap(), told: Arc::default() };
        let (address, told) = (gossip.address, gossip.told.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.clone();
                std::thread::spawn(move || converse(&stream, address, &told));
            }
        });
        gossip
    }
}

fn converse(mut stream: &TcpStream, address: SocketAddr, told: &Mutex<BTreeSet<String>>) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    loop {
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let Some(place) = head.first().and_then(|line| line.split('/').nth(1)) else { return };
        let heard = head.iter().find_map(|line| line.split_once(": Basic ").map(|(_, heard)| heard));
        told.lock().unwrap().extend(heard.map(|_| place.to_owned()));
        let (status, body) = heard.map_or_else(asks, |heard| repeats(place, heard, address));
        let length = body.len();
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes());
    }
}

fn asks() -> (String, String) {
    ("401 Unauthorized\r\nwww-authenticate: Basic realm=\"r\"".to_owned(), String::new())
}

fn repeats(place: &str, heard: &str, address: SocketAddr) -> (String, String) {
    let plain = String::from_utf8(STANDARD.decode(heard).unwrap()).unwrap();
    let status = match place {
        "refuses" => "403 Forbidden".to_owned(),
        "fails" => "500 Internal Server Error".to_owned(),
        "sends" => format!("302 Found\r\nlocation: http://{}@{address}/refuses/{heard}", encoded(&plain)),
        _ => "200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement".to_owned(),
    };
    (status, format!("{heard} {plain}"))
}

fn secret(cluster: &Cluster, name: &str, texts: &[(&str, &str)]) {
    let data: Value = texts.iter().map(|(key, text)| ((*key).to_owned(), json!(STANDARD.encode(text)))).collect();
    let body = json!({ "metadata": { "name": name }, "data": data });
    assert!(cluster.api("POST", "/api/v1/namespaces/default/secrets", &body.to_string()).starts_with("HTTP/1.1 201"));
}

const SOURCES: &str = "/apis/reef.dev/v1alpha1/namespaces/default/gitsources";

fn source(cluster: &Cluster, name: &str, url: &str, secret: &str) {
    let body = json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": { "name": name },
        "spec": { "url": url, "ref": "main", "interval": "5s", "secretRef": { "name": secret } }
    });
    assert!(cluster.api("POST", SOURCES, &body.to_string()).starts_with("HTTP/1.1 201"));
}

/// A source says why it is not ready, or nothing yet.
fn trouble(cluster: &Cluster, name: &str) -> Option<String> {
    let answer = cluster.api("GET", &format!("{SOURCES}/{name}"), "");
    let source: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    let conditions = source["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|it| it["type"] == "Ready" && it["status"] == "False")?;
    Some(format!("{}: {}", ready["reason"], ready["message"]))
}

#[test]
fn no_password_and_no_key_appears_in_a_log_an_object_or_on_the_screen() {
    let cluster = Cluster::start();
    let forge = Gossip::start();
    secret(&cluster, "password", &[("username", USER), ("password", PASSWORD)]);
    let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY}\n-----END OPENSSH PRIVATE KEY-----\n");
    secret(&cluster, "key", &[("identity", &key), ("password", PASSWORD)]);
    let names = ["refuses", "fails", "sends", "babbles"];
    for name in names {
        source(&cluster, name, &format!("http://{}/{name}/r.git", forge.address), "password");
    }
    source(&cluster, "key", "ssh://git@127.0.0.1:9/r.git", "key");
    let controller = cluster.controller_by(&["env", "RUST_LOG=trace"]);
    let told: Vec<String> = names
        .iter()
        .chain(&["key"])
        .map(|name| cluster.until(&format!("{name} is in trouble"), || trouble(&cluster, name)))
        .collect();
    let heard = forge.told.lock().unwrap().clone();
    assert!(names.iter().all(|name| heard.contains(*name)), "it was told nothing by some: {heard:?}");
    let logs = controller.told();
    assert!(logs.contains("\"TRACE\""), "the log is at its fullest");
    let paths = [SOURCES, "/apis/cloudhypervisor.quill.today/v1beta1/virtualmachines", "/apis/events.k8s.io/v1/events"];
    let objects = paths.map(|path| cluster.api("GET", path, ""));
    assert!(objects.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{objects:?}");
    let screen = cluster.reef(&["status", "-o", "json"]).map(|status| status.to_string()).unwrap();
    let everything = [told.join("\n"), logs, objects.join("\n"), screen];
    for hidden in [PASSWORD, &encoded(PASSWORD), &STANDARD.encode(PASSWORD), &pair(), KEY] {
        for text in &everything {
            let line = text.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "{hidden} is told");
        }
    }
}

/// As it stands in an address.
fn encoded(text: &str) -> String {
    text.replace('/', "%2F").replace('+', "%2B")
}

/// As it stands in a request.
fn pair() -> String {
    STANDARD.encode(format!("{USER}:{PASSWORD}"))
}
