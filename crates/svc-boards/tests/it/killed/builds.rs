//! A large board is built anew: after other settings, and without a cheater and what they gave. Scores go on.

use mainstay_core::db::Sql;
use mainstay_testkit::{
    Dice,
    program::{Client, Engine, Program, eventually},
};
use serde_json::{Value, json};

use super::{Life, Place, keeper, live, sign_in};
use crate::{
    make_board,
    rules::{comes_to, like_rule, liked, put_rule, score, tell, user, with_feed},
    submit,
};

const ENTRIES: &str = "/api/v1/boards/b/entries";
/// More than are built at once, and not a whole number of steps.
const SUBMISSIONS: usize = 23_500;
const OWNERS: usize = 2_100;
/// Of each build; then it is left in peace.
const KILLS_MAX: usize = 3;
/// Longer than a job is left to a worker that is gone.
const LEASE_S: i64 = 400;

/// The edition that is shown, and up to which submission the next one is built; -1 if none is.
static REACHED: Sql = Sql::new(
    "select h.edition, coalesce(b.seq, -1) from boards.head h left join boards.build b on b.board_no = h.no
     where h.no = 1",
);

async fn reached(house: &Program) -> Vec<i64> {
    let db = house.db("boards");
    let (edition, seq): (i64, i64) = db.read().await.unwrap().one(&REACHED, &[]).await.unwrap();
    vec![edition, seq]
}

/// A program on one place that is killed again and again.
struct Lives {
    name: &'static str,
    place: Place,
    turned_s: i64,
    dice: Dice,
    /// Who has scored while it was built.
    late: Vec<String>,
}

impl Lives {
    /// Does something that has the board built anew, and kills the program until it is.
    async fn build(&mut self, change: impl AsyncFn(&Client)) {
        let (mut kills, mut at) = (0, vec![0, 0]);
        while at[1] >= 0 {
            self.turned_s += LEASE_S;
            let mut life = Life::start(self.name, &self.place, None).await;
            if kills == 0 {
                change(&life.keeper).await;
            } else {
                let seen = life.look().await.unwrap();
                let goes_on = seen[0] == at[0] && seen[1] >= at[1];
                assert!(goes_on || seen[1] < 0, "it goes on from {at:?}, not from {seen:?}");
            }
            let late = format!("late{:02}", self.late.len());
            submit(&life.keeper, "b", &[(&*late, 3)]).await;
            self.late.push(late);
            life.turn(self.turned_s).await;
            let further = |seen: &[i64]| (kills < KILLS_MAX && seen[1] > at[1]) || seen[1] < 0;
            at = life.kill_when(further, self.dice.below(10)).await;
            kills += 1;
        }
        assert!(kills > 2, "it was killed in the middle");
    }
}

/// Every entry.
async fn all(reader: &Client) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("{ENTRIES}?limit=1000{cursor}")).await.expect(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Every entry as it is made anew by a program that nobody kills.
async fn built_again(house: &Program, keeper: &Client) -> Vec<Value> {
    for ties in ["shared", "earliest"] {
        let before = reached(house).await;
        make_board(keeper, "b", json!({ "operator": "incr", "ties": ties })).await;
        eventually("it is built", async || {
            let now = reached(house).await;
            now[0] > before[0] && now[1] < 0
        })
        .await;
    }
    all(keeper).await
}

async fn build_and_kill(name: &'static str, engine: Engine) {
    let setup = with_feed().holding_the_clock();
    if let Some(place) = Place::inherited() {
        return live(&place, &setup, reached).await;
    }
    let place = Place::empty(engine).await;
    let house = place.start(&setup).await;
    let keeper = keeper(&house).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    put_rule(&keeper, "like", like_rule(json!({}))).await;
    tell(&house, &[liked(1, 9), liked(1, 2), liked(9, 2)]).await;
    comes_to(&keeper, 9, 1).await;
    let owner = |n: usize| format!("owner{:04}", n * 11 % OWNERS);
    let list: Vec<Value> = (0..SUBMISSIONS)
        .map(|n| json!({ "owner": owner(n), "scores": [1 + n % 5], "metadata": { "n": n } }))
        .collect();
    for some in list.chunks(10_000) {
        keeper.post("/api/v1/boards/b/scores", json!(some)).await.expect(200);
    }
    house.end().await;
    let (dice, late) = (Dice::of(12), Vec::new());
    let mut lives = Lives { name, place, turned_s: 0, dice, late };

    lives.build(async |keeper| make_board(keeper, "b", json!({ "operator": "incr" })).await).await;
    let scored = lives.late.len();
    let submitted: usize = (0..SUBMISSIONS).map(|n| 1 + n % 5).sum();
    let cheater = format!("/api/v1/boards/b/bans/{}", user(9));
    let ban = async |keeper: &Client| {
        let shown = all(keeper).await;
        let sum: i64 = shown.iter().map(|entry| entry["scores"][0].as_i64().unwrap()).sum();
        assert_eq!(sum, (submitted + 3 * scored + 3) as i64);
        assert_eq!(shown.len(), OWNERS + scored + 2);
        keeper.put(&cheater).json(&json!({ "reason": "cheats" })).await.expect(200);
        assert_eq!(score(keeper, 9).await, None, "at once");
    };
    lives.build(ban).await;

    let house = lives.place.start(&setup).await;
    // No worker has a job any more.
    house.clock().advance_s(lives.turned_s + LEASE_S);
    let keeper = sign_in(&house.stranger()).await;
    assert_eq!((score(&keeper, 1).await, score(&keeper, 9).await), (Some(1), None));
    let shown = all(&keeper).await;
    assert_eq!(shown.len(), OWNERS + lives.late.len() + 1);
    assert!(shown == built_again(&house, &keeper).await, "other entries than without a kill");
    house.end().await;
}

#[tokio::test]
async fn a_board_is_built_anew_whatever_is_killed() {
    let name = "killed::builds::a_board_is_built_anew_whatever_is_killed";
    build_and_kill(name, Engine::Sqlite).await;
}

#[tokio::test]
async fn a_board_on_postgres_is_built_anew_whatever_is_killed() {
    let name = "killed::builds::a_board_on_postgres_is_built_anew_whatever_is_killed";
    build_and_kill(name, Engine::Postgres).await;
}
