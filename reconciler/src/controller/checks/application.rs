//! What the Application of a check says: which commit it is about to sync, and whether it reads the repository of the check's source.

use reef_api::Reason;
use reef_api::argocd::Application;

use super::work::Source;
use crate::act::{Caller, Outcome, Refused};
use crate::controller::applications;
use crate::decide::check::Answer;
use crate::decide::observed::RefusalKind;
use crate::observe::ObjectKey;
use crate::source::{same_folder, same_repository, shown_address};

/// The commit that an Application is about to sync.
///
/// # Errors
/// What is to be told where there is none yet, or where it is not for this check to judge.
pub(super) async fn revision(caller: &Caller, application: &ObjectKey, source: &Source) -> Result<String, Answer> {
    let read = read(caller, application).await?;
    fits(&read, application, source)?;
    let operation = read.status.operation_state.as_ref().filter(|operation| operation.runs());
    let found = operation.and_then(|operation| operation.revision());
    found.map(str::to_owned).ok_or_else(|| Answer::Waits {
        reason: Reason::WaitingForOperation,
        message: match operation {
            Some(_) => format!("Application {application} syncs, and has not told yet which commit"),
            None => format!(
                "Application {application}, which the check is a hook of, has no sync under way; without one, state the commit in spec.revision"
            ),
        },
    })
}

async fn read(caller: &Caller, key: &ObjectKey) -> Result<Application, Answer> {
    let unjudged = |reason, message| Answer::Unjudged { reason, message };
    let without = "or state the commit in spec.revision";
    match caller.call(&applications::get(key)).await {
        Outcome::Done(body) => serde_json::from_slice(&body).map_err(|error| {
            unjudged(
                Reason::NotJudged,
                format!("Application {key} has a shape that this Reef cannot read ({error}); {without}"),
            )
        }),
        Outcome::Gone(_) => Err(unjudged(
            Reason::NotJudged,
            format!(
                "Application {key}, which the tracking annotation of the check names, is not there; start the controller with --argocd-namespace \
                 of the namespace that Argo CD is in, {without}"
            ),
        )),
        Outcome::Refused(Refused { kind: RefusalKind::Forbidden, message }) => Err(unjudged(
            Reason::Forbidden,
            format!(
                "Application {key} may not be read ({message}); apply argocd/rbac.yaml, which gives this right, {without}"
            ),
        )),
        Outcome::Refused(Refused { message, .. }) => {
            Err(unjudged(Reason::NotJudged, format!("Application {key} cannot be read ({message}); {without}")))
        }
        Outcome::Conflict(message) | Outcome::Unknown(message) | Outcome::Throttled { message, .. } => {
            Err(Answer::Waits { reason: Reason::WaitingForOperation, message })
        }
    }
}

/// Whether the check's source reads what the Application applies. Who writes a check may name any Application by the annotation: where that one reads from
/// is not told.
fn fits(application: &Application, key: &ObjectKey, source: &Source) -> Result<(), Answer> {
    let unjudged = |message| Err(Answer::Unjudged { reason: Reason::NotJudged, message });
    let several = application.spec.sources.len();
    let Some(theirs) = application.spec.source.as_ref().filter(|_| several == 0) else {
        return unjudged(format!(
            "Application {key} states {several} entries in spec.sources, and a check is about the one repository of spec.source; give the VMs an \
             Application of their own, or state the commit in spec.revision"
        ));
    };
    let (name, folder) = (&source.key, source.spec.path.as_deref().unwrap_or_default());
    if !same_repository(&theirs.repo_url, &source.spec.url) {
        return unjudged(format!(
            "Application {key} syncs another repository than GitSource {name} of spec.sourceRef reads, which is {}; name the source of the \
             repository in the Application's spec.source.repoURL",
            shown_address(&source.spec.url)
        ));
    }
    if !same_folder(&theirs.path, folder) {
        return unjudged(format!(
            "Application {key} syncs another folder than GitSource {name} of spec.sourceRef reads, which is {folder:?}; let the source name the \
             folder in the Application's spec.source.path"
        ));
    }
    Ok(())
}
