//! What the Secret holds: authorities, the key of the newest, and the pair that is served. Read with suspicion; what cannot be read is made anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::issue::Pair;
use crate::decide::{Authority, Certificates, Served};

/// The pair that is served, under the names that Kubernetes has for it.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// Authorities that are to be trusted, the newest first; the name is cert-manager's.
const AUTHORITIES: &str = "ca.crt";
/// The key of the newest authority.
const AUTHORITY_KEY: &str = "ca.key";

/// What a Secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Certificates of authorities, the newest first.
    pub authorities: Vec<String>,
    /// The key of the newest of them.
    pub authority_key: String,
    /// What is served.
    pub served: Option<Pair>,
}

impl Stored {
    /// Reads a Secret; what is missing or broken is left out, and so is what rests on it.
    pub fn read(secret: &Secret) -> Self {
        let text = |name: &str| {
            let data = secret.data.as_ref()?.get(name)?;
            String::from_utf8(data.0.clone()).ok().filter(|text| !text.trim().is_empty())
        };
        let authorities: Vec<String> = text(AUTHORITIES).map_or_else(Vec::new, |bundle| split(&bundle));
        let readable = authorities.iter().all(|pem| validity(pem).is_some());
        let Some(authority_key) = text(AUTHORITY_KEY).filter(|_| readable && !authorities.is_empty()) else {
            return Self::default();
        };
        let pair = || Some(Pair { certificate: text(CERTIFICATE)?, key: text(KEY)? });
        Self { authorities, authority_key, served: pair().filter(|pair| validity(&pair.certificate).is_some()) }
    }

    /// The values of the Secret.
    pub fn data(&self) -> BTreeMap<String, ByteString> {
        let served = self.served.clone().unwrap_or(Pair { certificate: String::new(), key: String::new() });
        [
            (AUTHORITIES, self.bundle()),
            (AUTHORITY_KEY, self.authority_key.clone()),
            (CERTIFICATE, served.certificate),
            (KEY, served.key),
        ]
        .map(|(name, value)| (name.to_owned(), ByteString(value.into_bytes())))
        .into()
    }

    /// All authorities in one text, as configurations hold it.
    pub fn bundle(&self) -> String {
        self.authorities.concat()
    }

    /// The newest authority with its key.
    pub fn newest(&self) -> Option<Pair> {
        let certificate = self.authorities.first()?.clone();
        Some(Pair { certificate, key: self.authority_key.clone() })
    }

    /// What decisions are made by. `hosts` are those that the certificate is wanted for.
    pub fn certificates(&self, hosts: &[String]) -> Certificates {
        let authorities = self.authorities.iter().filter_map(|pem| validity(pem));
        let authorities = authorities.map(|(not_before, not_after)| Authority { not_before, not_after }).collect();
        let served = self.served.as_ref().and_then(|pair| {
            let (not_before, not_after) = validity(&pair.certificate)?;
            let by_newest = self.authorities.first().is_some_and(|newest| signed_by(&pair.certificate, newest));
            Some(Served { not_before, not_after, by_newest, fits: names(&pair.certificate, hosts) })
        });
        Certificates { authorities, served }
    }
}

/// The certificates of a bundle, one text each.
fn split(bundle: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let parts = bundle.split_inclusive(END).filter(|part| part.contains(END));
    parts.map(|part| format!("{}\n", part.trim())).collect()
}

/// From when until when a certificate is valid.
pub fn validity(pem: &str) -> Option<(Timestamp, Timestamp)> {
    with(pem, |certificate| {
        let validity = certificate.validity();
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some((time(validity.not_before)?, time(validity.not_after)?))
    })?
}

/// By the name of the issuer, which is different for each authority, and its key.
fn signed_by(pem: &str, authority: &str) -> bool {
    let issuer = with(pem, |certificate| certificate.issuer().to_string());
    issuer.is_some() && issuer == with(authority, |authority| authority.subject().to_string())
}

fn names(pem: &str, hosts: &[String]) -> bool {
    let found = with(pem, |certificate| {
        let names =
            certificate.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.clone());
        names.into_iter().flatten().filter_map(|name| host(&name)).collect::<Vec<_>>()
    });
    found.is_some_and(|found| hosts.iter().all(|host| found.contains(host)))
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn with<T>(pem: &str, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
    let (pem, _) = Pem::read(std::io::Cursor::new(pem.as_bytes())).ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(read(&certificate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::issue::{authority, certificate};
    use std::time::Duration;

    const LIFE: Duration = Duration::from_secs(3600);

    fn hosts() -> Vec<String> {
        ["reef-webhook.reef-system.svc", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
    }

    fn stored(now: Timestamp) -> Stored {
        let ca = authority(now, LIFE * 4).unwrap();
        let served = certificate(&ca, &hosts(), now, LIFE).unwrap();
        Stored { authorities: vec![ca.certificate], authority_key: ca.key, served: Some(served) }
    }

    #[test]
    fn what_was_made_and_stored_is_read_back() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = stored(now);
        let secret = Secret { data: Some(made.data()), ..Secret::default() };
        assert_eq!(Stored::read(&secret), made);
        let there = made.certificates(&hosts());
        let after = |life: Duration| now + life;
        let authority = Authority { not_before: now - Duration::from_secs(300), not_after: after(LIFE * 4) };
        let served = Served { not_before: now - LIFE / 20, not_after: after(LIFE), by_newest: true, fits: true };
        assert_eq!(there, Certificates { authorities: vec![authority], served: Some(served) });
        let other = made.certificates(&["other".to_owned()]);
        assert_eq!(other.served.map(|served| served.fits), Some(false));
    }

    #[test]
    fn a_certificate_of_an_older_authority_is_told_from_one_of_the_newest() {
        let mut made = stored(Timestamp::from_second(1_800_000_000).unwrap());
        let newer = authority(Timestamp::from_second(1_800_000_100).unwrap(), LIFE).unwrap();
        made.authorities.insert(0, newer.certificate);
        assert_eq!(made.certificates(&hosts()).served.map(|served| served.by_newest), Some(false));
        assert_eq!(split(&made.bundle()), made.authorities);
    }

    #[test]
    fn what_cannot_be_read_counts_as_not_there() {
        let made = stored(Timestamp::from_second(1_800_000_000).unwrap());
        for name in [AUTHORITIES, AUTHORITY_KEY] {
            let mut data = made.data();
            data.insert(name.to_owned(), ByteString(b"\xff".to_vec()));
            assert_eq!(Stored::read(&Secret { data: Some(data), ..Secret::default() }), Stored::default());
        }
        let mut data = made.data();
        data.insert(
            CERTIFICATE.to_owned(),
            ByteString(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_vec()),
        );
        let read = Stored::read(&Secret { data: Some(data), ..Secret::default() });
        assert_eq!(read, Stored { served: None, ..made });
        assert_eq!(Stored::read(&Secret::default()), Stored::default());
    }
}
