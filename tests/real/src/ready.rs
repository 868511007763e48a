//! When a party answers, and when a whole cluster is ready.
//!
//! Each question is asked until it is answered well; the deadlines are the supervisor's.
use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use kube::Api;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::{sleep, timeout},
};

use crate::{cluster::client, image, layout::Layout, options::Party};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(5);

/// Returns when the party answers.
pub async fn answers(layout: &Layout, party: Party) {
    while !matches!(timeout(QUESTION, asked(layout, party)).await, Ok(Ok(()))) {
        sleep(PAUSE).await;
    }
}

async fn asked(layout: &Layout, party: Party) -> Result<()> {
    match party {
        Party::Etcd => healthy(layout.etcd_port(), "/health").await,
        Party::ApiServer => serves(layout).await,
        Party::Scheduler => open(layout.scheduler_port()).await,
        Party::ControllerManager => open(layout.controller_manager_port()).await,
        Party::Containerd => UnixStream::connect(layout.containerd_socket()).await.map(drop).context("containerd"),
        Party::Kubelet => healthy(layout.kubelet_health_port(), "/healthz").await,
    }
}

/// Returns when Pods can be created and will run: accounts are made, the node is ready and has no taint.
pub async fn node(layout: &Layout) {
    while !matches!(timeout(QUESTION, usable(layout)).await, Ok(Ok(()))) {
        sleep(PAUSE).await;
    }
}

async fn usable(layout: &Layout) -> Result<()> {
    let client = client(&layout.kubeconfig("admin")).await?;
    Api::<ServiceAccount>::default_namespaced(client.clone()).get("default").await?;
    let node = Api::<Node>::all(client).get(layout.node_name()).await?;
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    ensure!(conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"), "not ready");
    ensure!(node.spec.and_then(|spec| spec.taints).unwrap_or_default().is_empty(), "tainted");
    Ok(())
}

/// Imports the sandbox image, without which no Pod starts.
///
/// # Errors
/// containerd refuses it.
pub fn sandbox(layout: &Layout) -> Result<()> {
    image::import(&layout.containerd_socket(), &layout.config("pause.tar"))
}

/// The API server has made the namespaces that it makes by itself.
async fn serves(layout: &Layout) -> Result<()> {
    open(layout.api_port()).await?;
    let client = client(&layout.kubeconfig("admin")).await?;
    let request = http::Request::get("/readyz").body(Vec::new())?;
    client.request_text(request).await?;
    Api::<Namespace>::all(client).get("default").await?;
    Ok(())
}

async fn open(port: u16) -> Result<()> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(())
}

async fn healthy(port: u16, path: &str) -> Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.split_whitespace().nth(1) == Some("200"), "{answer}");
    Ok(())
}
