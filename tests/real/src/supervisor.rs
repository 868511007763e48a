//! The process that owns the parties, inside the cluster's namespaces: starts, kills and revives them as it is told.
//!
//! It cleans nothing up: its end is the end of the namespaces.
use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::unix::pipe,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{
    layout::Layout,
    options::{Options, Party, Program, Shape},
    parties::{self, Line},
    ready, setup,
    wire::{Answer, Request},
};

/// How long one half of a start may take.
const START_LIMIT: Duration = Duration::from_secs(180);
/// How long one party may take to come back.
const REVIVE_LIMIT: Duration = Duration::from_secs(90);
/// Lines of a log that are shown where its party has failed.
const TAIL: usize = 12;

struct Supervisor {
    layout: Layout,
    options: Options,
    running: BTreeMap<Party, Child>,
    programs: BTreeMap<String, Child>,
}

/// Runs a cluster until standard input ends.
///
/// # Errors
/// Standard input or output fails, or the folder holds no setup. All else is answered.
pub async fn run(folder: &Path) -> Result<()> {
    let setup = fs::read(Layout::setup_file(folder)).context("the folder holds no setup")?;
    let (layout, options) = serde_json::from_slice(&setup)?;
    let mut supervisor = Supervisor { layout, options, running: BTreeMap::new(), programs: BTreeMap::new() };
    // Opened anew, because reading must not block a thread that would then outlive the end.
    let input = pipe::OpenOptions::new().open_receiver("/proc/self/fd/0").context("standard input is no pipe")?;
    let mut requests = BufReader::new(input).lines();
    let started = tokio::select! {
        biased;
        _ = requests.next_line() => return Ok(()),
        started = supervisor.start() => started,
    };
    match started {
        Ok(()) => say(&Answer::Ready(supervisor.layout.clone()))?,
        Err(error) => return say(&Answer::Failed(format!("{error:#}"))),
    }
    supervisor.serve(requests).await
}

impl Supervisor {
    async fn serve(&mut self, mut requests: Lines<BufReader<pipe::Receiver>>) -> Result<()> {
        while let Some(line) = requests.next_line().await? {
            let done = match serde_json::from_str(&line)? {
                Request::Kill(party) => self.kill(party).await.map(done),
                Request::Revive(party) => self.revive(party).await.map(done),
                Request::Run(program) => self.run(program).map(done),
                Request::KillProgram(name) => self.kill_program(&name).await.map(done),
                Request::Signal(name, signal) => self.signal(&name, &signal).map(done),
                Request::Memory(name) => self.memory_kib(&name).map(Answer::Memory),
            };
            say(&done.unwrap_or_else(|error| Answer::Failed(format!("{error:#}"))))?;
        }
        Ok(())
    }

    async fn start(&mut self) -> Result<()> {
        setup::write(&self.layout, self.options.shape)?;
        let layout = self.layout.clone();
        let (first, then) = self.options.shape.parties();
        self.spawn_all(first)?;
        let serves = ready::answers(&layout, Party::ApiServer);
        self.unless_one_ends(START_LIMIT, "the API server does not answer", serves).await?;
        self.spawn_all(then)?;
        match self.options.shape {
            Shape::ControlPlane => Ok(()),
            Shape::Node => self.unless_one_ends(START_LIMIT, "the node is not ready", node(&layout)).await?,
        }
    }

    fn spawn_all(&mut self, parties: &[Party]) -> Result<()> {
        parties.iter().try_for_each(|party| self.spawn(*party))
    }

    fn spawn(&mut self, party: Party) -> Result<()> {
        let line = parties::line(&self.layout, &self.options, party);
        let child = self.command(party.name(), line)?.spawn().with_context(|| format!("cannot start {party}"))?;
        self.running.insert(party, child);
        Ok(())
    }

    /// A command whose output goes to the end of its log.
    fn command(&self, name: &str, line: Line) -> Result<Command> {
        let path = self.layout.log(name);
        let log = fs::OpenOptions::new().create(true).append(true).open(&path);
        let log = log.with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new(line.program);
        command.args(line.arguments).current_dir(&self.layout.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    fn run(&mut self, program: Program) -> Result<()> {
        let name = program.name;
        if let Some(before) = self.programs.get_mut(&name) {
            ensure!(before.try_wait()?.is_some(), "{name} runs");
        }
        let line =
            Line { program: program.program, arguments: program.arguments.into_iter().map(Into::into).collect() };
        let mut command = self.command(&name, line)?;
        let child = command.envs(program.environment).spawn().with_context(|| format!("cannot start {name}"))?;
        self.programs.insert(name, child);
        Ok(())
    }

    async fn kill_program(&mut self, name: &str) -> Result<()> {
        let mut child = self.programs.remove(name).with_context(|| format!("{name} does not run"))?;
        if let Some(status) = child.try_wait()? {
            let log = self.layout.log(name);
            bail!("{name} had ended by itself ({status}); {} ends with:\n{}", log.display(), tail(&log));
        }
        child.kill().await.with_context(|| format!("cannot kill {name}"))
    }

    fn signal(&mut self, name: &str, signal: &str) -> Result<()> {
        let child = self.programs.get(name).with_context(|| format!("{name} does not run"))?;
        let id = child.id().with_context(|| format!("{name} has ended"))?.to_string();
        let sent = std::process::Command::new("kill").args(["-s", signal, &id]).status().context("kill")?;
        ensure!(sent.success(), "{name} got no {signal}");
        Ok(())
    }

    async fn kill(&mut self, party: Party) -> Result<()> {
        let mut child = self.running.remove(&party).with_context(|| format!("{party} does not run"))?;
        child.kill().await.with_context(|| format!("cannot kill {party}"))
    }

    async fn revive(&mut self, party: Party) -> Result<()> {
        if self.running.contains_key(&party) {
            bail!("{party} runs");
        }
        self.spawn(party)?;
        let layout = self.layout.clone();
        self.unless_one_ends(REVIVE_LIMIT, "it does not answer", ready::answers(&layout, party)).await
    }

    fn memory_kib(&self, name: &str) -> Result<u64> {
        let party = self.running.iter().find(|(party, _)| party.name() == name).map(|(_, child)| child);
        let child = party.or_else(|| self.programs.get(name));
        let id = child.and_then(Child::id).with_context(|| format!("{name} does not run"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        kib.with_context(|| format!("{name} has ended"))
    }

    /// Waits for something, but not longer than `limit`, nor when a party has ended by itself.
    async fn unless_one_ends<T>(&mut self, limit: Duration, late: &str, what: impl Future<Output = T>) -> Result<T> {
        let logs = self.layout.logs.clone();
        let late = format!("{late} after {} s; the logs are in {}", limit.as_secs(), logs.display());
        tokio::select! {
            biased;
            done = timeout(limit, what) => match done {
                Ok(done) => Ok(done),
                Err(_) => bail!(late),
            },
            ended = self.one_ended() => Err(ended),
        }
    }

    async fn one_ended(&mut self) -> anyhow::Error {
        loop {
            for (party, child) in &mut self.running {
                if let Ok(Some(status)) = child.try_wait() {
                    let log = self.layout.log(party.name());
                    return anyhow::anyhow!(
                        "{party} ended by itself ({status}); {} ends with:\n{}",
                        log.display(),
                        tail(&log)
                    );
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn node(layout: &Layout) -> Result<()> {
    ready::answers(layout, Party::Containerd).await;
    ready::sandbox(layout)?;
    ready::node(layout).await;
    Ok(())
}

fn done((): ()) -> Answer {
    Answer::Done
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL)).copied().collect::<Vec<_>>().join("\n")
}

fn say(answer: &Answer) -> Result<()> {
    println!("{}", serde_json::to_string(answer)?);
    Ok(())
}
