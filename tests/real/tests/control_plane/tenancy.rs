//! Sources that write as their account: the rights of the account decide, as a real API server knows them.

use anyhow::{Result, ensure};
use kube::Api;
use kube::api::{Patch, PatchParams};
use reef::demo::repository::Change;
use reef_api::source::GitSource;
use reef_api::{VirtualMachine, condition};
use reef_real::stage::apply;
use serde_json::{Value, json};

use crate::stand::{Stand, Story, size, soon};

/// The account of the tenant, and where it may write.
const RIGHTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: { name: reef-source, namespace: tenant }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: another, namespace: tenant }
---
apiVersion: v1
kind: Namespace
metadata: { name: open }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: reef-source }
rules:
  - { apiGroups: [cloudhypervisor.quill.today], resources: [virtualmachines], verbs: [create, patch] }
  - { apiGroups: [reef.dev], resources: [sizingpolicies], verbs: [create, patch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reef-source, namespace: tenant }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reef-source }
subjects: [{ kind: ServiceAccount, name: reef-source, namespace: tenant }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: reef-source, namespace: open }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reef-source }
subjects: [{ kind: ServiceAccount, name: reef-source, namespace: tenant }]
";

impl Story {
    /// Has the source write as an account.
    async fn account(&self, name: Option<&str>) -> Result<()> {
        let sources = Api::<GitSource>::namespaced(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({ "spec": { "serviceAccountName": name } }));
        sources.patch("vms", &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// States a VM of another namespace too.
    fn states(&self, namespace: &str, name: &str, text: &str) -> Result<()> {
        let text = text.replace("name: web-1", &format!("name: {name}\n  namespace: {namespace}"));
        let path = format!("vms/{namespace}-{name}.yaml");
        self.repository.push(&format!("{namespace}/{name}"), &[Change::Write { path, text }])?;
        Ok(())
    }

    /// Waits until the source tells of a problem in these words.
    async fn problem(&self, words: &[&str]) -> Result<()> {
        let sources = Api::<GitSource>::namespaced(self.client.clone(), &self.namespace);
        soon(&format!("the source tells of {words:?}"), async || {
            let status = sources.get("vms").await?.status.unwrap_or_default();
            let tells = |message: &str| words.iter().all(|word| message.contains(word));
            Ok(status.problems.iter().any(|problem| tells(&problem.message)).then_some(()))
        })
        .await
    }

    /// Waits until the source says that all of it is applied.
    async fn applied(&self) -> Result<()> {
        let sources = Api::<GitSource>::namespaced(self.client.clone(), &self.namespace);
        soon("the source is applied", async || {
            let source = sources.get("vms").await?;
            let conditions = source.status.unwrap_or_default().conditions;
            let ready = condition::find(&conditions, condition::READY);
            let present =
                ready.is_some_and(|it| it.status == "True" && it.observed_generation == source.metadata.generation);
            Ok(present.then_some(()))
        })
        .await
    }

    async fn other(&self, namespace: &str, name: &str) -> Result<Option<VirtualMachine>> {
        Ok(Api::namespaced(self.client.clone(), namespace).get_opt(name).await?)
    }
}

#[tokio::test]
async fn a_source_reaches_other_namespaces_by_the_rights_of_its_account_alone_and_no_vm_of_another_source() -> Result<()>
{
    let stand = Stand::start(&[]).await?;
    let neighbour = stand.story("neighbour", size(1, 1)).await?;
    let tenant = stand.story("tenant", size(1, 1)).await?;
    let text = tenant.repository.read("vms/web-1.yaml")?;
    tenant.states("open", "web-2", &text)?;
    tenant.problem(&["open/web-2", "may write to namespace `tenant` only", "spec.serviceAccountName"]).await?;
    // Without the right to act as it, no name is of use.
    apply(&stand.cluster, &stand.cluster.folder().join("rights.yaml"), RIGHTS)?;
    tenant.account(Some("another")).await?;
    tenant.problem(&["open/web-2", "may not act as ServiceAccount tenant/another", "cannot impersonate"]).await?;
    ensure!(tenant.other("open", "web-2").await?.is_none(), "nothing was written");
    tenant.account(Some("reef-source")).await?;
    tenant.applied().await?;
    let made = tenant.other("open", "web-2").await?.map(|vm| vm.metadata.annotations.unwrap_or_default());
    ensure!(made.as_ref().is_some_and(|made| made["reef.dev/source"] == "tenant/vms"), "{made:?}");
    // What is another's stays as it is, with the right to write there and without.
    let before = neighbour.vm().await?;
    tenant.states("neighbour", "web-1", &text.replace("size: 1Gi", "size: 4Gi"))?;
    tenant.problem(&["neighbour/web-1", "tenant/reef-source", "lacks the right to", "in namespace neighbour"]).await?;
    // Nor can it hold up a VM that is new there.
    tenant.states("neighbour", "web-9", &text)?;
    tenant.problem(&["neighbour/web-9", "tenant/reef-source", "lacks the right to"]).await?;
    neighbour.states("neighbour", "web-9", &text)?;
    soon("the VM is made by the source of its namespace", async || {
        let made = neighbour.other("neighbour", "web-9").await?.and_then(|vm| vm.metadata.annotations);
        Ok(made.filter(|made| made["reef.dev/source"] == "neighbour/vms"))
    })
    .await?;
    let binding = RIGHTS.split("---").last().unwrap_or_default().replace("namespace: open", "namespace: neighbour");
    apply(&stand.cluster, &stand.cluster.folder().join("more.yaml"), &binding)?;
    tenant.problem(&["neighbour/web-1", "GitSource neighbour/vms states it too"]).await?;
    let after = neighbour.vm().await?;
    ensure!(before.spec == after.spec && before.metadata.generation == after.metadata.generation, "{:?}", after.spec);
    // Its own goes on meanwhile, as the account as well.
    tenant.push(size(2, 2))?;
    tenant.settles(size(2, 2)).await?;
    written_as(&stand, "tenant", "system:serviceaccount:tenant:reef-source")?;
    taken_away(&tenant, &neighbour).await
}

/// Rights that are taken away are told, what was applied stays, and nothing else stops.
async fn taken_away(tenant: &Story, neighbour: &Story) -> Result<()> {
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces";
    tenant.delete(&format!("{bindings}/open/rolebindings/reef-source")).await?;
    tenant.problem(&["open/web-2", "lacks the right to create", "in namespace open"]).await?;
    ensure!(tenant.other("open", "web-2").await?.is_some(), "it stays");
    tenant.delete(&format!("{bindings}/tenant/rolebindings/reef-source")).await?;
    tenant.push(size(3, 3))?;
    let words = ["tenant/web-1", "was refused", "cannot patch resource", "virtualmachines", "by a RoleBinding"];
    tenant.problem(&words).await?;
    ensure!(tenant.vm().await?.actual() == Some(size(2, 2)), "it goes on with what it has");
    neighbour.push(size(2, 2))?;
    neighbour.settles(size(2, 2)).await
}

/// That the API server has noted whose rights a write was made by.
fn written_as(stand: &Stand, namespace: &str, user: &str) -> Result<()> {
    let log = std::fs::read_to_string(stand.cluster.logs().join("audit.log"))?;
    let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about = |event: &Value| {
        let object = &event["objectRef"];
        object["resource"] == "virtualmachines" && object["namespace"] == namespace && object["subresource"].is_null()
    };
    let last = events.rfind(|event| event["verb"] == "patch" && about(event)).unwrap_or_default();
    ensure!(last["impersonatedUser"]["username"] == user, "{last}");
    Ok(())
}
