//! Which VM a name means, and where it is stated. Tells what is near where none is, and what stands in the way where it cannot be used.

use std::collections::BTreeMap;

use anyhow::bail;
use reef_api::{VmKey, nearest};
use reef_reconciler::desired::{Desired, Kind, Origin, Problem};
use reef_reconciler::source::Snapshot;

/// Reasons that are told why a VM may not be found.
const MOST_TOLD: usize = 3;

/// The one VM of this name, or of this namespace and name.
///
/// # Errors
/// Where there is none, where there are several, and where its document cannot be used.
pub(super) fn vm(stated: &Desired, files: &Snapshot, named: &str) -> anyhow::Result<(VmKey, Origin)> {
    let places = places(stated);
    let fits = |key: &VmKey| key.name == named || key.to_string() == named;
    let found: Vec<(&VmKey, &Origin)> = places.iter().filter(|(key, _)| fits(key)).collect();
    match found.as_slice() {
        [] => bail!("{}", unknown(stated, files, named, &places)),
        [(key, origin)] if stated.vms.contains_key(*key) => Ok(((*key).clone(), (*origin).clone())),
        [(key, _)] => {
            let told: Vec<String> =
                broken(stated).filter(|(other, _)| other == *key).map(|it| it.1.to_string()).collect();
            bail!("VirtualMachine {key} cannot be changed before this is mended:\n{}", told.join("\n"))
        }
        several => {
            let places = several.iter().map(|(key, origin)| format!("{key} ({origin})"));
            let places: Vec<String> = places.collect();
            bail!("`{named}` may be {}; name one of them as NAMESPACE/NAME", places.join(" or "))
        }
    }
}

/// Every VM that is stated, whether it can be used or not.
fn places(stated: &Desired) -> BTreeMap<VmKey, Origin> {
    let mut places: BTreeMap<VmKey, Origin> =
        broken(stated).map(|(key, problem)| (key, problem.origin.clone())).collect();
    places.extend(stated.vms.iter().map(|(key, vm)| (key.clone(), vm.origin.clone())));
    places
}

fn broken(stated: &Desired) -> impl Iterator<Item = (VmKey, &Problem)> {
    stated.problems.iter().filter_map(|problem| {
        let object = problem.object.as_ref().filter(|object| object.kind == Kind::VirtualMachine)?;
        Some((object.key(), problem))
    })
}

fn unknown(stated: &Desired, files: &Snapshot, named: &str, places: &BTreeMap<VmKey, Origin>) -> String {
    let word = |key: &VmKey| if named.contains('/') { key.to_string() } else { key.name.clone() };
    let words: Vec<String> = places.keys().map(word).collect();
    let near = nearest(named, &words.iter().map(String::as_str).collect::<Vec<_>>());
    let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let unread = stated.problems.iter().filter(|problem| problem.object.is_none());
    let unread = unread.map(|problem| format!("\n{}: {}", problem.origin, problem.message));
    let skipped = files.skipped.iter().map(|skipped| format!("\n`{}` {}", skipped.path, skipped.reason));
    let hidden: String = unread.chain(skipped).take(MOST_TOLD).collect();
    let looked = if hidden.is_empty() { "" } else { ". It may be in what cannot be read:" };
    format!("no file states a VM `{named}`{meant}{looked}{hidden}")
}
