//! Sees each renewal of a lease: when it was sent, and whether the answer names this process as its holder.
//!
//! Who looks after the lease tells that it was won or lost, and not how long ago it was renewed; and it takes its own renewal for granted.

use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;

use super::fence::Fence;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client for one lease and nothing else, whose renewals open the fence for so long from the moment in which they were sent.
pub fn witnessed(client: Client, identity: String, fence: Fence, sends: Duration) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, identity, fence) = (client.clone(), identity.clone(), fence.clone());
        async move {
            let (sent, renews) = (Instant::now(), request.method() == Method::PATCH);
            let (head, body) = client.send(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            if renews && head.status.is_success() {
                match holder(&body) {
                    Some(holder) if holder == identity => fence.open(sent + sends),
                    // It was taken over, or given back.
                    Some(_) | None => fence.close(),
                }
            }
            Ok::<_, BoxError>(Response::from_parts(head, Body::from(body.to_vec())))
        }
    });
    Client::new(service, namespace)
}

fn holder(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Lease>(body).ok()?.spec?.holder_identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::Api;
    use kube::api::{Patch, PatchParams};
    use serde_json::json;

    async fn renewed_by(holder: Option<&str>, status: u16, fence: &Fence) {
        let lease = json!({"metadata": {"name": "reef"}, "spec": {"holderIdentity": holder}}).to_string();
        let service = tower::service_fn(move |_: Request<Body>| {
            let body = Body::from(lease.clone().into_bytes());
            async move {
                // The answer takes its time: what counts is when the request was sent.
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<_, BoxError>(Response::builder().status(status).body(body).unwrap())
            }
        });
        let client =
            witnessed(Client::new(service, "default"), "me".to_owned(), fence.clone(), Duration::from_secs(20));
        let leases: Api<Lease> = Api::default_namespaced(client);
        let _ = leases.patch("reef", &PatchParams::default(), &Patch::Merge(json!({}))).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_when_it_was_sent_and_only_for_its_holder() {
        let fence = Fence::closed();
        renewed_by(Some("other"), 200, &fence).await;
        assert!(!fence.is_open());
        renewed_by(Some("me"), 409, &fence).await;
        assert!(!fence.is_open());
        let begun = Instant::now();
        renewed_by(Some("me"), 200, &fence).await;
        assert!(fence.is_open());
        fence.ended().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(20));
        renewed_by(Some("me"), 200, &fence).await;
        renewed_by(None, 200, &fence).await;
        assert!(!fence.is_open());
    }
}
