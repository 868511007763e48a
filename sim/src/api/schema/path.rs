//! Where in an object something is. Printed only where there is something to say about it. Pure.

use std::fmt;

/// A place in an object.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The object itself, or a part of it that is looked at by itself.
    Root(&'a str),
    /// A field of what is at another place.
    Field(&'a Path<'a>, &'a str),
    /// An item of what is at another place.
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(name) => f.write_str(name),
            Path::Field(Path::Root(""), name) => f.write_str(name),
            Path::Field(above, name) => write!(f, "{above}.{name}"),
            Path::Item(above, index) => write!(f, "{above}[{index}]"),
        }
    }
}
