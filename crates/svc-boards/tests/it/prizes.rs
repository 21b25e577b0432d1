//! What the best of a competition get.

use futures_util::future::join_all;
use mainstay_core::{
    auth::Role,
    contract::{boards::CompetitionId, id::UserId},
    db::DbError,
    params, statements,
};
use mainstay_testkit::program::{Client, Program};
use serde_json::{Value, json};

use crate::{
    admin, both_engines_held,
    competitions::{PATH, compete, over, sync, tomorrow, turn_to},
    setup,
};

statements! {
    /// A result behind all others.
    ADD_RESULT = "insert into boards.result (competition_id, place, rank, user_id, score) values ($1, $2, 1, $3, 0)";
    /// How many prizes were paid, to how many, and what they come to.
    PAID = "select count(*), count(distinct e.account), cast(coalesce(sum(e.minor), 0) as bigint) from boards.transfer t
            join boards.ledger_entry e on e.transfer_id = t.id where t.kind = 'prize' and e.account like 'user:%'",
        sqlite "select count(*), count(distinct e.account), coalesce(sum(e.minor), 0) from boards.transfer t
            join boards.ledger_entry e on e.transfer_id = t.id where t.kind = 'prize' and e.account like 'user:%'";
}

fn inr(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "INR" })
}

async fn balance(reader: &Client, account: &str) -> i64 {
    let page = reader.get(&format!("/api/v1/ledger/balances?account={account}")).await.expect(200);
    page["items"][0]["balance"]["minor"].as_i64().unwrap()
}

/// How many prizes were paid, to how many, and what they come to.
pub(crate) async fn paid(house: &Program) -> (i64, i64, i64) {
    let mut tx = house.db("boards").read().await.unwrap();
    tx.one(&PAID, &[]).await.unwrap()
}

#[tokio::test]
async fn a_hundred_players_fill_the_pool_that_guide_two_has() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let second = house.person_as(Role::Admin, "second").await;
        let begins = tomorrow(house);
        // ₹50 and ₹2 besides.
        let fees = json!({ "fee": inr(5_000), "convenience_fee": inr(200) });
        let id = compete(house, &keeper, fees).await;
        let people = house.people("runner", 100).await;
        let path = format!("{PATH}/{id}/join");
        join_all(people.iter().map(async |person| person.post(&path, json!({})).await.expect(200)))
            .await;
        let shown = keeper.get(&format!("{PATH}/{id}")).await.expect(200);
        assert_eq!((&shown["participant_count"], &shown["pool"]), (&json!(100), &inr(300_000)));
        assert_eq!(balance(&keeper, "house:fees").await, 200_000);
        assert_eq!(balance(&keeper, "house:convenience").await, 20_000);
        turn_to(house, begins, 7_200);
        for (person, value) in people.iter().zip([300, 200, 100]) {
            sync(person, begins, value).await;
        }
        turn_to(house, begins, 3 * 86_400);
        house.work("boards.settle_competitions").await;
        let payout = format!("{PATH}/{id}/payout");
        let proposed = keeper.post(&payout, Value::Null).await.expect(200);
        assert_eq!((&proposed["prize_count"], &proposed["total"]), (&json!(3), &inr(300_000)));
        second.post(&format!("{payout}/approve"), Value::Null).await.expect(200);
        for (person, prize) in people.iter().zip([180_000, 90_000, 30_000, 0]) {
            let account = format!("user:{}", person.id);
            assert_eq!(balance(person, &account).await, prize - 5_200);
        }
        assert_eq!(balance(&keeper, &format!("pool:{id}")).await, 0);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_banned_gets_no_prize_and_those_behind_move_up() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let second = house.person_as(Role::Admin, "second").await;
        let (id, [ada, bea, cid]) = over(house, &keeper).await;
        let (path, reason) = (format!("{PATH}/{id}/payout"), json!({ "reason": "a bot" }));
        let first = keeper.post(&path, Value::Null).await.expect(200);
        assert_eq!(first["prize_count"], 3);
        keeper.put(&format!("/api/v1/boards/{id}/bans/{}", ada.id)).json(&reason).await.expect(200);
        // What would be paid is not what was proposed.
        let approve = format!("{path}/approve");
        second.post(&approve, Value::Null).await.expect_problem(409, "conflict");
        let proposed = second.post(&path, Value::Null).await.expect(200);
        let prize = |person: &Client, minor| json!({ "user_id": person.id, "amount": inr(minor) });
        // Two are left for three places: what nobody has a place for goes to the best.
        assert_eq!(proposed["prizes"], json!([prize(&bea, 6_301), prize(&cid, 2_700)]));
        assert_eq!(proposed["proposed_by"], second.id);
        second.post(&approve, Value::Null).await.expect_problem(409, "conflict");
        keeper.post(&approve, Value::Null).await.expect(200);
        assert_eq!(paid(house).await, (2, 2, 9_001));
        let after = second.post(&path, Value::Null).await.expect(200);
        assert_eq!(
            (&after["prizes"], &after["approved_by"]),
            (&proposed["prizes"], &json!(keeper.id))
        );
    })
    .await;
}

#[tokio::test]
async fn what_nobody_may_win_goes_to_the_house() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let second = house.person_as(Role::Admin, "second").await;
        let (id, people) = over(house, &keeper).await;
        for person in &people {
            let ban = format!("/api/v1/boards/{id}/bans/{}", person.id);
            keeper.put(&ban).json(&json!({ "reason": "a bot" })).await.expect(200);
        }
        let payout = format!("{PATH}/{id}/payout");
        let proposed = keeper.post(&payout, Value::Null).await.expect(200);
        assert_eq!(proposed["prizes"], json!([]));
        assert_eq!(balance(&keeper, &format!("pool:{id}")).await, 9_001);
        for _ in 0..2 {
            second.post(&format!("{payout}/approve"), Value::Null).await.expect(200);
        }
        assert_eq!(balance(&keeper, &format!("pool:{id}")).await, 0);
        assert_eq!(balance(&keeper, "house:fees").await, 3 * 5_001);
    })
    .await;
}

#[tokio::test]
async fn prizes_of_very_many_who_are_tied_are_paid_in_parts_and_each_once() {
    let house = setup().holding_the_clock().holding_periodic_work();
    let test = async |house: &Program| {
        let keeper = admin(house).await;
        let second = house.person_as(Role::Admin, "second").await;
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "fee": inr(1_000_001) })).await;
        let ada = house.person("ada").await;
        ada.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
        turn_to(house, begins, 3 * 86_400);
        house.work("boards.settle_competitions").await;
        tied(house, id.parse().unwrap(), 1_199).await;
        let path = format!("{PATH}/{id}/payout");
        let proposed = keeper.post(&path, Value::Null).await.expect(200);
        assert_eq!((&proposed["prize_count"], &proposed["total"]), (&json!(1_200), &inr(600_000)));
        assert_eq!(proposed["prizes"].as_array().unwrap().len(), 1_000);
        let approve = format!("{path}/approve");
        let approvals = (0..64).map(|_| second.post(&approve, Value::Null).into_future());
        for answer in join_all(approvals).await {
            let answer = answer.expect(200);
            assert_eq!(
                (&answer["approved_by"], &answer["paid_at"]),
                (&json!(second.id), &Value::Null)
            );
        }
        assert_eq!(paid(house).await, (500, 500, 250_000));
        // Whatever ends the program now, the rest follows.
        join_all((0..4).map(|_| house.work("boards.move_money"))).await;
        house.work("boards.move_money").await;
        assert_eq!(paid(house).await, (1_200, 1_200, 600_000));
        let shown = keeper.get(&path).await.expect(200);
        assert!(shown["paid_at"].is_string());
        assert_eq!(balance(&keeper, &format!("pool:{id}")).await, 0);
    };
    house.on_both_engines(test).await;
}

/// Adds results of people who did nothing, like everybody here.
pub(crate) async fn tied(house: &Program, id: CompetitionId, count: i64) {
    house
        .db("boards")
        .write(move |tx| {
            Box::pin(async move {
                for place in 2..2 + count {
                    let user = UserId::from_bits(u128::from(place.unsigned_abs()) << 64 | 7);
                    tx.run(&ADD_RESULT, params![id, place, user]).await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .await
        .unwrap();
}
