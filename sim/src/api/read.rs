//! Get and list, with selectors, pages and the versions that a client may ask for.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use super::ApiServer;
use super::negotiate::Form;
use super::present::Presenter;
use super::request::{RequestFacts, Target};
use super::resource::Served;
use super::respond::{self, Answer};
use super::selectors::Selector;
use super::table;
use crate::store::{ApiError, Cause, Reason, Stored, meta};

/// Answers a get.
///
/// # Errors
/// 404 where the object is not there, 504 for a version that is still to come.
pub fn get(server: &ApiServer, served: Served, target: &Target, facts: &RequestFacts) -> Result<Answer, ApiError> {
    refuse_log(target)?;
    let key = served.key(target)?;
    refuse_future(server, facts)?;
    let object = server.store().stored(&key).ok_or_else(|| ApiError::not_found(&key.resource, &key.name))?;
    Ok(Answer::text(StatusCode::OK, presenter(server, served, facts)?.one(&object)))
}

/// Answers a list.
///
/// # Errors
/// 400 for selectors that do not parse, 410 for a page of a list that is forgotten, 504 for a version to come.
pub fn list(server: &ApiServer, served: Served, target: &Target, facts: &RequestFacts) -> Result<Answer, ApiError> {
    let selector = selector(&served, facts)?;
    check_match(facts)?;
    let page = Page::read(server, facts)?;
    let objects = page.objects(server, &served, target.namespace.as_deref())?;
    let matching: Vec<Stored> = objects.into_iter().filter(|object| selector.matches(object)).collect();
    let (shown, metadata) = page.cut(matching, selector.is_empty());
    let presenter = presenter(server, served, facts)?;
    if presenter.form == Form::Table {
        return Ok(Answer::json(StatusCode::OK, &presenter.table(&shown, table::Headers::Shown, &metadata)));
    }
    let (api_version, kind) = presenter.list_type();
    // Items of built-in kinds do not repeat what the list's own type says.
    let types = if presenter.form == Form::Object && !presenter.served.kind.custom {
        respond::Types::Hidden
    } else {
        respond::Types::Shown
    };
    Ok(Answer::text(StatusCode::OK, respond::list(&api_version, &kind, &metadata, &shown, &presenter, types)))
}

/// The request's selectors.
///
/// # Errors
/// 400 where one does not parse.
pub fn selector(served: &Served, facts: &RequestFacts) -> Result<Selector, ApiError> {
    Selector::parse(facts.param("labelSelector"), facts.param("fieldSelector"), &served.kind)
}

/// How the request wants to see objects.
///
/// # Errors
/// 406 for a form that cannot be made.
pub fn presenter(server: &ApiServer, served: Served, facts: &RequestFacts) -> Result<Presenter, ApiError> {
    let form = super::negotiate::form(&facts.accept, &[Form::Table, Form::Metadata])?;
    let include = table::Include::parse(facts.param("includeObject"))?;
    Ok(Presenter { served, form, include, now: server.store().now() })
}

fn refuse_log(target: &Target) -> Result<(), ApiError> {
    match target.subresource.as_deref() {
        Some("log") => Err(ApiError::bad_request("this cluster keeps no container logs: its nodes are simulated")),
        Some("binding") => Err(super::request::method_not_allowed()),
        Some(_) | None => Ok(()),
    }
}

/// A version that is still to come is answered at once as the time-out that a real server ends in.
fn refuse_future(server: &ApiServer, facts: &RequestFacts) -> Result<Option<u64>, ApiError> {
    let asked = facts.number("resourceVersion")?;
    let current = server.store().version();
    match asked {
        Some(asked) if asked > current => {
            let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
            let cause = Cause::new("ResourceVersionTooLarge", "", "Too large resource version");
            Err(ApiError::new(Reason::Timeout, message).with_causes(vec![cause]).retry_after(1))
        }
        Some(_) | None => Ok(asked),
    }
}

/// Refuses rules for a version that do not go together.
fn check_match(facts: &RequestFacts) -> Result<(), ApiError> {
    let version = facts.param("resourceVersion");
    let message = match (facts.param("resourceVersionMatch"), version) {
        (None, _) => return Ok(()),
        (Some(_), None) => "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        (Some("Exact"), Some("0")) => {
            "Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""
        }
        (Some("Exact" | "NotOlderThan"), Some(_)) => return Ok(()),
        (Some(_), Some(_)) => "Unsupported value",
    };
    let reason = if message.starts_with("Forbidden") { "FieldValueForbidden" } else { "FieldValueNotSupported" };
    let cause = Cause::new(reason, "resourceVersionMatch", message);
    Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", vec![cause]))
}

/// The version in a token that goes on with whatever is there.
const WHATEVER: &str = "-1";

/// Which part of which state of the collection is wanted.
struct Page {
    limit: Option<usize>,
    /// The state to list: the present one, or that of a version.
    at: u64,
    exact: bool,
    /// The last object of the page before: namespace and name.
    after: Option<(String, String)>,
}

impl Page {
    fn read(server: &ApiServer, facts: &RequestFacts) -> Result<Self, ApiError> {
        let asked = refuse_future(server, facts)?;
        let limit = facts.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let now = server.store().version();
        if let Some(token) = facts.param("continue") {
            if asked.is_some_and(|version| version != 0) {
                let message = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(message));
            }
            let (at, after) = read_token(token)?;
            return Ok(Page { limit, at: at.unwrap_or(now), exact: at.is_some(), after: Some(after) });
        }
        let exact = facts.param("resourceVersionMatch") == Some("Exact");
        let at = if exact { asked.unwrap_or(now) } else { now };
        Ok(Page { limit, at, exact, after: None })
    }

    fn objects(&self, server: &ApiServer, served: &Served, namespace: Option<&str>) -> Result<Vec<Stored>, ApiError> {
        let all = if self.exact {
            server.store().list_as_of(&served.id, namespace, self.at).map_err(|error| self.too_old(error))?
        } else {
            server.store().stored_at(&served.id, namespace).0
        };
        let Some(after) = &self.after else { return Ok(all) };
        Ok(all.into_iter().filter(|object| place(object) > *after).collect())
    }

    /// 410 in the words of lists; a page offers to go on with what is there now.
    fn too_old(&self, error: ApiError) -> ApiError {
        match &self.after {
            None => ApiError { message: "The resourceVersion for the provided list is too old.".to_owned(), ..error },
            Some(after) => {
                ApiError { message: TOO_OLD_PAGE.to_owned(), proceed: Some(make_token(WHATEVER, after)), ..error }
            }
        }
    }

    /// How many are left is known only where nothing was selected.
    fn cut(&self, mut objects: Vec<Stored>, counted: bool) -> (Vec<Stored>, Value) {
        let mut metadata = json!({ "resourceVersion": self.at.to_string() });
        let Some(limit) = self.limit.filter(|limit| *limit < objects.len()) else { return (objects, metadata) };
        let remaining = objects.len().saturating_sub(limit);
        objects.truncate(limit);
        if let (Some(map), Some(last)) = (metadata.as_object_mut(), objects.last()) {
            map.insert("continue".to_owned(), json!(make_token(&self.at.to_string(), &place(last))));
            if counted {
                map.insert("remainingItemCount".to_owned(), json!(remaining));
            }
        }
        (objects, metadata)
    }
}

fn place(object: &Value) -> (String, String) {
    (meta::text(object, "namespace").unwrap_or_default().to_owned(), meta::name(object).to_owned())
}

const TOO_OLD_PAGE: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

fn make_token(at: &str, after: &(String, String)) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!({ "rv": at, "namespace": after.0, "name": after.1 }).to_string())
}

/// The version, where the token holds one, and the last object of the page before.
fn read_token(token: &str) -> Result<(Option<u64>, (String, String)), ApiError> {
    let parse = || {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        let at = text("rv")?;
        let at = if at == WHATEVER { None } else { Some(at.parse().ok()?) };
        Some((at, (text("namespace")?, text("name")?)))
    };
    parse().ok_or_else(|| ApiError::bad_request("continue key is not valid"))
}
