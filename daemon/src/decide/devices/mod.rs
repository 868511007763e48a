//! What a node offers of its devices to Pods, by the kubelet's device plugin API: which, how often, and what a container is given.
//!
//! Values only. Sockets, device nodes and the kubelet are in `crate::devices`.

mod offer;
mod step;

pub use offer::{Offer, OfferError, Offers};
pub use step::{Device, Mark, Past, Registered, STREAM_PATIENCE, STREAM_PAUSE, Seen, Socket, Step, WaitingOn, next};

/// How many containers of a node may have a device at once. One node carries all of them: what is counted is permits, so there have to be more
/// than a kubelet runs Pods (110 by default, some hundreds at the most), and few enough for one small message.
pub const PERMITS: u32 = 1_000;

/// Reading and writing, as a VMM opens its devices. The third right, to make other device nodes, is nobody's need.
pub const PERMISSIONS: &str = "rw";

/// The names of the permits of a device.
pub fn permits(offer: &Offer) -> impl Iterator<Item = String> + '_ {
    (0..PERMITS).map(|number| format!("{}-{number}", offer.device))
}

/// A device node as a container gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Where the container sees it.
    pub container_path: String,
    /// Where the node has it.
    pub host_path: String,
    /// What may be done with it.
    pub permissions: &'static str,
}

/// Why a container gets no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It went away, and the kubelet has not heard of it yet.
    #[error("{device} is not usable on this node: {path} is gone or has no driver; the Pod has to run on another node")]
    Unusable {
        /// Name of the device.
        device: String,
        /// Its path on the node.
        path: String,
    },
    /// Somebody asks for what was never listed.
    #[error("{device} has no permit {permit:?}; there are {PERMITS}, as they are listed")]
    Permit {
        /// Name of the device.
        device: String,
        /// What was asked for.
        permit: String,
    },
}

/// What one container gets for its permits. It gets the device once, however many permits it has.
///
/// # Errors
/// Where a permit does not exist, or the device is not there.
pub fn grant(offer: &Offer, device: Device, asked: &[String]) -> Result<Granted, Denied> {
    let name = offer.device.to_string();
    if device != Device::Usable {
        return Err(Denied::Unusable { device: name, path: offer.path.clone() });
    }
    if let Some(permit) = asked.iter().find(|permit| !is_permit(offer, permit)) {
        return Err(Denied::Permit { device: name, permit: permit.chars().take(64).collect() });
    }
    let container_path = offer.device.path().to_owned();
    Ok(Granted { container_path, host_path: offer.path.clone(), permissions: PERMISSIONS })
}

/// Whether a permit is one that [`permits`] lists, letter by letter.
fn is_permit(offer: &Offer, permit: &str) -> bool {
    let number = permit.strip_prefix(offer.device.name()).and_then(|rest| rest.strip_prefix('-'));
    let number = number.and_then(|digits| digits.parse::<u32>().ok()).filter(|number| *number < PERMITS);
    number.is_some_and(|number| permit == format!("{}-{number}", offer.device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reef_api::NodeDevice;
    use std::collections::BTreeSet;

    fn offer(device: NodeDevice) -> Offer {
        Offer { device, path: "/dev/other".to_owned() }
    }

    #[test]
    fn permits_are_as_many_as_they_are_said_to_be_and_their_names_fit_the_api() {
        for device in NodeDevice::ALL {
            let permits: BTreeSet<String> = permits(&offer(*device)).collect();
            assert_eq!(permits.len(), PERMITS as usize);
            assert!(permits.iter().all(|permit| permit.len() <= 63 && is_permit(&offer(*device), permit)));
        }
    }

    #[test]
    fn a_container_gets_the_node_of_the_device_once_under_its_usual_name() {
        let offer = offer(NodeDevice::Tun);
        let granted = grant(&offer, Device::Usable, &["tun-3".to_owned(), "tun-999".to_owned()]).unwrap();
        let container_path = "/dev/net/tun".to_owned();
        assert_eq!(granted, Granted { container_path, host_path: "/dev/other".to_owned(), permissions: "rw" });
    }

    #[test]
    fn a_device_that_is_gone_is_granted_to_nobody() {
        for device in [Device::Missing, Device::Unusable] {
            let told = grant(&offer(NodeDevice::Kvm), device, &["kvm-0".to_owned()]).unwrap_err().to_string();
            let expected = "kvm is not usable on this node: /dev/other is gone or has no driver; the Pod has to run on another node";
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn permits_that_were_never_listed_are_refused_by_name() {
        for odd in ["kvm-1000", "kvm-01", "kvm-+1", "kvm-", "kvm", "tun-1", "", "kvm-4294967296"] {
            let denied = grant(&offer(NodeDevice::Kvm), Device::Usable, &["kvm-1".to_owned(), odd.to_owned()]);
            assert_eq!(denied, Err(Denied::Permit { device: "kvm".to_owned(), permit: odd.to_owned() }));
        }
    }

    proptest! {
        #[test]
        fn what_is_granted_was_listed(permit in ".{0,12}|(kvm|tun|vhost-net)-[0-9]{1,5}", which in 0..NodeDevice::ALL.len()) {
            let offer = offer(NodeDevice::ALL[which]);
            let listed = permits(&offer).any(|listed| listed == permit);
            prop_assert_eq!(grant(&offer, Device::Usable, &[permit]).is_ok(), listed);
        }
    }
}
