//! The commands that only read, behind a door that lets through what the ClusterRole `reef-reader` of `deploy/rbac.yaml` allows, and nothing else.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::plans::git;

/// A verb, and a resource by its plural.
type Right = (String, String);

/// What the role allows.
fn granted() -> BTreeSet<Right> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rbac.yaml")).unwrap();
    let mut objects = serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    let role =
        objects.find(|object| object["kind"] == "ClusterRole" && object["metadata"]["name"] == "reef-reader").unwrap();
    let words = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let rules = role["rules"].as_array().unwrap();
    let pairs = |rule: &Value| -> Vec<Right> {
        let verbs = words(&rule["verbs"]);
        words(&rule["resources"])
            .into_iter()
            .flat_map(|resource| verbs.iter().map(move |verb| (verb.clone(), resource.clone())))
            .collect()
    };
    rules.iter().flat_map(pairs).collect()
}

/// What a request needs; nothing for what is no resource.
fn needed(line: &str) -> Option<Right> {
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?.split('?').next()?);
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => return None,
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let (resource, name) = (rest.first()?, rest.get(1));
    let verb = match (method, name) {
        ("GET", None) => "list".to_owned(),
        ("GET", Some(_)) => "get".to_owned(),
        (method, _) => method.to_lowercase(),
    };
    Some((verb, (*resource).to_owned()))
}

/// Passes one request on, or refuses it as an API server does.
fn pass(mut stream: TcpStream, server: &str, allowed: &BTreeSet<Right>, used: &Mutex<BTreeSet<Right>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_lowercase();
        length = lower.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        if line == "\r\n" {
            break;
        }
        head.extend((!lower.starts_with("connection:")).then_some(line));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let right = needed(&head[0]);
    if let Some(right) = right.filter(|right| !allowed.contains(right)) {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": format!("{} is forbidden: cannot {} it", right.1, right.0)
        });
        let status = status.to_string();
        let length = status.len();
        let _ = write!(
            stream,
            "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{status}"
        );
        return;
    }
    used.lock().unwrap().extend(needed(&head[0]));
    let mut upstream = TcpStream::connect(server).unwrap();
    upstream.write_all(format!("{}connection: close\r\n\r\n", head.concat()).as_bytes()).unwrap();
    upstream.write_all(&body).unwrap();
    let _ = std::io::copy(&mut upstream, &mut stream);
}

/// The kubeconfig of the door, and what was asked through it.
fn door(cluster: &Cluster, folder: &tempfile::TempDir) -> (PathBuf, Arc<Mutex<BTreeSet<Right>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, reef_sim::api::kubeconfig(listener.local_addr().unwrap())).unwrap();
    let (server, allowed, used) = (cluster.address(), granted(), Arc::new(Mutex::new(BTreeSet::new())));
    let record = Arc::clone(&used);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (server, allowed, record) = (server.clone(), allowed.clone(), Arc::clone(&record));
            std::thread::spawn(move || pass(stream, &server, &allowed, &record));
        }
    });
    (kubeconfig, used)
}

#[test]
fn what_follows_a_merge_needs_the_rights_of_a_reader_and_a_reconcile_says_which_one_more() {
    let cluster = Cluster::start();
    let _controller = cluster.controller();
    let _daemons = ["node-1", "node-2"].map(|node| cluster.daemon(node));
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["clone", "-q", &cluster.repository.url(), "vms"]);
    let clone = folder.path().join("vms");
    assert_eq!(cluster.run(&clone, &["reconcile"]).0, 0);
    let (kubeconfig, used) = door(&cluster, &folder);
    for arguments in [
        &["explain", "web-1"][..],
        &["history", "web-1"],
        &["diff"],
        &["status"],
        &["status", "web-1"],
        &["plan"],
        &["snapshot"],
    ] {
        let (code, _, err) = cluster.run_by(&kubeconfig, &clone, arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
    }
    assert_eq!(*used.lock().unwrap(), granted(), "no right is given that nothing needs");
    let (code, _, err) = cluster.run_by(&kubeconfig, &clone, &["reconcile"]);
    assert!(code == 1 && err.contains("needs the right to patch gitsources.reef.dev"), "{code} {err}");
    assert_eq!(cluster.end(), Some(0));
}
