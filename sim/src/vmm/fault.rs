//! Faults of the VMM's socket that tests and demonstrations can switch on.
//!
//! A fault says how a request is treated; it must not change what the VMM would have answered.

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;

/// One way to treat a request badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It waits so long, and so does everybody behind it, then does the work.
    Slow(Duration),
    /// It is passed by whatever comes on other connections until somebody has been told `vm.info`, and then takes so long: the server reads what is
    /// ready on its connections in any order, and one that its client has given up is read last.
    Overtaken(Duration),
    /// It answers 429 and does nothing.
    TooManyRequests,
    /// It answers 500 with a text that nobody knows, and does nothing.
    Internal,
    /// It does the work and closes in the middle of the reply.
    HalfReply,
    /// It does the work and closes without a reply.
    LostReply,
    /// It does nothing and never answers.
    Hang,
    /// It does nothing and answers 200 with bytes that are no JSON.
    Garbage,
    /// It does nothing and answers with a body of so many bytes.
    HugeBody(u64),
}

/// A fault, and which requests it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// What happens.
    pub fault: Fault,
    /// How many requests it meets; all of them without a number.
    pub requests: Option<u32>,
    /// Only this endpoint, for example `vm.resize`.
    pub only: Option<&'static str>,
}

impl FaultPlan {
    /// A fault that meets every request until it is taken away.
    #[must_use]
    pub const fn every(fault: Fault) -> Self {
        Self { fault, requests: None, only: None }
    }

    /// A fault that meets the next `requests` to `endpoint`.
    #[must_use]
    pub const fn next(fault: Fault, requests: u32, endpoint: &'static str) -> Self {
        Self { fault, requests: Some(requests), only: Some(endpoint) }
    }

    /// The fault for a request to `endpoint`; counts it.
    pub(super) fn meet(&mut self, endpoint: &str) -> Option<Fault> {
        if self.only.is_some_and(|only| only != endpoint) {
            return None;
        }
        if let Some(left) = &mut self.requests {
            *left = left.checked_sub(1)?;
        }
        Some(self.fault)
    }
}

/// How an answer goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As it is.
    Whole(Answer),
    /// The first half of it.
    Half(Answer),
    /// Not at all: the connection is closed.
    Closed,
    /// Not at all: the connection stays open.
    Never,
    /// Bytes that are no JSON.
    Garbage,
    /// So many bytes.
    Huge(u64),
}

impl Fault {
    /// Whether the work is done nevertheless.
    pub(super) const fn works(self) -> bool {
        match self {
            Self::Slow(_) | Self::Overtaken(_) | Self::HalfReply | Self::LostReply => true,
            Self::TooManyRequests | Self::Internal | Self::Hang | Self::Garbage | Self::HugeBody(_) => false,
        }
    }

    /// How the answer goes out; `answer` is what the VMM gave where the work was done.
    pub(super) fn deliver(self, answer: Answer) -> Delivery {
        match self {
            Self::Slow(_) | Self::Overtaken(_) => Delivery::Whole(answer),
            Self::TooManyRequests => Delivery::Whole(Answer::error(429, &["Too Many Requests"])),
            Self::Internal => Delivery::Whole(Answer {
                status: 500,
                body: Some(
                    Value::from(vec!["Error from API", "An error that nobody has seen before"]).to_string().into(),
                ),
            }),
            Self::HalfReply => Delivery::Half(answer),
            Self::LostReply => Delivery::Closed,
            Self::Hang => Delivery::Never,
            Self::Garbage => Delivery::Garbage,
            Self::HugeBody(size) => Delivery::Huge(size),
        }
    }
}
