//! How often a source is looked at. Pure.

use std::time::Duration;

use reef_api::GitSourceSpec;

use crate::source::{FileUrls, Location};

const USUAL: Duration = Duration::from_secs(60);
const LEAST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(24 * 3600);

/// Reads `30s`, `5m`, `1h`; at least five seconds, a minute where nothing is stated.
///
/// # Errors
/// A sentence that says what to write; the minute holds meanwhile.
pub(in crate::controller) fn interval(stated: Option<&str>) -> Result<Duration, String> {
    let Some(text) = stated else { return Ok(USUAL) };
    let read: Option<Duration> = text.parse::<jiff::SignedDuration>().ok().and_then(|span| span.try_into().ok());
    let shown: String = text.chars().take(40).collect();
    let read = read.ok_or_else(|| format!("spec.interval is {shown:?}, which is no duration; write 30s, 5m or 1h"))?;
    Ok(read.clamp(LEAST, MOST))
}

/// What is wrong with a source before anything is fetched: said by the controller of it, and by admission.
///
/// # Errors
/// A sentence that says what to write.
pub fn check_source(spec: &GitSourceSpec, files: FileUrls) -> Result<(), String> {
    interval(spec.interval.as_deref())?;
    if let Some(secret) = &spec.secret_ref {
        reef_api::dns1123_subdomain(&secret.name)
            .map_err(|error| format!("spec.secretRef.name cannot be used: {error}"))?;
    }
    account_name(spec)?;
    Location::of_spec(spec, files).map(drop).map_err(|error| error.to_string())
}

/// The account as which a source writes.
///
/// # Errors
/// A sentence that says what to write.
pub(in crate::controller) fn account_name(spec: &GitSourceSpec) -> Result<Option<&str>, String> {
    let Some(name) = spec.service_account_name.as_deref() else { return Ok(None) };
    reef_api::dns1123_subdomain(name)
        .map_err(|error| format!("spec.serviceAccountName cannot be used: {error}; state a ServiceAccount"))?;
    Ok(Some(name))
}

/// What holds where the stated interval cannot be read.
pub(in crate::controller) const fn usual() -> Duration {
    USUAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_and_never_shorter_than_five_seconds() {
        let seconds = |text| interval(Some(text)).map(|read| read.as_secs());
        assert_eq!([seconds("30s"), seconds("5m"), seconds("1h"), seconds("1s")], [Ok(30), Ok(300), Ok(3600), Ok(5)]);
        assert_eq!(interval(None), Ok(USUAL));
        let message = "spec.interval is \"often\", which is no duration; write 30s, 5m or 1h".to_owned();
        assert_eq!(seconds("often"), Err(message));
        assert!(seconds("-5m").is_err());
    }
}
