//! How long ago something was, told at the moment at which somebody asks.
//!
//! Counts by tokio's time, which does not jump.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};
use tokio::time::Instant;

/// A gauge in seconds that grows by itself; zero while there is nothing. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Age(Arc<Mutex<Option<(Duration, Instant)>>>);

impl Age {
    /// Says that it is so old now, or that there is nothing.
    pub fn set(&self, age: Option<Duration>) {
        let told = age.map(|age| (age, Instant::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// How old it is.
    pub fn get(&self) -> Duration {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.map_or(Duration::ZERO, |(age, at)| age.saturating_add(at.elapsed()))
    }
}

impl TypedMetric for Age {
    const TYPE: MetricType = MetricType::Gauge;
}

impl EncodeMetric for Age {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.encode_gauge(&self.get().as_secs_f64())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_age_grows_by_itself_until_there_is_nothing() {
        let age = Age::default();
        assert_eq!(age.get(), Duration::ZERO);
        age.set(Some(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(age.get(), Duration::from_secs(65));
        age.set(None);
        assert_eq!(age.get(), Duration::ZERO);
    }
}
