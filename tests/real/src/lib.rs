//! Starts and stops a real Kubernetes on one machine, for tests and to play with.
//!
//! The other parties only: API server, scheduler, controllers, kubelet, containers, guests. Nothing of Reef's roles is in here.
