//! A checkpoint is kept, and the program ends at each change of its disk in turn: in the middle of the bytes, with a
//! row and without its bytes, with both and the row not in use. What is loaded is what was submitted, and what is left
//! over is erased.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use mainstay_core::db::Sql;
use mainstay_testkit::{
    Dice, Loss, LossyStorage,
    program::{Client, Engine, Program, Setup, eventually},
};
use serde_json::{Value, json};

use super::{Life, Place, keeper, live, sign_in};
use crate::{checkpoints::loads, make_board, setup};

const ENTRIES: &str = "/api/v1/boards/b/entries";
/// Longer than a job is left to a worker that is gone.
const LEASE_S: i64 = 400;
/// After which everything that is not in use is erased.
const UNUSED_S: i64 = 3 * 3_600;

/// Whether the newest submission is in a checkpoint that is in use, jobs that are left, checkpoints that are not in
/// use, and all of them.
static REACHED: Sql = Sql::new(
    "select (select count(*) from boards.checkpoint c join boards.head h on h.no = c.board_no
               and h.last_seq = c.seq where c.state = 1),
            (select count(*) from boards.job),
            (select count(*) from boards.checkpoint where state <> 1), (select count(*) from boards.checkpoint)",
);

async fn reached(house: &Program) -> Vec<i64> {
    let mut tx = house.db("boards").read().await.unwrap();
    let (kept, jobs, unused, all): (i64, i64, i64, i64) = tx.one(&REACHED, &[]).await.unwrap();
    vec![kept, jobs, unused, all]
}

/// A checkpoint after 20 submissions; nothing else changes the disk.
fn small() -> Setup {
    setup().set("boards.checkpoint_after", "20").holding_the_clock().holding_periodic_work()
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: std::fs::DirEntry| match entry.path().is_dir() {
        true => files(&entry.path()),
        false => 1,
    };
    entries.map(count).sum()
}

/// What everybody was told that they have.
#[derive(Default)]
struct Told(BTreeMap<String, i64>);

impl Told {
    async fn add(&mut self, keeper: &Client, dice: &mut Dice) {
        let mut list = Vec::new();
        for _ in 0..25 {
            let (owner, score) = (format!("player{:02}", dice.below(30)), dice.below(4) as i64);
            list.push(json!({ "owner": owner, "scores": [score] }));
            *self.0.entry(owner).or_default() += score;
        }
        keeper.post("/api/v1/boards/b/scores", json!(list)).await.expect(200);
    }

    /// What the board shows is that.
    async fn check(&self, reader: &Client, when: &str) {
        let mut expected: Vec<(&String, i64)> =
            self.0.iter().map(|(o, score)| (o, *score)).collect();
        expected.sort_by_key(|(_, score)| -score);
        let expected: Vec<Value> = expected
            .into_iter()
            .zip(1..)
            .map(|((o, score), rank)| json!([o, score, rank]))
            .collect();
        let page = reader.get(&format!("{ENTRIES}?limit=100")).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        let shown: Vec<Value> =
            items.map(|it| json!([it["owner"], it["scores"][0], it["rank"]])).collect();
        assert_eq!(shown, expected, "{when}");
    }
}

/// Each time the program ends `stride` changes later, until it has kept a checkpoint before.
async fn keep_and_kill(name: &str, engine: Engine, stride: usize) {
    if let Some(place) = Place::inherited() {
        return live(&place, &small(), reached).await;
    }
    let place = Place::empty(engine).await;
    let storage = LossyStorage::over(&place.folder).unwrap();
    let (mut dice, mut told) = (Dice::of(13), Told::default());
    let house = place.start(&small()).await;
    let first = keeper(&house).await;
    make_board(&first, "b", json!({ "operator": "incr", "ties": "owner" })).await;
    told.add(&first, &mut dice).await;
    house.end().await;
    let (blobs, mut turned_s) = (place.folder.join("blobs"), 0);
    let (mut before, mut left) = ((0, 0, 0), BTreeSet::new());
    for changes in (0..).step_by(stride) {
        let when = format!("after {changes} changes of the disk");
        let mut life = Life::start(name, &place, Some(&storage)).await;
        let seen = life.look().await.unwrap();
        let staged = files(&blobs.join("staging"));
        let now = (seen[2], seen[3], files(&blobs) - staged);
        left.extend((staged > 0).then_some("staged bytes"));
        left.extend((now.0 > before.0 && now.2 == before.2).then_some("a row without its bytes"));
        left.extend((now.0 > before.0 && now.2 > before.2).then_some("a row not in use"));
        left.extend((now.0 == before.0 && now.1 > before.1).then_some("a row in use"));
        before = now;
        told.check(&life.keeper, &when).await;
        let said = String::from_utf8(life.keeper.get("/metrics").await.body).unwrap();
        assert!(!said.contains("boards_loads_total{from=\"unusable\"}"), "{when}");
        told.add(&life.keeper, &mut dice).await;
        storage.kill_after(changes as u64).unwrap();
        turned_s += LEASE_S;
        let mut ended = life.tell(&format!("turn {turned_s}")).await.is_none();
        ended = ended || !life.work("boards.keep_checkpoints").await;
        let mut done = false;
        eventually("it ends, or is done", async || {
            let seen = if ended { None } else { life.look().await };
            (ended, done) = (seen.is_none(), seen.is_some_and(|it| it[0] == 1 && it[1] == 0));
            ended || done
        })
        .await;
        storage.spare().unwrap();
        if done {
            // What is loaded has these besides.
            told.add(&life.keeper, &mut dice).await;
        }
        drop(life);
        storage.lose(Loss::Some(changes as u64)).unwrap();
        if done {
            break;
        }
    }
    let all = ["a row in use", "a row not in use", "a row without its bytes", "staged bytes"];
    assert!(left.iter().eq(&all), "it ended with {left:?}");

    for erased in [false, true] {
        let house = place.start(&small()).await;
        let keeper = sign_in(&house.stranger()).await;
        told.check(&keeper, "in the end").await;
        assert_eq!((loads(&house, "checkpoint"), loads(&house, "unusable")), (1, 0));
        house.clock().advance_s(turned_s + UNUSED_S);
        house.work("boards.erase_checkpoints").await;
        let seen = reached(&house).await;
        assert_eq!((seen[2], seen[3]), (0, house.blob_files().len() as i64), "erased: {erased}");
        house.end().await;
    }
}

#[tokio::test]
async fn a_checkpoint_is_whole_or_of_no_use_whenever_the_program_is_killed() {
    let name =
        "killed::checkpoints::a_checkpoint_is_whole_or_of_no_use_whenever_the_program_is_killed";
    keep_and_kill(name, Engine::Sqlite, 4).await;
}

#[tokio::test]
async fn a_checkpoint_beside_postgres_is_whole_or_of_no_use_whenever_the_program_is_killed() {
    let name = "killed::checkpoints::a_checkpoint_beside_postgres_is_whole_or_of_no_use_whenever_the_program_is_killed";
    keep_and_kill(name, Engine::Postgres, 1).await;
}
