//! Quotas, limits and policies of others that refuse or change what the controller asks for: told in their words, and not fought over.

use anyhow::Result;
use reef_api::Bytes;
use serde_json::{Value, json};

use crate::stand::{Stand, Story, size, soon};

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1";

impl Story {
    /// A quota, with the status that its controller would write.
    async fn quota(&self, memory: &str) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/resourcequotas", self.namespace);
        let hard = json!({ "limits.memory": memory });
        let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" }, "spec": { "hard": hard } });
        let mut quota = self.create(&path, &quota).await?;
        quota["status"] = json!({ "hard": hard, "used": { "limits.memory": self.wished().await?.to_string() } });
        self.put(&format!("{path}/small/status"), &quota).await.map(drop)
    }

    /// A policy about every resize of a Pod in this namespace.
    async fn policy(&self, group: &str, kind: &str, mut spec: Value) -> Result<()> {
        let rule =
            json!({ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/resize"] });
        let here = json!({ "matchLabels": { "kubernetes.io/metadata.name": self.namespace } });
        spec["matchConstraints"] = json!({ "resourceRules": [rule], "namespaceSelector": here });
        let name = format!("about-{}", self.namespace);
        let kinds = kind.to_lowercase().replace("policy", "policies");
        let version = group.trim_start_matches("/apis/");
        let object = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": spec });
        self.create(&format!("{group}/{kinds}"), &object).await?;
        let mut bound = json!({ "policyName": name });
        if kind.starts_with("Validating") {
            bound["validationActions"] = json!(["Deny"]);
        }
        let binding = json!({ "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": { "name": name }, "spec": bound });
        self.create(&format!("{group}/{}", kinds.replace("policies", "policybindings")), &binding).await?;
        Ok(())
    }

    /// A policy is in force a moment after it was made: until then it is tried with a resize of its own.
    async fn in_force(&self, held: &str) -> Result<()> {
        soon(&format!("{held} is in force"), async || {
            let made = self.resize_pod("?dryRun=All", "7", "7Gi").await;
            let as_asked = |pod: &Value| pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "7Gi";
            Ok((!made.is_ok_and(|pod| as_asked(&pod))).then_some(()))
        })
        .await
    }

    /// Somebody else resizes the Pod.
    async fn resize_pod(&self, query: &str, cpu: &str, memory: &str) -> Result<Value> {
        let name = self.pod().await?.metadata.name.unwrap_or_default();
        let path = format!("/api/v1/namespaces/{}/pods/{name}/resize{query}", self.namespace);
        let amounts = json!({ "cpu": cpu, "memory": memory });
        let container = json!({ "name": "vm-manager", "resources": { "requests": amounts, "limits": amounts } });
        let body = json!({ "spec": { "containers": [container] } }).to_string().into_bytes();
        let request = http::Request::patch(path).header("content-type", "application/strategic-merge-patch+json");
        Ok(self.client.request(request.body(body)?).await?)
    }
}

#[tokio::test]
async fn what_others_refuse_or_change_is_told_in_their_words_and_asked_for_ever_less_often() -> Result<()> {
    let flags =
        ["--feature-gates=MutatingAdmissionPolicy=true", "--runtime-config=admissionregistration.k8s.io/v1beta1=true"];
    let stand = Stand::start(&flags).await?;
    quota(&stand).await?;
    limits(&stand).await?;
    denied(&stand).await?;
    changed(&stand).await
}

async fn quota(stand: &Stand) -> Result<()> {
    let story = stand.story("quota", size(1, 1)).await?;
    story.quota("3Gi").await?;
    story.push(size(2, 4))?;
    let told = story.says("QuotaExceeded").await?;
    assert!(told.contains("exceeded quota: small") && told.contains("limits.memory"), "{told}");
    assert_eq!((story.wished().await?, story.vm().await?.actual()), (Bytes(1280 << 20), Some(size(1, 1))));
    assert_eq!(story.refusals()?, 1);
    story.push(size(2, 2))?;
    story.settles(size(2, 2)).await?;
    story.push(size(2, 4))?;
    story.says("QuotaExceeded").await?;
    story.delete("/api/v1/namespaces/quota/resourcequotas/small").await?;
    story.settles(size(2, 4)).await?;
    assert!(story.refusals()? <= 4, "{} refusals", story.refusals()?);
    Ok(())
}

async fn limits(stand: &Stand) -> Result<()> {
    let story = stand.story("limits", size(1, 1)).await?;
    let limit = json!({ "type": "Container", "max": { "memory": "2Gi" } });
    let range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "small" }, "spec": { "limits": [limit] } });
    story.create("/api/v1/namespaces/limits/limitranges", &range).await?;
    story.in_force("the limit").await?;
    story.push(size(1, 2))?;
    let told = story.says("QuotaExceeded").await?;
    assert!(told.contains("maximum memory usage per Container is 2Gi"), "{told}");
    assert_eq!(story.vm().await?.actual(), Some(size(1, 1)));
    story.resize_pod("", "500m", "768Mi").await?;
    let put_back = async || Ok((story.wished().await? == Bytes(1280 << 20)).then_some(()));
    soon("the Pod that is too small for its VM is put back, though it may not grow", put_back).await?;
    story.push(size(3, 1))?;
    story.settles(size(3, 1)).await
}

async fn denied(stand: &Stand) -> Result<()> {
    let story = stand.story("denied", size(1, 1)).await?;
    let rule = json!({ "expression": "false", "message": "no Pod of this team is resized on a Friday" });
    story.policy(POLICIES, "ValidatingAdmissionPolicy", json!({ "validations": [rule] })).await?;
    story.in_force("the policy").await?;
    story.push(size(2, 2))?;
    let told = story.says("AdmissionDenied").await?;
    assert!(told.contains("about-denied") && told.contains("on a Friday"), "{told}");
    assert_eq!((story.wished().await?, story.vm().await?.actual()), (Bytes(1280 << 20), Some(size(1, 1))));
    assert_eq!(story.refusals()?, 1);
    story.delete(&format!("{POLICIES}/validatingadmissionpolicybindings/about-denied")).await?;
    story.settles(size(2, 2)).await?;
    assert!(story.refusals()? <= 3, "{} refusals", story.refusals()?);
    Ok(())
}

async fn changed(stand: &Stand) -> Result<()> {
    let story = stand.story("changed", size(1, 1)).await?;
    let limits = "object.spec.containers.map(c, Object.spec.containers{name: c.name, resources: \
        Object.spec.containers.resources{requests: {\"memory\": \"1536Mi\"}, limits: {\"memory\": \"1536Mi\"}}})";
    let patch = format!("Object{{spec: Object.spec{{containers: {limits}}}}}");
    let mutation = json!({ "patchType": "ApplyConfiguration", "applyConfiguration": { "expression": patch } });
    let spec = json!({ "reinvocationPolicy": "Never", "failurePolicy": "Fail", "mutations": [mutation] });
    let group = "/apis/admissionregistration.k8s.io/v1beta1";
    story.policy(group, "MutatingAdmissionPolicy", spec).await?;
    story.in_force("the change").await?;
    story.push(size(2, 2))?;
    let told = story.says("AdmissionDenied").await?;
    assert!(told.contains("1536Mi") && told.contains("2304Mi"), "{told}");
    assert_eq!((story.wished().await?, story.vm().await?.actual()), (Bytes(1536 << 20), Some(size(1, 1))));
    tokio::time::sleep(std::time::Duration::from_secs(15)).await;
    assert_eq!(story.refusals()?, 1, "it is not fought over");
    story.delete(&format!("{group}/mutatingadmissionpolicybindings/about-changed")).await?;
    story.settles(size(2, 2)).await
}
