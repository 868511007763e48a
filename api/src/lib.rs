//! The words that every part of Reef shares: units, sizes, objects, validation, phases, reasons.
