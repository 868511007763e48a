//! Writes container images as OCI layouts in a tar, without a container engine: the same bytes for the same content.
//!
//! What is in Reef's own image is said in `contents`; nothing here starts anything but `ldd`.

pub mod contents;
pub mod layer;
pub mod oci;

pub use layer::Layer;
pub use oci::{Compression, Image, Written};
