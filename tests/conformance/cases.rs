//! One test for each behaviour and broker.

/// Makes the tests `name::memory` and `name::server` of each function `async fn name(broker: Broker)`. What stands behind a
/// colon is what the broker must model; one that does not passes without a run.
macro_rules! cases {
    ($($name:ident $(: $feature:ident)?),+ $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn memory() {
                $(if !$crate::broker::Broker::memory().await.models($crate::features::Feature::$feature) { return })?
                super::$name($crate::broker::Broker::memory().await).await;
            }

            #[tokio::test]
            async fn server() {
                let broker = $crate::broker::Broker::server().await;
                $(if !broker.models($crate::features::Feature::$feature) { return })?
                super::$name(broker).await;
            }
        }
    )+};
}
