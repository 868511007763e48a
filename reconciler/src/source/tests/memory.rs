//! The repositories of simulation answer as real ones do.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use crate::source::fixture::{pairs, texts};
use crate::source::*;

fn files(files: &[(&str, &str)]) -> BTreeMap<RepoPath, Vec<u8>> {
    files.iter().map(|(path, text)| (RepoPath::parse(path).unwrap(), text.as_bytes().to_vec())).collect()
}

#[tokio::test]
async fn a_repository_in_memory_answers_as_a_real_one() {
    let world = MemoryRepositories::new();
    let location = Location::parse("https://git.example.com/r", FileUrls::Refused).unwrap();
    assert_eq!(world.fetch(&location, None).await.unwrap_err().category(), "Empty");
    let mut changes = world.changes(&location);
    assert!(futures::poll!(changes.next()).is_pending());
    let time = jiff::Timestamp::UNIX_EPOCH;
    world.push(&location, "first", time, files(&[("a/x.yaml", "1"), ("b/y.yaml", "2")]));
    assert_eq!(changes.next().await, Some(()));
    let first = world.fetch(&location, None).await.unwrap();
    assert_eq!((texts(&first), first.descent), (pairs(&[("a/x.yaml", "1"), ("b/y.yaml", "2")]), Descent::First));
    assert!(Arc::ptr_eq(&first, &world.fetch(&location, Some(Arc::clone(&first))).await.unwrap()));
    world.push(&location, "second", time, files(&[("a/x.yaml", "3"), ("b/y.yaml", "2")]));
    let second = world.fetch(&location, Some(first)).await.unwrap();
    assert_eq!((second.blobs_read, second.descent), (1, Descent::Descends));
    let gone = location.clone().with_path("gone").unwrap();
    assert_eq!(world.fetch(&gone, None).await.unwrap_err().category(), "PathMissing");
    world.fail(&location, FetchError::TimedOut { url: location.shown().clone(), detail: "scripted".into() });
    assert_eq!(world.fetch(&location, Some(second)).await.unwrap_err().category(), "TimedOut");
}
