//! Objects in the form that a client asked for: whole, metadata only, or as a table.

use std::sync::Arc;

use serde_json::{Value, json};

use super::negotiate::Form;
use super::resource::Served;
use super::table;

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
    /// One object.
    pub fn one(&self, object: &Arc<Value>) -> Arc<Value> {
        let shown = self.served.present(object);
        match self.form {
            Form::Object | Form::AggregatedDiscovery => shown,
            Form::Metadata => Arc::new(metadata_only(&shown)),
            Form::Table => self.event(object, table::Headers::Shown),
        }
    }

    /// One object of a watch; only the first table of a watch has its headers.
    pub fn event(&self, object: &Arc<Value>, headers: table::Headers) -> Arc<Value> {
        match self.form {
            Form::Table => {
                let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
                Arc::new(self.table(std::slice::from_ref(object), headers, &json!({ "resourceVersion": version })))
            }
            Form::Object | Form::Metadata | Form::AggregatedDiscovery => self.one(object),
        }
    }

    /// A table of objects.
    pub fn table(&self, objects: &[Arc<Value>], headers: table::Headers, metadata: &Value) -> Value {
        let shown: Vec<Arc<Value>> = objects.iter().map(|object| self.served.present(object)).collect();
        table::build(&self.served.kind, objects, &shown, headers, self.include, self.now, metadata)
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
