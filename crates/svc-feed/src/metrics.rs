//! What Feed counts: posts, likes, comments and views, each from the fact that was committed with it.
//!
//! An instance counts what it commits itself, once, so that the sum over all instances is what happened. What was taken
//! back stays counted; how many there are is a question to the records.

use mainstay_contract::{
    Fact as _,
    feed::{CommentAddedV1, PostLikedV1, PostPublishedV1, PostViewedV1},
};
use mainstay_core::{
    events::Log,
    telemetry::{Metrics, Unit},
};

/// Counts from now on.
pub(crate) fn count(log: &Log, metrics: &Metrics) {
    let scope = metrics.scope("feed");
    let counter = |name, help| scope.counter(name, help, Unit::None);
    let posts = counter("posts", "Posts that became visible, committed by this instance");
    let likes = counter("likes", "Likes given to posts, committed by this instance");
    let comments = counter("comments", "Comments added, committed by this instance");
    let views = counter("views", "Views of posts counted, committed by this instance");
    log.on_own_fact(Box::new(move |fact| {
        let counted = match &*fact.name {
            PostPublishedV1::NAME => &posts,
            PostLikedV1::NAME => &likes,
            CommentAddedV1::NAME => &comments,
            PostViewedV1::NAME => &views,
            _ => return,
        };
        counted.inc();
    }));
}
