//! Explore: its first page is kept in memory, also while posts on it change.

use mainstay_testkit::program::{Program, eventually};
use serde_json::json;

use crate::{both_engines, post_of};

const EXPLORE: &str = "/api/v1/timelines/explore?limit=2";

/// How many first pages were answered from memory so far.
fn hits(house: &Program) -> f64 {
    let figures = house.core().metrics.render();
    let mut lines = figures.lines().filter(|line| !line.starts_with('#'));
    let line = lines.find(|line| line.contains("hits") && line.contains("feed_explore"));
    line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn after_a_like_the_first_page_is_kept_again_and_shows_the_like() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let quiet = post_of(&ada, "quiet").await;
        let liked = post_of(&ada, "liked").await;
        // Both posts are in memory from here on; a like outdates one of them and the order.
        ada.get(EXPLORE).await.expect(200);
        bea.put(&format!("/api/v1/posts/{liked}/like")).await.expect(200);
        eventually("a page with a card from before the like is kept", async || {
            let before = hits(house);
            ada.get(EXPLORE).await.expect(200);
            hits(house) > before
        })
        .await;
        for (reader, likes) in [(&ada, false), (&bea, true)] {
            let page = reader.get(EXPLORE).await.expect(200);
            let shown = |at: usize, field: &str| page["items"][at][field].clone();
            assert_eq!((shown(0, "id"), shown(1, "id")), (json!(liked), json!(quiet)));
            assert_eq!(shown(0, "like_count"), 1);
            assert_eq!(
                (shown(0, "liked_by_me"), shown(1, "liked_by_me")),
                (json!(likes), json!(false))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_entity_tag_changes_with_what_the_reader_likes_and_with_the_posts() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let post = post_of(&ada, "one").await;
        let like = format!("/api/v1/posts/{post}/like");
        let tag = async |reader: &mainstay_testkit::program::Client| {
            let answer = reader.get(EXPLORE).await;
            answer.headers["etag"].to_str().unwrap().to_owned()
        };
        let first = tag(&ada).await;
        assert_eq!(first, tag(&bea).await, "the same bytes");
        bea.put(&like).await.expect(200);
        let (liked, seen) = (tag(&bea).await, tag(&ada).await);
        assert_ne!(liked, seen, "one likes it, the other does not");
        assert_ne!(first, seen, "its likes are counted");
    })
    .await;
}
