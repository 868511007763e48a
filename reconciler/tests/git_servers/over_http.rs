//! Fetches over plain HTTP from Git's own server program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use git2::Repository;
use reef_reconciler::source::{Credentials, Descent, History, Retry};

use crate::http_server::{Server, Site, Transport};
use crate::origin::{Clones, MAIN, Origin, location, pairs, texts};

/// `ann` with the password `hunter2`.
const ANN: &str = "Basic YW5uOmh1bnRlcjI=";

async fn serve(site: Site) -> Server {
    Server::start(site, Transport::Plain).await
}

fn url(server: &Server, repository: &str) -> String {
    format!("http://{}/{repository}", server.address)
}

#[tokio::test]
async fn a_tip_is_cloned_without_its_past_and_followed_through_pushes_and_force_pushes() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let base = origin.push(&[("a.yaml", "0")]);
    origin.push(&[("a.yaml", "1"), ("b.yaml", "same")]);
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git"));
    let first = clones.fetch(&here, None).await.unwrap();
    assert_eq!((texts(&first), first.descent), (pairs(&[("a.yaml", "1"), ("b.yaml", "same")]), Descent::First));
    assert!(clones.only().is_shallow() && clones.only().find_commit(base).is_err(), "the past was fetched");
    assert!(Arc::ptr_eq(&first, &clones.fetch(&here, Some(&first)).await.unwrap()));
    let pushed = origin.push(&[("a.yaml", "2"), ("b.yaml", "same")]);
    let second = clones.fetch(&here, Some(&first)).await.unwrap();
    assert_eq!((second.commit.id.clone(), second.descent), (pushed.to_string(), Descent::Descends));
    assert_eq!((texts(&second), second.blobs_read), (pairs(&[("a.yaml", "2"), ("b.yaml", "same")]), 1));
    origin.commit(MAIN, &[("a.yaml", "3")], &[base]);
    let third = clones.fetch(&here, Some(&second)).await.unwrap();
    assert_eq!((texts(&third), third.descent), (pairs(&[("a.yaml", "3")]), Descent::Unknown));
}

#[tokio::test]
async fn a_force_push_onto_another_history_is_negotiated_and_told() {
    let (origin, clones) = (Origin::new(), Clones::new());
    for step in 0..300 {
        origin.push(&[("a.yaml", &step.to_string())]);
    }
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git")).with_history(History::Full);
    let first = clones.fetch(&here, None).await.unwrap();
    assert!(!clones.only().is_shallow());
    let root = origin.commit(MAIN, &[("a.yaml", "new")], &[]);
    let second = clones.fetch(&here, Some(&first)).await.unwrap();
    assert_eq!((second.commit.id.clone(), second.descent), (root.to_string(), Descent::Rewritten));
    origin.push(&[("a.yaml", "newer")]);
    let third = clones.fetch(&here, Some(&second)).await.unwrap();
    assert_eq!((texts(&third), third.descent), (pairs(&[("a.yaml", "newer")]), Descent::Descends));
}

#[tokio::test]
async fn branches_and_annotated_tags_are_found_by_name_and_a_missing_one_is_told() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let base = origin.push(&[("a.yaml", "1")]);
    origin.commit("refs/heads/team/prod", &[("a.yaml", "2")], &[base]);
    let object = origin.repo.find_object(base, None).unwrap();
    let who = origin.repo.find_commit(base).unwrap().author().to_owned();
    origin.repo.tag("v1", &object, &who, "first", false).unwrap();
    let server = serve(Site::of(origin.root())).await;
    let at = |name: &str| location(&url(&server, "r.git")).with_reference(Some(name)).unwrap();
    for (name, text) in [("team/prod", "2"), ("v1", "1"), ("refs/tags/v1", "1")] {
        assert_eq!(texts(&clones.fetch(&at(name), None).await.unwrap()), pairs(&[("a.yaml", text)]), "{name}");
    }
    let error = clones.fetch(&at("gone"), None).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("BranchMissing", Retry::AfterChange), "{error}");
}

#[tokio::test]
async fn a_protected_repository_opens_to_the_right_password_alone() {
    let origin = Origin::new();
    origin.push(&[("a.yaml", "1")]);
    let server = serve(Site::of(origin.root()).only_for(ANN)).await;
    let here = location(&url(&server, "r.git"));
    let with = |password: &str| {
        let credentials = Credentials::Basic { username: "ann".to_owned(), password: password.to_owned() };
        here.clone().with_credentials(credentials).unwrap()
    };
    let snapshot = Clones::new().fetch(&with("hunter2"), None).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("a.yaml", "1")]));
    let before = server.requests();
    for refused in [here.clone(), with("Hunter2"), with("")] {
        let error = Clones::new().fetch(&refused, None).await.unwrap_err();
        assert_eq!((error.category(), error.retry()), ("Auth", Retry::AfterChange), "{error}");
        assert!(!format!("{error} {error:?}").contains("Hunter2"), "{error}");
    }
    assert!(server.requests() - before <= 6, "it kept asking");
}

#[tokio::test]
async fn a_repository_that_is_missing_or_goes_away_is_unreachable_and_comes_back() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let server = serve(Site::of(origin.root())).await;
    let missing = clones.fetch(&location(&url(&server, "other.git")), None).await.unwrap_err();
    assert_eq!((missing.category(), missing.retry()), ("Unreachable", Retry::Backoff));
    assert!(missing.to_string().contains("404"), "{missing}");
    let here = location(&url(&server, "r.git"));
    let last = clones.fetch(&here, None).await.unwrap();
    let (there, away) = (origin.root().join("r.git"), origin.root().join("away.git"));
    std::fs::rename(&there, &away).unwrap();
    assert_eq!(clones.fetch(&here, Some(&last)).await.unwrap_err().category(), "Unreachable");
    std::fs::rename(&away, &there).unwrap();
    assert!(Arc::ptr_eq(&last, &clones.fetch(&here, Some(&last)).await.unwrap()));
}

#[tokio::test]
async fn an_empty_repository_is_told_from_a_missing_one() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git"));
    assert_eq!(clones.fetch(&here, None).await.unwrap_err().category(), "Empty");
    origin.push(&[("a.yaml", "1")]);
    assert_eq!(texts(&clones.fetch(&here, None).await.unwrap()), pairs(&[("a.yaml", "1")]));
}

#[tokio::test]
async fn thousands_of_files_come_in_one_transfer_and_one_change_reads_one_blob() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let names: Vec<String> = (0..4000).map(|number| format!("team-{}/vm-{number}.yaml", number % 40)).collect();
    let long = "size: 1\n".repeat(60_000);
    let changed = format!("{long}size: 2\n");
    let with = |last: &str| -> Vec<(String, String)> {
        let small = names.iter().map(|name| (name.clone(), format!("name: {name}\n")));
        small.chain([("big.yaml".to_owned(), last.to_owned())]).collect()
    };
    let push = |files: &[(String, String)]| {
        origin.push(&files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>())
    };
    push(&with(&long));
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git"));
    let first = clones.fetch(&here, None).await.unwrap();
    assert_eq!((first.files.len(), first.blobs_read), (4001, 4001));
    push(&with(&changed));
    let second = clones.fetch(&here, Some(&first)).await.unwrap();
    assert_eq!((second.files.len(), second.blobs_read), (4001, 1));
    assert_eq!(texts(&second)[0], ("big.yaml".to_owned(), changed));
}

/// The list of references is one request and the pack another: what was listed may be gone by then.
#[tokio::test]
async fn a_force_push_in_the_middle_of_a_fetch_fails_it_and_the_next_one_has_the_new_tip() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let path = origin.repo.path().to_owned();
    let armed = Arc::new(AtomicBool::new(false));
    let is_armed = Arc::clone(&armed);
    let rewrite = move || {
        if is_armed.swap(false, Ordering::SeqCst) {
            let repo = Repository::open_bare(&path).unwrap();
            let other = repo.refname_to_id("refs/other").unwrap();
            repo.reference(MAIN, other, true, "force push").unwrap();
        }
    };
    let server = serve(Site::of(origin.root()).before_pack(rewrite)).await;
    let here = location(&url(&server, "r.git"));
    let first = clones.fetch(&here, None).await.unwrap();
    origin.push(&[("a.yaml", "2")]);
    origin.commit("refs/other", &[("a.yaml", "3")], &[]);
    armed.store(true, Ordering::SeqCst);
    let error = clones.fetch(&here, Some(&first)).await.unwrap_err();
    assert!(!armed.load(Ordering::SeqCst), "nothing was pushed in the middle");
    assert_eq!((error.category(), error.retry()), ("Unreachable", Retry::Backoff), "{error}");
    assert_eq!(texts(&clones.fetch(&here, Some(&first)).await.unwrap()), pairs(&[("a.yaml", "3")]));
}

#[tokio::test]
async fn a_commit_of_the_past_is_found_in_the_history_and_one_that_is_nowhere_is_told() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let base = origin.push(&[("a.yaml", "1")]);
    let tip = origin.push(&[("a.yaml", "2")]);
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git"));
    let at = |id: &str| here.clone().at_commit(id).unwrap();
    let same = clones.fetch(&at(&tip.to_string()), None).await.unwrap();
    assert_eq!((same.commit.id.clone(), texts(&same)), (tip.to_string(), pairs(&[("a.yaml", "2")])));
    assert!(clones.only().is_shallow(), "the tip is fetched without its past");
    let past = clones.fetch(&at(&base.to_string()), None).await.unwrap();
    assert_eq!((past.commit.id.clone(), texts(&past)), (base.to_string(), pairs(&[("a.yaml", "1")])));
    let away = origin.commit("refs/other", &[("a.yaml", "3")], &[]);
    origin.repo.find_reference("refs/other").unwrap().delete().unwrap();
    let error = clones.fetch(&at(&away.to_string()), None).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("CommitMissing", Retry::AfterChange), "{error}");
    assert!(error.to_string().contains(&format!("has no commit {away} in the past of `HEAD`")), "{error}");
}

#[tokio::test]
async fn a_commit_of_no_branch_is_handed_out_by_its_name_where_the_server_does_that() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let away = origin.commit("refs/other", &[("a.yaml", "2")], &[]);
    origin.repo.find_reference("refs/other").unwrap().delete().unwrap();
    origin.repo.config().unwrap().set_bool("uploadpack.allowAnySHA1InWant", true).unwrap();
    let server = serve(Site::of(origin.root())).await;
    let here = location(&url(&server, "r.git"));
    let found = clones.fetch(&here.clone().at_commit(&away.to_string()).unwrap(), None).await.unwrap();
    assert_eq!((found.commit.id.clone(), texts(&found)), (away.to_string(), pairs(&[("a.yaml", "2")])));
    assert!(clones.only().is_shallow());
    assert_eq!(texts(&clones.fetch(&here, None).await.unwrap()), pairs(&[("a.yaml", "1")]), "the tip is the tip");
}

#[tokio::test]
async fn a_commit_that_others_have_fetched_is_not_handed_to_who_may_not_read_the_repository() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let tip = origin.push(&[("a.yaml", "1")]);
    let server = serve(Site::of(origin.root()).only_for(ANN)).await;
    let here = location(&url(&server, "r.git")).at_commit(&tip.to_string()).unwrap();
    let credentials = Credentials::Basic { username: "ann".to_owned(), password: "hunter2".to_owned() };
    clones.fetch(&here.clone().with_credentials(credentials).unwrap(), None).await.unwrap();
    assert_eq!(clones.fetch(&here, None).await.unwrap_err().category(), "Auth");
}
