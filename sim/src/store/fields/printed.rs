//! A set of fields that is kept, with its wire form: most writes leave most sets as they are, and every reader is shown all of them.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::set::FieldSet;

/// A set of fields. Cheap to clone; clones share the wire form, which is made once.
#[derive(Debug, Clone, Default)]
pub struct Fields(Arc<Printed>);

#[derive(Debug, Default)]
struct Printed {
    set: FieldSet,
    wire: OnceLock<Option<Box<RawValue>>>,
}

impl Fields {
    /// Changes the set; clones stay as they are.
    pub fn change(&mut self, change: impl FnOnce(&mut FieldSet)) {
        let mut set = self.0.set.clone();
        change(&mut set);
        *self = set.into();
    }
}

impl From<FieldSet> for Fields {
    fn from(set: FieldSet) -> Self {
        Fields(Arc::new(Printed { set, wire: OnceLock::new() }))
    }
}

impl Deref for Fields {
    type Target = FieldSet;

    fn deref(&self) -> &FieldSet {
        &self.0.set
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.set == other.0.set
    }
}

impl Eq for Fields {}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let print = || serde_json::value::to_raw_value(&self.0.set).ok();
        match self.0.wire.get_or_init(print) {
            Some(wire) => wire.serialize(serializer),
            None => self.0.set.serialize(serializer),
        }
    }
}
