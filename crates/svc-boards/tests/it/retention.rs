//! What is kept no longer: old periods, and what deleted boards held.

use mainstay_core::{db::Sql, params};
use mainstay_testkit::program::{Engine, Program, eventually};
use serde_json::{Value, json};

use crate::{admin, both_engines_held, make_board, ranks, setup, submit};

const ENTRIES: &str = "/api/v1/boards/b/entries";
const DAY_S: i64 = 86_400;

static SUBMITTED: Sql =
    Sql::new("select period, count(*) from boards.submission group by period order by period");
static ENTERED: Sql =
    Sql::new("select period, count(*) from boards.entry group by period order by period");
static SEATED: Sql =
    Sql::new("select period, count(*) from boards.seat group by period order by period");
static LEFT: Sql = Sql::new(
    "select (select count(*) from boards.submission where board_no = $1)
        + (select count(*) from boards.entry where board_no = $1) + (select count(*) from boards.head where no = $1)
        + (select count(*) from boards.period where board_no = $1) + (select count(*) from boards.seat where board_no = $1)
        + (select count(*) from boards.cohort where board_no = $1) + (select count(*) from boards.season where board_no = $1)
        + (select count(*) from boards.ban where board_no = $1) + (select count(*) from boards.ban_mark where board_no = $1)",
);
static NUMBERS: Sql = Sql::new("select no, id from boards.board order by no");

/// Rows by period.
async fn rows(house: &Program, of: &'static Sql) -> Vec<(i64, i64)> {
    house.db("boards").read().await.unwrap().all(of, &[]).await.unwrap()
}

fn daily(more: Value) -> Value {
    let mut all = json!({ "operator": "incr", "reset": { "cron": "0 0 * * *" } });
    let (Some(fields), Value::Object(more)) = (all.as_object_mut(), more) else { return all };
    fields.extend(more);
    all
}

async fn next_day(house: &Program) {
    house.clock().advance_s(DAY_S);
    house.work("boards.close_periods").await;
}

#[tokio::test]
async fn a_board_keeps_as_many_past_periods_as_it_says_and_can_be_built_anew_from_them() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", daily(json!({ "periods_kept": 2 }))).await;
        make_board(&keeper, "other", daily(json!({}))).await;
        for day in 1..=5 {
            submit(&keeper, "b", &[("ada", day), ("bea", 7), ("ada", 1)]).await;
            if day < 5 {
                next_day(house).await;
            }
        }
        house.work("boards.retain").await;
        let expected = [(3, 3), (4, 3), (5, 3)];
        eventually("old submissions are erased", async || {
            rows(house, &SUBMITTED).await == expected
        })
        .await;
        eventually("old entries are erased", async || {
            rows(house, &ENTERED).await == [(3, 2), (4, 2), (5, 2)]
        })
        .await;
        for gone in ["1", "2"] {
            let window = format!("{ENTRIES}?window={gone}");
            keeper.get(&window).await.expect_problem(404, "not_found");
        }
        let periods = keeper.get("/api/v1/boards/b/periods").await.expect(200);
        let numbers = periods["items"].as_array().unwrap().iter().map(|it| it["number"].clone());
        assert_eq!(numbers.collect::<Vec<_>>(), [5, 4, 3]);
        let shown = async || {
            let mut all = Vec::new();
            for window in ["3", "4", "current"] {
                let page = keeper.get(&format!("{ENTRIES}?window={window}")).await.expect(200);
                all.push(ranks(&page));
            }
            all
        };
        let before = shown().await;
        assert_eq!(before[0], [("bea".into(), 1), ("ada".into(), 2)]);
        for ties in ["shared", "earliest"] {
            make_board(&keeper, "b", daily(json!({ "periods_kept": 2, "ties": ties }))).await;
        }
        assert_eq!(shown().await, before, "built anew");
        // What was kept for longer than is said now goes too; the present period never does.
        next_day(house).await;
        make_board(&keeper, "b", daily(json!({ "periods_kept": 1 }))).await;
        for _ in 0..2 {
            house.work("boards.retain").await;
        }
        eventually("only the last is kept", async || rows(house, &SUBMITTED).await == [(5, 3)])
            .await;
    })
    .await;
}

#[tokio::test]
async fn periods_that_ended_before_the_days_that_are_kept_are_erased_and_the_present_one_never() {
    setup()
        .set("boards.history_days", "3")
        .holding_the_clock()
        .on_both_engines(async |house: &Program| {
            let keeper = admin(house).await;
            make_board(&keeper, "b", daily(json!({}))).await;
            make_board(&keeper, "ever", json!({})).await;
            submit(&keeper, "ever", &[("ada", 1)]).await;
            for _ in 1..=6 {
                submit(&keeper, "b", &[("ada", 1)]).await;
                next_day(house).await;
            }
            house.clock().advance_s(3_600);
            house.work("boards.retain").await;
            // The first of `ever` is still going on. Of `b`, which is in its seventh, four ended within three days.
            let kept = async || {
                let periods = keeper.get("/api/v1/boards/b/periods").await.expect(200);
                periods["items"].as_array().unwrap().len()
            };
            assert_eq!(kept().await, 4);
            eventually("their submissions are erased", async || {
                rows(house, &SUBMITTED).await == [(1, 1), (4, 1), (5, 1), (6, 1)]
            })
            .await;
            // Nobody came for a year.
            house.clock().advance_s(365 * DAY_S);
            house.work("boards.retain").await;
            house.work("boards.close_periods").await;
            house.work("boards.retain").await;
            eventually("all but the present one are erased", async || {
                rows(house, &SUBMITTED).await == [(1, 1)] && kept().await == 1
            })
            .await;
            let ever = keeper.get("/api/v1/boards/ever/entries").await.expect(200);
            assert_eq!(ranks(&ever), [("ada".into(), 1)]);
            submit(&keeper, "b", &[("ada", 1)]).await;
            assert_eq!(ranks(&keeper.get(ENTRIES).await.expect(200)), [("ada".into(), 1)]);
        })
        .await;
}

#[tokio::test]
async fn what_somebody_has_earned_outlives_the_season_in_which_they_did() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let tiers = json!({
            "names": ["low", "high"], "cohort_size": 5, "promote": { "count": 1 }, "relegate": { "count": 0 },
        });
        make_board(&keeper, "b", daily(json!({ "periods_kept": 1, "tiers": tiers }))).await;
        submit(&keeper, "b", &[("ada", 9), ("bea", 1)]).await;
        next_day(house).await;
        for _ in 0..3 {
            submit(&keeper, "b", &[("bea", 1)]).await;
            next_day(house).await;
        }
        house.work("boards.retain").await;
        // Of bea, who went on, the last seats are kept; of ada the one that says what she has earned.
        eventually("other seats are erased", async || {
            rows(house, &SEATED).await == [(1, 1), (4, 1)]
        })
        .await;
        submit(&keeper, "b", &[("ada", 1)]).await;
        let ada = keeper.get(&format!("{ENTRIES}/ada")).await.expect(200);
        assert_eq!(ada["tier"], "high");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_board_leaves_nothing_and_its_number_is_nobodys() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().holding_the_clock().start(engine).await;
        let keeper = admin(&house).await;
        let tiers = json!({
            "names": ["low", "high"], "cohort_size": 5, "promote": { "count": 1 }, "relegate": { "count": 1 },
        });
        let board = daily(json!({ "tiers": tiers }));
        make_board(&keeper, "b", board.clone()).await;
        make_board(&keeper, "stays", board).await;
        submit(&keeper, "stays", &[("ada", 1)]).await;
        // More rows than one step erases.
        let list: Vec<Value> =
            (0..6_000).map(|n| json!({ "owner": format!("o{n}"), "scores": [n] })).collect();
        keeper.post("/api/v1/boards/b/scores", json!(list)).await.expect(200);
        let reason = json!({ "reason": "cheats" });
        keeper.put("/api/v1/boards/b/bans/o7").json(&reason).await.expect(200);
        next_day(&house).await;
        keeper.delete("/api/v1/boards/b").await.expect(204);
        make_board(&keeper, "b", json!({})).await;
        keeper.delete("/api/v1/boards/b").await.expect(204);
        house.work("boards.retain").await;
        // It ends in the middle of it, and goes on afterwards.
        let house = house.restart().await;
        let left = async |no: i64| {
            let mut tx = house.db("boards").read().await.unwrap();
            let (left,): (i64,) = tx.one(&LEFT, params![no]).await.unwrap();
            left
        };
        eventually("nothing is left", async || left(1).await == 0 && left(3).await == 0).await;
        assert!(left(2).await > 0, "the other board is as it was");
        house.work("boards.retain").await;
        let numbers = async || -> Vec<(i64, String)> {
            let mut tx = house.db("boards").read().await.unwrap();
            tx.all(&NUMBERS, &[]).await.unwrap()
        };
        let named = |list: &[(i64, &str)]| -> Vec<(i64, String)> {
            list.iter().map(|(no, id)| (*no, (*id).to_owned())).collect()
        };
        assert_eq!(numbers().await, named(&[(2, "stays"), (3, "deleted/3")]));
        let keeper = keeper.at(&house);
        make_board(&keeper, "b", json!({})).await;
        house.work("boards.retain").await;
        assert_eq!(numbers().await, named(&[(2, "stays"), (4, "b")]));
        assert_eq!(keeper.get(ENTRIES).await.expect(200)["count"], 0);
        let stays = keeper.get("/api/v1/boards/stays/entries?window=1").await.expect(200);
        assert_eq!(ranks(&stays), [("ada".into(), 1)]);
        house.end().await;
    }
}
