//! Facts: out in the transaction of the change (`tx.emit` in a use case), in through consumers, each taken once.

use std::sync::Arc;

use mainstay_core::events::consumer::Consumer;

use crate::service::{
    Boards,
    rules::{self, BOARDS_FACTS, CORE_FACTS, FEED_FACTS},
};

/// What Boards does with facts, its own and others': rules score from them.
pub(crate) fn consumers(_boards: &Boards) -> Vec<Consumer> {
    let scoring = |name, source, facts| Consumer {
        name,
        source,
        facts,
        // Boards that rules write are written by others at the same time, who wait for each other.
        queued: true,
        take: Arc::new(|tx, facts| Box::pin(async move { rules::take(tx, &facts).await })),
    };
    vec![
        scoring("rules_feed", "feed", FEED_FACTS),
        scoring("rules_core", "core", CORE_FACTS),
        scoring("rules_boards", "boards", BOARDS_FACTS),
    ]
}
