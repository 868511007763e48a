//! The API server through a real `kube::Client`, in one process and under virtual time.

#[cfg(test)]
mod api_cases {
    pub mod apply;
    pub mod crud;
    pub mod custom;
    pub mod determinism;
    pub mod faults;
    pub mod hostile;
    pub mod http;
    pub mod kubectl;
    pub mod reef;
    pub mod resize;
    pub mod setup;
    pub mod watch;
}
