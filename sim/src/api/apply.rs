//! Server-side apply: of an object that is there, or of one that is to be.

use http::StatusCode;
use serde_json::Value;

use super::ApiServer;
use super::admit::{self, FieldValidation, Source, Write};
use super::read;
use super::request::{RequestFacts, Target};
use super::resource::Served;
use super::respond::Answer;
use super::schema;
use super::write;
use crate::store::fields::{self, Force, Writer};
use crate::store::{ApiError, At, Attempt, Cause, ObjectKey, Reason, meta};

/// An apply as it came.
struct Apply<'a> {
    server: &'a ApiServer,
    served: Served,
    facts: &'a RequestFacts,
    key: ObjectKey,
    subresource: Option<&'a str>,
    config: Value,
    writer: Writer,
    force: Force,
    attempt: Attempt,
    validation: FieldValidation,
}

/// Answers a server-side apply.
///
/// # Errors
/// 422 without a field manager, 400 for a configuration that names another object or its owners, 409 for conflicts,
/// and those of admission and the store.
pub fn apply(
    server: &ApiServer,
    served: Served,
    target: &Target,
    facts: &RequestFacts,
    config: Value,
) -> Result<Answer, ApiError> {
    if facts.param("fieldManager").is_none() {
        return Err(manager_required());
    }
    let manager = facts.manager()?;
    let key = served.key(target)?;
    let mut config = served.absorb(config);
    refuse_undeclared(&served, &config)?;
    check(&key, &mut config)?;
    let writer = Writer { manager, api_version: served.kind.api_version(), subresource: target.subresource.clone() };
    let apply = Apply {
        server,
        served,
        facts,
        key,
        subresource: target.subresource.as_deref(),
        config,
        writer,
        force: if facts.flag("force") { Force::Take } else { Force::Refuse },
        attempt: facts.attempt()?,
        validation: FieldValidation::parse(facts.param("fieldValidation"), facts.options_kind())?,
    };
    apply.run()
}

/// A field that the schema does not know cannot be owned. The real server has no words for it but an error of its own.
fn refuse_undeclared(served: &Served, config: &Value) -> Result<(), ApiError> {
    let Some(schema) = served.kind.schema.as_deref() else { return Ok(()) };
    let Some(first) = schema::undeclared(schema, config) else { return Ok(()) };
    let text = |field: &str| meta::text(config, field).unwrap_or_default();
    let message = format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): .{first}: field not declared in schema",
        text("namespace"),
        text("name"),
        served.kind.api_version(),
        served.kind.kind
    );
    Err(ApiError::new(Reason::Unnamed, message))
}

fn manager_required() -> ApiError {
    let cause = Cause::new("FieldValueRequired", "fieldManager", "Required value: is required for apply patch");
    ApiError::invalid("meta.k8s.io", "PatchOptions", "", vec![cause])
}

fn check(key: &ObjectKey, config: &mut Value) -> Result<(), ApiError> {
    if !config.is_object() {
        return Err(ApiError::bad_request("error decoding the request body: the applied configuration is no object"));
    }
    if config.at("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    write::check_name(key, config)?;
    meta::set(config, "name", Value::from(key.name.clone()));
    match (&key.namespace, meta::text(config, "namespace")) {
        (Some(namespace), Some(stated)) if stated != namespace => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        (Some(namespace), _) => {
            meta::set(config, "namespace", Value::from(namespace.clone()));
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

/// What the configuration says of the incarnation is judged with the rest of the metadata.
fn carry_identity(object: &mut Value, config: &Value) {
    let uid = meta::uid(config);
    if !uid.is_empty() {
        meta::set(object, "uid", Value::from(uid));
    }
}

impl Apply<'_> {
    fn run(self) -> Result<Answer, ApiError> {
        if self.server.store().get(&self.key).is_some() {
            return self.change();
        }
        match self.create() {
            // Somebody was faster: there is an object to change now.
            Err(error) if error.reason == Reason::AlreadyExists => self.change(),
            outcome => outcome,
        }
    }

    fn create(&self) -> Result<Answer, ApiError> {
        if self.subresource.is_some() {
            return Err(ApiError::not_found(&self.key.resource, &self.key.name));
        }
        self.refuse_conditions_on_nothing()?;
        let store = self.server.store();
        let now = store.now();
        let applied = fields::apply(&self.served.kind, None, &self.config, &self.writer, self.force, now)?;
        let (mut object, claim) = applied;
        let warnings = admit::admit(&self.write(None, None, now), &mut object)?;
        let owners = claim.finish(None, &object, now);
        admit::complete(&self.served.kind, &mut object);
        let created = store.create_or_try(&self.served.id, object, owners, self.attempt)?;
        let shown = read::presenter(self.server, self.served.clone(), self.facts)?.one(&created);
        Ok(Answer::text(StatusCode::CREATED, shown).with_warnings(warnings))
    }

    fn change(&self) -> Result<Answer, ApiError> {
        let store = self.server.store();
        let now = store.now();
        let allocatable = write::allocatable(self.server, &self.key, self.subresource);
        let mut warnings = Vec::new();
        let stored = store.try_update(&self.key, self.attempt, |before| {
            write::check_version(&self.key, before, &self.config)?;
            let live = Some((&**before, &before.owners));
            let (mut after, claim) =
                fields::apply(&self.served.kind, live, &self.config, &self.writer, self.force, now)?;
            carry_identity(&mut after, &self.config);
            warnings = admit::admit(&self.write(Some(before), allocatable.as_ref(), now), &mut after)?;
            let owners = claim.finish(Some(before), &after, now);
            Ok((after, owners))
        })?;
        let shown = read::presenter(self.server, self.served.clone(), self.facts)?.one(&stored);
        Ok(Answer::text(StatusCode::OK, shown).with_warnings(warnings))
    }

    /// Preconditions on an object that is not there cannot hold.
    fn refuse_conditions_on_nothing(&self) -> Result<(), ApiError> {
        let uid = meta::uid(&self.config);
        if !uid.is_empty() {
            let why =
                format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(ApiError::conflict(&self.key.resource, &self.key.name, &why));
        }
        match meta::text(&self.config, "resourceVersion") {
            None | Some("" | "0") => Ok(()),
            Some(_) => Err(ApiError::not_found(&self.key.resource, &self.key.name)),
        }
    }

    fn write<'b>(
        &'b self,
        before: Option<&'b Value>,
        allocatable: Option<&'b Value>,
        now: jiff::Timestamp,
    ) -> Write<'b> {
        Write {
            kind: &self.served.kind,
            subresource: self.subresource,
            before,
            validation: self.validation,
            source: Source::Apply,
            allocatable,
            now,
        }
    }
}
