//! The weak points of the system that Boards replaces, one test each, named after what must not happen again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use mainstay_testkit::program::{Answer, Client, Engine, Program};
use serde_json::{Value, json};

use crate::{
    activities::total,
    admin, both_engines, both_engines_held,
    competitions::{PATH, compete, join, sync, tomorrow, turn_to},
    make_board, setup, submit,
};

/// Asks for the socket of a board as a WebSocket client does.
async fn open(reader: &Client, path: &str) -> Answer {
    let request = reader.request(Method::GET, path).header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").await
}

/// There the socket knew one secret, which stood in the source.
#[tokio::test]
async fn the_socket_takes_what_sign_in_gives_and_nothing_that_a_stranger_can_make() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({ "audience": "signed_in" })).await;
        submit(&keeper, "b", &[("ada", 5)]).await;
        let mut socket = ada.listen_at("/ws/leaderboard/b").await;
        assert_eq!(socket.next().await["entries"][0]["user_id"], "ada");
        let ticket = ada.post("/api/v1/live/tickets", json!({})).await.expect(201);
        let ticket = ticket["ticket"].as_str().unwrap();
        let path = format!("/ws/leaderboard/b?ticket={ticket}");
        let mut socket = house.stranger().listen_at(&path).await;
        assert_eq!(socket.next().await["type"], "snapshot");
        open(&house.stranger(), &path).await.expect_problem(401, "unauthenticated");

        let claims = json!({ "sub": ada.id, "exp": 4_000_000_000_u64 });
        let key = jsonwebtoken::EncodingKey::from_secret(b"your-jwt-secret");
        let made = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
        let forger = ada.with_token(&made);
        open(&forger, "/ws/leaderboard/b").await.expect_problem(401, "unauthenticated");
        open(&house.stranger(), "/ws/leaderboard/b").await.expect_problem(404, "not_found");
    })
    .await;
}

/// There nothing listened to what was published.
#[tokio::test]
async fn what_a_person_does_reaches_those_who_watch() {
    both_engines_held(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({})).await;
        join(&ada, &id).await;
        join(&bea, &id).await;
        turn_to(house, begins, 7_200);
        let mut socket = bea.listen_at(&format!("/ws/leaderboard/{id}")).await;
        assert_eq!(socket.next().await["type"], "snapshot");
        sync(&bea, begins, 400).await;
        sync(&ada, begins, 900).await;
        let mut top = Value::Null;
        while top["user_id"] != json!(ada.id) {
            top = socket.next().await["entries"][0].clone();
        }
        assert_eq!((&top["rank"], &top["score"]), (&json!(1), &json!(900)));
    })
    .await;
}

/// There whoever was signed in set any score, and said how large the pool of prizes was.
#[tokio::test]
async fn nobody_sets_the_score_of_another_or_what_the_prizes_are() {
    both_engines_held(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({})).await;
        join(&ada, &id).await;
        join(&bea, &id).await;
        turn_to(house, begins, 7_200);
        let theirs = json!({ "competition_id": id, "steps": 1, "user_id": bea.id });
        let update = "/api/v1/leaderboard/update";
        ada.post(update, theirs).await.expect_problem(403, "forbidden");
        let theirs = json!({ "owner": bea.id, "scores": [1] });
        let scores = format!("/api/v1/boards/{id}/scores");
        assert!([403, 404, 409].contains(&ada.post(&scores, theirs).await.status));
        turn_to(house, begins, 3 * 86_400);
        house.work("boards.settle_competitions").await;
        let payout = format!("{PATH}/{id}/payout");
        ada.post(&payout, Value::Null).await.expect_problem(403, "forbidden");
        ada.post(&format!("{payout}/approve"), Value::Null).await.expect_problem(403, "forbidden");
        // Not even an administrator says what is in the pool.
        let pool = json!({ "pool": { "minor": 1_000_000, "currency": "INR" } });
        let proposed = keeper.post(&payout, pool).await.expect(200);
        assert_eq!(proposed["total"]["minor"], 0, "what was paid in");
    })
    .await;
}

/// There a day that was synced again was added again, moved nobody, and was not in the records.
#[tokio::test]
async fn a_day_that_is_synced_again_counts_once_on_the_board_and_in_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let house = setup().holding_the_clock().start_in(folder.path()).await;
    let (keeper, ada) = (admin(&house).await, house.person("ada").await);
    let begins = tomorrow(&house);
    let id = compete(&house, &keeper, json!({})).await;
    join(&ada, &id).await;
    turn_to(&house, begins, 7_200);
    for _ in 0..5 {
        sync(&ada, begins, 900).await;
    }
    let shows = async |house: &Program, ada: &Client| {
        let top = house.stranger().get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
        (total(ada, begins).await, top["entries"][0]["score"].clone())
    };
    assert_eq!(shows(&house, &ada).await, (900, json!(900)));
    house.end().await;
    // Nothing of it was in memory alone.
    let again = setup().start_in(folder.path()).await;
    assert_eq!(shows(&again, &ada.at(&again)).await, (900, json!(900)));
    again.end().await;
}

/// There limits, headers and metrics were written and not used.
#[tokio::test]
async fn limits_headers_and_metrics_are_in_force_on_every_answer() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().limited().holding_the_clock().start(engine).await;
        let (keeper, ada) = (admin(&house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({})).await;
        let counted = async |name: &str| -> u64 {
            let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap().parse().unwrap()
        };
        submit(&keeper, "b", &[("ada", 5), ("bea", 6), ("bea", 4)]).await;
        assert_eq!(counted("leaderboard_updates_total").await, 2, "the third changed nothing");
        let top = ada.get("/api/v1/leaderboard/b").await;
        assert_eq!(top.header("x-content-type-options"), "nosniff");
        assert_eq!((top.header("ratelimit-limit"), top.status), ("200", 200));
        let steps = json!({ "competition_id": "b", "steps": 1 });
        let limited = join_all(
            (0..30)
                .map(async |_| ada.post("/api/v1/leaderboard/update", steps.clone()).await.status),
        );
        let limited = limited.await.into_iter().filter(|status| *status == 429).count();
        assert_eq!(limited, 10, "of 30 at once, while the clock stands");
        house.end().await;
    }
}

/// There a limit was kept for each address with its port, so that a new connection was a new start.
#[tokio::test]
async fn who_connects_anew_is_still_the_same_caller() {
    let house = setup().limited().holding_the_clock().start(Engine::Sqlite).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({})).await;
    let read = || Client::stranger_at(house.address()).get("/api/v1/leaderboard/b");
    let first = read().await;
    let left = |answer: &Answer| -> u32 { answer.header("ratelimit-remaining").parse().unwrap() };
    assert_eq!(left(&read().await), left(&first) - 1);
    house.end().await;
}

/// There a board of a hundred took a hundred reads.
#[tokio::test]
async fn a_page_takes_as_many_reads_whether_it_is_long_or_short() {
    const DELAY: Duration = Duration::from_millis(20);
    let (house, link) = setup().start_behind_a_link().await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({})).await;
    let names: Vec<String> = (0..200).map(|n| format!("owner{n}")).collect();
    let scores: Vec<(&str, i64)> = names.iter().map(|name| (&**name, 7)).collect();
    submit(&keeper, "b", &scores).await;
    link.delay(DELAY);
    // Each from another rank on, for a page that was shown is shown again without a read.
    let take = async |limit: u32, from_rank: u32| {
        let path = format!("/api/v1/boards/b/entries?limit={limit}&from_rank={from_rank}");
        let start = Instant::now();
        let page = keeper.get(&path).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len() as u32, limit);
        start.elapsed()
    };
    take(200, 1).await;
    let (short, long) = (take(1, 2).await, take(198, 3).await);
    assert!(short.min(long) > 2 * DELAY, "1 in {short:?}, 198 in {long:?}: not from the records");
    // One read more for each entry would be 8 s more, and one for each ten 800 ms.
    assert!(long < short + 10 * DELAY, "1 in {short:?}, 198 in {long:?}");
    house.end().await;
}

/// There money was a floating-point number.
#[tokio::test]
async fn money_is_whole_minor_units_of_a_currency() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let starts_at = tomorrow(house);
        for odd in [json!(50.5), json!({ "minor": 50.5, "currency": "INR" }), json!("50")] {
            let new = json!({
                "name": "Money", "metric": "steps", "starts_at": starts_at,
                "ends_at": starts_at.plus_s(86_400), "fee": odd,
            });
            let answer = keeper.post(PATH, new).await;
            assert!([400, 422].contains(&answer.status), "{odd}: {}", answer.status);
        }
    })
    .await;
}

/// There a person's sums grew with every competition that they were in.
#[tokio::test]
async fn what_somebody_did_does_not_grow_with_the_competitions_that_they_are_in() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let mut ids = Vec::new();
        for _ in 0..3 {
            let id = compete(house, &keeper, json!({})).await;
            join(&ada, &id).await;
            ids.push(id);
        }
        turn_to(house, begins, 7_200);
        sync(&ada, begins, 900).await;
        assert_eq!(total(&ada, begins).await, 900);
        for id in ids {
            let top = ada.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
            assert_eq!(top["entries"][0]["score"], 900);
        }
    })
    .await;
}

/// There every origin was allowed, with credentials.
#[tokio::test]
async fn no_other_origin_reads_with_somebodys_sign_in() {
    let house = setup().start(Engine::Sqlite).await;
    let ada = house.person("ada").await;
    for path in ["/api/v1/boards", "/api/v1/competitions", "/api/v1/ledger/balances"] {
        let answer = ada.get(path).header("origin", "https://elsewhere.example").await;
        assert_eq!(answer.headers.get("access-control-allow-origin"), None, "{path}");
        assert_eq!(answer.headers.get("access-control-allow-credentials"), None, "{path}");
    }
    house.end().await;
}
