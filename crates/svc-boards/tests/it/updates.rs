//! The leaderboard of guide 2: what is set of a day, where it counts, and how it is shown.

use serde_json::json;

use crate::{
    admin, both_engines, both_engines_held,
    competitions::{board, compete, join, tomorrow, turn_to},
    make_board,
};

#[tokio::test]
async fn an_update_sets_ones_own_day_and_nobody_elses() {
    both_engines_held(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "attempts_max": 3 })).await;
        join(&ada, &id).await;
        join(&bea, &id).await;
        let update = "/api/v1/leaderboard/update";
        let body = |steps: i64| json!({ "competition_id": id, "steps": steps, "distance": 900 });
        ada.post(update, body(1)).await.expect_problem(409, "conflict");
        turn_to(house, begins, 3_600);
        for steps in [4_000, 6_000] {
            let entry = ada.post(update, body(steps)).await.expect(200);
            assert_eq!(entry, json!({ "rank": 1, "user_id": ada.id, "score": steps }));
        }
        // More than an hour and five minutes allow.
        ada.post(update, body(30_000)).await.expect_problem(422, "invalid");
        let mut others = body(20_000);
        others["user_id"] = json!(bea.id);
        ada.post(update, others.clone()).await.expect_problem(403, "forbidden");
        let entry = keeper.post(update, others).await.expect(200);
        assert_eq!((&entry["user_id"], &entry["rank"]), (&json!(bea.id), &json!(1)));
        ada.post(update, body(150_001)).await.expect_problem(422, "invalid");
        ada.post(update, body(7_000)).await.expect(200);
        ada.post(update, body(8_000)).await.expect_problem(409, "conflict");
        let cid = house.person("cid").await;
        cid.post(update, body(1)).await.expect_problem(404, "not_found");
        // The next day is another one.
        let day = format!(
            "/api/v1/activities/totals?metric=steps&from={begins}&to={}",
            begins.plus_s(86_400)
        );
        assert_eq!(ada.get(&day).await.expect(200)["total"], 7_000);
    })
    .await;
}

#[tokio::test]
async fn an_update_counts_from_the_first_moment_also_if_that_is_in_the_middle_of_a_day() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let midnight = tomorrow(house);
        let times = |from_s: i64, to_s: i64| json!({ "starts_at": midnight.plus_s(from_s), "ends_at": midnight.plus_s(to_s) });
        let early = compete(house, &keeper, times(36_000, 64_800)).await;
        let late = compete(house, &keeper, times(50_400, 3 * 86_400)).await;
        let body = |id: &str, steps: i64| json!({ "competition_id": id, "steps": steps });
        for id in [&early, &late] {
            join(&ada, id).await;
        }
        turn_to(house, midnight, 43_200);
        let update = "/api/v1/leaderboard/update";
        let entry = ada.post(update, body(&early, 3_000)).await.expect(200);
        assert_eq!(entry, json!({ "rank": 1, "user_id": ada.id, "score": 3_000 }));
        // What was set of today has begun before the other one: it cannot be told how much of it came since.
        turn_to(house, midnight, 54_000);
        let refused = ada.post(update, body(&late, 4_000)).await.expect_problem(409, "conflict");
        assert!(refused["detail"].as_str().unwrap().contains("POST /api/v1/activities"), "{refused}");
        assert_eq!(board(&ada, &late).await, [(ada.id.clone(), 0, 1)]);
        ada.post(update, body(&early, 4_500)).await.expect(200);
        assert_eq!(board(&ada, &early).await[0].1, 4_500);
        turn_to(house, midnight, 86_400 + 600);
        ada.post(update, body(&late, 200)).await.expect(200);
        assert_eq!(board(&ada, &late).await[0].1, 200);
        assert_eq!(board(&ada, &early).await[0].1, 4_500);
    })
    .await;
}

#[tokio::test]
async fn an_update_for_one_competition_puts_nothing_from_before_it_began_into_another() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let midnight = tomorrow(house);
        let whole = compete(house, &keeper, json!({})).await;
        let late = compete(house, &keeper, json!({ "starts_at": midnight.plus_s(36_000) })).await;
        for id in [&whole, &late] {
            join(&ada, id).await;
        }
        turn_to(house, midnight, 43_200);
        let update = "/api/v1/leaderboard/update";
        let body = |id: &str, steps: i64| json!({ "competition_id": id, "steps": steps });
        ada.post(update, body(&late, 0)).await.expect(200);
        // Steps of the whole day.
        ada.post(update, body(&whole, 6_000)).await.expect_problem(409, "conflict");
        assert_eq!(board(&ada, &late).await[0].1, 0);
    })
    .await;
}

#[tokio::test]
async fn only_an_update_speaks_for_the_leaderboard_and_nobody_for_who_is_banned() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "attempts_max": 1 })).await;
        join(&ada, &id).await;
        turn_to(house, begins, 7_200);
        let ban = format!("/api/v1/boards/{id}/bans/{}", ada.id);
        keeper.put(&ban).json(&json!({ "reason": "a bot" })).await.expect(200);
        let update = "/api/v1/leaderboard/update";
        let body = json!({ "competition_id": id, "steps": 10 });
        ada.post(update, body.clone()).await.expect_problem(403, "forbidden");
        keeper.delete(&ban).await.expect(204);
        let entry = ada.post(update, body.clone()).await.expect(200);
        assert_eq!(entry["score"], 10, "it used no attempt and left nothing");
        ada.post(update, body).await.expect_problem(409, "conflict");
        // The way around the attempts.
        let mut same =
            json!({ "source": "leaderboard", "metric": "steps", "start": begins, "value": 99 });
        same["end"] = json!(begins.plus_s(86_400));
        let refused = ada.post("/api/v1/activities", same).await.expect_problem(422, "invalid");
        assert_eq!(refused["errors"][0]["code"], "reserved");
        assert_eq!(board(&ada, &id).await, [(ada.id.clone(), 10, 1)]);
    })
    .await;
}

#[tokio::test]
async fn guide_twos_page_shows_scores_with_their_decimals() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "columns": [{ "name": "time", "scale": 2 }] })).await;
        let score = json!({ "owner": "ada", "scores": ["12.50"] });
        keeper.post("/api/v1/boards/b/scores", score).await.expect(200);
        let top = keeper.get("/api/v1/leaderboard/b").await.expect(200);
        assert_eq!(top["entries"], json!([{ "rank": 1, "user_id": "ada", "score": "12.50" }]));
    })
    .await;
}
