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
/// A password that somebody has put into an address.
const ADDRESS: &str = "word-in-an-address";

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

fn source(cluster: &Cluster, name: &str, url: &str, secret: Option<&str>) {
    let reference = secret.map(|secret| json!({ "name": secret }));
    let body = json!({
        "apiVersion": "reef.dev/v1alpha1", "kind": "GitSource", "metadata": { "name": name },
        "spec": { "url": url, "ref": "main", "interval": "5s", "secretRef": reference }
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
        source(&cluster, name, &format!("http://{}/{name}/r.git", forge.address), Some("password"));
    }
    source(&cluster, "key", "ssh://git@127.0.0.1:9/r.git", Some("key"));
    source(&cluster, "address", &format!("http://{USER}:{ADDRESS}@{}/address/r.git", forge.address), None);
    let controller = cluster.controller_by(&["env", "RUST_LOG=trace"]);
    let told: Vec<String> = names
        .iter()
        .chain(&["key", "address"])
        .map(|name| cluster.until(&format!("{name} is in trouble"), || trouble(&cluster, name)))
        .collect();
    let heard = forge.told.lock().unwrap().clone();
    assert!(
        names.iter().chain(&["address"]).all(|name| heard.contains(*name)),
        "it was told nothing by some: {heard:?}"
    );
    let logs = controller.told();
    assert!(logs.contains("\"TRACE\""), "the log is at its fullest");
    let paths = [SOURCES, "/apis/cloudhypervisor.quill.today/v1beta1/virtualmachines", "/apis/events.k8s.io/v1/events"];
    let objects = paths.map(|path| cluster.api("GET", path, ""));
    assert!(objects.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{objects:?}");
    let objects = objects.map(|answer| without_specs(&answer));
    let screens = [&["status", "-o", "json"][..], &["status"], &["snapshot"]];
    let screen: String = screens.map(|words| cluster.told(words).1).concat();
    let metrics = controller.get("/metrics");
    assert!(metrics.contains("reef_git_fetches_total"), "{metrics}");
    let everything = [told.join("\n"), logs, objects.join("\n"), screen, metrics];
    let pairs = [pair(PASSWORD), pair(ADDRESS)];
    for hidden in [PASSWORD, &encoded(PASSWORD), &STANDARD.encode(PASSWORD), &pairs[0], KEY, ADDRESS, &pairs[1]] {
        for text in &everything {
            let line = text.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "{hidden} is told");
        }
    }
}

/// A list as the server tells it, without what a person has put into a spec.
fn without_specs(answer: &str) -> String {
    let mut list: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        item["spec"].take();
    }
    list.to_string()
}

/// As it stands in an address.
fn encoded(text: &str) -> String {
    text.replace('/', "%2F").replace('+', "%2B")
}

/// As it stands in a request.
fn pair(password: &str) -> String {
    STANDARD.encode(format!("{USER}:{password}"))
}
