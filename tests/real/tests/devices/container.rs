//! Containers that try to open devices by themselves, without any privilege.

use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use reef_real::stage::images::SHELL;
use serde_json::{Map, Value, json};

/// A Pod with one container that runs a script.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trying<'a> {
    /// Its name.
    pub name: &'a str,
    /// What the shell runs.
    pub script: &'a str,
    /// Resources of which it asks for one each.
    pub devices: &'a [&'a str],
    /// A device node of the node that it mounts at `/brought`, as anybody may who may mount paths of the node.
    pub brings: Option<&'a Path>,
}

impl Trying<'_> {
    /// The Pod.
    pub fn pod(&self) -> Pod {
        let mut size = Map::from_iter([("cpu".to_owned(), json!("100m")), ("memory".to_owned(), json!("64Mi"))]);
        size.extend(self.devices.iter().map(|device| ((*device).to_owned(), json!("1"))));
        let brought =
            self.brings.map(|path| json!({ "name": "brought", "hostPath": { "path": path, "type": "CharDevice" } }));
        let mount = self.brings.map(|_| json!({ "name": "brought", "mountPath": "/brought" }));
        serde_json::from_value(json!({
            "metadata": { "name": self.name },
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": false,
                "volumes": brought.into_iter().collect::<Vec<Value>>(),
                "containers": [{
                    "name": "shell",
                    "image": SHELL,
                    "imagePullPolicy": "Never",
                    "args": [self.script],
                    "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                    "resources": { "requests": size, "limits": size },
                    "resizePolicy": [
                        { "resourceName": "cpu", "restartPolicy": "NotRequired" },
                        { "resourceName": "memory", "restartPolicy": "NotRequired" }
                    ],
                    "volumeMounts": mount.into_iter().collect::<Vec<Value>>(),
                }],
            },
        }))
        .unwrap()
    }
}
