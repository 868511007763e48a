//! The suite against the embedded cluster, in virtual time.

use std::sync::Arc;

use anyhow::Result;
use futures::FutureExt;
use reef_conformance::{Hands, Needs, Options, Side, all, run};

use reef_api::{Bytes, GIB, MilliCpu};
use reef_sim::api::{ApiOptions, Failure, Fault, InfeasibleMode, RequestFacts};
use reef_sim::cluster::{Cluster, ClusterOptions, VirtualClock};
use reef_sim::node::NodeOptions;
use tokio_util::sync::CancellationToken;

/// Who calls itself throttled is.
fn throttling(facts: &RequestFacts) -> Fault {
    let failure = if facts.user_agent == "throttled" { Failure::Status(429) } else { Failure::None };
    Fault { failure, ..Fault::default() }
}

fn cluster(infeasible: InfeasibleMode) -> Arc<Cluster> {
    let clock = Arc::new(VirtualClock::starting_at(jiff::Timestamp::UNIX_EPOCH));
    let mut options = ClusterOptions::two_nodes(1, clock);
    options.nodes = vec![NodeOptions::new("node-1", MilliCpu(4_000), Bytes(16 * GIB.get()))];
    options.api = ApiOptions { faults: Some(Arc::new(throttling)), infeasible };
    Arc::new(Cluster::new(options))
}

fn hands(cluster: &Arc<Cluster>) -> Hands {
    let store = cluster.store().clone();
    Hands {
        compact: Arc::new(move || {
            store.compact();
            async { Ok(()) }.boxed()
        }),
        throttle: Arc::new(|| async { Ok(()) }.boxed()),
    }
}

async fn play(infeasible: InfeasibleMode) -> Result<()> {
    let cluster = cluster(infeasible);
    let stop = CancellationToken::new();
    let living = cluster.clone();
    let until = stop.clone();
    let life = tokio::spawn(async move { living.run(until).await });
    let only = std::env::var("CASE").unwrap_or_default();
    let options = Options {
        side: Side::Embedded,
        plays: &[Needs::ApiServer, Needs::Node],
        only,
        prefix: "case".to_owned(),
        hands: hands(&cluster),
    };
    let report = run(cluster.client(), &options, &all()).await?;
    stop.cancel();
    life.await?;
    report.verdict()
}

#[tokio::test(start_paused = true)]
async fn the_embedded_cluster_behaves_as_the_cases_say() {
    play(InfeasibleMode::ByKubelet).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_embedded_cluster_that_refuses_at_admission_behaves_as_the_cases_say() {
    play(InfeasibleMode::AtAdmission).await.unwrap();
}
