//! A fence before the API server: writes pass only while a lease is surely held.

use std::sync::Arc;

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;
use tokio::time::Instant;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Until when something may be sent; clones share it. It goes by the monotonic clock: no jump of a wall clock opens it.
#[derive(Clone, Debug)]
pub struct Fence {
    open_until: Arc<watch::Sender<Option<Instant>>>,
}

/// A write that was held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process does not surely hold the lease any more, so nothing was sent")]
pub struct Fenced;

impl Fence {
    /// One that nothing passes yet.
    pub fn closed() -> Self {
        Self { open_until: Arc::new(watch::Sender::new(None)) }
    }

    /// Lets writes pass until this moment; never less long than was said before.
    pub fn open(&self, until: Instant) {
        self.open_until.send_modify(|open| *open = (*open).max(Some(until)));
    }

    /// Nothing passes from now on.
    pub fn close(&self) {
        self.open_until.send_replace(None);
    }

    /// Whether something may be sent now.
    pub fn is_open(&self) -> bool {
        self.open_until.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until something passes.
    pub async fn opened(&self) {
        let mut seen = self.open_until.subscribe();
        while !self.is_open() && seen.changed().await.is_ok() {}
    }

    /// Waits until nothing passes any more.
    pub async fn ended(&self) {
        let mut seen = self.open_until.subscribe();
        while let Some(until) = { *seen.borrow_and_update() }.filter(|until| Instant::now() < *until) {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                _ = seen.changed() => {}
            }
        }
    }
}

/// A client whose writes are sent only while the fence is open. Reads pass always.
pub fn fenced(client: Client, fence: Fence) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, fence) = (client.clone(), fence.clone());
        async move {
            if request.method() != Method::GET && !fence.is_open() {
                return Err(BoxError::from(Fenced));
            }
            Ok(client.send(request).await?)
        }
    });
    Client::new(service, namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{DeleteParams, ListParams};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// An API server that answers everything with an empty list, and counts.
    fn server(sent: Arc<AtomicUsize>) -> Client {
        let service = tower::service_fn(move |_: Request<Body>| {
            sent.fetch_add(1, Ordering::Relaxed);
            let body = br#"{"metadata":{},"items":[]}"#.to_vec();
            async move { Ok::<_, BoxError>(Response::new(Body::from(body))) }
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn writes_pass_while_the_lease_is_sure_and_reads_always() {
        let (sent, fence) = (Arc::new(AtomicUsize::new(0)), Fence::closed());
        let maps: Api<ConfigMap> = Api::default_namespaced(fenced(server(Arc::clone(&sent)), fence.clone()));
        let tried = async || {
            let before = sent.load(Ordering::Relaxed);
            let _ = maps.delete_collection(&DeleteParams::default(), &ListParams::default()).await;
            let written = sent.load(Ordering::Relaxed) - before;
            maps.list(&ListParams::default()).await.unwrap();
            written
        };
        assert_eq!(tried().await, 0);
        fence.open(Instant::now() + Duration::from_secs(20));
        assert_eq!(tried().await, 1);
        tokio::time::advance(Duration::from_secs(19)).await;
        assert_eq!(tried().await, 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(tried().await, 0);
        fence.open(Instant::now() + Duration::from_secs(20));
        fence.close();
        assert_eq!(tried().await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn its_end_is_told_when_it_comes_and_put_off_by_a_renewal() {
        let fence = Fence::closed();
        fence.ended().await;
        let begun = Instant::now();
        fence.open(begun + Duration::from_secs(20));
        let renewed = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            fence.open(begun + Duration::from_secs(30));
        };
        tokio::join!(renewed, fence.ended());
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
        let later = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            fence.open(Instant::now() + Duration::from_secs(20));
        };
        tokio::join!(fence.opened(), later);
        fence.opened().await;
        tokio::join!(async { fence.close() }, fence.ended());
    }
}
