//! What somebody may do, and acting as somebody else.

use super::prelude::*;

cases!("access", ApiServer:
    who_may_do_everything_is_told_so,
    a_write_as_another_is_made_by_the_rights_of_that_other,
);

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

async fn who_may_do_everything_is_told_so(context: Context) -> Result<()> {
    let asked = json!({ "group": "reef.dev", "resource": "sizingpolicies", "namespace": "NS", "verb": "patch" });
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": { "resourceAttributes": asked },
    });
    let told = context.send(Call::post(REVIEWS, &review)).await?;
    let body = told.expect(201)?;
    let found = json!([at(body, "/kind"), at(body, "/spec/resourceAttributes"), at(body, "/status/allowed")]);
    same("the answer", &found, &json!(["SelfSubjectAccessReview", asked, true]))
}

async fn a_write_as_another_is_made_by_the_rights_of_that_other(context: Context) -> Result<()> {
    let call = Call::post("configmaps", &config("a")).header("impersonate-user", "system:serviceaccount:case:nobody");
    let refused = context.send(call).await?.refusal()?;
    let message = "configmaps is forbidden: User \"system:serviceaccount:case:nobody\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"NS\"";
    same("the refusal", &json!([refused["code"], refused["message"]]), &json!([403, message]))?;
    same("what is", &json!(context.get("configmaps/a").await?.code), &json!(404))
}
