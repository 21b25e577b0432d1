//! Scheduled posts that cannot be published hold up no others.

use mainstay_core::{contract::id::PostId, db::DbError, params, statements};
use serde_json::json;

use crate::{both_engines_held, ids};

statements! {
    /// Makes a post unreadable.
    BREAK = "update feed.post set mentions = '\"none\"' where id = $1";
}

#[tokio::test]
async fn one_that_cannot_be_published_holds_up_no_other() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let mut posts: Vec<PostId> = Vec::new();
        for after_s in [10, 20, 30] {
            let at = house.clock().now().plus_s(after_s);
            let new = json!({ "caption": "later", "publish_at": at });
            let post = ada.post("/api/v1/posts", new).await.expect(201);
            posts.push(post["id"].as_str().unwrap().parse().unwrap());
        }
        let first = posts[0];
        let broken = house.db("feed").write::<_, DbError, _>(move |tx| {
            Box::pin(async move { tx.execute(&BREAK, params![first]).await })
        });
        assert_eq!(broken.await.unwrap(), 1);
        house.clock().advance_s(60);
        house.work("feed.publish_due").await;
        let page = house.stranger().get("/api/v1/timelines/latest").await.expect(200);
        assert_eq!(ids(&page), [posts[2].to_string(), posts[1].to_string()]);
    })
    .await;
}
