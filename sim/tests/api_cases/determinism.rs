//! The same calls give the same bytes, run after run.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use reef_sim::api::{ApiOptions, Fault, RequestFacts};
use serde_json::json;

use super::setup::{define_things, server_with, thing, things};

/// Every request with its virtual time, what a watcher saw, and every object at the end.
async fn trace() -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let begun = tokio::time::Instant::now();
    let log = lines.clone();
    let hook = move |facts: &RequestFacts| {
        log.lock().unwrap().push(format!("{:?} {} {} {:?}", begun.elapsed(), facts.method, facts.path, facts.query));
        Fault::default()
    };
    let server = server_with(ApiOptions { faults: Some(Arc::new(hook)), ..ApiOptions::default() });
    let client = server.client();
    define_things(&client).await;
    let api = things(&client);
    let seen = lines.clone();
    let mut events = watcher::watcher(api.clone(), watcher::Config::default()).boxed();
    let watching = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            seen.lock().unwrap().push(format!("{event:?}"));
        }
    });
    let writers = (0..4).map(|writer| {
        let api = api.clone();
        async move {
            let name = format!("t{writer}");
            api.create(&PostParams::default(), &thing(&name, json!({ "size": 1 }))).await.unwrap();
            for size in 2..6 {
                let config = thing(&name, json!({ "size": size }));
                api.patch(&name, &PatchParams::apply("reef").force(), &Patch::Apply(config)).await.unwrap();
            }
            if writer == 1 {
                api.delete(&name, &DeleteParams::default()).await.unwrap();
            }
        }
    });
    futures::future::join_all(writers).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    watching.abort();
    let _ = watching.await;
    let mut out = std::mem::take(&mut *lines.lock().unwrap());
    let objects = api.list(&kube::api::ListParams::default()).await.unwrap();
    out.extend(
        objects.iter().map(|object| format!("{} {}", object.name_any(), serde_json::to_string(object).unwrap())),
    );
    out
}

fn run() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(trace())
}

#[test]
fn the_same_calls_give_the_same_trace() {
    let first = run();
    assert!(first.len() > 30, "{first:#?}");
    for _ in 0..5 {
        assert_eq!(run(), first);
    }
}
