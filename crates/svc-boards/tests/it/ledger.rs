//! The ledger sums to zero, whatever happens at once.

use futures_util::future::join_all;
use mainstay_core::{db::DbError, statements};
use mainstay_testkit::{
    Dice,
    program::{Client, Program},
};
use serde_json::{Value, json};

use crate::{admin, both_engines};

statements! {
    /// Gives an account almost as much as a number of 64 bits holds.
    FILL = "update boards.balance set minor = 9223372036854775800 where account = 'house:fees'";
    /// How many transfers there are.
    TRANSFERS = "select count(*) from boards.transfer";
    /// Transfers whose entries do not sum to 0.
    UNEVEN = "select count(*) from (select transfer_id from boards.ledger_entry group by transfer_id
              having sum(minor) <> 0) as uneven";
    /// Accounts whose balance is not the sum of their entries.
    DRIFTED = "select count(*) from boards.balance b where b.minor <>
               (select coalesce(sum(e.minor), 0) from boards.ledger_entry e where e.account = b.account)";
}

/// Transfers whose entries do not sum to 0, and accounts whose balance is not the sum of their entries.
pub(crate) async fn crooked(house: &Program) -> (i64, i64) {
    let mut tx = house.db("boards").read().await.unwrap();
    let (uneven,): (i64,) = tx.one(&UNEVEN, &[]).await.unwrap();
    let (drifted,): (i64,) = tx.one(&DRIFTED, &[]).await.unwrap();
    (uneven, drifted)
}

async fn compete(keeper: &Client, fee: i64) -> String {
    let now = mainstay_core::clock::Clock::system().now();
    let new = json!({
        "name": "Race", "metric": "steps", "starts_at": now.plus_s(3_600), "ends_at": now.plus_s(7_200),
        "fee": { "minor": fee, "currency": "INR" }, "convenience_fee": { "minor": 7, "currency": "INR" },
    });
    let made = keeper.post("/api/v1/competitions", new).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_ledger_sums_to_zero_while_many_join_leave_and_are_refunded() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let ids = [compete(&keeper, 101).await, compete(&keeper, 5_003).await];
        let people = house.people("runner", 12).await;
        let storms = people.iter().zip(1..).map(async |(person, seed)| {
            let mut dice = Dice::of(seed);
            for _ in 0..8 {
                let path = format!("/api/v1/competitions/{}/join", ids[dice.below(2)]);
                match dice.once_in(2) {
                    true => person.delete(&path).await.expect(200),
                    false => person.post(&path, json!({})).await.expect(200),
                };
            }
        });
        join_all(storms).await;
        assert_eq!(crooked(house).await, (0, 0));
        for id in &ids {
            let shown = keeper.get(&format!("/api/v1/competitions/{id}")).await.expect(200);
            let (count, fee) = (
                shown["participant_count"].as_i64().unwrap(),
                shown["fee"]["minor"].as_i64().unwrap(),
            );
            assert_eq!(shown["pool"]["minor"].as_i64().unwrap(), count * fee * 60 / 100);
            keeper.delete(&format!("/api/v1/competitions/{id}")).await.expect(204);
            keeper.delete(&format!("/api/v1/competitions/{id}")).await.expect(204);
        }
        assert_eq!(crooked(house).await, (0, 0));
        let all = keeper.get("/api/v1/ledger/balances?limit=100").await.expect(200);
        let left: Vec<&Value> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["balance"]["minor"] != 0)
            .collect();
        assert!(left.is_empty(), "everybody has their money back: {left:?}");
    })
    .await;
}

#[tokio::test]
async fn people_see_their_own_account_and_administrators_any() {
    both_engines(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let id = compete(&keeper, 100).await;
        for person in [&ada, &bea] {
            person.post(&format!("/api/v1/competitions/{id}/join"), json!({})).await.expect(200);
        }
        let entries = |account: &str| format!("/api/v1/ledger/entries?account={account}");
        let own = ada.get(&entries(&format!("user:{}", ada.id))).await.expect(200);
        assert_eq!(own["items"][0]["amount"], json!({ "minor": -107, "currency": "INR" }));
        assert_eq!(own["items"][0]["reference"], *id);
        ada.get(&entries(&format!("user:{}", bea.id))).await.expect_problem(404, "not_found");
        ada.get(&entries("house:fees")).await.expect_problem(404, "not_found");
        let fees = keeper.get(&entries("house:fees")).await.expect(200);
        let minors: Vec<&Value> =
            fees["items"].as_array().unwrap().iter().map(|one| &one["amount"]["minor"]).collect();
        assert_eq!(minors, [40, 40]);
        let balances = ada.get("/api/v1/ledger/balances").await.expect(200);
        assert_eq!(balances["items"].as_array().unwrap().len(), 1);
        let balance = |account: &str| format!("/api/v1/ledger/balances?account={account}");
        assert_eq!(ada.get(&balance(&format!("user:{}", ada.id))).await.expect(200), balances);
        ada.get(&balance("house:fees")).await.expect_problem(404, "not_found");
        ada.get(&balance(&format!("user:{}", bea.id))).await.expect_problem(404, "not_found");
        let fees = keeper.get(&balance("house:fees")).await.expect(200);
        assert_eq!(fees["items"][0]["balance"]["minor"], 80);
        house.stranger().get(&balance("house:fees")).await.expect_problem(401, "unauthenticated");
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("/api/v1/ledger/balances?limit=2{cursor}");
            let page = keeper.get(&page).await.expect(200);
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|one| one["account"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(seen.len() == 5 && seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn a_balance_that_would_leave_64_bits_refuses_the_whole_transfer() {
    both_engines(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let id = compete(&keeper, 100).await;
        let path = format!("/api/v1/competitions/{id}");
        ada.post(&format!("{path}/join"), json!({})).await.expect(200);
        let db = house.db("boards");
        let fill = db.write(|tx| Box::pin(async move { tx.execute(&FILL, &[]).await }));
        let filled: Result<u64, DbError> = fill.await;
        filled.unwrap();
        let count = async || {
            let mut tx = house.db("boards").read().await.unwrap();
            let (count,): (i64,) = tx.one(&TRANSFERS, &[]).await.unwrap();
            count
        };
        let before = count().await;
        bea.post(&format!("{path}/join"), json!({})).await.expect_problem(500, "internal");
        assert_eq!(count().await, before);
        let shown = bea.get(&path).await.expect(200);
        assert_eq!((&shown["participant_count"], &shown["joined"]), (&json!(1), &json!(false)));
    })
    .await;
}
