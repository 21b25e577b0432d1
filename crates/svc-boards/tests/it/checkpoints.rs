//! Rankings that are kept as blobs: what is loaded from them equals the records, and what cannot be used is left aside.

use mainstay_core::{contract::ts::Ts, params, statements};
use mainstay_testkit::{
    Dice,
    program::{Client, Engine, Program, Setup, eventually},
};
use serde_json::{Value, json};

use crate::{admin, make_board, ranks, setup, submit};

const ENTRIES: &str = "/api/v1/boards/b/entries";
const COUNTRIES: [&str; 3] = ["IN", "NL", "PE"];

statements! {
    /// Every checkpoint: its number and state.
    CHECKPOINTS = "select seq, state from boards.checkpoint order by board_no, seq";
    /// What a crash leaves behind that comes before the blob is known to be there.
    INTERRUPT = "update boards.checkpoint set state = 0 where board_no = 1 and seq = $1";
    /// Has the row of bytes that are being stored erased at once, as it is after an hour.
    ERASE_AT_ONCE = "create trigger boards.erase_at_once after insert on checkpoint when new.state = 0
                     begin delete from checkpoint where board_no = new.board_no and seq = new.seq; end";
    /// Jobs that wait or run.
    JOBS = "select count(*) from boards.job";
    /// Whether the newest submission of a board is in a checkpoint that is in use.
    IS_KEPT = "select c.seq from boards.head h join boards.checkpoint c on c.board_no = h.no and c.seq = h.last_seq
               where h.no = $1 and c.state = 1 and c.edition = h.edition";
    /// The name of the newest blob.
    NEWEST = "select hash from boards.checkpoint where state = 1 order by seq desc limit 1";
}

/// A checkpoint after 20 submissions, when the test says so, with a clock that stands.
fn small() -> Setup {
    setup().set("boards.checkpoint_after", "20").holding_the_clock().holding_periodic_work()
}

async fn on_both(test: impl AsyncFn(Program)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        test(small().start(engine).await).await;
    }
}

async fn rows(house: &Program) -> Vec<(i64, i64)> {
    house.db("boards").read().await.unwrap().all(&CHECKPOINTS, &[]).await.unwrap()
}

/// Has checkpoints made, and waits for the one of this board.
async fn keep_of(house: &Program, board_no: i64) {
    house.work("boards.keep_checkpoints").await;
    eventually("a checkpoint is kept", async || {
        let mut tx = house.db("boards").read().await.unwrap();
        let kept: Option<(i64,)> = tx.optional(&IS_KEPT, params![board_no]).await.unwrap();
        kept.is_some()
    })
    .await;
}

/// Has a checkpoint made.
async fn keep(house: &Program) {
    keep_of(house, 1).await;
}

/// Waits until no job is left.
async fn all_done(house: &Program) {
    eventually("all jobs are done", async || {
        let mut tx = house.db("boards").read().await.unwrap();
        let left: (i64,) = tx.one(&JOBS, &[]).await.unwrap();
        left == (0,)
    })
    .await;
}

/// Leaves a checkpoint as a crash does that comes before its bytes are known to be there.
async fn interrupt(house: &Program, seq: i64) {
    let interrupt = house.db("boards").write(move |tx| {
        Box::pin(async move {
            tx.execute(&INTERRUPT, params![seq]).await?;
            Ok::<_, mainstay_core::db::DbError>(())
        })
    });
    interrupt.await.unwrap();
}

async fn newest_blob(house: &Program) -> std::path::PathBuf {
    let (hash,): (Vec<u8>,) =
        house.db("boards").read().await.unwrap().one(&NEWEST, &[]).await.unwrap();
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = house.blob_files().into_iter().find(|file| file.ends_with(&name));
    house.blob_folder().join(found.unwrap())
}

/// How often boards were loaded from this.
pub(crate) fn loads(house: &Program, from: &str) -> u64 {
    let said = house.core().metrics.render();
    let line =
        said.lines().find(|line| line.starts_with(&format!("boards_loads_total{{from=\"{from}\"")));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Everything that there is to see of the board.
async fn see(client: &Client, more: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for slice in [String::new(), "&slice=country:IN".into(), "&slice=country:NL".into()] {
        let page = client.get(&format!("{ENTRIES}?limit=1000{slice}{more}")).await.expect(200);
        all.push(json!([page["items"], page["count"]]));
    }
    all
}

/// Some scores, and now and then somebody's entry that is removed.
async fn play(keeper: &Client, dice: &mut Dice, count: usize) {
    let scores: Vec<Value> = (0..count)
        .map(|_| {
            let owner = format!("player {}", dice.below(30));
            let mut one = json!({ "owner": owner, "scores": [dice.below(9), dice.below(4)] });
            if dice.once_in(2) {
                one["slices"] = json!({ "country": COUNTRIES[dice.below(3)] });
            }
            one
        })
        .collect();
    keeper.post("/api/v1/boards/b/scores", json!(scores)).await.expect(200);
    let leaver = format!("{ENTRIES}/player%20{}", dice.below(30));
    let status = keeper.delete(&leaver).await.status;
    assert!([204, 404].contains(&status), "{status}");
}

async fn make(keeper: &Client, operator: &str) {
    let columns = json!([{ "name": "points" }, { "name": "time", "direction": "asc" }]);
    let more = json!({ "operator": operator, "columns": columns, "slices": ["country"], "ties": "shared" });
    make_board(keeper, "b", more).await;
}

#[tokio::test]
async fn a_board_loaded_from_a_checkpoint_equals_its_records() {
    on_both(async |mut house| {
        let mut dice = Dice::of(5);
        let mut keeper = admin(&house).await;
        make(&keeper, "incr").await;
        for round in 1..=3 {
            play(&keeper, &mut dice, 40).await;
            keep(&house).await;
            play(&keeper, &mut dice, 15).await;
            // Whoever is banned after the checkpoint is in it.
            let ban = format!("/api/v1/boards/b/bans/player%20{round}");
            keeper.put(&ban).json(&json!({ "reason": "cheats" })).await.expect(200);
            let shown = see(&keeper, "").await;
            house = house.restart().await;
            keeper = keeper.at(&house);
            assert_eq!(see(&keeper, "").await, shown, "round {round}");
            assert_eq!((loads(&house, "checkpoint"), loads(&house, "records")), (1, 0));
            house = house.reopen(&small().set("boards.checkpoint_after", "0")).await;
            keeper = keeper.at(&house);
            assert_eq!(see(&keeper, "").await, shown, "round {round}");
            assert_eq!((loads(&house, "checkpoint"), loads(&house, "records")), (0, 1));
            house = house.reopen(&small()).await;
            keeper = keeper.at(&house);
        }
        // Whoever is allowed again is there as if nothing had been, which no checkpoint before knows.
        keeper.delete("/api/v1/boards/b/bans/player%201").await.expect(204);
        let shown = see(&keeper, "").await;
        house = house.restart().await;
        keeper = keeper.at(&house);
        assert_eq!(see(&keeper, "").await, shown);
        assert_eq!((loads(&house, "checkpoint"), loads(&house, "records")), (0, 1));
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn past_instants_are_found_from_checkpoints_as_they_were_shown() {
    on_both(async |house| {
        let mut dice = Dice::of(6);
        let keeper = admin(&house).await;
        make(&keeper, "incr").await;
        let mut shown: Vec<(Ts, Vec<Value>)> = Vec::new();
        for round in 1..=8 {
            play(&keeper, &mut dice, 110).await;
            shown.push((house.clock().now(), see(&keeper, "").await));
            house.clock().advance_s(60);
            if round % 2 == 0 {
                keep(&house).await;
            }
        }
        for (at, then) in &shown {
            assert_eq!(see(&keeper, &format!("&at={at}")).await, *then, "{at}");
        }
        // Each from the second on: the first checkpoint was made then.
        assert_eq!(loads(&house, "past"), 7);
        let (from, to) = (shown[0].0, shown[7].0);
        for slice in ["", "&slice=country:NL"] {
            let place = usize::from(!slice.is_empty()) * 2;
            let owner = shown[3].1[place][0][0]["owner"].as_str().unwrap().to_owned();
            let path = format!("{ENTRIES}/{owner}/history?from={from}&to={to}&points=8{slice}");
            let history = keeper.get(&path).await.expect(200);
            let items = history["items"].as_array().unwrap();
            assert_eq!(items.len(), 8);
            for ((at, then), item) in shown.iter().zip(items) {
                let was =
                    then[place][0].as_array().unwrap().iter().find(|it| it["owner"] == *owner);
                assert_eq!(item["at"], json!(at));
                assert_eq!((&item["count"], &item["period"]), (&then[place][1], &json!(1)));
                for field in ["rank", "scores"] {
                    assert_eq!(item[field], was.map_or(Value::Null, |was| was[field].clone()));
                }
            }
        }
        // It goes on from each of the four rather than to work through everything.
        assert_eq!(loads(&house, "past"), 7 + 2 * 4);
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_is_damaged_or_gone_is_left_aside() {
    on_both(async |mut house| {
        let mut dice = Dice::of(7);
        let mut keeper = admin(&house).await;
        make(&keeper, "incr").await;
        for _ in 0..2 {
            play(&keeper, &mut dice, 25).await;
            keep(&house).await;
        }
        let shown = see(&keeper, "").await;
        // Another version of the format is one of the ways to be of no use; a bit that fell over is another.
        for (odd, from) in [(9, "checkpoint"), (200, "records")] {
            let newest = newest_blob(&house).await;
            let mut bytes = std::fs::read(&newest).unwrap();
            bytes[odd] ^= 4;
            std::fs::write(&newest, bytes).unwrap();
            house = house.restart().await;
            keeper = keeper.at(&house);
            assert_eq!(see(&keeper, "").await, shown);
            assert_eq!((loads(&house, "unusable"), loads(&house, from)), (1, 1));
        }
        assert_eq!(rows(&house).await.iter().map(|(_, state)| *state).collect::<Vec<_>>(), [2, 2]);
        play(&keeper, &mut dice, 25).await;
        keep(&house).await;
        std::fs::remove_file(newest_blob(&house).await).unwrap();
        let now = house.clock().now();
        let shown = see(&keeper, "").await;
        house.clock().advance_s(1);
        assert_eq!(see(&keeper, &format!("&at={now}")).await, shown);
        assert_eq!(loads(&house, "unusable"), 2);
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_crash_or_a_deleted_board_leaves_is_erased_and_nothing_else() {
    on_both(async |house| {
        let mut dice = Dice::of(8);
        let keeper = admin(&house).await;
        make(&keeper, "incr").await;
        make_board(&keeper, "other", json!({})).await;
        for _ in 0..2 {
            play(&keeper, &mut dice, 25).await;
            keep(&house).await;
        }
        let scores: Vec<(String, i64)> =
            (0..25).map(|number| (format!("p{number}"), number)).collect();
        let scores: Vec<(&str, i64)> =
            scores.iter().map(|(owner, score)| (&**owner, *score)).collect();
        submit(&keeper, "other", &scores).await;
        keep_of(&house, 2).await;
        assert_eq!(house.blob_files().len(), 3);
        let first = rows(&house).await[0].0;
        interrupt(&house, first).await;
        house.work("boards.erase_checkpoints").await;
        assert_eq!((rows(&house).await.len(), house.blob_files().len()), (3, 3), "too early");
        house.clock().advance_s(2 * 3_600);
        house.work("boards.erase_checkpoints").await;
        assert_eq!((rows(&house).await.len(), house.blob_files().len()), (2, 2));
        keeper.delete("/api/v1/boards/b").await.expect(204);
        house.work("boards.erase_checkpoints").await;
        house.clock().advance_s(2 * 3_600);
        house.work("boards.erase_checkpoints").await;
        assert_eq!((rows(&house).await.len(), house.blob_files().len()), (1, 1));
        assert_eq!(rows(&house).await, [(25, 1)], "the other board's stays");
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_takes_long_to_store_is_known_all_the_same() {
    // The way to the row is the same on both engines; a trigger has other words on each.
    let house = small().start(Engine::Sqlite).await;
    let keeper = admin(&house).await;
    make(&keeper, "incr").await;
    let erase_at_once = house.db("boards").write(|tx| {
        Box::pin(async move {
            tx.execute(&ERASE_AT_ONCE, &[]).await?;
            Ok::<_, mainstay_core::db::DbError>(())
        })
    });
    erase_at_once.await.unwrap();
    play(&keeper, &mut Dice::of(17), 25).await;
    keep(&house).await;
    all_done(&house).await;
    assert_eq!((rows(&house).await.len(), house.blob_files().len()), (1, 1));
    let house = house.restart().await;
    see(&keeper.at(&house), "").await;
    assert_eq!((loads(&house, "checkpoint"), loads(&house, "records")), (1, 0));
    house.end().await;
}

#[tokio::test]
async fn the_last_checkpoint_before_the_past_that_is_told_stays_and_nothing_older_is_made_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = small().set("boards.history_days", "1").start(engine).await;
        let mut dice = Dice::of(18);
        let keeper = admin(&house).await;
        make(&keeper, "incr").await;
        // Three days, each with almost three times as many submissions as may lie between two checkpoints.
        let mut shown: Vec<(Ts, Vec<Value>)> = Vec::new();
        for _ in 0..3 {
            for _ in 0..3 {
                play(&keeper, &mut dice, 190).await;
                keep(&house).await;
                shown.push((house.clock().now(), see(&keeper, "").await));
                house.clock().advance_s(8 * 3_600);
            }
            house.work("boards.erase_checkpoints").await;
        }
        all_done(&house).await;
        // The past that is told begins between the seventh and the eighth.
        house.clock().advance_s(4 * 3_600);
        house.work("boards.erase_checkpoints").await;
        let kept = rows(&house).await;
        assert_eq!(kept.iter().filter(|(_, state)| *state == 1).count(), 3, "{kept:?}");
        let before = loads(&house, "past");
        for at in [shown[7].0, shown[6].0.plus_s(4 * 3_600 + 60)] {
            let then = shown.iter().rfind(|(shown_at, _)| *shown_at <= at).unwrap();
            assert_eq!(see(&keeper, &format!("&at={at}")).await, then.1);
        }
        assert_eq!(loads(&house, "past"), before + 2, "each from a checkpoint");
        // What is older is not made again, only to be erased again.
        for _ in 0..3 {
            house.clock().advance_s(2 * 3_600);
            house.work("boards.erase_checkpoints").await;
            play(&keeper, &mut dice, 30).await;
            keep(&house).await;
            all_done(&house).await;
        }
        let old = kept.iter().filter(|(_, state)| *state == 2).map(|(seq, _)| *seq).max().unwrap();
        let now = rows(&house).await;
        assert!(now.iter().all(|(seq, _)| *seq > old), "{old}: {now:?}");
        house.end().await;
    }
}

#[tokio::test]
async fn a_board_that_stands_still_is_not_written_again_while_a_crash_is_in_the_way() {
    on_both(async |house| {
        let mut dice = Dice::of(16);
        let keeper = admin(&house).await;
        make(&keeper, "incr").await;
        play(&keeper, &mut dice, 25).await;
        keep(&house).await;
        all_done(&house).await;
        let seq = rows(&house).await[0].0;
        interrupt(&house, seq).await;
        let staging = house.blob_folder().join("staging");
        let written = || std::fs::metadata(&staging).unwrap().modified().unwrap();
        let before = written();
        for _ in 0..3 {
            house.work("boards.keep_checkpoints").await;
            all_done(&house).await;
        }
        assert_eq!((written(), rows(&house).await), (before, vec![(seq, 0)]));
        house.clock().advance_s(2 * 3_600);
        house.work("boards.erase_checkpoints").await;
        keep(&house).await;
        assert_eq!(rows(&house).await, [(seq, 1)]);
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_of_other_settings_is_not_used() {
    on_both(async |mut house| {
        let mut dice = Dice::of(9);
        let mut keeper = admin(&house).await;
        make(&keeper, "incr").await;
        play(&keeper, &mut dice, 25).await;
        keep(&house).await;
        let then = house.clock().now();
        house.clock().advance_s(60);
        make(&keeper, "best").await;
        let shown = see(&keeper, "").await;
        house = house.restart().await;
        keeper = keeper.at(&house);
        assert_eq!(see(&keeper, "").await, shown);
        assert_eq!(see(&keeper, &format!("&at={then}")).await, shown);
        assert_eq!((loads(&house, "checkpoint"), loads(&house, "past")), (0, 0));
        // What is built anew gets one of its own.
        keep(&house).await;
        house = house.restart().await;
        keeper = keeper.at(&house);
        assert_eq!(see(&keeper, "").await, shown);
        assert_eq!(loads(&house, "checkpoint"), 1);
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn the_past_of_a_board_that_is_built_anew_gets_checkpoints_again() {
    on_both(async |house| {
        let mut dice = Dice::of(10);
        let keeper = admin(&house).await;
        make(&keeper, "incr").await;
        let mut instants: Vec<Ts> = Vec::new();
        for _ in 0..12 {
            play(&keeper, &mut dice, 100).await;
            instants.push(house.clock().now());
            house.clock().advance_s(60);
        }
        // Somebody who had no entry when they were banned, and had one before.
        let somebody = format!("{ENTRIES}/player%203");
        keeper.delete(&somebody).await;
        let ban = "/api/v1/boards/b/bans/player%203";
        keeper.put(ban).json(&json!({ "reason": "cheats" })).await.expect(200);
        make(&keeper, "best").await;
        let look = async || {
            let mut all = Vec::new();
            for at in &instants {
                all.push(see(&keeper, &format!("&at={at}")).await);
            }
            all
        };
        let worked_through = look().await;
        assert_eq!(loads(&house, "past"), 0);
        keep(&house).await;
        // 1,200 and some submissions, and at most 200 between two.
        eventually("the past is filled", async || rows(&house).await.len() >= 6).await;
        house.clock().advance_s(120);
        assert_eq!(look().await, worked_through);
        assert!(loads(&house, "past") >= 9);
        keeper.delete(ban).await.expect(204);
        house.clock().advance_s(120);
        let again = look().await;
        let has_them =
            |all: &[Vec<Value>]| all.iter().any(|page| page[0].to_string().contains("player 3\""));
        assert_eq!((has_them(&worked_through), has_them(&again)), (false, true));
        house.end().await;
    })
    .await;
}

/// What the board was at these instants, without the times of the records.
async fn seen_at(keeper: &Client, instants: &[Ts]) -> Vec<Value> {
    let mut all = Vec::new();
    for at in instants {
        let page = keeper.get(&format!("{ENTRIES}?limit=1000&at={at}")).await.expect(200);
        let entry = |one: &Value| json!([one["rank"], one["owner"], one["scores"]]);
        all.extend(page["items"].as_array().unwrap().iter().map(entry));
        all.push(page["period"]["number"].clone());
    }
    all
}

#[tokio::test]
async fn periods_that_are_over_get_checkpoints_again_when_a_board_is_built_anew() {
    let scenario = async |house: &Program| {
        let mut dice = Dice::of(12);
        let keeper = admin(house).await;
        let settings = |operator: &str| {
            let columns = json!([{ "name": "points" }, { "name": "time", "direction": "asc" }]);
            json!({
                "operator": operator, "columns": columns, "slices": ["country"],
                "reset": { "cron": "0 0 * * *", "time_zone": "UTC" },
            })
        };
        make_board(&keeper, "b", settings("incr")).await;
        let mut instants: Vec<Ts> = Vec::new();
        for _day in 0..2 {
            for _ in 0..5 {
                play(&keeper, &mut dice, 100).await;
                instants.push(house.clock().now());
                house.clock().advance_s(1);
            }
            house.clock().advance_s(86_400);
        }
        play(&keeper, &mut dice, 5).await;
        make_board(&keeper, "b", settings("best")).await;
        (keeper, instants)
    };
    on_both(async |house| {
        let (keeper, instants) = scenario(&house).await;
        // 500 and some submissions in each, and at most 200 between two.
        eventually("the past is filled", async || rows(&house).await.len() >= 4).await;
        let filled = seen_at(&keeper, &instants).await;
        assert!(loads(&house, "past") >= 4);
        house.end().await;
        let without = setup().set("boards.checkpoint_after", "0").holding_the_clock();
        let house = without.start(Engine::Sqlite).await;
        let (keeper, instants) = scenario(&house).await;
        assert_eq!(filled, seen_at(&keeper, &instants).await);
        assert_eq!((loads(&house, "past"), rows(&house).await), (0, Vec::new()));
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_history_of_nobody_or_of_an_odd_span_is_refused() {
    on_both(async |house| {
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "audience": "administrators" })).await;
        submit(&keeper, "b", &[("ada", 5)]).await;
        house.clock().advance_s(60);
        let path = format!("{ENTRIES}/ada/history");
        let history = keeper.get(&path).await.expect(200);
        assert_eq!(history["items"].as_array().unwrap().len(), 30);
        let first = &history["items"][0];
        let nobody =
            json!({ "at": first["at"], "count": 0, "period": null, "rank": null, "scores": null });
        assert_eq!(*first, nobody);
        assert_eq!(history["items"][29]["rank"], 1);
        keeper.get(&format!("{ENTRIES}/bea/history")).await.expect_problem(404, "not_found");
        house.person("cid").await.get(&path).await.expect_problem(404, "not_found");
        let now = house.clock().now();
        for (odd, pointer) in [
            ("points=1".to_owned(), "?points"),
            ("points=101".to_owned(), "?points"),
            (format!("to={}", now.plus_s(1)), "?to"),
            (format!("from={}", now.plus_s(-401 * 86_400)), "?from"),
            (format!("from={now}&to={now}"), "?from"),
        ] {
            let problem = keeper.get(&format!("{path}?{odd}")).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{odd}");
        }
        assert_eq!(ranks(&keeper.get(ENTRIES).await.expect(200)), [("ada".into(), 1)]);
        house.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_one_instance_keeps_another_loads_and_both_go_on_as_the_records_do() {
    let house = small().start(Engine::Postgres).await;
    let (mut here, mut there) = (Dice::of(14), Dice::of(15));
    let keeper = admin(&house).await;
    make(&keeper, "incr").await;
    play(&keeper, &mut here, 40).await;
    keep(&house).await;
    play(&keeper, &mut here, 9).await;
    let shown = see(&keeper, "").await;
    // They know the board from nothing but a checkpoint of the first one and what came since.
    let joins = async |shown: &[Value]| {
        let twin = house.twin_as(&small().holding_periodic_work()).await;
        assert!(see(&keeper.at(&twin), "").await == shown, "what is loaded is something else");
        assert_eq!((loads(&twin, "checkpoint"), loads(&twin, "records")), (1, 0));
        twin
    };
    let twin = joins(&shown).await;
    let elsewhere = keeper.at(&twin);
    for _ in 0..2 {
        let at_first = async {
            for _ in 0..6 {
                play(&keeper, &mut here, 9).await;
                house.work("boards.keep_checkpoints").await;
            }
        };
        let at_second = async {
            for _ in 0..6 {
                play(&elsewhere, &mut there, 9).await;
            }
        };
        tokio::join!(at_first, at_second);
        let plain = house.twin_as(&small().set("boards.checkpoint_after", "0")).await;
        let shown = see(&keeper.at(&plain), "").await;
        assert_eq!((loads(&plain, "checkpoint"), loads(&plain, "records")), (0, 1));
        plain.end().await;
        for (reader, name) in [(&keeper, "who keeps it"), (&elsewhere, "who loaded it")] {
            eventually(&format!("{name} has what the other took"), async || {
                see(reader, "").await == shown
            })
            .await;
        }
        joins(&shown).await.end().await;
    }
    twin.end().await;
    house.end().await;
}
