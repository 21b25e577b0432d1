//! Joining while something else happens, and money that goes back.

use futures_util::future::{join, join_all};
use mainstay_core::{contract::id::UserId, db::DbError, params, statements};
use mainstay_testkit::program::{Client, Program};
use serde_json::{Value, json};

use crate::{
    admin, both_engines, both_engines_held,
    competitions::{PATH, compete, sync, tomorrow, turn_to},
};

statements! {
    /// Somebody who takes part, without having paid.
    ADD_PARTICIPANT = "insert into boards.participant (competition_id, user_id, team, attempts, joined_at)
                       values ($1, $2, null, 0, $3)";
    /// How many have their money back, and how often.
    REFUNDS = "select count(*), count(distinct e.account) from boards.transfer t
               join boards.ledger_entry e on e.transfer_id = t.id where t.kind = 'refund' and e.account like 'user:%'";
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
async fn money_of_very_many_goes_back_in_parts_and_to_each_once() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let fee = json!({ "fee": { "minor": 1_000, "currency": "INR" } });
        let id = compete(house, &keeper, fee).await;
        ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        crowd(house, &id, 1_100).await;
        let (path, refunds) = (format!("{PATH}/{id}"), async || {
            let mut tx = house.db("boards").read().await.unwrap();
            tx.one::<(i64, i64)>(&REFUNDS, &[]).await.unwrap()
        });
        keeper.delete(&path).await.expect(204);
        assert_eq!(refunds().await, (500, 500));
        let entries = ada.get("/api/v1/ledger/entries").await.expect(200);
        // Whatever ends the program now, the rest follows.
        join_all((0..4).map(|_| house.work("boards.move_money"))).await;
        for _ in 0..3 {
            house.work("boards.move_money").await;
        }
        keeper.delete(&path).await.expect(204);
        assert_eq!(refunds().await, (1_101, 1_101));
        assert!(entries["items"].as_array().unwrap().len() <= 2);
        let balance = ada.get("/api/v1/ledger/balances").await.expect(200);
        assert_eq!(balance["items"][0]["balance"]["minor"], 0);
    })
    .await;
}

/// Adds people who take part, but for their entries and fees.
async fn crowd(house: &Program, id: &str, count: u32) {
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
