//! A running cluster, as a test holds it.
//!
//! It owns no party: it owns the input of the warden, and with its end everything ends.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    build, image,
    layout::{AUTHORITY, Layout},
    options::{Options, Party, Program},
    setup,
    stage::beside,
    wire::{Answer, Order, Request},
};

/// How long a warden may take to end everything before the handle gives up waiting for it. It is then still at work.
const END_LIMIT: Duration = Duration::from_secs(60);

/// A running cluster. Dropped, it ends, and the drop returns when nothing is left of it.
pub struct Cluster {
    layout: Layout,
    kubeconfig: PathBuf,
    kubelet_dir: PathBuf,
    cgroup_root: String,
    warden: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Cluster {
    /// Starts a cluster and returns when it is ready: the API server answers, and in the shape `Node` the node is ready and untainted.
    ///
    /// # Errors
    /// What is missing on this machine, or which party did not come up and where its log is.
    pub async fn start(mut options: Options) -> Result<Self> {
        let programs = build::programs(&options.version).await?;
        if options.name.is_none() {
            options.name = std::thread::current().name().map(str::to_owned);
        }
        let order = serde_json::to_string(&Order { options, programs })?;
        let mut warden = Command::new(beside("real-cluster")?)
            .args(["supervise", &order])
            .process_group(0) // ctrl-C ends the test, and the end of the test ends the cluster, in this order
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the warden of a real cluster")?;
        let requests = warden.stdin.take();
        let output = warden.stdout.take().context("the warden has no output")?;
        let mut answers = BufReader::new(output).lines();
        let ready = answer(&mut answers).await;
        let layout = match ready {
            Ok(Answer::Ready(layout)) => layout,
            refused => {
                drop(requests);
                warden.wait().await?;
                bail!("the cluster did not start: {}", refusal(refused));
            }
        };
        Ok(Self {
            kubeconfig: layout.kubeconfig("admin"),
            kubelet_dir: layout.kubelet_dir(),
            cgroup_root: layout.cgroup_root(),
            layout,
            warden,
            requests,
            answers,
        })
    }

    /// The kubeconfig of somebody who may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A client of the API server. It repeats nothing by itself.
    ///
    /// # Errors
    /// The kubeconfig cannot be read.
    pub async fn client(&self) -> Result<kube::Client> {
        client(&self.kubeconfig).await
    }

    /// Where etcd answers, for what no request to the API server can do.
    pub fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.layout.etcd_port())
    }

    /// `kubectl`, to which arguments can be added.
    pub fn kubectl(&self) -> std::process::Command {
        let mut command = std::process::Command::new(self.layout.kube());
        command.arg("kubectl").env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// The folder of the run.
    pub fn folder(&self) -> &Path {
        &self.layout.folder
    }

    /// The folder of the logs, a file for each party. It stays until a run of the same name.
    pub fn logs(&self) -> &Path {
        &self.layout.logs
    }

    /// The name of the node.
    pub fn node_name(&self) -> &str {
        self.layout.node_name()
    }

    /// The folder of the kubelet, `/var/lib/kubelet` elsewhere.
    pub fn kubelet_dir(&self) -> &Path {
        &self.kubelet_dir
    }

    /// The cgroup above those of the Pods, such as `/reef-0`.
    pub fn cgroup_root(&self) -> &str {
        &self.cgroup_root
    }

    /// The process id of the warden, with whose end everything ends.
    pub fn warden_id(&self) -> Option<u32> {
        self.warden.id()
    }

    /// Where the API server answers: for a Pod, which has no Service that leads there.
    pub fn server(&self) -> (&'static str, String) {
        ("127.0.0.1", self.layout.api_port().to_string())
    }

    /// The first of eight ports that no party listens on: for programs that are told where to listen.
    pub fn spare_port(&self) -> u16 {
        self.layout.first_spare_port()
    }

    /// Ends a party with SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self, party: Party) -> Result<()> {
        self.request(Request::Kill(party)).await
    }

    /// Starts a party that was killed, with the same flags and ports, and returns when it answers.
    ///
    /// # Errors
    /// It runs, or does not come up.
    pub async fn revive(&mut self, party: Party) -> Result<()> {
        self.request(Request::Revive(party)).await
    }

    /// Makes another authority. The API server shows a certificate of it once it is started again, and who has read the old authority trusts it no more.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn exchange_authority(&self) -> Result<()> {
        setup::exchange_authority(&self.layout)
    }

    /// The file of the authority that the API server's certificate is from.
    pub fn authority(&self) -> PathBuf {
        self.layout.config(AUTHORITY)
    }

    /// Runs a program beside the parties, until it is killed or the cluster ends. Its output is in the folder of the logs.
    ///
    /// # Errors
    /// It cannot be started, or one of its name runs.
    pub async fn run(&mut self, program: Program) -> Result<()> {
        self.request(Request::Run(program)).await
    }

    /// Ends a program with SIGKILL; it can be run again.
    ///
    /// # Errors
    /// None of this name runs: it was not started, or it has ended by itself, and how.
    pub async fn kill_program(&mut self, name: &str) -> Result<()> {
        self.request(Request::KillProgram(name.into())).await
    }

    /// Sends a signal to a program, by its name as `STOP`.
    ///
    /// # Errors
    /// None of this name runs, or there is no such signal.
    pub async fn signal(&mut self, name: &str, signal: &str) -> Result<()> {
        self.request(Request::Signal(name.into(), signal.into())).await
    }

    /// The resident memory of a party or program, in KiB.
    ///
    /// # Errors
    /// None of this name runs.
    pub async fn memory_kib(&mut self, name: &str) -> Result<u64> {
        match self.ask(&Request::Memory(name.into())).await {
            Ok(Answer::Memory(kib)) => Ok(kib),
            refused => bail!("memory of {name}: {}", refusal(refused)),
        }
    }

    /// Imports an image from a tar file, and returns when Pods can use it (`imagePullPolicy: Never`).
    ///
    /// # Errors
    /// The file is no image, or there is no container runtime.
    pub fn import_image(&self, tar: &Path) -> Result<()> {
        image::import(&self.layout.containerd_socket(), tar)
    }

    async fn request(&mut self, request: Request) -> Result<()> {
        match self.ask(&request).await {
            Ok(Answer::Done) => Ok(()),
            refused => bail!("{}: {}", serde_json::to_string(&request)?, refusal(refused)),
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<Answer> {
        let requests = self.requests.as_mut().context("the cluster is ending")?;
        let line = format!("{}\n", serde_json::to_string(request)?);
        requests.write_all(line.as_bytes()).await.context("the warden is gone")?;
        answer(&mut self.answers).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.requests.take());
        let pause = Duration::from_millis(10);
        let mut waited = Duration::ZERO;
        while waited < END_LIMIT && matches!(self.warden.try_wait(), Ok(None)) {
            std::thread::sleep(pause);
            waited += pause;
        }
    }
}

/// A client by a kubeconfig.
pub(crate) async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    // The authority may be exchanged while the client is used.
    config.root_cert_file = kubeconfig.parent().map(|folder| folder.join(AUTHORITY));
    Ok(kube::Client::try_from(config)?)
}

async fn answer(answers: &mut Lines<BufReader<ChildStdout>>) -> Result<Answer> {
    let line = answers.next_line().await?.context("the warden ended without an answer")?;
    Ok(serde_json::from_str(&line)?)
}

fn refusal(answer: Result<Answer>) -> String {
    match answer {
        Ok(Answer::Failed(why)) => why,
        Ok(Answer::Ready(_) | Answer::Done | Answer::Memory(_)) => "an answer to something else".into(),
        Err(error) => format!("{error:#}"),
    }
}
