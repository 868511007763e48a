//! VMs that cannot be booted: each says why and what to do, and boots by itself once the cause is gone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_real::stage::images::KERNEL;

use crate::manifest::VmFile;
use crate::sizes::size;
use crate::story::Story;
use crate::world::play;

/// Waits until the condition `Ready` of a VM is False for a reason, with these words in its message.
async fn says(story: &Story, vm: &str, reason: &str, words: &[&str]) -> anyhow::Result<Condition> {
    story
        .until(&format!("{vm} says {reason} and {words:?}"), async || {
            let conditions = story.vm(vm).await?.status.unwrap_or_default().conditions;
            let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
            let fits =
                |ready: &Condition| ready.reason == reason && words.iter().all(|word| ready.message.contains(word));
            Ok(ready.filter(fits))
        })
        .await
}

#[test]
fn a_disk_that_is_not_there_is_named_and_the_vm_boots_once_it_is() {
    play(async |world| {
        let first = size(1, 256);
        let halted = VmFile { run_policy: "Halted", ..VmFile::new("web-1", first) };
        let story = Story::begin(world, "no-disk", 1, &[halted]).await?;
        story.remove_disk("web-1")?;
        story.push_policy("web-1", "Always", first)?;
        says(&story, "web-1", "BootFailed", &["disk.img"]).await?;
        story.disk_content("web-1")?;
        story.settled("web-1", first).await?;
        story.end().await
    });
}

#[test]
fn a_kernel_that_is_not_there_is_named_and_the_next_commit_mends_it() {
    play(async |world| {
        let first = size(1, 256);
        let halted = VmFile { run_policy: "Halted", ..VmFile::new("web-1", first) };
        let story = Story::begin(world, "no-kernel", 1, &[halted]).await?;
        let wrong = "reef.test/no-such-kernel:test";
        let file = VmFile::new("web-1", first);
        story.push_text(&file, file.text().replace(KERNEL, wrong))?;
        says(&story, "web-1", "Starting", &[wrong]).await?;
        story.push_policy("web-1", "Halted", first)?;
        story.stopped("web-1").await?;
        story.push_policy("web-1", "Always", first)?;
        story.settled("web-1", first).await?;
        story.end().await
    });
}
