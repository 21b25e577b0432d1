//! Views: one counted in 30 minutes, how long it lasted, and how a silent one ends.

use mainstay_core::{
    contract::id::{PostId, UserId},
    params, statements,
};
use mainstay_testkit::program::{Client, Program, id_of};
use serde_json::json;

use crate::{both_engines_held, post_as, post_of};

statements! {
    /// A viewer's views of a post, oldest first.
    VIEWS = "select dwell_ms, ended from feed.view_session where post_id = $1 and viewer_id = $2 order by id";
}

async fn begin(viewer: &Client, post: &str) -> String {
    let answer = viewer.request(http::Method::POST, &format!("/api/v1/posts/{post}/views")).await;
    id_of(&answer.expect(201)).to_owned()
}

async fn go_on(viewer: &Client, view: &str, dwell_ms: i64, ended: bool) {
    let body = json!({ "dwell_ms": dwell_ms, "ended": ended });
    viewer.patch(&format!("/api/v1/views/{view}"), body).await.expect(204);
}

async fn views_of(house: &Program, viewer: &Client, post: &str) -> Vec<(i64, bool)> {
    let (post, viewer): (PostId, UserId) = (post.parse().unwrap(), viewer.id.parse().unwrap());
    let mut tx = house.db("feed").read().await.unwrap();
    tx.all(&VIEWS, params![post, viewer]).await.unwrap()
}

#[tokio::test]
async fn a_viewer_counts_once_in_thirty_minutes_and_the_author_never() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "look").await;
        let count = async || post_as(&ada, &post).await["view_count"].as_i64().unwrap();
        begin(&ada, &post).await;
        assert_eq!(count().await, 0);
        for _ in 0..3 {
            begin(&bea, &post).await;
            assert_eq!(count().await, 1);
        }
        house.clock().advance_s(30 * 60 - 1);
        begin(&bea, &post).await;
        assert_eq!(count().await, 1, "a second before the time is up");
        house.clock().advance_s(1);
        for _ in 0..2 {
            begin(&bea, &post).await;
            assert_eq!(count().await, 2, "the time runs from the last one that counted");
        }
    })
    .await;
}

#[tokio::test]
async fn concurrent_views_of_one_person_count_once() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "look").await;
        futures_util::future::join_all((0..16).map(|_| begin(&bea, &post))).await;
        assert_eq!(post_as(&ada, &post).await["view_count"], 1);
    })
    .await;
}

#[tokio::test]
async fn dwell_time_grows_and_is_not_believed_beyond_the_age_of_the_view() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "look").await;
        let view = begin(&bea, &post).await;
        house.clock().advance_s(10);
        go_on(&bea, &view, 4_000, false).await;
        assert_eq!(views_of(house, &bea, &post).await, [(4_000, false)]);
        go_on(&bea, &view, 2_000, false).await;
        assert_eq!(views_of(house, &bea, &post).await, [(4_000, false)], "it never shrinks");
        go_on(&bea, &view, i64::MAX, false).await;
        let dwell_ms = views_of(house, &bea, &post).await[0].0;
        assert!((10_000..=11_000).contains(&dwell_ms), "{dwell_ms}");
        go_on(&bea, &view, 10_500, true).await;
        house.clock().advance_s(60);
        go_on(&bea, &view, 60_000, false).await;
        let (after, ended) = views_of(house, &bea, &post).await[0];
        assert!(after <= 11_000 && ended, "nothing changes after the end: {after}");
    })
    .await;
}

#[tokio::test]
async fn a_view_that_nobody_hears_of_ends_by_itself() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "look").await;
        let silent = begin(&bea, &post).await;
        go_on(&bea, &silent, 1_000, false).await;
        house.clock().advance_s(4 * 60);
        let alive = begin(&bea, &post).await;
        house.clock().advance_s(61);
        house.work("feed.sweep_views").await;
        let views = views_of(house, &bea, &post).await;
        assert_eq!(views, [(1_000, true), (0, false)]);
        go_on(&bea, &alive, 500, true).await;
        assert_eq!(views_of(house, &bea, &post).await[1], (500, true));
    })
    .await;
}

#[tokio::test]
async fn a_view_of_many_silent_minutes_is_recorded_at_its_end() {
    both_engines_held(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let post = post_of(&ada, "a long film").await;
        let view = begin(&bea, &post).await;
        house.clock().advance_s(40 * 60);
        house.work("feed.sweep_views").await;
        assert_eq!(views_of(house, &bea, &post).await, [(0, true)]);
        go_on(&bea, &view, 39 * 60_000, true).await;
        assert_eq!(views_of(house, &bea, &post).await, [(39 * 60_000, true)]);
        house.work("feed.sweep_views").await;
        go_on(&bea, &view, 40 * 60_000, true).await;
        assert_eq!(views_of(house, &bea, &post).await, [(39 * 60_000, true)], "it has ended");
        let forgotten = begin(&bea, &post).await;
        house.clock().advance_s(6 * 3_600 + 1);
        go_on(&bea, &forgotten, 6 * 3_600_000, true).await;
        assert_eq!(views_of(house, &bea, &post).await[1].0, 0, "nobody looks for so long");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_of_a_move_changes_nothing() {
    both_engines_held(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let post = post_of(&ada, "look").await;
        let view = begin(&bea, &post).await;
        house.clock().advance_s(60);
        let path = format!("/api/v1/views/{view}");
        let go_on =
            |dwell_ms: i64| bea.patch(&path, json!({ "dwell_ms": dwell_ms })).once("a move");
        go_on(1_000).await.expect(204);
        go_on(1_000).await.expect(204);
        go_on(2_000).await.expect_problem(422, "idempotency_key_reused");
        assert_eq!(views_of(house, &bea, &post).await, [(1_000, false)]);
    })
    .await;
}

#[tokio::test]
async fn a_view_is_moved_by_its_viewer_alone_and_forward() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "look").await;
        let view = begin(&bea, &post).await;
        let path = format!("/api/v1/views/{view}");
        let more = json!({ "dwell_ms": 10, "ended": true });
        ada.patch(&path, more.clone()).await.expect_problem(404, "not_found");
        house.stranger().patch(&path, more).await.expect_problem(401, "unauthenticated");
        let answer = bea.patch(&path, json!({ "dwell_ms": -1 })).await;
        let problem = answer.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/dwell_ms");
        assert_eq!(views_of(house, &bea, &post).await, [(0, false)]);
    })
    .await;
}
