//! What libgit2 keeps per process: time-outs, where configuration and known hosts are searched, the owner check, the object cache.
//!
//! The one place with `unsafe` in Reef. libgit2 has these as plain globals without a lock, so they are set once, before any thread exists
//! that could use Git; [`ProcessTimeouts`] is the proof that this was done, and nothing fetches without it.

use std::ffi::c_int;
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
/// No configuration file and no `known_hosts` of the system or the user is read afterwards: no `insteadOf`, proxy, helper or host key
/// of theirs has a say.
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
        forget_home()?;
        git2::opts::set_server_connect_timeout_in_milliseconds(millis(connect))?;
        git2::opts::set_server_timeout_in_milliseconds(millis(silence))?;
        // A local repository belongs to whoever pushes to it. Reading its objects runs nothing of it: no hook, no filter, no helper.
        git2::opts::set_verify_owner_validation(false)?;
        git2::opts::set_cache_max_size(OBJECT_CACHE_BYTES)?;
    }
    git2::opts::strict_hash_verification(true);
    Ok(())
}

/// libgit2 reads `.ssh/known_hosts` at home before each SSH connection: a broken one would fail every fetch, and a sound one would choose
/// the kind of host key. libgit2 has to be initialised; git2 has no name for this setting.
#[allow(unsafe_code, reason = "libgit2's settings are process globals")]
unsafe fn forget_home() -> Result<(), git2::Error> {
    let option = c_int::try_from(libgit2_sys::GIT_OPT_SET_HOMEDIR);
    let option = option.map_err(|error| git2::Error::from_str(&error.to_string()))?;
    // SAFETY: the option takes one string that ends in zero, and copies it.
    match unsafe { libgit2_sys::git_libgit2_opts(option, c"".as_ptr()) } {
        0 => Ok(()),
        _ => Err(git2::Error::last_error(-1)),
    }
}
