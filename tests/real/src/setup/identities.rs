//! Who is who in a cluster: an authority, the certificates that it signs, tokens, a kubeconfig for each user.
//!
//! All keys are made anew for each run and leave with its folder.
use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use serde_json::json;

use super::file;
use crate::layout::{AUTHORITY, Layout};

/// Users of the API server: the name of the kubeconfig, the user, its group.
const USERS: [(&str, &str, &str); 4] = [
    ("admin", "admin", "system:masters"),
    ("kube-scheduler", "system:kube-scheduler", ""),
    ("kube-controller-manager", "system:kube-controller-manager", ""),
    ("kubelet", "system:node:", "system:nodes"),
];

pub fn write(layout: &Layout) -> Result<()> {
    exchange_authority(layout)?;
    let accounts = KeyPair::generate()?;
    file(&layout.config("accounts.key"), &accounts.serialize_pem())?;
    file(&layout.config("accounts.pub"), &accounts.public_key_pem())?;
    users(layout)
}

/// Writes an authority, and what the API server shows of it.
///
/// # Errors
/// The folder cannot be written.
pub fn exchange_authority(layout: &Layout) -> Result<()> {
    let (authority, certificate) = authority()?;
    file(&layout.config(AUTHORITY), &certificate)?;
    signed(layout, &authority, "server", &server()?)?;
    signed(layout, &authority, "kubelet-client", &kubelet_client()?)
}

fn authority() -> Result<(Issuer<'static, KeyPair>, String)> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    parameters.distinguished_name.push(DnType::CommonName, "reef-real");
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?.pem();
    Ok((Issuer::new(parameters, key), certificate))
}

fn server() -> Result<CertificateParams> {
    let names = ["127.0.0.1", "10.96.0.1", "localhost", "kubernetes", "kubernetes.default.svc"];
    let mut parameters = CertificateParams::new(names.map(String::from))?;
    parameters.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}

/// What the API server shows to the kubelet, for logs and `exec`.
fn kubelet_client() -> Result<CertificateParams> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "kube-apiserver-kubelet-client");
    parameters.distinguished_name.push(DnType::OrganizationName, "system:masters");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(parameters)
}

fn signed(layout: &Layout, authority: &Issuer<'_, KeyPair>, name: &str, wanted: &CertificateParams) -> Result<()> {
    let key = KeyPair::generate()?;
    file(&layout.config(&format!("{name}.crt")), &wanted.signed_by(&key, authority)?.pem())?;
    file(&layout.config(&format!("{name}.key")), &key.serialize_pem())
}

fn users(layout: &Layout) -> Result<()> {
    let mut tokens = String::new();
    for (name, user, group) in USERS {
        let user = if name == "kubelet" { format!("{user}{}", layout.node_name()) } else { user.to_owned() };
        // A key is a good secret, and its public half has an end that differs from run to run.
        let token: String =
            KeyPair::generate()?.public_key_raw().iter().skip(1).map(|byte| format!("{byte:02x}")).collect();
        tokens.push_str(&format!("{token},{user},{name},\"{group}\"\n"));
        file(&layout.kubeconfig(name), &kubeconfig(layout, name, &token))?;
    }
    file(&layout.config("tokens.csv"), &tokens)
}

/// JSON is YAML.
fn kubeconfig(layout: &Layout, name: &str, token: &str) -> String {
    let cluster = json!({"server": layout.api_url(), "certificate-authority": layout.config(AUTHORITY)});
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "reef-real", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "reef-real", "context": {"cluster": "reef-real", "user": name}}],
        "current-context": "reef-real",
    });
    format!("{text:#}\n")
}
