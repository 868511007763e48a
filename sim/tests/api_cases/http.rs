//! The HTTP front, with a client made from its own kubeconfig.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use reef_sim::api::kubeconfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::setup::{define_things, server};

async fn served() -> (Client, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(server().serve(listener, stop.clone()));
    let file = Kubeconfig::from_yaml(&kubeconfig(address)).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    (Client::try_from(config).unwrap(), stop, task)
}

#[tokio::test]
async fn a_client_with_the_servers_kubeconfig_writes_reads_and_watches() {
    let (client, stop, task) = served().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let mut events = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let object = serde_json::from_value(json!({ "metadata": { "name": "a" } })).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    assert!(matches!(events.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    stop.cancel();
    task.await.unwrap();
    assert!(events.try_next().await.map_or(true, |event| event.is_none()));
}

#[tokio::test]
async fn tables_come_for_those_who_ask() {
    let (client, stop, task) = served().await;
    define_things(&client).await;
    let request = http::Request::get("/apis/x.dev/v1/things")
        .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    let table: Value = client.request(request.body(Vec::new()).unwrap()).await.unwrap();
    let names: Vec<&str> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!((table["kind"].as_str(), names), (Some("Table"), vec!["Name", "Size"]));
    stop.cancel();
    task.await.unwrap();
}
