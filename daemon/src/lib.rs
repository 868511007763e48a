//! The node side: asks the VMM for what the controller granted, and reports what it sees.
