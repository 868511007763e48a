//! Authorities and certificates are made, and read back. Keys are of P-256; each certificate has a key of its own.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::time::Duration;
use time::OffsetDateTime;

/// A clock that is behind by so much still takes a certificate for valid.
const BEFORE: Duration = Duration::from_secs(300);

/// Why no certificate can be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made: {0}")]
pub struct IssueError(#[from] rcgen::Error);

/// A certificate and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Makes an authority.
///
/// # Errors
/// Where no key can be made.
pub fn authority(now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let mut params = params(Vec::new(), now, life)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // A name of its own, so that a chain is never tried against an older authority of the same name.
    params.distinguished_name = named(&format!("reef-webhook-ca-{}", now.as_second()));
    let key = KeyPair::generate()?;
    Ok(Pair { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// Makes a certificate for these hosts, names or addresses.
///
/// # Errors
/// Where a host is no name, the authority cannot be read, or no key can be made.
pub fn certificate(authority: &Pair, hosts: &[String], now: Timestamp, life: Duration) -> Result<Pair, IssueError> {
    let mut params = params(hosts.to_vec(), now, life)?;
    params.distinguished_name = named(hosts.first().map_or("reef-webhook", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let key = KeyPair::generate()?;
    Ok(Pair { certificate: params.signed_by(&key, &issuer)?.pem(), key: key.serialize_pem() })
}

fn params(hosts: Vec<String>, now: Timestamp, life: Duration) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::new(hosts)?;
    let now = OffsetDateTime::from_unix_timestamp(now.as_second()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = now - BEFORE.min(life / 20);
    params.not_after = now + life;
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut found = DistinguishedName::new();
    // The field takes no more than 64 characters.
    found.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    found
}
