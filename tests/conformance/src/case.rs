//! One behaviour, as a name and a function. Knows no server.

use anyhow::Result;
use futures::future::BoxFuture;

use crate::context::Context;

/// What a cluster must have for a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// An API server alone.
    ApiServer,
    /// Scheduler, controllers, and a node that runs Pods.
    Node,
}

/// One behaviour that both clusters must show.
#[derive(Clone, Copy)]
pub struct Case {
    /// The room that it is in: `lists`, `apply`, ...
    pub room: &'static str,
    /// A sentence.
    pub name: &'static str,
    /// What it takes.
    pub needs: Needs,
    run: fn(Context) -> BoxFuture<'static, Result<()>>,
}

impl Case {
    /// A case.
    pub const fn new(
        room: &'static str,
        name: &'static str,
        needs: Needs,
        run: fn(Context) -> BoxFuture<'static, Result<()>>,
    ) -> Self {
        Case { room, name, needs, run }
    }

    /// `room::name`.
    pub fn title(&self) -> String {
        format!("{}::{}", self.room, self.name)
    }

    /// Plays the case.
    ///
    /// # Errors
    /// Where the server behaves otherwise, or cannot be reached.
    pub async fn play(&self, context: Context) -> Result<()> {
        (self.run)(context).await
    }
}

/// The cases of a file from its functions.
macro_rules! cases {
    ($room:literal, $needs:ident: $($name:ident),+ $(,)?) => {
        /// The cases of this file.
        pub fn cases() -> Vec<crate::case::Case> {
            vec![$(crate::case::Case::new($room, stringify!($name), crate::case::Needs::$needs, |context| Box::pin($name(context)))),+]
        }
    };
}
pub(crate) use cases;
