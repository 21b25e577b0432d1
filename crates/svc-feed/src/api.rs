//! Feed's routes, as data; each handler extracts, calls one use case, and shows what it answers.

mod comments;
mod media;
mod moderation;
mod notifications;
mod people;
mod posts;
mod timelines;

use mainstay_core::http::Route;

use crate::service::Feed;

/// Every route of Feed.
pub(crate) fn routes(feed: &Feed) -> Vec<Route> {
    [
        posts::routes(feed),
        comments::routes(feed),
        timelines::routes(feed),
        media::routes(feed),
        people::routes(feed),
        notifications::routes(feed),
        moderation::routes(feed),
    ]
    .into_iter()
    .flatten()
    .collect()
}
