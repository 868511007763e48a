//! One VM in a repository that an Application applies, and the waits of which the stories are made.

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use reef::demo::repository::{Change, Pushed};
use reef_api::Size;
use reef_real::stage::argocd::ArgoCd;
use serde_json::{Value, json};

use super::application::{self, State};
use crate::manifest::VmFile;
use crate::story::{Running, Story};
use crate::timeline::now;
use crate::world::World;

/// The name of the VM.
pub const VM: &str = "web-1";

/// Where it stands: the sample takes the folders of teams.
pub const FILE: &str = "teams/web/web-1.yaml";

/// A VM that Argo CD applies.
pub struct Fleet {
    /// Its namespace, repository and VM.
    pub story: Story,
    /// The real Argo CD.
    pub argo_cd: &'static ArgoCd,
    /// The world.
    pub world: &'static World,
    /// All Applications.
    pub applications: Api<DynamicObject>,
    /// The name of the Application, which is that of the namespace.
    pub name: String,
}

/// A commit that was pushed, and when.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The commit.
    pub pushed: Pushed,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Fleet {
    /// Has Argo CD make the namespace from a repository without a VM, then pushes the VM and waits until it runs.
    pub async fn begin(
        world: &'static World,
        argo_cd: &'static ArgoCd,
        name: &str,
        overcommit: u32,
        file: &VmFile,
    ) -> anyhow::Result<Self> {
        let mut story = Story::prepare(world, name, overcommit, &[*file]).await?;
        let applications = application::all(story.client.clone());
        story.timeline.add_applications(applications.clone());
        let fleet = Self { story, argo_cd, world, applications, name: name.to_owned() };
        let url = fleet.story.repository.url();
        let project = application::project(&url, name)?;
        let projects = application::projects(fleet.story.client.clone());
        projects.patch("vms", &PatchParams::apply("story").force(), &Patch::Apply(&project)).await?;
        fleet.create(&application::sample(name, &url, name)?).await?;
        fleet.has_namespace().await?;
        fleet.story.disks().await?;
        let commit = fleet.push(file.text()).await?;
        fleet.healthy(&commit).await?;
        Ok(fleet)
    }

    /// Makes an Application.
    pub async fn create(&self, object: &Value) -> anyhow::Result<()> {
        let object = serde_json::from_value(object.clone())?;
        self.applications.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    async fn has_namespace(&self) -> anyhow::Result<()> {
        let namespaces = Api::<Namespace>::all(self.story.client.clone());
        let there = async || Ok(namespaces.get_opt(&self.name).await?.map(|_| ()));
        self.story.until("Argo CD has made the namespace", there).await
    }

    /// Pushes the VM's file, and has Argo CD look at the repository.
    pub async fn push(&self, text: String) -> anyhow::Result<Commit> {
        let change = Change::Write { path: FILE.to_owned(), text };
        let pushed = self.story.repository.push("the VM changes", &[change])?;
        self.pushed(pushed).await
    }

    /// Has Argo CD look at the repository after a push.
    pub async fn pushed(&self, pushed: Pushed) -> anyhow::Result<Commit> {
        let at = now();
        application::refresh(&self.applications, &self.name).await?;
        Ok(Commit { pushed, at })
    }

    /// All that the Application said since a moment.
    pub fn told_since(&self, at: i64) -> Vec<State> {
        let mut states = application::told(&self.story.timeline.entries(), &self.name);
        states.retain(|state| state.at >= at);
        states
    }

    /// Waits until the Application says that all is as a commit states it.
    pub async fn healthy(&self, commit: &Commit) -> anyhow::Result<State> {
        let id = &commit.pushed.id;
        self.until(&format!("healthy at {id}"), |state| state.is_healthy_at(id)).await
    }

    /// Waits until the Application says something.
    pub async fn until(&self, what: &str, so: impl Fn(&State) -> bool) -> anyhow::Result<State> {
        let look = async || Ok(Some(application::state(&self.applications, &self.name).await?).filter(&so));
        let waited = self.story.until(&format!("the Application is {what}"), look).await;
        waited.with_context(|| format!("{:?}", self.told_since(0).last()))
    }

    /// Waits until the VM has a size by its guest, and the Application says so.
    pub async fn follows(&self, commit: &Commit, size: Size) -> anyhow::Result<(Running, State)> {
        let running = self.story.settled(VM, size).await?;
        Ok((running, self.healthy(commit).await?))
    }

    /// Writes a field of the VM by another hand than Argo CD's.
    pub async fn write(&self, manager: &str, instance: Value) -> anyhow::Result<()> {
        let object = json!({
            "apiVersion": "cloudhypervisor.quill.today/v1beta1", "kind": "VirtualMachine",
            "metadata": { "name": VM }, "spec": { "instance": instance },
        });
        let parameters = PatchParams::apply(manager).force();
        self.story.vms().patch(VM, &parameters, &Patch::Apply(&object)).await?;
        Ok(())
    }

    /// Removes the Application, then the VM, and waits until nothing of it runs.
    pub async fn end(self) -> anyhow::Result<()> {
        for name in application::names(&self.applications).await? {
            self.applications.delete(&name, &DeleteParams::default()).await?;
        }
        self.story.end().await
    }
}
