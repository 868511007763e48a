//! How many files this process may have open: each VM takes two, its lock and its connection.
//!
//! Container runtimes start processes with room for some thousand at most, and let them take more if they ask.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Takes as much room for open files as there is to be had, and returns it; `None` for no limit.
///
/// # Errors
/// Where the kernel refuses.
pub fn take_all_descriptors() -> std::io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(limit.maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_room_that_there_is_is_taken() {
        let before = getrlimit(Resource::Nofile);
        let lower = Rlimit { current: Some(256), maximum: before.maximum };
        setrlimit(Resource::Nofile, lower).unwrap();
        assert_eq!(take_all_descriptors().unwrap(), before.maximum);
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: before.maximum, maximum: before.maximum });
    }
}
