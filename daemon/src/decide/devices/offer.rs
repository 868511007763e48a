//! Which devices a node offers, as a person states it: `kvm,tun=/dev/other`.
//!
//! Reads words; whether a device is there is seen elsewhere.

use reef_api::NodeDevice;
use reef_api::node_device::UnknownDevice;
use std::fmt;
use std::str::FromStr;

/// The word for no device at all.
const NONE: &str = "none";

/// A device and its place on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it is offered as.
    pub device: NodeDevice,
    /// Its device node, as the node sees it.
    pub path: String,
}

impl Offer {
    /// The name of the plugin's socket in the kubelet's folder.
    pub fn socket_name(&self) -> String {
        format!("reef-{}.sock", self.device)
    }
}

/// All that a node offers: each device once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers(Vec<Offer>);

impl Offers {
    /// Each of them, in the order in which they were stated.
    pub fn iter(&self) -> impl Iterator<Item = &Offer> {
        self.0.iter()
    }
}

/// Why words are no list of devices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// A name of no device.
    #[error(transparent)]
    Unknown(#[from] UnknownDevice),
    /// Two places for one device.
    #[error("{device} is named twice; one of its places is enough")]
    Twice {
        /// The device.
        device: NodeDevice,
    },
    /// A place that is none.
    #[error("{path:?} is no place of {device}; state the absolute path of a device node, without dots")]
    Path {
        /// The device.
        device: NodeDevice,
        /// What was stated.
        path: String,
    },
}

impl FromStr for Offers {
    type Err = OfferError;

    fn from_str(text: &str) -> Result<Self, OfferError> {
        let words = text.split(',').filter(|_| text != NONE);
        words.map(Offer::from_str).try_fold(Self::default(), |mut offers, offer| {
            let offer = offer?;
            if offers.iter().any(|other| other.device == offer.device) {
                return Err(OfferError::Twice { device: offer.device });
            }
            offers.0.push(offer);
            Ok(offers)
        })
    }
}

impl FromStr for Offer {
    type Err = OfferError;

    fn from_str(word: &str) -> Result<Self, OfferError> {
        let (name, place) = word.split_once('=').map_or((word, None), |(name, place)| (name, Some(place)));
        let device: NodeDevice = name.parse()?;
        let path = place.unwrap_or(device.path());
        if !is_plain(path) {
            return Err(OfferError::Path { device, path: path.chars().take(256).collect() });
        }
        Ok(Self { device, path: path.to_owned() })
    }
}

/// Absolute, a name in each part, and nothing that leads back: it is looked for below the root of the node.
fn is_plain(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|parts| parts.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

impl fmt::Display for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(NONE);
        }
        for (index, offer) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", offer.device, offer.path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offers(text: &str) -> Result<Vec<(NodeDevice, String)>, String> {
        let offers: Offers = text.parse().map_err(|error: OfferError| error.to_string())?;
        Ok(offers.iter().map(|offer| (offer.device, offer.path.clone())).collect())
    }

    #[test]
    fn devices_are_read_with_the_places_that_they_have_or_are_given() {
        let (kvm, tun) = ((NodeDevice::Kvm, "/dev/kvm".to_owned()), (NodeDevice::Tun, "/dev/x/y".to_owned()));
        assert_eq!(offers("kvm,tun=/dev/x/y"), Ok(vec![kvm, tun]));
        assert_eq!(offers("vhost-net"), Ok(vec![(NodeDevice::VhostNet, "/dev/vhost-net".to_owned())]));
        assert_eq!(offers("none"), Ok(vec![]));
    }

    #[test]
    fn what_is_no_list_of_devices_is_refused_with_what_is_wrong() {
        let told = |text: &str| offers(text).unwrap_err();
        assert_eq!(told("kvm,gpu"), r#"there is no device "gpu"; there are kvm, tun, vhost-net"#);
        assert_eq!(told(""), r#"there is no device ""; there are kvm, tun, vhost-net"#);
        assert_eq!(told("kvm,kvm=/dev/x"), "kvm is named twice; one of its places is enough");
        for path in ["dev/kvm", "", "/", "/dev/../kvm", "/dev//kvm", "/dev/kvm/", "/./kvm"] {
            let expected =
                format!("{path:?} is no place of kvm; state the absolute path of a device node, without dots");
            assert_eq!(told(&format!("kvm={path}")), expected);
        }
    }

    #[test]
    fn sockets_of_two_devices_do_not_meet() {
        let name = |device| Offer { device, path: String::new() }.socket_name();
        assert_eq!(
            NodeDevice::ALL.iter().copied().map(name).collect::<Vec<_>>(),
            ["reef-kvm.sock", "reef-tun.sock", "reef-vhost-net.sock"]
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same(mask in 0u8..8, path in "(/[a-z0-9_-]{1,8}){1,3}") {
            let chosen = NodeDevice::ALL.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0);
            let offers = Offers(chosen.map(|(_, device)| Offer { device: *device, path: path.clone() }).collect());
            prop_assert_eq!(offers.to_string().parse(), Ok(offers));
        }
    }
}
