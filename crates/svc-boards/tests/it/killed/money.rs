//! Money goes to very many, in several commits, and the program ends somewhere in each of them: everybody has what is
//! theirs, once.

use mainstay_core::auth::Role;
use mainstay_testkit::{
    Dice, Loss, LossyStorage,
    program::{Engine, Program, Setup},
};
use serde_json::{Value, json};

use super::{Life, Place, keeper, live};
use crate::{
    competitions::{PATH, compete, tomorrow, turn_to},
    joining::{crowd, refunds},
    ledger::crooked,
    prizes::{paid, tied},
    setup,
};

/// By so many changes of the disk a life may make more than the one before it that came no further.
const CHANGES_MORE: usize = 60;
const PEOPLE: u32 = 1_100;

fn still() -> Setup {
    setup().holding_the_clock().holding_periodic_work()
}

async fn empty() -> (Place, LossyStorage) {
    let place = Place::empty(Engine::Sqlite).await;
    let storage = LossyStorage::over(&place.folder).unwrap();
    (place, storage)
}

fn fee(minor: i64) -> Value {
    json!({ "fee": { "minor": minor, "currency": "INR" } })
}

/// How many have their money back and how often; and the same of prizes.
async fn moved(house: &Program) -> Vec<i64> {
    let (refunds, prizes) = (refunds(house).await, paid(house).await);
    vec![refunds.0, refunds.1, prizes.0, prizes.1]
}

/// Lives, each of which begins with `order` and goes on with the money, until `all` people have theirs.
async fn move_and_kill(
    name: &str,
    (place, storage): (&Place, &LossyStorage),
    order: impl AsyncFn(&Life),
    (which, all): (usize, i64),
) {
    let (mut dice, mut kills, mut seen, mut changes) = (Dice::of(19), 0, 0, CHANGES_MORE);
    while seen < all {
        let mut life = Life::start(name, place, Some(storage)).await;
        let now = life.look().await.unwrap();
        assert_eq!(now[which], now[which + 1], "each once");
        assert!(now[which] >= seen, "what was seen is not lost");
        changes = if now[which] > seen { CHANGES_MORE } else { changes + CHANGES_MORE };
        seen = now[which];
        storage.kill_after(dice.below(changes) as u64).unwrap();
        order(&life).await;
        let ended = !life.work("boards.move_money").await;
        storage.spare().unwrap();
        kills += u32::from(ended);
        drop(life);
        storage.lose(Loss::Some(u64::from(kills))).unwrap();
    }
    assert!(kills > 3, "it was killed {kills} times");
}

#[tokio::test]
async fn everybody_has_their_money_back_once_whatever_is_killed() {
    let name = "killed::money::everybody_has_their_money_back_once_whatever_is_killed";
    if let Some(place) = Place::inherited() {
        return live(&place, &still(), moved).await;
    }
    let (place, storage) = empty().await;
    let house = place.start(&still()).await;
    let first = keeper(&house).await;
    let id = compete(&house, &first, fee(7)).await;
    crowd(&house, &id, PEOPLE).await;
    house.end().await;
    let path = format!("{PATH}/{id}");
    // Whether it is answered or not, it may be done.
    let call_off = async |life: &Life| drop(life.keeper.delete(&path).attempt().await);
    move_and_kill(name, (&place, &storage), call_off, (0, PEOPLE.into())).await;
    let house = place.start(&still()).await;
    house.work("boards.move_money").await;
    assert_eq!(refunds(&house).await, (PEOPLE.into(), PEOPLE.into()));
    assert_eq!(crooked(&house).await, (0, 0));
    house.end().await;
}

#[tokio::test]
async fn everybody_has_their_prize_once_whatever_is_killed() {
    let name = "killed::money::everybody_has_their_prize_once_whatever_is_killed";
    if let Some(place) = Place::inherited() {
        return live(&place, &still(), moved).await;
    }
    let (place, storage) = empty().await;
    let house = place.start(&still()).await;
    let first = keeper(&house).await;
    let second = house.person_as(Role::Admin, "second").await;
    let begins = tomorrow(&house);
    let id = compete(&house, &first, fee(1_000_001)).await;
    first.post(&format!("{PATH}/{id}/join"), json!({})).await.expect(200);
    turn_to(&house, begins, 3 * 86_400);
    house.work("boards.settle_competitions").await;
    tied(&house, id.parse().unwrap(), i64::from(PEOPLE) - 1).await;
    let path = format!("{PATH}/{id}/payout");
    second.post(&path, Value::Null).await.expect(200);
    house.end().await;
    let approve = format!("{path}/approve");
    let approved =
        async |life: &Life| drop(life.keeper.post(&approve, Value::Null).attempt().await);
    move_and_kill(name, (&place, &storage), approved, (2, PEOPLE.into())).await;
    let house = place.start(&still()).await;
    house.work("boards.move_money").await;
    assert_eq!(paid(&house).await, (PEOPLE.into(), PEOPLE.into(), 600_000));
    assert_eq!(crooked(&house).await, (0, 0));
    house.end().await;
}
