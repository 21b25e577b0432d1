//! Joining while something else happens, and money that goes back.

use futures_util::future::{join, join_all};
use mainstay_core::{contract::id::UserId, db::DbError, params, statements};
use mainstay_testkit::program::{Client, Engine, Program};
use serde_json::{Value, json};

use crate::{
    admin, both_engines, both_engines_held,
    competitions::{PATH, compete, sync, tomorrow, turn_to},
    setup,
};

statements! {
    /// Somebody who takes part, without having paid.
    ADD_PARTICIPANT = "insert into boards.participant (competition_id, user_id, team, attempts, joined_at)
                       values ($1, $2, null, 0, $3)";
    /// How many have their money back, and how often.
    REFUNDS = "select count(*), count(distinct e.account) from boards.transfer t
               join boards.ledger_entry e on e.transfer_id = t.id where t.kind = 'refund' and e.account like 'user:%'";
    /// Facts of competitions that were made, changed or ended, in order.
    CHANGED = "select payload from boards.outbox where name in
               ('boards.competition_changed.v1', 'boards.competition_ended.v1') order by seq";
    /// Facts of joining and leaving, in order.
    JOINED = "select payload from boards.outbox where name = 'boards.competition_joined.v1' order by seq";
}

fn score_of(top: &Value, person: &Client) -> Option<i64> {
    let entries = top["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["user_id"] == person.id)?["score"].as_i64()
}

#[tokio::test]
async fn whoever_joins_while_they_sync_has_all_of_what_they_did() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let begins = tomorrow(house);
        let open = json!({ "join_until": begins.plus_s(2 * 86_400) });
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(compete(house, &keeper, open.clone()).await);
        }
        let people = house.people("runner", 32).await;
        turn_to(house, begins, 5 * 3_600);
        for (id, round) in ids.iter().zip(0..) {
            let both = people.iter().zip(1..).map(async |(person, value)| {
                let path = format!("{PATH}/{id}/join");
                let joins = async { person.post(&path, json!({})).await.expect(200) };
                join(joins, sync(person, begins.plus_s(round * 3_600), value)).await;
            });
            join_all(both).await;
            let top = keeper.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
            for (person, value) in people.iter().zip(1..) {
                assert_eq!(score_of(&top, person), Some((round + 1) * value), "{}", person.handle);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_is_in_more_competitions_than_a_sync_follows() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let mut ids = Vec::new();
        for _ in 0..101 {
            ids.push(compete(house, &keeper, json!({})).await);
        }
        let (last, first) = ids.split_last().unwrap();
        for id in first {
            ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        }
        let path = format!("{PATH}/{last}/join");
        ada.post(&path, json!({})).await.expect_problem(409, "conflict");
        let other = compete(house, &keeper, json!({ "metric": "minutes" })).await;
        ada.post(&format!("{PATH}/{other}/join"), json!({})).await.expect(200);
        ada.delete(&format!("{PATH}/{}/join", first[0])).await.expect(200);
        ada.post(&path, json!({})).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn who_joins_and_who_leaves_is_told_once_each() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let id = compete(house, &keeper, json!({ "teams": { "score": "sum" } })).await;
        let path = format!("{PATH}/{id}/join");
        let version = async || keeper.get(&format!("{PATH}/{id}")).await.expect(200)["version"].clone();
        let before = version().await;
        for _ in 0..2 {
            ada.post(&path, json!({ "team": "Reds" })).await.expect(200);
        }
        for _ in 0..2 {
            ada.delete(&path).await.expect(200);
        }
        assert_eq!(version().await, before, "who edits meanwhile does not have to read it again");
        let mut tx = house.db("boards").read().await.unwrap();
        let said: Vec<(mainstay_core::db::Json<Value>,)> = tx.all(&JOINED, &[]).await.unwrap();
        let said: Vec<Value> = said.into_iter().map(|(fact,)| fact.0).collect();
        let fact = |joined: bool, count: i64| {
            json!({
                "competition": id, "user": ada.id, "team": "Reds", "joined": joined, "participant_count": count,
            })
        };
        assert_eq!(said, [fact(true, 1), fact(false, 0)]);
    })
    .await;
}

#[tokio::test]
async fn every_change_is_told_with_a_higher_version_and_the_end_once() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let off = compete(house, &keeper, json!({})).await;
        let id = compete(house, &keeper, json!({})).await;
        for id in [&off, &id] {
            keeper.patch(&format!("{PATH}/{id}"), json!({ "name": "Run" })).await.expect(200);
            ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        }
        keeper.delete(&format!("{PATH}/{off}")).await.expect(204);
        turn_to(house, begins, 3 * 86_400);
        // People sync late while several instances make the results final.
        let at = begins.plus_s(3_600);
        let ends = (0..4).map(|_| house.work("boards.settle_competitions"));
        join(join_all(ends), sync(&ada, at, 500)).await;
        let results = keeper.get(&format!("{PATH}/{id}/results")).await.expect(200);
        let top = keeper.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
        assert_eq!(results["items"], top["entries"]);
        let mut tx = house.db("boards").read().await.unwrap();
        let said: Vec<(mainstay_core::db::Json<Value>,)> = tx.all(&CHANGED, &[]).await.unwrap();
        let said = |id: &str| -> Vec<(i64, bool, bool)> {
            let of = said.iter().map(|(fact,)| &fact.0).filter(|fact| fact["competition"] == *id);
            let told = |fact: &Value| {
                let is = |name: &str| fact[name].as_bool().unwrap_or_default();
                (fact["version"].as_i64().unwrap_or_default(), is("cancelled"), is("settled"))
            };
            of.map(told).collect()
        };
        assert_eq!(said(&off), [(1, false, false), (2, false, false), (3, true, false)]);
        let ended = (0, false, false);
        assert_eq!(said(&id), [(1, false, false), (2, false, false), ended, (3, false, true)]);
    })
    .await;
}

#[tokio::test]
async fn what_a_banned_player_gave_their_team_goes_and_comes_with_them() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let begins = tomorrow(house);
        let teams = json!({ "teams": { "score": "sum" }, "join_until": begins.plus_s(86_400) });
        let id = compete(house, &keeper, teams).await;
        let people = house.people("runner", 3).await;
        let path = format!("{PATH}/{id}/join");
        for person in &people[..2] {
            person.post(&path, json!({ "team": "Reds" })).await.expect(200);
        }
        turn_to(house, begins, 5 * 3_600);
        sync(&people[0], begins, 100).await;
        sync(&people[1], begins, 40).await;
        let reds = async || {
            let entry = format!("/api/v1/boards/{id}.teams/entries/Reds");
            keeper.get(&entry).await.expect(200)["scores"].clone()
        };
        assert_eq!(reds().await, json!([140]));
        let ban = |person: &Client| format!("/api/v1/boards/{id}/bans/{}", person.id);
        let reason = json!({ "reason": "a bot" });
        for person in [&people[0], &people[2]] {
            keeper.put(&ban(person)).json(&reason).await.expect(200);
        }
        assert_eq!(reds().await, json!([40]));
        sync(&people[0], begins.plus_s(3_600), 7).await;
        assert_eq!(reds().await, json!([40]));
        people[2].post(&path, json!({ "team": "Reds" })).await.expect_problem(403, "forbidden");
        keeper.delete(&ban(&people[0])).await.expect(204);
        assert_eq!(reds().await, json!([147]), "with what they did meanwhile");
        let top = keeper.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
        assert_eq!(score_of(&top, &people[0]), Some(107));
    })
    .await;
}

#[tokio::test]
async fn updates_and_reads_are_held_to_the_rates_of_guide_two() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().limited().holding_the_clock().start(engine).await;
        let (keeper, ada) = (admin(&house).await, house.person("ada").await);
        let begins = tomorrow(&house);
        let id = compete(&house, &keeper, json!({})).await;
        ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        turn_to(&house, begins, 3_600);
        let update = async || {
            let body = json!({ "competition_id": id, "steps": 7 });
            ada.post("/api/v1/leaderboard/update", body).await
        };
        for left in (0..20).rev() {
            let answer = update().await;
            assert_eq!(answer.header("ratelimit-remaining"), left.to_string());
            answer.expect(200);
        }
        update().await.expect_problem(429, "rate_limited");
        house.clock().advance_s(1);
        for _ in 0..10 {
            update().await.expect(200);
        }
        update().await.expect_problem(429, "rate_limited");
        let top = ada.get(&format!("/api/v1/leaderboard/{id}")).await;
        assert_eq!(top.header("ratelimit-limit"), "200");
        top.expect(200);
        house.end().await;
    }
}

#[tokio::test]
async fn money_of_very_many_goes_back_in_parts_and_to_each_once() {
    let house = setup().holding_periodic_work();
    let test = async |house: &Program| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let fee = json!({ "fee": { "minor": 1_000, "currency": "INR" } });
        let id = compete(house, &keeper, fee).await;
        ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        crowd(house, &id, 1_100).await;
        let path = format!("{PATH}/{id}");
        keeper.delete(&path).await.expect(204);
        assert_eq!(refunds(house).await, (500, 500));
        let entries = ada.get("/api/v1/ledger/entries").await.expect(200);
        // Whatever ends the program now, the rest follows.
        join_all((0..4).map(|_| house.work("boards.move_money"))).await;
        for _ in 0..3 {
            house.work("boards.move_money").await;
        }
        keeper.delete(&path).await.expect(204);
        assert_eq!(refunds(house).await, (1_101, 1_101));
        assert!(entries["items"].as_array().unwrap().len() <= 2);
        let balance = ada.get("/api/v1/ledger/balances").await.expect(200);
        assert_eq!(balance["items"][0]["balance"]["minor"], 0);
    };
    house.on_both_engines(test).await;
}

/// How many have their money back, and how often.
pub(crate) async fn refunds(house: &Program) -> (i64, i64) {
    house.db("boards").read().await.unwrap().one(&REFUNDS, &[]).await.unwrap()
}

/// Adds people who take part, but for their entries and fees.
pub(crate) async fn crowd(house: &Program, id: &str, count: u32) {
    let id: mainstay_core::contract::boards::CompetitionId = id.parse().unwrap();
    house
        .db("boards")
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                for n in 0..count {
                    let user = UserId::from_bits(u128::from(n) << 64 | 7);
                    tx.run(&ADD_PARTICIPANT, params![id, user, now]).await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .await
        .unwrap();
}
