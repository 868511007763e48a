//! CPU and memory of containers and Pods, read from objects and written back.
//!
//! Pure values. Other resources than these two cannot be resized and are not counted here.

use std::str::FromStr;

use reef_api::{Bytes, MilliCpu};
use serde_json::{Map, Value, json};

/// An amount of CPU and memory; a part that is not stated is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// CPU.
    pub cpu: Option<MilliCpu>,
    /// Memory.
    pub memory: Option<Bytes>,
}

impl Amounts {
    /// Reads a resource list; what cannot be read counts as not stated.
    #[must_use]
    pub fn parse(list: Option<&Value>) -> Self {
        Self { cpu: quantity(list, "cpu"), memory: quantity(list, "memory") }
    }

    /// CPU, zero where it is not stated.
    #[must_use]
    pub fn cpu(&self) -> MilliCpu {
        self.cpu.unwrap_or(MilliCpu(0))
    }

    /// Memory, zero where it is not stated.
    #[must_use]
    pub fn memory(&self) -> Bytes {
        self.memory.unwrap_or(Bytes(0))
    }

    /// The larger of both, for each part.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu: Some(self.cpu().saturating_add(other.cpu())),
            memory: Some(self.memory().saturating_add(other.memory())),
        }
    }

    /// What is left of this without `other`.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            cpu: Some(self.cpu().saturating_sub(other.cpu())),
            memory: Some(self.memory().saturating_sub(other.memory())),
        }
    }

    /// This with what is not stated taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { cpu: self.cpu.or(other.cpu), memory: self.memory.or(other.memory) }
    }

    /// The resource list in an object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut list = Map::new();
        if let Some(cpu) = self.cpu {
            list.insert("cpu".to_owned(), json!(cpu.to_string()));
        }
        if let Some(memory) = self.memory {
            list.insert("memory".to_owned(), json!(memory.to_string()));
        }
        Value::Object(list)
    }
}

fn quantity<T: FromStr>(list: Option<&Value>, name: &str) -> Option<T> {
    match list?.get(name)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Requests and limits of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// What is reserved.
    pub requests: Amounts,
    /// What is enforced.
    pub limits: Amounts,
}

impl ContainerResources {
    /// Reads `resources`; a request that is not stated is the limit, as the API server defaults it.
    #[must_use]
    pub fn parse(resources: Option<&Value>) -> Self {
        let part = |name: &str| Amounts::parse(resources.and_then(|resources| resources.get(name)));
        let limits = part("limits");
        Self { requests: part("requests").or(limits), limits }
    }

    /// `resources` in an object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut resources = Map::new();
        for (name, amounts) in [("limits", self.limits), ("requests", self.requests)] {
            if amounts != Amounts::default() {
                resources.insert(name.to_owned(), amounts.to_json());
            }
        }
        Value::Object(resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_as_the_same() {
        let resources =
            json!({ "limits": { "cpu": "2", "memory": "1280Mi" }, "requests": { "cpu": "500m", "memory": "1280Mi" } });
        let read = ContainerResources::parse(Some(&resources));
        assert_eq!(read.limits, Amounts { cpu: Some(MilliCpu(2000)), memory: Some(Bytes(1280 << 20)) });
        assert_eq!(read.to_json(), resources);
    }

    #[test]
    fn a_request_that_is_not_stated_is_the_limit_and_nonsense_counts_as_not_stated() {
        let read = ContainerResources::parse(Some(&json!({ "limits": { "cpu": 2, "memory": "much" } })));
        assert_eq!(read.requests, Amounts { cpu: Some(MilliCpu(2000)), memory: None });
        assert_eq!(ContainerResources::parse(None), ContainerResources::default());
    }
}
