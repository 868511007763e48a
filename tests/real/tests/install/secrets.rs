//! Secrets are put into an installation, and all that it tells is searched for them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{ListParams, LogParams};
use reef_api::condition;
use reef_api::source::GitSource;
use reef_real::Cluster;
use reef_real::stage::{apply, beside, told};
use serde_json::Value;

const PASSWORD: &str = "canary/pass+word";
/// The body of a key that cannot be read, so that an error is about it.
const KEY: &str = "Y2FuYXJ5LW9mLWEta2V5LWJ1dC1zZWNyZXQ";
const ADDRESS: &str = "canary-in-an-address";
/// What is said of objects and by them.
const KINDS: &str = "virtualmachines,gitsources,sizingpolicies,pods,events,leases,deployments,daemonsets,mutatingwebhookconfigurations,\
    validatingwebhookconfigurations,validatingadmissionpolicies";

/// What must be told nowhere, and what has been said so far.
pub struct Canaries {
    forge: Forge,
    hidden: Vec<(&'static str, String)>,
    said: Vec<(String, String)>,
}

/// Waits until the roles have met what was planted, and searches all that is told.
pub async fn searched(cluster: &Cluster, canaries: Canaries) -> Result<()> {
    crate::until(cluster, "the sources say what is wrong with them", async || canaries.met(cluster).await).await?;
    canaries.searched(cluster).await
}

/// Puts secrets where secrets belong, and where they do not.
pub async fn plant(cluster: &Cluster) -> Result<Canaries> {
    let (forge, heard) = forge()?;
    let objects = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: password, namespace: default }}\nstringData: {{ username: ann, password: {PASSWORD} }}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{ name: key, namespace: default }}\nstringData:\n  identity: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    \
         {KEY}\n    -----END OPENSSH PRIVATE KEY-----\n---\n{}---\n{}",
        source("forge", &format!("http://{forge}/r.git"), "secretRef: { name: password }"),
        source("keyed", "ssh://git@127.0.0.1:9/r.git", "secretRef: { name: key }"),
    );
    apply(cluster, &cluster.folder().join("secrets.yaml"), &objects)?;
    let file = cluster.folder().join("address.yaml");
    std::fs::write(&file, source("address", &format!("http://ann:{ADDRESS}@{forge}/r.git"), ""))?;
    let output = cluster.kubectl().args(["apply", "-f"]).arg(&file).output()?;
    let door = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut canaries =
        Canaries { forge: heard, hidden: Vec::new(), said: vec![("the answer to an address".to_owned(), door)] };
    canaries.hide("a password", PASSWORD);
    canaries.hide("a key", KEY);
    canaries.hide("a password in an address", ADDRESS);
    canaries.hide_keys(cluster).await?;
    Ok(canaries)
}

fn source(name: &str, url: &str, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(", {more}") };
    format!(
        "apiVersion: reef.dev/v1alpha1\nkind: GitSource\nmetadata: {{ name: {name}, namespace: default }}\nspec: {{ url: \"{url}\", interval: 5s{more} }}\n"
    )
}

/// What a forge was told.
type Forge = Arc<Mutex<String>>;

/// A forge that asks who is there, refuses, and repeats what it was told.
fn forge() -> Result<(String, Forge)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let forge = Forge::default();
    let told = Arc::clone(&forge);
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(converse(&stream, &told))));
    Ok((address, forge))
}

fn converse(mut stream: &TcpStream, told: &Mutex<String>) -> std::io::Result<()> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let heard: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let known = heard.iter().any(|line| line.to_ascii_lowercase().starts_with("authorization"));
    let status = if known { "403 Forbidden" } else { "401 Unauthorized\r\nwww-authenticate: Basic realm=\"r\"" };
    let body = heard.join("\n");
    told.lock().unwrap().push_str(&body);
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Canaries {
    /// A text must not appear, as it is or in a form that leads back to it.
    fn hide(&mut self, what: &'static str, text: &str) {
        let encoded = text.replace('/', "%2F").replace('+', "%2B");
        let forms = [text.to_owned(), encoded, base64(text), base64(&format!("ann:{text}"))];
        self.hidden.extend(forms.map(|form| (what, form)));
    }

    /// The keys of the webhook's certificate and of its authority, line by line.
    async fn hide_keys(&mut self, cluster: &Cluster) -> Result<()> {
        let secrets = Api::<Secret>::namespaced(cluster.client().await?, "reef-system");
        let data = secrets.get("reef-webhook-tls").await?.data.unwrap_or_default();
        for name in ["tls.key", "ca.key"] {
            let key = String::from_utf8(data.get(name).with_context(|| format!("the Secret holds {name}"))?.0.clone())?;
            let lines: Vec<&str> = key.lines().filter(|line| line.len() > 20 && !line.starts_with('-')).collect();
            ensure!(!lines.is_empty(), "{name} is a key");
            self.hidden.extend(lines.into_iter().map(|line| ("a key of the webhook", line.to_owned())));
        }
        Ok(())
    }

    /// Whether the sources have said what is wrong with them.
    async fn met(&self, cluster: &Cluster) -> Result<bool> {
        let sources = Api::<GitSource>::namespaced(cluster.client().await?, "default");
        for name in ["forge", "keyed", "address"] {
            let status = sources.get(name).await?.status.unwrap_or_default();
            if condition::find(&status.conditions, condition::READY).is_none_or(|ready| ready.status != "False") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Searches all that roles, objects, metrics and the command line tell.
    async fn searched(mut self, cluster: &Cluster) -> Result<()> {
        self.roles(cluster).await?;
        self.objects(cluster)?;
        for words in
            [&["status"][..], &["status", "-o", "json"], &["snapshot"], &["explain", "one"], &["history", "one"]]
        {
            let output = Command::new(beside("reef")?).args(words).env("KUBECONFIG", cluster.kubeconfig()).output()?;
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            self.said.push((format!("reef {}", words.join(" ")), text));
        }
        let heard = self.forge.lock().unwrap().clone();
        for password in [PASSWORD, ADDRESS] {
            let pair = base64(&format!("ann:{password}"));
            ensure!(heard.contains(&pair), "the forge was told {password}, and so the controller knew it: {heard}");
        }
        let (places, size) = (self.said.len(), self.said.iter().map(|(_, text)| text.len()).sum::<usize>());
        println!("{places} outputs of {size} bytes in all were searched for {} texts", self.hidden.len());
        for (place, text) in &self.said {
            for (what, hidden) in &self.hidden {
                ensure!(!text.contains(hidden.as_str()), "{place} tells {what}");
            }
        }
        Ok(())
    }

    /// Logs and metrics.
    async fn roles(&mut self, cluster: &Cluster) -> Result<()> {
        let pods = Api::<Pod>::namespaced(cluster.client().await?, "reef-system");
        let list = pods.list(&ListParams::default()).await?.items;
        ensure!(list.len() >= 3, "each role has a Pod");
        for pod in list {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let log = pods.logs(&name, &LogParams::default()).await?;
            ensure!(!log.is_empty(), "{name} logs something");
            self.said.push((format!("the log of {name}"), log));
            let ports = pod.spec.and_then(|spec| spec.containers.into_iter().next()?.ports).unwrap_or_default();
            let health =
                ports.iter().find(|port| port.name.as_deref() != Some("https")).context("a port of its health")?;
            let metrics = metrics(health.container_port)?;
            ensure!(metrics.contains("reef_"), "{name} tells metrics: {metrics:.200}");
            self.said.push((format!("the metrics of {name}"), metrics));
        }
        Ok(())
    }

    /// All objects that Reef writes or is written in. What a person has put into a spec stands there.
    fn objects(&mut self, cluster: &Cluster) -> Result<()> {
        let text = told(cluster.kubectl().args(["get", KINDS, "-A", "-o", "json"]))?;
        let mut list: Value = serde_json::from_str(&text)?;
        let items = list["items"].as_array_mut().context("a list")?;
        ensure!(items.len() > 10, "{} objects", items.len());
        for item in items.iter_mut().filter(|item| item["kind"] == "GitSource") {
            item["spec"] = Value::Null;
            item["metadata"]["annotations"] = Value::Null;
        }
        self.said.push(("the objects".to_owned(), list.to_string()));
        Ok(())
    }
}

fn metrics(port: i32) -> Result<String> {
    use std::io::Read;
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: reef\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// As a Secret and a request carry it.
fn base64(text: &str) -> String {
    let value = serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
