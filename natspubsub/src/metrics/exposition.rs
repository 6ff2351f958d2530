//! The metrics as Prometheus reads them.

use std::sync::{Mutex, PoisonError};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::table::{all, describe};

/// The one that this process has installed.
static INSTALLED: Mutex<Option<Exposition>> = Mutex::new(None);

/// The recorder of this process as text that Prometheus reads, with the buckets of [`all`].
///
/// For programs with an HTTP server of their own; feature `admin`. Metrics of the program itself are part of the text when
/// it records them with the crate `metrics`.
///
/// ```
/// use natspubsub::metrics::Exposition;
/// use natspubsub::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let exposition = Exposition::install().expect("no other recorder is installed");
/// let config = Config::builder().url("memory:exposition-doc").app("orders").build()?;
/// let running = App::builder().config(config).publish_only().build()?.start().await?;
/// running.publisher().publish("order.created", "ORD-1").await?;
/// let text = exposition.render();
/// assert!(text.contains(r#"nats_pubsub_publish_successes_total{subject="order.created""#));
/// # running.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Exposition {
    handle: PrometheusHandle,
}

impl Exposition {
    /// Installs the recorder, before the application starts; once more it is the same one. `None` when the program has
    /// installed another recorder, which then has the numbers.
    ///
    /// ```
    /// use natspubsub::metrics::Exposition;
    /// assert!(Exposition::install().is_some());
    /// assert!(Exposition::install().is_some());
    /// ```
    ///
    /// # Panics
    /// Never: the buckets of this crate are not empty.
    pub fn install() -> Option<Self> {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if installed.is_none() {
            let recorder = builder().build_recorder();
            let handle = recorder.handle();
            ::metrics::set_global_recorder(recorder).ok()?;
            describe();
            *installed = Some(Self { handle });
        }
        installed.clone()
    }

    /// The one that was installed in this process, if any.
    pub(crate) fn installed() -> Option<Self> {
        INSTALLED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The metrics in the text format of Prometheus, version 0.0.4.
    ///
    /// ```
    /// # use natspubsub::metrics::Exposition;
    /// let text = Exposition::install().map(|exposition| exposition.render());
    /// assert!(text.is_some());
    /// ```
    pub fn render(&self) -> String {
        self.upkeep();
        self.handle.render()
    }

    /// Sorts what histograms were told into their buckets. Until then it is kept value by value, so that a running
    /// application does it now and then, even if nobody reads.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn builder() -> PrometheusBuilder {
    let histograms = all().iter().filter(|metric| !metric.buckets.is_empty());
    histograms.fold(PrometheusBuilder::new(), |builder, metric| {
        builder
            .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), metric.buckets)
            .expect("the buckets of a histogram are not empty")
    })
}
