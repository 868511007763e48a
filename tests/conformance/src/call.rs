//! A request as a case states it. Plain data; nothing is sent from here.

use serde_json::Value;

/// How the body of a patch is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386.
    Merge,
    /// RFC 6902.
    Json,
    /// Lists of named things are merged by name.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    /// All of them, in the order of this type.
    pub const ALL: [PatchKind; 4] = [PatchKind::Merge, PatchKind::Json, PatchKind::Strategic, PatchKind::Apply];

    /// The media type that says so.
    pub const fn media(self) -> &'static str {
        match self {
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Json => "application/json-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
            PatchKind::Apply => "application/apply-patch+yaml",
        }
    }
}

/// One request. `NS` in the path stands for the namespace of the case.
#[derive(Debug, Clone)]
pub struct Call {
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Headers beside those of every request.
    pub headers: Vec<(&'static str, String)>,
    /// The body as it goes over the wire.
    pub body: Vec<u8>,
}

impl Call {
    /// A request without a body.
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Call { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Call::new("GET", path)
    }

    /// A create.
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Call::new("POST", path).json(body)
    }

    /// A replace.
    pub fn put(path: impl Into<String>, body: &Value) -> Self {
        Call::new("PUT", path).json(body)
    }

    /// A delete; `options` is `Null` for none.
    pub fn delete(path: impl Into<String>, options: &Value) -> Self {
        let call = Call::new("DELETE", path);
        if options.is_null() { call } else { call.json(options) }
    }

    /// A patch.
    pub fn patch(path: impl Into<String>, kind: PatchKind, body: &Value) -> Self {
        Call::new("PATCH", path).typed(kind.media(), body.to_string())
    }

    /// The same with this header more.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with a body of a stated type.
    pub fn typed(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media)
    }

    fn json(self, body: &Value) -> Self {
        self.typed("application/json", body.to_string())
    }
}
