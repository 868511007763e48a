//! The `reef` binary: wires the subcommands, nothing else.
fn main() {}
