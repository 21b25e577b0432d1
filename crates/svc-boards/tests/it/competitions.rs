//! Competitions from the first to the last day.

use futures_util::future::join_all;
use mainstay_core::{
    auth::{Actor, Role},
    contract::ts::Ts,
    statements,
};
use mainstay_testkit::program::{Client, Program};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held};

pub(crate) const PATH: &str = "/api/v1/competitions";

statements! {
    /// How many scores were kept in all.
    SUBMISSIONS = "select count(*) from boards.submission";
}

/// Midnight of tomorrow.
pub(crate) fn tomorrow(house: &Program) -> Ts {
    let now_s = house.clock().now().as_micros().div_euclid(1_000_000);
    Ts::from_micros((now_s.div_euclid(86_400) + 1) * 86_400 * 1_000_000)
}

/// A competition of the next three days; returns its id.
pub(crate) async fn compete(house: &Program, keeper: &Client, more: Value) -> String {
    let starts_at = tomorrow(house);
    let mut new = json!({
        "name": "Three days", "metric": "steps", "starts_at": starts_at,
        "ends_at": starts_at.plus_s(3 * 86_400),
    });
    for (name, value) in more.as_object().unwrap() {
        new[name] = value.clone();
    }
    let made = keeper.post(PATH, new).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn join(person: &Client, id: &str) -> Value {
    person.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200)
}

/// Turns the clock to so many seconds after tomorrow's midnight, which `from` is.
pub(crate) fn turn_to(house: &Program, from: Ts, seconds: i64) {
    let left_us = from.plus_s(seconds).micros_since(house.clock().now());
    house.clock().advance_s(left_us / 1_000_000 + 1);
}

pub(crate) async fn sync(person: &Client, start: Ts, value: i64) {
    let end = start.plus_s(3_600);
    let new =
        json!({ "source": "watch", "metric": "steps", "start": start, "end": end, "value": value });
    person.post("/api/v1/activities", new).await.expect(200);
}

pub(crate) async fn board(reader: &Client, id: &str) -> Vec<(String, i64, u64)> {
    let top = reader.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
    let entry = |entry: &Value| {
        let user = entry["user_id"].as_str().unwrap().to_owned();
        (user, entry["score"].as_i64().unwrap(), entry["rank"].as_u64().unwrap())
    };
    top["entries"].as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test]
async fn activity_between_start_and_end_counts_and_nothing_else() {
    both_engines_held(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({})).await;
        join(&ada, &id).await;
        join(&bea, &id).await;
        assert_eq!(board(&ada, &id).await.len(), 2, "with 0 from the beginning");
        sync(&ada, house.clock().now().plus_s(-7_200), 9_000).await;
        turn_to(house, begins, 10 * 3_600);
        sync(&ada, begins.plus_s(3_600), 4_000).await;
        sync(&bea, begins, 5_000).await;
        sync(&ada, begins.plus_s(7_200), 2_000).await;
        let expected = [(ada.id.clone(), 6_000, 1), (bea.id.clone(), 5_000, 2)];
        assert_eq!(board(&ada, &id).await, expected);
        sync(&bea, begins, 7_000).await;
        assert_eq!(board(&ada, &id).await[0], (bea.id.clone(), 7_000, 1), "replaced, not added");
        let shown = ada.get(&format!("{PATH}/{id}")).await.expect(200);
        assert_eq!((&shown["phase"], &shown["joined"]), (&json!("active"), &json!(true)));
        let scores = format!("/api/v1/boards/{id}/scores");
        let cheat = json!({ "owner": ada.id, "scores": [99_999] });
        keeper.post(&scores, cheat).await.expect_problem(409, "conflict");
        // Late, but before the results are final.
        turn_to(house, begins, 3 * 86_400 - 60);
        sync(&ada, begins.plus_s(2 * 86_400), 3_000).await;
        assert_eq!(board(&ada, &id).await[0], (ada.id.clone(), 9_000, 1));
    })
    .await;
}

#[tokio::test]
async fn joining_is_bounded_by_time_and_by_places() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "capacity": 10 })).await;
        let people = house.people("runner", 64).await;
        let joins = people
            .iter()
            .map(|person| person.post(&format!("{PATH}/{id}/join"), json!({})).into_future());
        let mut in_it = 0;
        for answer in join_all(joins).await {
            match answer.status {
                200 => in_it += 1,
                _ => {
                    answer.expect_problem(409, "conflict");
                }
            }
        }
        assert_eq!(in_it, 10);
        let shown = keeper.get(&format!("{PATH}/{id}")).await.expect(200);
        assert_eq!(shown["participant_count"], 10);
        let late = compete(house, &keeper, json!({})).await;
        join(&people[0], &late).await;
        join(&people[0], &late).await;
        turn_to(house, begins, 1);
        let answer = people[1].post(&format!("{PATH}/{late}/join"), json!({})).await;
        answer.expect_problem(409, "conflict");
        let answer = people[0].delete(&format!("{PATH}/{late}/join")).await;
        answer.expect_problem(409, "conflict");
        house
            .stranger()
            .post(&format!("{PATH}/{late}/join"), json!({}))
            .await
            .expect_problem(401, "unauthenticated");
    })
    .await;
}

#[tokio::test]
async fn teams_score_by_their_members() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let begins = tomorrow(house);
        let teams = json!({ "teams": { "score": "best_n", "n": 2, "size_max": 3 } });
        let id = compete(house, &keeper, teams).await;
        let people = house.people("runner", 4).await;
        let join = format!("{PATH}/{id}/join");
        people[0].post(&join, json!({})).await.expect_problem(422, "invalid");
        for (person, team) in people.iter().zip(["Reds", "Reds", "Reds", "Blues"]) {
            person.post(&join, json!({ "team": team })).await.expect(200);
        }
        keeper.post(&join, json!({ "team": "Reds" })).await.expect_problem(409, "conflict");
        turn_to(house, begins, 7_200);
        for (person, value) in people.iter().zip([100, 200, 300, 450]) {
            sync(person, begins, value).await;
        }
        let top = keeper.get(&format!("/api/v1/boards/{id}.teams/entries")).await.expect(200);
        let scores: Vec<Value> = top["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| json!([one["owner"], one["scores"][0]]))
            .collect();
        assert_eq!(scores, [json!(["Reds", 500]), json!(["Blues", 450])]);
        turn_to(house, begins, 3 * 86_400);
        house.work("boards.settle_competitions").await;
        let results = keeper.get(&format!("{PATH}/{id}/results")).await.expect(200);
        let jwks = house.stranger().get("/.well-known/jwks.json").await.expect(200);
        let signed = verified(results["certificate"].as_str().unwrap(), &jwks);
        let expected = json!([
            { "rank": 1, "team": "Reds", "score": 500 }, { "rank": 2, "team": "Blues", "score": 450 },
        ]);
        assert_eq!((&signed["teams"], &signed["result_count"]), (&expected, &json!(4)));
        // What is final stays, whoever is banned afterwards.
        let ban = format!("/api/v1/boards/{id}/bans/{}", people[2].id);
        keeper.put(&ban).json(&json!({ "reason": "a bot" })).await.expect(200);
        let reds = format!("/api/v1/boards/{id}.teams/entries/Reds");
        assert_eq!(keeper.get(&reds).await.expect(200)["scores"], json!([500]));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_over_yet_counts_no_more_than_the_time_up_to_now_allows() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "ends_at": begins.plus_s(3_600) })).await;
        join(&ada, &id).await;
        turn_to(house, begins, 60);
        let until = |value: i64| json!({
            "source": "watch", "metric": "steps", "start": begins, "end": begins.plus_s(86_400), "value": value,
        });
        let path = "/api/v1/activities";
        ada.post(path, until(150_000)).await.expect_problem(422, "invalid");
        ada.post(path, until(2_000)).await.expect(200);
        assert_eq!(board(&ada, &id).await[0].1, 2_000);
    })
    .await;
}

#[tokio::test]
async fn a_sync_keeps_nothing_for_a_competition_that_it_does_not_touch() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({})).await;
        join(&ada, &id).await;
        let kept = async || -> i64 {
            let mut tx = house.db("boards").read().await.unwrap();
            let (count,): (i64,) = tx.one(&SUBMISSIONS, &[]).await.unwrap();
            count
        };
        assert_eq!(kept().await, 1, "the first score is 0");
        turn_to(house, begins, -60);
        sync(&ada, begins.plus_s(-7_200), 50).await;
        assert_eq!(kept().await, 1, "it ended before the competition begins");
        turn_to(house, begins, 7_200);
        sync(&ada, begins, 70).await;
        assert_eq!(kept().await, 2);
        // A second source that says nothing new of the same time.
        let same = json!({
            "source": "zz", "metric": "steps", "start": begins, "end": begins.plus_s(1_800), "value": 9,
        });
        ada.post("/api/v1/activities", same).await.expect(200);
        assert_eq!(kept().await, 2, "the score is the same");
        assert_eq!(board(&ada, &id).await, [(ada.id.clone(), 70, 1)]);
    })
    .await;
}

#[tokio::test]
async fn another_order_of_sources_reaches_a_score_also_if_the_day_stays_the_same() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let midnight = tomorrow(house);
        let noon = midnight.plus_s(43_200);
        let id = compete(house, &keeper, json!({ "starts_at": noon })).await;
        join(&ada, &id).await;
        turn_to(house, midnight, 46_800);
        let whole = json!({ "start": midnight, "end": midnight.plus_s(86_400), "value": 240 });
        let half = json!({ "start": noon, "end": midnight.plus_s(86_400), "value": 120 });
        for (source, mut said) in [("a", whole), ("b", half)] {
            said["source"] = json!(source);
            said["metric"] = json!("steps");
            ada.post("/api/v1/activities", said).await.expect(200);
        }
        assert_eq!(board(&ada, &id).await[0].1, 0);
        let order = json!({ "priority": ["b", "a"] });
        ada.put("/api/v1/activities/sources").json(&order).await.expect(200);
        assert_eq!(board(&ada, &id).await[0].1, 120);
    })
    .await;
}

#[tokio::test]
async fn nobody_pays_something_else_than_they_agreed_to() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let money = |minor: i64| json!({ "minor": minor, "currency": "INR" });
        let id = compete(house, &keeper, json!({ "fee": money(100), "convenience_fee": money(5) }))
            .await;
        let path = format!("{PATH}/{id}");
        keeper.patch(&path, json!({ "fee": money(900) })).await.expect(200);
        let join = format!("{path}/join");
        let refused = ada.post(&join, json!({ "total_minor": 105 })).await;
        let refused = refused.expect_problem(409, "conflict");
        assert!(refused["detail"].as_str().unwrap().contains("905"), "{refused}");
        ada.post(&join, json!({ "total_minor": 905 })).await.expect(200);
        keeper.delete(&path).await.expect(204);
        let refused = ada.delete(&join).await.expect_problem(409, "conflict");
        assert!(refused["detail"].as_str().unwrap().contains("called off"), "{refused}");
    })
    .await;
}

/// A competition with money that three people are in and that is over: Ada and Bea are tied.
pub(crate) async fn over(house: &Program, keeper: &Client) -> (String, [Client; 3]) {
    let begins = tomorrow(house);
    let money = |minor: i64| json!({ "minor": minor, "currency": "INR" });
    let id =
        compete(house, keeper, json!({ "fee": money(5_001), "convenience_fee": money(200) })).await;
    let people = [house.person("ada").await, house.person("bea").await, house.person("cid").await];
    for person in &people {
        join(person, &id).await;
    }
    turn_to(house, begins, 7_200);
    for (person, value) in people.iter().zip([900, 900, 100]) {
        sync(person, begins, value).await;
    }
    turn_to(house, begins, 3 * 86_400);
    house.work("boards.settle_competitions").await;
    (id, people)
}

#[tokio::test]
async fn results_are_final_and_signed_with_a_published_key() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let early = compete(house, &keeper, json!({})).await;
        keeper.get(&format!("{PATH}/{early}/results")).await.expect_problem(409, "conflict");
        let (id, [ada, bea, cid]) = over(house, &keeper).await;
        let path = format!("{PATH}/{id}/results");
        let results = house.stranger().get(&path).await.expect(200);
        let expected = json!([
            { "rank": 1, "user_id": ada.id, "score": 900 }, { "rank": 1, "user_id": bea.id, "score": 900 },
            { "rank": 3, "user_id": cid.id, "score": 100 },
        ]);
        assert_eq!(results["items"], expected);
        // What is synced now changes what the person has done, and no result.
        let started = house.clock().now().plus_s(-2 * 86_400);
        sync(&cid, started, 20_000).await;
        house.work("boards.settle_competitions").await;
        assert_eq!(house.stranger().get(&path).await.expect(200), results);
        let certificate = results["certificate"].as_str().unwrap();
        let jwks = house.stranger().get("/.well-known/jwks.json").await.expect(200);
        let payload = verified(certificate, &jwks);
        assert_eq!((&payload["results"], &payload["competition"]), (&expected, &json!(id)));
        let lines = format!("1 {} 900\n1 {} 900\n3 {} 100\n", ada.id, bea.id, cid.id);
        let hash = mainstay_core::blobs::BlobHash::of(lines.as_bytes()).to_string();
        assert_eq!((&payload["results_sha256"], &payload["result_count"]), (&json!(hash), &json!(3)));
        let answer = ada.with_token(certificate).get("/api/v1/me").await;
        answer.expect_problem(401, "unauthenticated");
        // Keys are replaced and leave the set: the same statement is signed by the present one then.
        for _ in 0..2 {
            house.core().auth.rotate_signing_key(Actor::Operator).await.unwrap();
            house.clock().advance_s(500 * 86_400);
        }
        let later = house.stranger().get(&path).await.expect(200);
        let jwks = house.stranger().get("/.well-known/jwks.json").await.expect(200);
        let renewed = later["certificate"].as_str().unwrap();
        assert_ne!(renewed, certificate);
        assert_eq!((verified(renewed, &jwks), &later["items"]), (payload, &expected));
    })
    .await;
}

/// The payload of a certificate that a key of the set has signed.
fn verified(certificate: &str, jwks: &Value) -> Value {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    let header = decode_header(certificate).unwrap();
    assert_eq!(header.typ.as_deref(), Some("mainstay-results+jws"));
    let key = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == *header.kid.as_ref().unwrap());
    let key = DecodingKey::from_ed_components(key.unwrap()["x"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    decode::<Value>(certificate, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn prizes_are_paid_once_after_a_second_administrator_has_approved() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let second = house.person_as(Role::Admin, "second").await;
        let (id, [ada, bea, cid]) = over(house, &keeper).await;
        let path = format!("{PATH}/{id}/payout");
        ada.post(&path, json!({})).await.expect_problem(403, "forbidden");
        second.post(&format!("{path}/approve"), Value::Null).await.expect_problem(409, "conflict");
        let proposed = keeper.post(&path, Value::Null).await.expect(200);
        // 60 % of 3 × ₹50.01, rounded down: 9,001; the tied share what the third leaves.
        let prize = |person: &Client, minor: i64| {
            json!({ "user_id": person.id, "amount": { "minor": minor, "currency": "INR" } })
        };
        let expected = json!([prize(&ada, 4_051), prize(&bea, 4_050), prize(&cid, 900)]);
        assert_eq!((&proposed["prizes"], &proposed["paid_at"]), (&expected, &Value::Null));
        assert_eq!(keeper.post(&path, Value::Null).await.expect(200), proposed);
        keeper.post(&format!("{path}/approve"), Value::Null).await.expect_problem(409, "conflict");
        let at = |at: &Value| format!("{path}/approve?proposed_at={}", at.as_str().unwrap());
        let other = json!(house.clock().now().plus_s(-60));
        second.post(&at(&other), Value::Null).await.expect_problem(409, "conflict");
        let seen = at(&proposed["proposed_at"]);
        let approvals = (0..64).map(|_| second.post(&seen, Value::Null).into_future());
        for answer in join_all(approvals).await {
            let paid = answer.expect(200);
            assert_eq!((&paid["approved_by"], &paid["prizes"]), (&json!(second.id), &expected));
        }
        let balance = async |person: &Client| {
            let page = person.get("/api/v1/ledger/balances").await.expect(200);
            page["items"][0]["balance"]["minor"].as_i64().unwrap()
        };
        assert_eq!(balance(&ada).await, 4_051 - 5_201);
        assert_eq!(balance(&cid).await, 900 - 5_201);
        let all = keeper.get("/api/v1/ledger/balances").await.expect(200);
        let sum: i64 = all["items"].as_array().unwrap().iter()
            .map(|one| one["balance"]["minor"].as_i64().unwrap()).sum();
        assert_eq!(sum, 0);
        let entries = ada.get("/api/v1/ledger/entries").await.expect(200);
        let kinds: Vec<&Value> = entries["items"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
        assert_eq!(kinds, ["prize", "entry_fee"], "paid once");
        keeper.delete(&format!("{PATH}/{id}")).await.expect_problem(409, "conflict");
        let mut tx = house.db("boards").read().await.unwrap();
        let audit = mainstay_core::audit::list(&mut tx, i64::MAX, 10).await.unwrap();
        let told: Vec<(&str, &str)> =
            audit.iter().map(|entry| (&*entry.action, &*entry.target)).collect();
        let done = ["boards.approve_prizes", "boards.propose_prizes", "boards.make_competition"];
        assert_eq!(told, done.map(|action| (action, &*id)));
        assert_eq!(audit[1].actor, keeper.id);
    })
    .await;
}

#[tokio::test]
async fn lists_show_phases_and_ones_own() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let first = compete(house, &keeper, json!({})).await;
        let later = json!({ "starts_at": begins.plus_s(86_400), "name": "Later" });
        let second = compete(house, &keeper, later).await;
        join(&ada, &second).await;
        let ids = async |query: &str| {
            let page = ada.get(&format!("{PATH}{query}")).await.expect(200);
            let ids: Vec<Value> =
                page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
            (ids, page["next_cursor"].as_str().map(str::to_owned))
        };
        assert_eq!(ids("").await.0, [json!(second), json!(first)]);
        assert_eq!(ids("?mine=true").await.0, [json!(second)]);
        let (page, next) = ids("?limit=1").await;
        assert_eq!(page, [json!(second)]);
        assert_eq!(ids(&format!("?limit=1&cursor={}", next.unwrap())).await.0, [json!(first)]);
        // What has not begun comes in the order in which it will.
        assert_eq!(ids("?phase=upcoming").await.0, [json!(first), json!(second)]);
        assert_eq!(ids("?phase=upcoming&mine=true").await.0, [json!(second)]);
        let (page, next) = ids("?phase=upcoming&limit=1").await;
        assert_eq!(page, [json!(first)]);
        let next = format!("?phase=upcoming&limit=1&cursor={}", next.unwrap());
        assert_eq!(ids(&next).await, (vec![json!(second)], None));
        turn_to(house, begins, 60);
        assert_eq!(ids("?phase=active").await.0, [json!(first)]);
        assert_eq!(ids("?phase=upcoming").await.0, [json!(second)]);
        assert_eq!(ids("?phase=completed").await.0, Vec::<Value>::new());
        keeper.delete(&format!("{PATH}/{second}")).await.expect(204);
        turn_to(house, begins, 3 * 86_400);
        assert_eq!(ids("?phase=upcoming").await.0, Vec::<Value>::new());
        assert_eq!(ids("?phase=cancelled").await.0, [json!(second)]);
        assert_eq!(ids("?phase=completed").await.0, [json!(first)], "also before it is settled");
        house.work("boards.settle_competitions").await;
        assert_eq!(ids("?phase=completed").await.0, [json!(first)]);
        assert_eq!(ids("?phase=completed&mine=true").await.0, Vec::<Value>::new());
        assert_eq!(ids("?phase=cancelled&mine=true").await.0, [json!(second)]);
    })
    .await;
}

#[tokio::test]
async fn a_competition_can_be_changed_until_it_begins() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "teams": { "score": "sum" } })).await;
        let path = format!("{PATH}/{id}");
        let money = |minor: i64| json!({ "minor": minor, "currency": "INR" });
        ada.patch(&path, json!({ "name": "Mine" })).await.expect_problem(403, "forbidden");
        let new = json!({
            "name": "Four days", "ends_at": begins.plus_s(4 * 86_400), "fee": money(900), "capacity": 1,
            "prize_split": [100],
        });
        let edited = keeper.patch(&path, new.clone()).header("If-Match", "\"v1\"").await.expect(200);
        for (name, value) in new.as_object().unwrap() {
            assert_eq!(&edited[name], value, "{name}");
        }
        assert_eq!((&edited["version"], &edited["metric"]), (&json!(2), &json!("steps")));
        assert_eq!(ada.get(&path).await.expect(200)["name"], "Four days");
        for (board, title) in [(id.clone(), "Four days"), (format!("{id}.teams"), "Four days: teams")] {
            let board = ada.get(&format!("/api/v1/boards/{board}")).await.expect(200);
            assert_eq!(board["title"], title);
        }
        let stale = keeper.patch(&path, new).header("If-Match", "\"v1\"").await;
        stale.expect_problem(412, "precondition_failed");
        let odd = json!({ "name": "", "ends_at": begins, "fee": money(-1), "capacity": 0 });
        let problem = keeper.patch(&path, odd).await.expect_problem(422, "invalid");
        let at: Vec<&Value> =
            problem["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
        assert_eq!(at, ["/name", "/ends_at", "/capacity", "/fee"]);
        ada.post(&format!("{path}/join"), json!({ "team": "Reds" })).await.expect(200);
        // What people have paid for stays.
        keeper.patch(&path, json!({ "fee": money(1) })).await.expect_problem(409, "conflict");
        keeper.patch(&path, json!({ "capacity": null })).await.expect(200);
        keeper.patch(&path, json!({ "starts_at": begins.plus_s(60) })).await.expect(200);
        let at_once = json!({ "starts_at": house.clock().now() });
        keeper.patch(&path, at_once).await.expect_problem(409, "conflict");
        turn_to(house, begins, 61);
        keeper.patch(&path, json!({ "name": "Late" })).await.expect_problem(409, "conflict");
    })
    .await;
}

#[tokio::test]
async fn only_administrators_make_competitions_and_odd_ones_are_refused_at_once() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let now = house.clock().now();
        let odd = json!({
            "name": " ", "metric": "Steps!", "starts_at": now, "ends_at": now.plus_s(-1), "capacity": 0,
            "fee": { "minor": -1, "currency": "USD" }, "prize_split": [50, 40], "pool_percent": 101,
            "teams": { "score": "best_n" },
        });
        ada.post(PATH, odd.clone()).await.expect_problem(403, "forbidden");
        let problem = keeper.post(PATH, odd).await.expect_problem(422, "invalid");
        let at: Vec<&str> = problem["errors"].as_array().unwrap().iter()
            .map(|fault| fault["pointer"].as_str().unwrap()).collect();
        let expected = ["/name", "/metric", "/ends_at", "/ends_at", "/join_until", "/capacity", "/fee", "/fee",
            "/pool_percent", "/prize_split", "/teams"];
        assert_eq!(at, expected);
    })
    .await;
}
