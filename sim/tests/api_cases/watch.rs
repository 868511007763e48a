//! Watches: in order, narrowed, ended, compacted; and the watcher of kube on top of them.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::setup::server;

fn config(name: &str, color: &str) -> ConfigMap {
    serde_json::from_value(json!({ "metadata": { "name": name, "labels": { "color": color } } })).unwrap()
}

fn shown(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(object) => format!("added {}", object.name_any()),
        WatchEvent::Modified(object) => format!("modified {}", object.name_any()),
        WatchEvent::Deleted(object) => format!("deleted {}", object.name_any()),
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

async fn paint(api: &Api<ConfigMap>, name: &str, color: &str) {
    let patch = json!({ "metadata": { "labels": { "color": color } } });
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_what_entered_changed_in_and_left_its_view() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().client());
    let red = WatchParams::default().labels("color=red");
    let events = api.watch(&red, "0").await.unwrap();
    api.create(&PostParams::default(), &config("a", "blue")).await.unwrap();
    paint(&api, "a", "red").await;
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({ "data": { "k": "v" } }))).await.unwrap();
    paint(&api, "a", "blue").await;
    api.create(&PostParams::default(), &config("b", "red")).await.unwrap();
    api.delete("b", &DeleteParams::default()).await.unwrap();
    let seen: Vec<String> = events.take(5).map_ok(|event| shown(&event)).try_collect().await.unwrap();
    assert_eq!(seen, vec!["added a", "modified a", "deleted a", "added b", "deleted b"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_watch_hears_bookmarks_and_ends_in_time() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().client());
    let events = api.watch(&WatchParams::default().timeout(150), "0").await.unwrap();
    let begun = tokio::time::Instant::now();
    let seen: Vec<String> = events.map_ok(|event| shown(&event)).try_collect().await.unwrap();
    assert_eq!(seen, vec!["bookmark", "bookmark", "bookmark"]);
    assert_eq!(begun.elapsed().as_secs(), 150);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_forgotten_is_an_error_event_in_the_stream() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let made = api.create(&PostParams::default(), &config("a", "red")).await.unwrap();
    paint(&api, "a", "blue").await;
    server.store().compact();
    let events = api.watch(&WatchParams::default(), &made.resource_version().unwrap()).await.unwrap();
    let seen: Vec<String> = events.map_ok(|event| shown(&event)).try_collect().await.unwrap();
    assert_eq!(seen, vec!["error 410"]);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_lives_through_dropped_watches_and_compaction() {
    let server = server();
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    api.create(&PostParams::default(), &config("a", "red")).await.unwrap();
    let mut events = watcher::watcher(api.clone(), watcher::Config::default()).boxed();
    let mut seen = Vec::new();
    let mut next = async |wanted: usize| {
        let mut names = Vec::new();
        while names.len() < wanted {
            match tokio::time::timeout(Duration::from_secs(60), events.next()).await.unwrap().unwrap() {
                Ok(Event::Apply(object)) => names.push(format!("apply {}", object.name_any())),
                Ok(Event::InitApply(object)) => names.push(format!("init {}", object.name_any())),
                Ok(Event::Delete(object)) => names.push(format!("delete {}", object.name_any())),
                Ok(Event::Init | Event::InitDone) | Err(_) => {}
            }
        }
        names
    };
    seen.extend(next(1).await);
    api.create(&PostParams::default(), &config("b", "red")).await.unwrap();
    seen.extend(next(1).await);
    server.drop_watches();
    api.create(&PostParams::default(), &config("c", "red")).await.unwrap();
    seen.extend(next(1).await);
    server.drop_watches();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    server.store().compact();
    seen.extend(next(2).await);
    assert_eq!(seen, vec!["init a", "apply b", "apply c", "init b", "init c"]);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_ends_its_first_part_with_a_marked_bookmark() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().client());
    api.create(&PostParams::default(), &config("a", "red")).await.unwrap();
    let config = watcher::Config::default().streaming_lists();
    let events: Vec<Event<ConfigMap>> = watcher::watcher(api, config).take(3).try_collect().await.unwrap();
    assert!(matches!(events.as_slice(), [Event::Init, Event::InitApply(_), Event::InitDone]));
}
