//! Git sources against the servers that people run: Git's own `http-backend` behind HTTP and TLS, and OpenSSH's `sshd`.
//!
//! Only the other party stands here; what fetches is the code of production. A machine without one of the servers fails, it does not skip.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cgi;
mod http_server;
mod origin;
mod other_process;
mod over_http;
mod over_https;
mod over_ssh;
mod sshd;
mod tls;
