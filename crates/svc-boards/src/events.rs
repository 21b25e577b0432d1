//! Facts: out in the transaction of the change (`tx.emit` in a use case), in through consumers, each taken once.

use mainstay_core::events::consumer::Consumer;

use crate::service::Boards;

/// What Boards does with facts, its own and others'.
pub(crate) fn consumers(_boards: &Boards) -> Vec<Consumer> {
    Vec::new()
}
