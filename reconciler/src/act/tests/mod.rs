//! Actions against an API server that answers what a script says, and what each answer is taken for.

mod answers;
mod applies;
mod executes;
pub(crate) mod server;
