//! Facts that Feed takes, its own and others'.

use mainstay_core::events::consumer::Consumer;

use crate::service::Feed;

/// What Feed does with facts.
pub(crate) fn consumers(_feed: &Feed) -> Vec<Consumer> {
    Vec::new()
}
