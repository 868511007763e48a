//! The devices of a node that the Pod of a VM may be given, and the extended resources that they are counted as.
//!
//! Words only: who offers them is the daemon's matter, who asks for them the controller's.

use crate::names::DEVICE_GROUP;
use std::fmt;
use std::str::FromStr;

/// A device that every VM of a node may use at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeDevice {
    /// Hardware virtualisation.
    Kvm,
    /// Network interfaces of the kernel that a program plays.
    Tun,
    /// The kernel's side of a virtio network card.
    VhostNet,
}

impl NodeDevice {
    /// Every device.
    pub const ALL: &'static [Self] = &[Self::Kvm, Self::Tun, Self::VhostNet];

    /// Its name in flags and resources.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tun => "tun",
            Self::VhostNet => "vhost-net",
        }
    }

    /// Where a container sees it, and where a node has it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Kvm => "/dev/kvm",
            Self::Tun => "/dev/net/tun",
            Self::VhostNet => "/dev/vhost-net",
        }
    }

    /// The extended resource that a Pod asks for.
    pub fn resource(self) -> String {
        format!("{DEVICE_GROUP}/{}", self.name())
    }
}

impl fmt::Display for NodeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no device {name:?}; there are {}", names())]
pub struct UnknownDevice {
    name: String,
}

fn names() -> String {
    NodeDevice::ALL.iter().map(|device| device.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for NodeDevice {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let found = Self::ALL.iter().copied().find(|device| device.name() == name);
        found.ok_or_else(|| UnknownDevice { name: name.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_by_the_name_that_it_prints() {
        for device in NodeDevice::ALL {
            assert_eq!(device.to_string().parse(), Ok(*device));
        }
    }

    #[test]
    fn another_name_is_refused_with_those_that_there_are() {
        let told = |name: &str| name.parse::<NodeDevice>().unwrap_err().to_string();
        assert_eq!(told("gpu"), r#"there is no device "gpu"; there are kvm, tun, vhost-net"#);
        assert_eq!(told(""), r#"there is no device ""; there are kvm, tun, vhost-net"#);
        assert!(told(&"x".repeat(1 << 20)).len() < 200);
    }

    #[test]
    fn resources_are_names_that_the_kubelet_takes_for_extended_ones() {
        let resources: Vec<String> = NodeDevice::ALL.iter().map(|device| device.resource()).collect();
        assert_eq!(resources, ["devices.reef.dev/kvm", "devices.reef.dev/tun", "devices.reef.dev/vhost-net"]);
    }
}
