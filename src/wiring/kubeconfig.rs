//! Finds the cluster as kubectl does, and makes clients that neither repeat nor wait for ever.
//!
//! Two clients: one for requests, whose answers have a deadline, and one for watches, whose silence is normal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use reef_watch::metrics::{Calls, Counting};

/// How long the API server may take for the answer to a request.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a watch may be silent: bookmarks come about once a minute, and the server ends a watch after some five minutes.
const SILENCE: Duration = Duration::from_secs(330);

/// What Reef's roles ask an API server about, by the names that metrics have.
const RESOURCES: [&str; 18] = [
    "virtualmachines",
    "virtualmachines/status",
    "gitsources",
    "gitsources/status",
    "sizingpolicies",
    "capacitychecks",
    "capacitychecks/status",
    "applications",
    "resourcequotas",
    "limitranges",
    "pods",
    "pods/resize",
    "nodes",
    "secrets",
    "events",
    "leases",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
];

/// Connections to one cluster.
#[derive(Clone)]
pub struct Cluster {
    /// For lists, reads and writes.
    pub requests: Client,
    /// For watches.
    pub watches: Client,
    /// What is counted of the calls of both.
    pub calls: Calls,
    /// Namespace of the context.
    pub namespace: String,
    /// Address of the API server, for messages.
    pub server: String,
    /// Name of the context's user, where there is a kubeconfig.
    pub user: Option<String>,
}

impl Cluster {
    /// Finds the cluster by an explicit file, `$KUBECONFIG`, `~/.kube/config` or the Pod's own account, in this order.
    ///
    /// # Errors
    /// Where none is found, or what is found cannot be used. Nothing is sent yet.
    pub async fn find(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<Self> {
        let (config, user) = configuration(kubeconfig, context).await?;
        Ok(Self { user, ..Self::new(config)? })
    }

    /// Connects by a configuration that is known already.
    ///
    /// # Errors
    /// Where the configuration cannot be used.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let server = config.cluster_url.to_string();
        let calls = Calls::of(&RESOURCES);
        let client = |silence| -> anyhow::Result<Client> {
            let mut config = config.clone();
            config.default_retry = false;
            config.read_timeout = Some(silence);
            config.reset_reader_on_write = true;
            let made = ClientBuilder::try_from(config);
            let made = made.with_context(|| format!("no client can be made for {server}"))?;
            Ok(made.with_layer(&Counting(calls.clone())).build())
        };
        let (requests, watches) = (client(ANSWER)?, client(SILENCE)?);
        let namespace = config.default_namespace.clone();
        Ok(Self { requests, watches, calls, namespace, server, user: None })
    }
}

async fn configuration(kubeconfig: Option<&Path>, context: Option<&str>) -> anyhow::Result<(Config, Option<String>)> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let found = match kubeconfig {
        Some(path) => {
            Kubeconfig::read_from(path).with_context(|| format!("the kubeconfig {} cannot be used", path.display()))?
        }
        None => match Kubeconfig::read() {
            Ok(found) => found,
            Err(error) => return Ok((in_cluster(context, error)?, None)),
        },
    };
    let authority = authority_file(&found, context);
    let user = context_of(&found, context).and_then(|context| context.user.clone());
    let named = || context.map_or_else(|| "the current context".to_owned(), |name| format!("the context {name:?}"));
    let mut config = Config::from_custom_kubeconfig(found, &options)
        .await
        .with_context(|| format!("{} of the kubeconfig cannot be used", named()))?;
    config.root_cert_file = authority;
    Ok((config, user))
}

fn context_of<'a>(kubeconfig: &'a Kubeconfig, context: Option<&'a str>) -> Option<&'a kube::config::Context> {
    let name = context.or(kubeconfig.current_context.as_deref())?;
    kubeconfig.contexts.iter().find(|named| named.name == name)?.context.as_ref()
}

/// The file of the authority that a context trusts. With its name the client reads it anew, at most once a minute, when it makes a connection; that of
/// a Pod's own account it knows by itself. An authority that stands in the kubeconfig wins over a file, and stays.
fn authority_file(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<PathBuf> {
    let context = context_of(kubeconfig, context)?;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == context.cluster)?.cluster.as_ref()?;
    let file = cluster.certificate_authority.as_deref().filter(|file| !file.is_empty())?;
    cluster.certificate_authority_data.is_none().then(|| file.into())
}

/// Inside a Pod there is no kubeconfig; elsewhere its absence is what has to be told.
fn in_cluster(context: Option<&str>, missing: kube::config::KubeconfigError) -> anyhow::Result<Config> {
    if context.is_none()
        && let Ok(config) = Config::incluster()
    {
        return Ok(config);
    }
    let error = anyhow::Error::new(missing);
    bail!(
        error.context(
            "no cluster: set $KUBECONFIG or --kubeconfig (to look at Reef without a cluster, run `reef demo`)"
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
current-context: one
contexts:
- { name: one, context: { cluster: file } }
- { name: two, context: { cluster: text } }
- { name: three, context: { cluster: nothing } }
- { name: four, context: { cluster: unknown } }
clusters:
- { name: text, cluster: { server: 'https://a', certificate-authority: /etc/b.crt, certificate-authority-data: eA== } }
- { name: file, cluster: { server: 'https://a', certificate-authority: /etc/a.crt } }
- { name: nothing, cluster: { server: 'https://a' } }
";

    #[test]
    fn the_authority_of_the_context_is_followed_where_it_is_a_file() {
        let found = Kubeconfig::from_yaml(TEXT).unwrap();
        let file = |context| authority_file(&found, context);
        assert_eq!([None, Some("one")].map(file), [Some("/etc/a.crt".into()), Some("/etc/a.crt".into())]);
        assert_eq!([Some("two"), Some("three"), Some("four"), Some("five")].map(file), [None, None, None, None]);
    }
}
