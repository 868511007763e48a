//! The daemon's reports by number. The acknowledged grant is kept apart, because its name changes.
//!
//! Sentences stay as they are: they follow from the sizes.

use crate::state::{Report, ReportId};
use crate::store::Table;
use reef_api::vm::VmmStatus;

/// All reports that were seen.
#[derive(Debug, Default)]
pub struct Reports {
    entries: Vec<VmmStatus>,
    numbers: Table<String, ReportId>,
}

impl Reports {
    /// The report as it stands in a status.
    pub fn get(&self, report: Report) -> VmmStatus {
        VmmStatus { ack_seq: u64::from(report.ack), ..self.entries[report.text.0 as usize].clone() }
    }

    /// How many there are, acknowledgements aside.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The report in the model's form.
    pub fn number(&mut self, report: VmmStatus) -> Report {
        let ack = u8::try_from(report.ack_seq).expect("a number that was named before");
        let report = VmmStatus { ack_seq: 0, ..report };
        let next = ReportId(u32::try_from(self.entries.len()).expect("fewer than 2^32 reports"));
        let text = *self.numbers.entry(format!("{report:?}")).or_insert(next);
        if text == next {
            self.entries.push(report);
        }
        Report { ack, text }
    }
}
