//! Refusals that have nothing to do with one kind: paths, methods, types, load.

use super::prelude::*;

cases!("errors", ApiServer:
    a_path_that_is_not_served_is_not_found,
    a_method_that_means_nothing_is_not_allowed,
    a_type_that_cannot_be_made_is_not_acceptable,
    a_body_of_an_unknown_type_is_unsupported,
    a_server_that_has_enough_says_when_to_come_back,
    a_dry_run_of_another_word_is_refused,
    a_body_that_is_too_large_is_refused,
    an_empty_body_is_refused,
    health_and_version_answer,
    a_number_that_is_none_is_refused,
);

async fn a_path_that_is_not_served_is_not_found(context: Context) -> Result<()> {
    let text = context.get("/apis/nothing.dev/v1/namespaces/NS/things").await?;
    same("an unknown group", &json!([text.code, text.text]), &json!([404, "404 page not found\n"]))?;
    let refused = context.get("/api/v1/namespaces/NS/things").await?.refusal()?;
    let message = "the server could not find the requested resource";
    same(
        "an unknown kind",
        &refused,
        &json!({ "code": 404, "reason": "NotFound", "message": message, "details": {} }),
    )?;
    let refused = context.get("/api/v1/namespaces/NS/configmaps/a/status").await?.refusal()?;
    same(
        "an unknown part",
        &refused,
        &json!({ "code": 404, "reason": "NotFound", "message": message, "details": {} }),
    )?;
    let text = context.get("/apis/conformance.reef.dev/v2/namespaces/NS/widgets").await?;
    same("an unknown version", &json!([text.code, text.text]), &json!([404, "404 page not found\n"]))?;
    let text = context.get("/nothing").await?;
    same("an unknown place", &json!(text.code), &json!(404))
}

async fn a_method_that_means_nothing_is_not_allowed(context: Context) -> Result<()> {
    let message = "the server does not allow this method on the requested resource";
    let expected = json!({ "code": 405, "reason": "MethodNotAllowed", "message": message, "details": {} });
    for (method, path) in [("POST", "configmaps/a"), ("PUT", "configmaps"), ("PATCH", "configmaps")] {
        let call = Call::new(method, path).typed("application/json", config("a").to_string());
        same(&format!("{method} {path}"), &context.send(call).await?.refusal()?, &expected)?;
    }
    Ok(())
}

async fn a_type_that_cannot_be_made_is_not_acceptable(context: Context) -> Result<()> {
    let refused = context.send(Call::get("configmaps").header("accept", "text/html")).await?.refusal()?;
    same("a core kind", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([406, "NotAcceptable"]))?;
    let refused = context.send(Call::get("widgets").header("accept", "text/html")).await?.refusal()?;
    let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    same("a custom resource", &refused, &json!({ "code": 406, "reason": "NotAcceptable", "message": message }))
}

async fn a_body_of_an_unknown_type_is_unsupported(context: Context) -> Result<()> {
    let refused = context.send(Call::new("POST", "configmaps").typed("text/plain", "hello")).await?.refusal()?;
    same(
        "code and reason",
        &json!([at(&refused, "/code"), at(&refused, "/reason")]),
        &json!([415, "UnsupportedMediaType"]),
    )?;
    let message = text_at(&refused, "/message");
    let expected = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    same("the message", &json!(message), &json!(expected))
}

async fn a_server_that_has_enough_says_when_to_come_back(context: Context) -> Result<()> {
    (context.hands.throttle)().await?;
    let call = || {
        Call::get("configmaps?resourceVersion=999999999")
            .header("user-agent", "throttled")
            .header("impersonate-user", "throttled")
    };
    // One at a time is always let through: the first takes its time over a version that never comes.
    let answers = futures::future::join_all((0..10).map(|_| context.send(call()))).await;
    for answer in answers {
        let answer = answer?;
        if answer.code == 429 {
            // How long depends on how much was turned away lately.
            let seconds = answer.header("retry-after").parse::<u32>();
            ensure!(
                seconds.as_ref().is_ok_and(|seconds| *seconds >= 1),
                "it says when: {:?}",
                answer.header("retry-after")
            );
            return same(
                "the answer",
                &json!(answer.text.trim_end()),
                &json!("Too many requests, please try again later."),
            );
        }
    }
    anyhow::bail!("the server never has enough")
}

async fn a_dry_run_of_another_word_is_refused(context: Context) -> Result<()> {
    let refused = context.post("configmaps?dryRun=Maybe", &config("a")).await?.refusal()?;
    let found = json!([
        at(&refused, "/code"),
        at(&refused, "/reason"),
        at(&refused, "/details/causes/0/reason"),
        at(&refused, "/details/causes/0/field")
    ]);
    same("the refusal", &found, &json!([422, "Invalid", "FieldValueNotSupported", "dryRun"]))?;
    let message = text_at(&refused, "/message");
    ensure!(message.starts_with("CreateOptions.meta.k8s.io \"\" is invalid: dryRun: "), "{message}");
    Ok(())
}

async fn a_body_that_is_too_large_is_refused(context: Context) -> Result<()> {
    let large = json!({ "metadata": { "name": "a" }, "data": { "a": "x".repeat(3 * 1024 * 1024) } });
    let refused = context.post("configmaps", &large).await?;
    same("the body", &json!([refused.code, refused.text_at("/reason")]), &json!([413, "RequestEntityTooLarge"]))?;
    let large = json!({ "metadata": { "name": "a" }, "data": { "a": "x".repeat(1024 * 1024 + 1) } });
    let refused = context.post("configmaps", &large).await?.refusal()?;
    let cause = json!({ "reason": "FieldValueTooLong", "message": "Too long: may not be more than 1048576 bytes", "field": "[]" });
    same("the object", &json!([at(&refused, "/code"), at(&refused, "/details/causes")]), &json!([422, [cause]]))
}

async fn an_empty_body_is_refused(context: Context) -> Result<()> {
    let answer = context.send(Call::new("POST", "configmaps").typed("application/json", "")).await?;
    let refused = answer.refusal()?;
    same("the code", &json!([at(&refused, "/code"), at(&refused, "/reason")]), &json!([400, "BadRequest"]))?;
    let answer = context.send(Call::new("POST", "widgets").typed("application/json", "[]")).await?;
    same("a list", &at(&answer.refusal()?, "/code"), &json!(400))
}

async fn health_and_version_answer(context: Context) -> Result<()> {
    for path in ["/healthz", "/livez", "/readyz"] {
        let answer = context.get(path).await?;
        same(path, &json!([answer.code, answer.text]), &json!([200, "ok"]))?;
    }
    let version = context.get("/version").await?;
    same("major", &at(version.expect(200)?, "/major"), &json!("1"))
}

async fn a_number_that_is_none_is_refused(context: Context) -> Result<()> {
    let refused = context.get("configmaps?limit=many").await?.refusal()?;
    same("the code", &at(&refused, "/code"), &json!(400))
}
