//! What a task knows of one VMM process that looking cannot show.
//!
//! Lost with the process that it is about, and with ours: everything here may be lost at any time, and then begins in
//! doubt. Another Pod or another process is another incarnation, and nothing of the former one holds for it.

use crate::decide::report::Identity;
use crate::decide::rise::Rise;
use crate::decide::used::Baseline;
use crate::decide::{Accounting, Moment, Pace};
use crate::vmm::Vmm;
use reef_api::vm::Grant;

/// One VMM process, and our dealings with it.
pub(super) struct Incarnation {
    /// Pod and process.
    pub(super) identity: Identity,
    /// The client.
    pub(super) vmm: Box<dyn Vmm>,
    /// The grant that this process has acknowledged.
    pub(super) taken: Option<Grant>,
    /// The largest number of a grant whose acknowledgement was ever sent.
    pub(super) pledged: u64,
    /// Whether every request is accounted for. In doubt at first: a daemon before this one may have sent some.
    pub(super) accounting: Accounting,
    /// What its container used when its guest last spoke.
    pub(super) baseline: Baseline,
    /// By how much the use of its guest has risen of late.
    pub(super) rise: Rise,
    /// Refusals that count.
    pub(super) pace: Pace,
    /// When a report was written last.
    pub(super) written: Option<Moment>,
}

impl Incarnation {
    /// Begins in doubt.
    pub(super) fn new(identity: Identity, vmm: Box<dyn Vmm>) -> Self {
        Self {
            identity,
            vmm,
            taken: None,
            pledged: 0,
            accounting: Accounting::DOUBT,
            baseline: Baseline::default(),
            rise: Rise::default(),
            pace: Pace::default(),
            written: None,
        }
    }
}
