//! A large season is settled: each cohort once, and every seat of the next season is the one that it would have been.

use std::collections::BTreeMap;

use mainstay_core::{
    contract::{
        Fact,
        boards::{CohortEndedV1, SeasonEndedV1},
    },
    db::{Position, Sql},
};
use mainstay_testkit::{
    Dice,
    program::{Client, Engine, Program, eventually},
};
use serde_json::{Value, json};

use super::{Life, Place, keeper, live};
use crate::{make_board, setup};

const DAY_S: i64 = 86_400;
const COHORT: u32 = 50;

static REACHED: Sql = Sql::new("select settled_cohort, state from boards.season where period = 1");
static SEATS: Sql = Sql::new("select owner, tier, cohort from boards.seat where period = 2");
static EARNED: Sql =
    Sql::new("select owner, next_tier from boards.seat where period = 1 and next_tier is not null");
static OPEN: Sql = Sql::new("select count(*) from boards.season where state <> 2");

async fn submit(keeper: &Client, owners: impl Iterator<Item = u32>) {
    let list: Vec<Value> =
        owners.map(|n| json!({ "owner": format!("o{n:05}"), "scores": [n] })).collect();
    for some in list.chunks(10_000) {
        keeper.post("/api/v1/boards/b/scores", json!(some)).await.expect(200);
    }
}

/// Who scores in the second season, in this order.
fn second_season(owners: u32) -> impl Iterator<Item = u32> {
    (0..owners).rev().step_by(3)
}

/// How far the first season is settled: the last cohort, and the state.
async fn reached(house: &Program) -> Vec<i64> {
    let db = house.db("boards");
    let (cohort, state): (i64, i64) = db.read().await.unwrap().one(&REACHED, &[]).await.unwrap();
    vec![cohort, state]
}

async fn facts<F: Fact>(house: &Program) -> Vec<F> {
    let db = house.db("boards");
    let mut tx = db.read().await.unwrap();
    let all = db.outbox().after(&mut tx, Position::default(), 100_000).await.unwrap();
    all.iter().filter_map(|fact| fact.read()).collect()
}

fn number(owner: &str) -> u32 {
    owner.trim_start_matches('o').parse().unwrap()
}

/// Of each fifty the last five move up.
fn earned(n: u32) -> i64 {
    i64::from(n % COHORT >= COHORT - 5)
}

async fn settle_and_kill(name: &str, engine: Engine, owners: u32) {
    let setup = setup().holding_the_clock();
    if let Some(place) = Place::inherited() {
        return live(&place, &setup, reached).await;
    }
    let place = Place::empty(engine).await;
    let house = place.start(&setup).await;
    let keeper = keeper(&house).await;
    let tiers = json!({
        "names": ["bronze", "silver"], "cohort_size": COHORT, "promote": { "percent": 10 }, "relegate": { "count": 0 },
    });
    let board = json!({ "operator": "set", "reset": { "cron": "0 0 * * *" }, "tiers": tiers });
    make_board(&keeper, "b", board).await;
    submit(&keeper, 0..owners).await;
    house.end().await;
    let (mut dice, mut at, mut kills) = (Dice::of(11), (0, 1), 0);
    while at.1 != 2 {
        kills += 1;
        let mut life = Life::start(name, &place, None).await;
        life.turn(kills * DAY_S).await;
        life.work("boards.close_periods").await;
        if kills == 1 {
            submit(&life.keeper, second_season(owners)).await;
        }
        let further = |seen: &[i64]| seen[0] > at.0 || seen[1] == 2;
        let seen = life.kill_when(further, 10 * dice.below(6)).await;
        at = (seen[0], seen[1]);
    }
    assert!(kills > 2, "it was killed in the middle");
    let house = place.start(&setup).await;
    house.clock().advance_s((kills + 1) * DAY_S);
    house.work("boards.close_periods").await;
    eventually("everything is settled but the present season", async || {
        let open: (i64,) = house.db("boards").read().await.unwrap().one(&OPEN, &[]).await.unwrap();
        open == (1,)
    })
    .await;
    let ended: Vec<CohortEndedV1> = facts(&house).await;
    let mut once: Vec<_> = ended.iter().map(|it| (it.period, it.cohort)).collect();
    let count = once.len();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), count, "each cohort is settled once");
    assert_eq!(once.iter().filter(|(period, _)| *period == 1).count() as u32, owners / COHORT);
    let seasons: Vec<SeasonEndedV1> = facts(&house).await;
    assert_eq!(seasons.iter().filter(|it| it.period == 1).count(), 1);
    let mut tx = house.db("boards").read().await.unwrap();
    let all: Vec<(String, i64)> = tx.all(&EARNED, &[]).await.unwrap();
    assert_eq!(all.len() as u32, owners);
    for (owner, tier) in all {
        assert_eq!(tier, earned(number(&owner)), "{owner}");
    }
    // Who scored first took the first seat.
    let mut filling: BTreeMap<i64, (i64, u32)> = BTreeMap::new();
    let mut newest = 0;
    let mut expected = BTreeMap::new();
    for n in second_season(owners) {
        let cohort = filling.entry(earned(n)).or_insert((0, COHORT));
        if cohort.1 == COHORT {
            newest += 1;
            *cohort = (newest, 0);
        }
        cohort.1 += 1;
        expected.insert(n, (earned(n), cohort.0));
    }
    let seats: Vec<(String, i64, i64)> = tx.all(&SEATS, &[]).await.unwrap();
    let seats: BTreeMap<u32, (i64, i64)> =
        seats.into_iter().map(|(owner, tier, cohort)| (number(&owner), (tier, cohort))).collect();
    assert!(seats == expected, "the seats of the second season are others");
    drop(tx);
    house.end().await;
}

#[tokio::test]
async fn a_season_is_settled_once_whatever_is_killed() {
    let name = "killed::seasons::a_season_is_settled_once_whatever_is_killed";
    settle_and_kill(name, Engine::Sqlite, 20_000).await;
}

#[tokio::test]
async fn a_season_on_postgres_is_settled_once_whatever_is_killed() {
    let name = "killed::seasons::a_season_on_postgres_is_settled_once_whatever_is_killed";
    settle_and_kill(name, Engine::Postgres, 8_000).await;
}
