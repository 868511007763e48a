//! The other parties of the daemon, small enough to read: a socket that answers from a script.

pub mod socket;
