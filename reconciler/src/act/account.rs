//! Acting as a service account: the API server then judges by the account's rights, and notes whose hand it was. Pure.

use std::fmt;

use http::HeaderName;
use http::request::Builder;
use reef_api::names::CONTROLLER_MANAGER;

/// The user that the API server is to act for.
const USER: HeaderName = HeaderName::from_static("impersonate-user");
/// [`reef_api::names::APPLIED_BY_EXTRA`] as the end of a header's name, where a slash has to be written otherwise.
const APPLIED_BY: HeaderName = HeaderName::from_static("impersonate-extra-reef.dev%2fapplied-by");

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The name of the user that it is.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// Puts into a request as whom it is made.
pub(super) fn acting_as(request: Builder, account: Option<&Account>) -> Builder {
    match account {
        Some(account) => request.header(USER, account.to_string()).header(APPLIED_BY, CONTROLLER_MANAGER),
        None => request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::names::APPLIED_BY_EXTRA;

    #[test]
    fn a_request_names_the_account_and_whose_hand_it_is() {
        let account = Account { namespace: "team".to_owned(), name: "reef-source".to_owned() };
        let request = acting_as(http::Request::get("/"), Some(&account)).body(()).unwrap();
        assert_eq!(request.headers()["Impersonate-User"], "system:serviceaccount:team:reef-source");
        let extra = format!("Impersonate-Extra-{}", APPLIED_BY_EXTRA.replace('/', "%2F"));
        assert_eq!(request.headers()[extra.as_str()], CONTROLLER_MANAGER);
        assert!(acting_as(http::Request::get("/"), None).body(()).unwrap().headers().is_empty());
    }
}
