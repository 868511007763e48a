//! A cluster whose etcd is restored from a backup while every role runs on: versions go back, and with them what was written since.

use crate::fleet::size;
use crate::story::Story;
use reef::simulation::deterministic;
use reef_sim::store::Backup;

impl Story {
    /// The store goes back, and all API servers come back with it.
    fn restore(&self, backup: Backup) {
        self.world.cluster.restore(backup);
        self.world.server.drop_watches();
    }
}

#[test]
fn what_was_done_since_the_backup_is_done_again_without_a_restart_of_any_role() {
    deterministic(async {
        let mut story = Story::of(1, 2).await;
        story.resize("web-1", size(4, 4));
        story.settles(120).await;
        let backup = story.world.cluster.store().backup();
        story.state("web-3", size(2, 2));
        story.resize("web-1", size(1, 1));
        story.settles(120).await;
        story.resize("web-1", size(2, 1));
        story.settles(120).await;
        story.wait(600).await;
        let (late, uid) = (story.world.cluster.store().version(), story.vm("web-3").metadata.uid);
        story.restore(backup);
        story.settles(60).await;
        assert!(story.world.cluster.store().version() < late, "versions have not caught up");
        assert_ne!(story.vm("web-3").metadata.uid, uid, "it was made after the backup, and is made anew");
        story.resize("web-2", size(3, 3));
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_vm_that_has_grown_since_the_backup_keeps_what_it_has_and_its_pod_is_raised_to_it() {
    deterministic(async {
        let mut story = Story::of(2, 1).await;
        let backup = story.world.cluster.store().backup();
        story.resize("web-1", size(4, 4));
        story.settles(120).await;
        story.restore(backup);
        for _ in 0..120 {
            story.wait(1).await;
            let guest = story.world.cluster.guest_view(&story.pod("web-1")).unwrap();
            assert_eq!(guest.online_vcpus, 4, "nothing is taken from the guest");
        }
        story.settles(1).await;
        assert_eq!(story.world.metrics.counts().panics, 0);
    })
    .unwrap();
}
