//! What to do next for one device plugin: serve its socket, register it, or wait.
//!
//! ```text
//!            kubelet there              socket is ours             the kubelet watches
//! Rest(Kubelet) ───────► Serve ───────────────► Register ─────────────► Rest(Change)
//!       ▲                  ▲                       ▲                         │
//!       │ kubelet gone     │ socket gone           │ another kubelet, or     │
//!       └──────────────────┴───────────────────────┴─ none that watches ◄────┘
//! ```
//! Found anew from what is seen, each time; the one memory is what has been registered where.

use std::time::Duration;

/// A kubelet opens its stream right after it has answered a registration. One that has not by then has lost it.
pub const STREAM_PATIENCE: Duration = Duration::from_secs(10);
/// After a stream that was lost. The kubelet ends the stream of a new plugin when the one of its predecessor ends: a registration that comes
/// too early is undone as well.
pub const STREAM_PAUSE: Duration = Duration::from_secs(1);

/// Whether a device can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// Its node is there, and nothing says that there is no driver behind it.
    Usable,
    /// Its node is not there.
    Missing,
    /// Something is there that is no character device, or one without a driver.
    Unusable,
}

/// One file among all that had its name: by device, inode and the time of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The file system.
    pub device: u64,
    /// The file in it.
    pub inode: u64,
    /// Seconds and nanoseconds of its last change: the number of an inode is used again.
    pub changed: (i64, u64),
}

/// What stands in the place of the plugin's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// The one that this process serves.
    Ours,
    /// Nothing.
    Gone,
    /// Another one, at which somebody listens.
    Others,
    /// Something at which nobody listens.
    Dead,
}

/// What is seen of the world at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The device.
    pub device: Device,
    /// The plugin's socket.
    pub socket: Socket,
    /// The kubelet's socket, where it is there.
    pub kubelet: Option<Mark>,
    /// Whether a kubelet watches the list of permits.
    pub watched: bool,
}

/// A registration that was answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// With whom.
    pub kubelet: Mark,
    /// How long ago.
    pub ago: Duration,
    /// Whether the kubelet has watched since.
    pub watched: bool,
}

impl Registered {
    /// How long a kubelet that does not watch is given.
    fn patience(&self) -> Duration {
        if self.watched { STREAM_PAUSE } else { STREAM_PATIENCE }
    }
}

/// What this process has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Whether it has served the socket before.
    pub served: bool,
    /// What it has registered since it serves the present socket.
    pub registered: Option<Registered>,
}

/// What a plugin waits for that has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingOn {
    /// The device: a node that never had it offers nothing.
    Device,
    /// The kubelet, which is not running or keeps its folder elsewhere.
    Kubelet,
    /// The kubelet's stream, which follows its answer.
    Stream,
    /// The end of another daemon, which came later and serves the device.
    OtherDaemon,
    /// Any change: all is well.
    Change,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Serve a new socket where nothing is.
    Serve,
    /// Serve a new socket in the place of what is there.
    Replace,
    /// Register with the kubelet.
    Register,
    /// Nothing.
    Rest(WaitingOn),
}

/// Finds the next step.
///
/// A socket is made only where a kubelet is: one that starts empties its folder first. A process that begins takes the socket from whoever has
/// it, and one that has lost it to another never takes it back while somebody listens there, so that two of them cannot fight.
pub fn next(seen: &Seen, past: &Past) -> Step {
    if !past.served && seen.device != Device::Usable {
        return Step::Rest(WaitingOn::Device);
    }
    let Some(kubelet) = seen.kubelet else { return Step::Rest(WaitingOn::Kubelet) };
    match seen.socket {
        Socket::Ours => registration(seen, past, kubelet),
        Socket::Gone => Step::Serve,
        Socket::Others if past.served => Step::Rest(WaitingOn::OtherDaemon),
        Socket::Others | Socket::Dead => Step::Replace,
    }
}

fn registration(seen: &Seen, past: &Past, kubelet: Mark) -> Step {
    match past.registered.filter(|registered| registered.kubelet == kubelet) {
        Some(_) if seen.watched => Step::Rest(WaitingOn::Change),
        Some(registered) if registered.ago < registered.patience() => Step::Rest(WaitingOn::Stream),
        Some(_) | None => Step::Register,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const KUBELET: Mark = Mark { device: 1, inode: 7, changed: (100, 5) };
    const WELL: Seen = Seen { device: Device::Usable, socket: Socket::Ours, kubelet: Some(KUBELET), watched: true };

    fn registered(seconds: u64) -> Past {
        let registered = Registered { kubelet: KUBELET, ago: Duration::from_secs(seconds), watched: false };
        Past { served: true, registered: Some(registered) }
    }

    #[test]
    fn a_plugin_begins_by_its_socket_then_registers_then_rests() {
        let mut seen = Seen { socket: Socket::Gone, watched: false, ..WELL };
        assert_eq!(next(&seen, &Past::default()), Step::Serve);
        seen.socket = Socket::Ours;
        assert_eq!(next(&seen, &Past { served: true, registered: None }), Step::Register);
        assert_eq!(next(&seen, &registered(0)), Step::Rest(WaitingOn::Stream));
        seen.watched = true;
        assert_eq!(next(&seen, &registered(3600)), Step::Rest(WaitingOn::Change));
    }

    #[test]
    fn a_node_that_never_had_the_device_offers_nothing_and_one_that_lost_it_goes_on_telling() {
        for device in [Device::Missing, Device::Unusable] {
            let seen = Seen { device, socket: Socket::Gone, watched: false, ..WELL };
            assert_eq!(next(&seen, &Past::default()), Step::Rest(WaitingOn::Device));
            assert_eq!(next(&seen, &Past { served: true, registered: None }), Step::Serve);
            assert_eq!(next(&Seen { device, ..WELL }, &registered(60)), Step::Rest(WaitingOn::Change));
        }
    }

    #[test]
    fn a_kubelet_that_was_started_anew_is_registered_with_whether_it_removed_the_socket_or_not() {
        let seen = Seen { socket: Socket::Gone, watched: false, ..WELL };
        assert_eq!(next(&seen, &registered(60)), Step::Serve);
        let other = Mark { changed: (200, 0), ..KUBELET };
        let seen = Seen { kubelet: Some(other), watched: false, ..WELL };
        assert_eq!(next(&seen, &registered(1)), Step::Register);
        assert_eq!(next(&Seen { kubelet: None, ..seen }, &registered(1)), Step::Rest(WaitingOn::Kubelet));
    }

    #[test]
    fn a_kubelet_that_no_longer_watches_is_registered_with_after_a_while() {
        let seen = Seen { watched: false, ..WELL };
        assert_eq!(next(&seen, &registered(9)), Step::Rest(WaitingOn::Stream));
        assert_eq!(next(&seen, &registered(10)), Step::Register);
        let lost = |seconds| {
            let registered =
                registered(seconds).registered.map(|registered| Registered { watched: true, ..registered });
            next(&seen, &Past { served: true, registered })
        };
        assert_eq!((lost(0), lost(1)), (Step::Rest(WaitingOn::Stream), Step::Register));
    }

    #[test]
    fn the_daemon_that_came_last_has_the_socket_and_the_other_takes_it_only_when_that_one_is_dead() {
        let theirs = Seen { socket: Socket::Others, ..WELL };
        assert_eq!(next(&theirs, &Past::default()), Step::Replace);
        assert_eq!(next(&theirs, &registered(60)), Step::Rest(WaitingOn::OtherDaemon));
        assert_eq!(next(&Seen { socket: Socket::Dead, ..WELL }, &registered(60)), Step::Replace);
        assert_eq!(next(&Seen { socket: Socket::Dead, ..WELL }, &Past::default()), Step::Replace);
    }

    fn seen() -> impl Strategy<Value = Seen> {
        let devices = select(vec![Device::Usable, Device::Missing, Device::Unusable]);
        let sockets = select(vec![Socket::Ours, Socket::Gone, Socket::Others, Socket::Dead]);
        let kubelets = select(vec![None, Some(KUBELET), Some(Mark { inode: 8, ..KUBELET })]);
        (devices, sockets, kubelets, any::<bool>()).prop_map(|(device, socket, kubelet, watched)| Seen {
            device,
            socket,
            kubelet,
            watched,
        })
    }

    proptest! {
        /// The world does what it is asked to; then nothing is asked any more.
        #[test]
        fn every_beginning_comes_to_rest_in_three_steps(mut seen in seen(), ago in 0u64..20, served: bool) {
            let mut past = if served { registered(ago) } else { Past::default() };
            for _ in 0..3 {
                match next(&seen, &past) {
                    Step::Serve | Step::Replace => {
                        prop_assert!(seen.kubelet.is_some(), "a kubelet that starts would remove the socket");
                        past = Past { served: true, registered: None };
                        (seen.socket, seen.watched) = (Socket::Ours, false);
                    }
                    Step::Register => {
                        prop_assert_eq!(seen.socket, Socket::Ours, "the kubelet would find another's socket");
                        let ago = Duration::ZERO;
                        past.registered = seen.kubelet.map(|kubelet| Registered { kubelet, ago, watched: true });
                        seen.watched = true;
                    }
                    Step::Rest(_) => {}
                }
            }
            prop_assert!(matches!(next(&seen, &past), Step::Rest(_)), "{:?}", next(&seen, &past));
        }
    }
}
