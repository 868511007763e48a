//! What the API server and the kubelet say, as JSON, against the values that are read from it.

mod past;
mod pods;
mod store;
