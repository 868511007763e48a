//! Objects in the form that a client asked for: whole, metadata only, or as a table.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::ApiServer;
use super::negotiate::Form;
use super::resource::Served;
use super::respond::to_bytes;
use super::table;
use crate::store::{At, ShownMetadata, Stored};

/// How the objects of one answer are shown.
pub struct Presenter {
    /// The resource as the path serves it.
    pub served: Served,
    /// The form that the client asked for.
    pub form: Form,
    /// What `includeObject` says of table rows.
    pub include: table::Include,
    /// The cluster's time, for ages.
    pub now: jiff::Timestamp,
}

impl Presenter {
    /// Shows objects whole.
    pub fn whole(server: &ApiServer, served: Served) -> Self {
        Presenter { served, form: Form::Object, include: table::Include::Metadata, now: server.store().now() }
    }

    /// Whether objects are shown just as they are stored.
    pub fn is_plain(&self) -> bool {
        matches!(self.form, Form::Object | Form::AggregatedDiscovery) && self.served.is_plain()
    }

    /// One object, printed.
    pub fn one(&self, object: &Stored) -> Bytes {
        self.event(object, table::Headers::Shown)
    }

    /// One object of a watch, printed; only the first table of a watch has its headers.
    pub fn event(&self, object: &Stored, headers: table::Headers) -> Bytes {
        match self.form {
            _ if self.is_plain() => object.text(),
            Form::Table => {
                let version = object.at("/metadata/resourceVersion").cloned().unwrap_or_default();
                let table = self.table(std::slice::from_ref(object), headers, &json!({ "resourceVersion": version }));
                to_bytes(&table)
            }
            Form::Metadata if self.served.is_plain() => to_bytes(&ShownMetadata(object)),
            Form::Object | Form::Metadata | Form::AggregatedDiscovery => to_bytes(&self.value(object)),
        }
    }

    /// One object that is no table.
    pub fn value(&self, object: &Stored) -> Value {
        let shown = self.served.present(object.whole());
        if self.form == Form::Metadata { metadata_only(&shown) } else { shown }
    }

    /// A table of objects.
    pub fn table(&self, objects: &[Stored], headers: table::Headers, metadata: &Value) -> Value {
        let shown: Vec<Arc<Value>> =
            objects.iter().map(|object| Arc::new(self.served.present(object.whole()))).collect();
        let stored: Vec<Arc<Value>> = objects.iter().map(|object| object.object.clone()).collect();
        table::build(&self.served.kind, &stored, &shown, headers, self.include, self.now, metadata)
    }

    /// What a list of these objects is called, with its version.
    pub fn list_type(&self) -> (String, String) {
        match self.form {
            Form::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned()),
            Form::Object | Form::Table | Form::AggregatedDiscovery => {
                (self.served.api_version(), self.served.kind.list_kind.clone())
            }
        }
    }
}

/// An object without anything but its metadata.
pub fn metadata_only(object: &Value) -> Value {
    let metadata = object.get("metadata").cloned().unwrap_or_default();
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata })
}
