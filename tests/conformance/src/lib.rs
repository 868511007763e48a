//! What Reef and kubectl rely on in a Kubernetes API server: one suite, run against the embedded cluster and against a real one.
//!
//! Behaviour of the server only; nothing of Reef's roles is run here.
