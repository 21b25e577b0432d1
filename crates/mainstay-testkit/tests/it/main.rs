//! Each engine starts, answers, breaks as it should, and is gone afterwards.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod browser;
mod engines;
mod links;
mod orphans;
mod storage;

/// Waits, by looking every few milliseconds, until `condition` holds; fails after ten seconds.
async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let look = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
        while !condition() {
            tick.tick().await;
        }
    };
    let within = std::time::Duration::from_secs(10);
    assert!(tokio::time::timeout(within, look).await.is_ok(), "{what} did not happen");
}
