//! A webhook that is asked and gives no verdict: silent, cut off, broken. What can kill a VM is refused then, and nothing else is held up.
//!
//! And one that answers nobody but the API server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedKey, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    generate_simple_self_signed,
};
use reef_real::stage::accounts::Account;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::asked::{ask, configure, create, patch, refused, resized_by_hand, vm, warned, webhook};
use crate::stand::{Stand, Story, size, soon};

/// How a webhook gives no verdict.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// It takes the connection and says nothing.
    Silent,
    /// It takes the connection and closes it.
    HangsUp,
    /// It answers 500.
    Broken,
}

const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves in this manner for as long as the test lasts.
async fn unwell(manner: Manner, made: &CertifiedKey<KeyPair>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let tls = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key)?));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            match manner {
                Manner::Silent => held.push(stream),
                Manner::HangsUp => drop(stream),
                Manner::Broken => drop(tokio::spawn(broken(tls.clone(), stream))),
            }
        }
    });
    Ok(address)
}

async fn broken(tls: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = tls.accept(stream).await?;
    let _ = stream.read(&mut [0; 4096]).await?;
    stream.write_all(BROKEN).await?;
    stream.shutdown().await
}

/// A Pod that is no VM's.
async fn bystander(stand: &Stand, namespace: &str) -> Result<()> {
    let amounts = json!({ "cpu": "100m", "memory": "64Mi" });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "bystander", "namespace": namespace },
        "spec": { "containers": [{ "name": "c", "image": "i", "resources": { "requests": amounts, "limits": amounts } }] },
    });
    // The namespace's own account comes a moment after it.
    soon("a Pod that is no VM's", async || Ok(create(&stand.cluster, &pod, false)?.status.success().then_some(())))
        .await
}

fn resized(stand: &Stand, namespace: &str) -> Result<()> {
    let amounts = json!({ "cpu": "50m", "memory": "64Mi" });
    let container = json!({ "name": "c", "resources": { "requests": amounts, "limits": amounts } });
    let change = json!({ "spec": { "containers": [container] } });
    let about = ["pod", "bystander", "--subresource=resize", "--dry-run=server"];
    warned(&patch(&stand.cluster, namespace, &about, &change)?, &[])
}

async fn judged(stand: &Stand, story: &Story, manner: Manner) -> Result<()> {
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let address = unwell(manner, &made).await?;
    let bundle = serde_json::to_value(ByteString(made.cert.pem().into_bytes()))?;
    configure(stand, &address.to_string(), |text| {
        let lines = text.lines().map(|line| match line.trim_start().starts_with("url: ") {
            true => format!("{line}\n      caBundle: {bundle}\n"),
            false => format!("{line}\n"),
        });
        lines.collect::<String>().replace("timeoutSeconds: 5", "timeoutSeconds: 2")
    })?;
    let cut = async || resized_by_hand(stand, story, "1", "64Mi").await;
    let named = address.to_string();
    soon("the webhook is asked", async || {
        Ok(refused(&cut().await?, &["failed calling webhook \"pods.reef.dev\"", &named]).is_ok().then_some(()))
    })
    .await?;
    let wrong =
        vm("default", "wrong", &json!({ "runPolicy": "Halted", "instance": { "memory": { "size": "100Mi" } } }));
    warned(&create(&stand.cluster, &wrong, true)?, &[])?;
    for namespace in ["kube-system", "reef-system", "default"] {
        resized(stand, namespace)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_webhook_without_a_verdict_stops_what_could_kill_a_vm_and_nothing_else() -> Result<()> {
    let mut stand = Stand::start(&[]).await?;
    let system: Namespace = serde_json::from_value(json!({ "metadata": { "name": "kube-system" } }))?;
    // It is there, or comes within the first seconds.
    let _ = Api::all(stand.client.clone()).create(&PostParams::default(), &system).await;
    for namespace in ["kube-system", "reef-system", "default"] {
        bystander(&stand, namespace).await?;
    }
    let story = stand.story("unwell", size(1, 1)).await?;
    for (manner, gib) in [(Manner::Silent, 2), (Manner::HangsUp, 3), (Manner::Broken, 1)] {
        judged(&stand, &story, manner).await.with_context(|| format!("{manner:?}"))?;
        // Reef's own resizes go on.
        story.push(size(1, gib))?;
        story.settles(size(1, gib)).await.with_context(|| format!("{manner:?}"))?;
    }
    stand.controller_lives().await
}

/// An authority, and what the API server is told so that it shows a certificate of it.
fn introduced(folder: &Path) -> Result<()> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    std::fs::write(folder.join("clients.crt"), params.self_signed(&authority_key)?.pem())?;
    let mut shown = CertificateParams::default();
    shown.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let shown = shown.signed_by(&key, &Issuer::new(params, authority_key))?;
    let data = |text: String| serde_json::to_value(ByteString(text.into_bytes()));
    let user = json!({
        "client-certificate-data": data(shown.pem())?, "client-key-data": data(key.serialize_pem())?,
    });
    let users = json!({ "apiVersion": "v1", "kind": "Config", "users": [{ "name": "*", "user": user }] });
    std::fs::write(folder.join("webhooks.kubeconfig"), users.to_string())?;
    let plugin = |name: &str| -> Value {
        let configuration = json!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "WebhookAdmissionConfiguration",
            "kubeConfigFile": folder.join("webhooks.kubeconfig"),
        });
        json!({ "name": name, "configuration": configuration })
    };
    let plugins = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"].map(plugin);
    let config =
        json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": plugins });
    Ok(std::fs::write(folder.join("admission.json"), config.to_string())?)
}

#[tokio::test]
async fn an_api_server_that_shows_who_it_is_is_answered_where_nobody_else_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    introduced(folder.path())?;
    let flag = format!("--admission-control-config-file={}", folder.path().join("admission.json").display());
    let mut stand = Stand::start(&[&flag]).await?;
    let account = Account::of(&stand.cluster, "webhook").await?;
    let authority = folder.path().join("clients.crt").display().to_string();
    let address = webhook(&mut stand, &account, "webhook", &["--client-ca", &authority]).await?;
    // It ends with a refusal that only the webhook makes.
    ask(&stand, &address, str::to_owned).await?;
    stand.controller_lives().await
}
