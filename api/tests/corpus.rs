//! Hostile quantities: the corpus of the fuzz target, and what is near to it, beside a slow reading.

#[path = "../../fuzz/src/quantity.rs"]
mod quantity;
#[path = "../../fuzz/src/reference.rs"]
mod reference;
#[path = "../../fuzz/src/replay.rs"]
mod replay;

#[test]
fn quantities_are_read_as_on_paper_and_printed_as_they_were_meant() {
    replay::replay("quantity", quantity::quantity);
}
