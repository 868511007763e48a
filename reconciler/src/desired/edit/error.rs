//! Why a manifest is left as it is. Words only.

use crate::desired::Origin;

/// Why a size cannot be changed in a manifest by exchanging one value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document cannot be read as a VM.
    #[error("{at}: document {} cannot be read: {detail}", .at.document)]
    Unreadable {
        /// Where.
        at: Origin,
        /// What the reader said.
        detail: String,
    },
    /// Neither sockets nor cores alone yield the number.
    #[error(
        "{at}: with {sockets} sockets of {cores} cores, no single number yields {wanted} vCPUs, which is a multiple of neither; \
         ask for {near}, or write `sockets: 1` and `coresPerSocket: {wanted}`"
    )]
    Uneven {
        /// Where.
        at: Origin,
        /// As stated, or its default.
        sockets: u32,
        /// As stated, or its default.
        cores: u32,
        /// What is wanted.
        wanted: u32,
        /// What could be asked for instead.
        near: String,
    },
    /// There is no block that the field could be added to.
    #[error(
        "{at}: `{field}` is not stated, and where it belongs there is nothing to add a line to; write `{write}` below `{below}`"
    )]
    Absent {
        /// The innermost parent that is stated.
        at: Origin,
        /// Its dotted path.
        field: String,
        /// What to write.
        write: String,
        /// Where, as a dotted path.
        below: String,
    },
    /// With the new value the reader refuses the document.
    #[error("{at}: with this size the manifest would not be valid, and it is left as it is: {detail}")]
    Invalid {
        /// Where.
        at: Origin,
        /// What the reader said.
        detail: String,
    },
    /// The result is not what was meant.
    #[error(
        "{at}: the file is left as it is, because its way of writing is not understood ({detail}); change the size by hand"
    )]
    Guard {
        /// Where.
        at: Origin,
        /// What would have been wrong.
        detail: &'static str,
    },
}
