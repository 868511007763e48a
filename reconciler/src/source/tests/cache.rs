//! Clones that were damaged, left half-done, or grew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::fixture::{Clones, Origin, pairs, texts};
use crate::source::*;

fn packs(clone: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(clone.join("objects/pack")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "pack")).collect()
}

fn flip(path: &Path, from: usize) {
    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false, reason = "packs are written read-only, in a temporary folder")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    let mut bytes = fs::read(path).unwrap();
    for byte in &mut bytes[from..] {
        *byte ^= 0x5a;
    }
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_clone_is_made_anew() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    clones.fetch(&origin.location(), None).await.unwrap();
    let clone = clones.clone_dir();
    flip(&packs(&clone)[0], 12);
    let snapshot = clones.fetch(&origin.location(), None).await.unwrap();
    assert_eq!(texts(&snapshot), pairs(&[("a.yaml", "1")]));
    assert_eq!(packs(&clone).len(), 1);
    assert!(!clone.with_extension("new").exists());
}

#[tokio::test]
async fn what_a_killed_fetch_left_behind_is_cleared() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let first = clones.fetch(&origin.location(), None).await.unwrap();
    let clone = clones.clone_dir();
    let left =
        ["objects/pack/pack_git2_abc", "refs/kept/HEAD.lock", "config.lock", "objects/pack/tmp_pack_x", "shallow.lock"];
    for name in left {
        fs::write(clone.join(name), "half").unwrap();
    }
    fs::create_dir(clone.with_extension("new")).unwrap();
    origin.push(&[("a.yaml", "2")]);
    let second = clones.fetch(&origin.location(), Some(&first)).await.unwrap();
    assert_eq!(texts(&second), pairs(&[("a.yaml", "2")]));
    assert!(left.iter().all(|name| !clone.join(name).exists()));
}

#[tokio::test]
async fn truncated_files_of_a_clone_cost_a_new_clone_and_nothing_else() {
    for name in ["refs/kept/HEAD", "config", "HEAD"] {
        let (origin, clones) = (Origin::new(), Clones::new());
        origin.push(&[("a.yaml", "1")]);
        let first = clones.fetch(&origin.location(), None).await.unwrap();
        let path = clones.clone_dir().join(name);
        assert!(path.exists(), "{name}");
        fs::write(&path, "[").unwrap();
        origin.push(&[("a.yaml", "2")]);
        let second = clones.fetch(&origin.location(), Some(&first)).await;
        assert_eq!(texts(&second.unwrap()), pairs(&[("a.yaml", "2")]), "{name}");
    }
}

#[tokio::test]
async fn a_killed_first_clone_does_not_count_as_one() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    clones.fetch(&origin.location(), None).await.unwrap();
    let clone = clones.clone_dir();
    fs::rename(&clone, clone.with_extension("new")).unwrap();
    fs::remove_dir_all(clone.with_extension("new").join("objects")).unwrap();
    assert!(clones.fetch(&origin.location(), None).await.is_ok());
}

#[tokio::test]
async fn a_cache_folder_that_cannot_be_written_is_named_as_the_cause() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    fs::write(clones.dir.path().join("cache"), "a file").unwrap();
    let error = clones.fetch(&origin.location(), None).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("CacheUnwritable", Retry::Backoff), "{error}");
    fs::remove_file(clones.dir.path().join("cache")).unwrap();
    assert!(clones.fetch(&origin.location(), None).await.is_ok());
}

#[tokio::test]
async fn a_damaged_local_origin_is_its_own_fault() {
    let (origin, clones) = (Origin::new(), Clones::new());
    origin.push(&[("a.yaml", "1")]);
    let first = clones.fetch(&origin.location(), None).await.unwrap();
    let blob = origin.push(&[("a.yaml", "2")]).to_string();
    let object = origin.path().join("objects").join(&blob[..2]).join(&blob[2..]);
    flip(&object, 0);
    let error = clones.fetch(&origin.location(), Some(&first)).await.unwrap_err();
    assert_eq!((error.category(), error.retry()), ("Corrupt", Retry::Backoff), "{error}");
    flip(&object, 0);
    assert!(clones.fetch(&origin.location(), Some(&first)).await.is_ok());
}

#[tokio::test]
async fn many_pushes_do_not_grow_a_clone_without_bound() {
    let (origin, clones) = (Origin::new(), Clones::new());
    let mut last = None;
    for round in 0..70 {
        origin.push(&[("a.yaml", &round.to_string())]);
        last = Some(clones.fetch(&origin.location(), last.as_ref()).await.unwrap());
    }
    assert!(packs(&clones.clone_dir()).len() < 64);
    assert_eq!(texts(&last.unwrap()), pairs(&[("a.yaml", "69")]));
}

/// Set for the process that plays the part of a machine with a hostile configuration.
const CONFIGURED: &str = "REEF_TEST_CONFIGURED";

#[tokio::test]
async fn configuration_files_of_the_user_have_no_say() {
    if std::env::var_os(CONFIGURED).is_some() {
        let (origin, clones) = (Origin::new(), Clones::new());
        origin.push(&[("a.yaml", "1")]);
        let snapshot = clones.fetch(&origin.location(), None).await.unwrap();
        assert_eq!(texts(&snapshot), pairs(&[("a.yaml", "1")]));
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".gitconfig"), "[url \"file:///nowhere/\"]\n\tinsteadOf = file:///\n").unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "source::tests::cache::configuration_files_of_the_user_have_no_say"])
        .env("HOME", home.path())
        .env(CONFIGURED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
