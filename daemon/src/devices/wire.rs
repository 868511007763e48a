//! The messages of the kubelet's device plugin API, `v1beta1`, as much of them as is sent or read here.
//!
//! Numbers and names are those of `k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto`, written by hand so that no compiler of protocols is
//! needed. What is left out is skipped on reading. No behaviour.

/// The version of the API.
pub const VERSION: &str = "v1beta1";
/// The kubelet's service.
pub const REGISTER: &str = "/v1beta1.Registration/Register";
/// What a plugin needs beyond the usual.
pub const OPTIONS: &str = "/v1beta1.DevicePlugin/GetDevicePluginOptions";
/// The list of permits, and each change of it.
pub const LIST_AND_WATCH: &str = "/v1beta1.DevicePlugin/ListAndWatch";
/// What a container gets.
pub const ALLOCATE: &str = "/v1beta1.DevicePlugin/Allocate";
/// A device that can be given to a container.
pub const HEALTHY: &str = "Healthy";
/// A device that cannot be given now.
pub const UNHEALTHY: &str = "Unhealthy";

/// Nothing.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Empty {}

/// What a plugin needs beyond the usual.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DevicePluginOptions {
    /// Whether it is asked before each start of a container.
    #[prost(bool, tag = "1")]
    pub pre_start_required: bool,
    /// Whether it prefers some devices to others.
    #[prost(bool, tag = "2")]
    pub get_preferred_allocation_available: bool,
}

/// A plugin makes itself known.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterRequest {
    /// Version of the API that it speaks.
    #[prost(string, tag = "1")]
    pub version: String,
    /// Name of its socket in the kubelet's folder.
    #[prost(string, tag = "2")]
    pub endpoint: String,
    /// Name of the resource.
    #[prost(string, tag = "3")]
    pub resource_name: String,
    /// What it needs beyond the usual.
    #[prost(message, optional, tag = "4")]
    pub options: Option<DevicePluginOptions>,
}

/// All devices, as they are now.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ListAndWatchResponse {
    /// Each of them.
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<Device>,
}

/// One device; for Reef, one permit.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Device {
    /// Its name, 63 characters at most.
    #[prost(string, tag = "1")]
    pub id: String,
    /// [`HEALTHY`] or [`UNHEALTHY`].
    #[prost(string, tag = "2")]
    pub health: String,
}

/// Devices for containers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AllocateRequest {
    /// One for each container.
    #[prost(message, repeated, tag = "1")]
    pub container_requests: Vec<ContainerAllocateRequest>,
}

/// Devices for one container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ContainerAllocateRequest {
    /// Their names.
    #[prost(string, repeated, tag = "1")]
    pub devices_ids: Vec<String>,
}

/// What containers get.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct AllocateResponse {
    /// One for each container, in the order of the requests.
    #[prost(message, repeated, tag = "1")]
    pub container_responses: Vec<ContainerAllocateResponse>,
}

/// What one container gets. Environment, mounts and annotations are nothing that Reef gives.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ContainerAllocateResponse {
    /// Device nodes.
    #[prost(message, repeated, tag = "3")]
    pub devices: Vec<DeviceSpec>,
}

/// A device node of a container.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeviceSpec {
    /// Where the container sees it.
    #[prost(string, tag = "1")]
    pub container_path: String,
    /// Where the node has it.
    #[prost(string, tag = "2")]
    pub host_path: String,
    /// Of `r`, `w` and `m`, those that the container may.
    #[prost(string, tag = "3")]
    pub permissions: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    /// A field of text, as protobuf writes it.
    fn text(tag: u8, text: &str) -> Vec<u8> {
        field(tag, text.as_bytes())
    }

    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[tag << 3 | 2, length][..], bytes].concat()
    }

    #[test]
    fn messages_have_the_numbers_of_the_api() {
        let options = DevicePluginOptions { pre_start_required: true, get_preferred_allocation_available: true };
        assert_eq!(options.encode_to_vec(), [1 << 3, 1, 2 << 3, 1]);
        let registering = RegisterRequest {
            version: "v1beta1".to_owned(),
            endpoint: "a.sock".to_owned(),
            resource_name: "b/c".to_owned(),
            options: Some(options),
        };
        let expected =
            [text(1, "v1beta1"), text(2, "a.sock"), text(3, "b/c"), field(4, &[1 << 3, 1, 2 << 3, 1])].concat();
        assert_eq!(registering.encode_to_vec(), expected);

        let device = Device { id: "kvm-0".to_owned(), health: HEALTHY.to_owned() };
        let listed = ListAndWatchResponse { devices: vec![device] };
        assert_eq!(listed.encode_to_vec(), field(1, &[text(1, "kvm-0"), text(2, "Healthy")].concat()));

        let container_path = "/dev/kvm".to_owned();
        let spec = DeviceSpec { container_path, host_path: "/dev/x".to_owned(), permissions: "rw".to_owned() };
        let given = AllocateResponse { container_responses: vec![ContainerAllocateResponse { devices: vec![spec] }] };
        let expected = field(3, &[text(1, "/dev/kvm"), text(2, "/dev/x"), text(3, "rw")].concat());
        assert_eq!(given.encode_to_vec(), field(1, &expected));
    }

    #[test]
    fn what_later_versions_add_is_skipped() {
        let asked = field(1, &[text(1, "kvm-0"), text(1, "kvm-7"), text(9, "new")].concat());
        let devices_ids = vec!["kvm-0".to_owned(), "kvm-7".to_owned()];
        let expected = AllocateRequest { container_requests: vec![ContainerAllocateRequest { devices_ids }] };
        assert_eq!(AllocateRequest::decode(asked.as_slice()), Ok(expected));
    }
}
