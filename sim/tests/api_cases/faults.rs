//! Faults at the one hook: lost requests, lost replies, refusals, delays; and callers that go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{PostParams, WatchParams};
use reef_sim::api::{ApiOptions, ApiServer, Failure, Fault, WatchFailure};
use serde_json::json;

use super::setup::{refusal, server, server_with};

fn config() -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": "a" } })).unwrap()
}

fn failing_once(fault: Fault) -> ApiServer {
    let calls = AtomicUsize::new(0);
    let hook = move |_: &reef_sim::api::RequestFacts| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => fault,
        _ => Fault::default(),
    };
    server_with(ApiOptions { faults: Some(Arc::new(hook)), ..ApiOptions::default() })
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_does_nothing_and_a_lost_reply_does_it() {
    for (failure, happened) in [(Failure::DropBefore, false), (Failure::DropAfter, true)] {
        let server = failing_once(Fault { failure, ..Fault::default() });
        let api: Api<ConfigMap> = Api::default_namespaced(server.client());
        assert!(matches!(api.create(&PostParams::default(), &config()).await, Err(kube::Error::Service(_))));
        assert_eq!(api.get_opt("a").await.unwrap().is_some(), happened, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_injected_refusal_has_its_code_and_comes_after_its_delay() {
    let fault = Fault { failure: Failure::Status(429), delay: Duration::from_secs(3), ..Fault::default() };
    let api: Api<ConfigMap> = Api::default_namespaced(failing_once(fault).client());
    let begun = tokio::time::Instant::now();
    let refused = refusal(api.create(&PostParams::default(), &config()).await);
    // As from a real server that has enough, the body is a text: only the code says what it is.
    assert_eq!(
        (refused.code, refused.message.trim_end(), begun.elapsed().as_secs()),
        (429, "Too many requests, please try again later.", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_outlives_the_caller_that_sent_it() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let caller = api.clone();
    let task = tokio::spawn(async move { caller.create(&PostParams::default(), &config()).await });
    // Long enough for the request to leave, too short for its answer.
    tokio::time::sleep(Duration::from_micros(500)).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(api.get_opt("a").await.unwrap().is_some());
}

/// When the first event of a troubled watch comes, in seconds: `None` where the watch ends without one.
async fn first_event(watch: WatchFailure) -> Result<Option<u64>, tokio::time::error::Elapsed> {
    let server = failing_once(Fault { watch, ..Fault::default() });
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let mut events = api.watch(&WatchParams::default().disable_bookmarks().timeout(60), "0").await.unwrap().boxed();
    let begun = tokio::time::Instant::now();
    let writer = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        api.create(&PostParams::default(), &config()).await.unwrap();
    });
    let event = tokio::time::timeout(Duration::from_secs(3600), events.try_next()).await;
    writer.await.unwrap();
    Ok(event?.unwrap().map(|_| begun.elapsed().as_secs()))
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_late_end_early_or_fall_silent() {
    assert_eq!(first_event(WatchFailure::None).await.unwrap(), Some(10));
    assert_eq!(first_event(WatchFailure::Late(Duration::from_secs(5))).await.unwrap(), Some(15));
    assert_eq!(first_event(WatchFailure::Ends(Duration::from_secs(2))).await.unwrap(), None);
    assert!(first_event(WatchFailure::Freezes(Duration::from_secs(2))).await.is_err());
}
