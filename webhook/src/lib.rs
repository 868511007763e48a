//! Admission: fills in what a VM leaves out, and refuses what would never work or would harm a VM.
