//! The scenarios that a delivery engine must survive. The letter says what is at stake: A delivery, B the broker, C the
//! worker, D retries and dead letters, G the shutdown, H breakers. Each test proves that its fault happened. Long ones
//! are `#[ignore]`d and run with `scripts/test.sh --long`.
