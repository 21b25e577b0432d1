//! Notifications.

use axum::extract::State;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{Body, Json, PageQuery, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    error::Error,
    service::{Feed, NotificationsPage, Unread},
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Notifications");
    vec![
        r.get("/api/v1/notifications", list)
            .shows(&["notifications"])
            .signed_in()
            .about("List your notifications")
            .details("Newest activity first. The same act of several people on the same object is one line.")
            .query::<PageQuery>()
            .answers::<NotificationsPage>(200)
            .refuses(&[Code::MalformedCursor]),
        r.post("/api/v1/notifications/read", read)
            .about("Mark notifications as read")
            .details("Marks the line `up_to` and everything older. New activity makes a line unread again.")
            .takes::<ReadUpTo>(8 << 10)
            .answers::<Unread>(200),
    ]
}

/// How far the caller has read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadUpTo {
    /// The `id` of a notification.
    #[schemars(length(max = 2048))]
    up_to: String,
}

async fn list(
    State(feed): State<Feed>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<NotificationsPage>, Error> {
    feed.notifications(caller.user, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn read(
    State(feed): State<Feed>,
    caller: Caller,
    body: Body<ReadUpTo>,
) -> Result<Json<Unread>, Error> {
    feed.read_notifications(caller.user, &body.value.up_to, body.once).await.map(Json)
}
