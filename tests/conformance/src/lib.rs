//! What Reef and kubectl rely on in a Kubernetes API server: one suite, run against the embedded cluster and against a real one.
//!
//! Behaviour of the server only; nothing of Reef's roles is run here. A case states a behaviour once, as the real server shows
//! it. Where the embedded one differs for a good reason, the case stands in [`known::KNOWN`].

mod answer;
mod call;
mod case;
mod cases;
mod context;
pub mod known;
mod run;
mod setup;
mod watching;

pub use answer::{Answer, at, owners, same, same_owners, text_at, tidy};
pub use call::{Call, PatchKind};
pub use case::{Case, Needs};
pub use cases::all;
pub use context::{Context, Hand, Hands};
pub use known::Side;
pub use run::{Options, Report, run};
pub use watching::Watch;
