//! What libgit2 keeps per process: time-outs, the search path of configuration files, the owner check, the object cache.
//!
//! The one place with `unsafe` in Reef. libgit2 has these as plain globals without a lock, so they are set once, before any thread exists
//! that could use Git; [`ProcessTimeouts`] is the proof that this was done, and nothing fetches without it.

use std::sync::OnceLock;
use std::time::Duration;

use git2::ConfigLevel;

/// The share of libgit2's cache of parsed objects; every blob is read once and kept by us.
const OBJECT_CACHE_BYTES: libc_ssize = 16 * 1024 * 1024;

#[allow(non_camel_case_types, reason = "stands for C's ssize_t, which libgit2 takes")]
type libc_ssize = isize;

static DONE: OnceLock<Result<(), String>> = OnceLock::new();

/// Proof that libgit2's process-wide settings are made.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTimeouts(());

/// Sets libgit2's process-wide settings; to be called by `main` before it starts threads.
///
/// `connect` limits the making of a connection, `silence` each wait for bytes on it. A second call changes nothing.
/// No configuration file of the system or the user is read afterwards: no `insteadOf`, proxy, or helper of theirs has a say.
pub fn set_process_timeouts(connect: Duration, silence: Duration) -> Result<ProcessTimeouts, git2::Error> {
    match DONE.get_or_init(|| apply(connect, silence).map_err(|error| error.message().to_owned())) {
        Ok(()) => Ok(ProcessTimeouts(())),
        Err(message) => Err(git2::Error::from_str(message)),
    }
}

#[allow(unsafe_code, reason = "libgit2's settings are process globals; called once, before threads that use Git start")]
fn apply(connect: Duration, silence: Duration) -> Result<(), git2::Error> {
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the globals are written under `OnceLock`, and only holders of a `ProcessTimeouts`, which exists only afterwards, use Git.
    unsafe {
        for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
            git2::opts::set_search_path(level, "")?;
        }
        git2::opts::set_server_connect_timeout_in_milliseconds(millis(connect))?;
        git2::opts::set_server_timeout_in_milliseconds(millis(silence))?;
        // A local repository belongs to whoever pushes to it. Reading its objects runs nothing of it: no hook, no filter, no helper.
        git2::opts::set_verify_owner_validation(false)?;
        git2::opts::set_cache_max_size(OBJECT_CACHE_BYTES)?;
    }
    git2::opts::strict_hash_verification(true);
    Ok(())
}
