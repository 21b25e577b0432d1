//! Rankings that Redis holds for a fleet: the same answers as from memory, whatever becomes of Redis or of an instance.

use std::collections::BTreeMap;

use mainstay_testkit::{
    Dice, Link, Redis,
    program::{Client, Engine, Program, Setup, Transport, eventually},
};
use serde_json::{Value, json};

use crate::{admin, make_board, ranks, settings, setup, submit};

const BOARD: &str = "/api/v1/boards/b";
const ENTRIES: &str = "/api/v1/boards/b/entries";
/// Owners of the random operations: few, so that they meet.
const OWNERS: usize = 23;

/// Boards alone, with rankings in this Redis.
fn shared(url: &str) -> Setup {
    setup().set("boards.rankings", "redis").set("redis.url", url)
}

/// A database of the Redis that the tests share, and a connection to it.
fn database() -> (String, redis::Connection) {
    let url = Redis::shared().create_database().unwrap();
    let connection = redis::Client::open(&*url).unwrap().get_connection().unwrap();
    (url, connection)
}

fn flush(connection: &mut redis::Connection) {
    redis::cmd("FLUSHDB").exec(connection).unwrap();
}

/// An instance with its own memory and two over one Redis, all of them on one Postgres.
struct Fleet {
    memory: Program,
    shared: Program,
    other: Program,
    redis: redis::Connection,
}

impl Fleet {
    async fn start() -> Self {
        let (url, redis) = database();
        let memory = setup().start(Engine::Postgres).await;
        let shared = memory.twin_as(&self::shared(&url)).await;
        let other = memory.twin_as(&self::shared(&url)).await;
        Self { memory, shared, other, redis }
    }

    async fn end(self) {
        self.other.end().await;
        self.shared.end().await;
        self.memory.end().await;
    }
}

/// What a request is answered with, but for when, and what only counts on: the position in the log, cursors.
fn comparable(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("as_of");
        fields.remove("next_cursor");
    }
    answer
}

/// Everything that can be asked of the board, with the token of what was written last.
async fn everything(reader: &Client, token: &str, slices: &[&str]) -> Vec<Value> {
    let get = async |path: String| {
        let answer = reader.get(&path).header("mainstay-token", token).await;
        let status = answer.status;
        assert!(matches!(status, 200 | 404), "{path}: {}", answer.json());
        json!([path, status, if status == 200 { comparable(answer.json()) } else { Value::Null }])
    };
    let mut all = Vec::new();
    for slice in slices.iter().map(|slice| format!("slice={slice}&")).chain([String::new()]) {
        all.push(get(format!("{ENTRIES}?{slice}limit=100")).await);
        all.push(get(format!("{ENTRIES}?{slice}limit=4&from_rank=5")).await);
        for owner in 0..OWNERS {
            all.push(get(format!("{ENTRIES}/{}?{slice}", owner_of(owner))).await);
            all.push(get(format!("{ENTRIES}/{}/around?{slice}limit=4", owner_of(owner))).await);
        }
        let owners: Vec<String> = (0..OWNERS + 2).rev().map(owner_of).collect();
        let path = format!("{ENTRIES}/lookup?{slice}");
        let lookup = reader.post(&path, json!({ "owners": owners }));
        let found = lookup.header("mainstay-token", token).await.expect(200);
        all.push(json!([path, comparable(found)]));
    }
    all
}

fn owner_of(number: usize) -> String {
    // Prefixes of each other, and letters whose bytes are above those of others.
    let mut owner = "a".repeat(number % 4 + 1);
    owner.push(['b', 'é', 'A', '~', 'z', '0'][number / 4 % 6]);
    owner
}

/// One random operation; returns the token of what it wrote.
async fn something(keeper: &Client, dice: &mut Dice, board: &Value) -> String {
    let owner = owner_of(dice.below(OWNERS));
    let path = match dice.below(14) {
        0 | 1 => format!("{ENTRIES}/{}", urlencoded(&owner)),
        2 => format!("{BOARD}/bans/{}", urlencoded(&owner)),
        _ => String::new(),
    };
    let answer = if path.contains("/bans/") {
        match dice.below(2) {
            0 => keeper.put(&path).json(&json!({ "reason": "it was bought" })).await,
            _ => keeper.delete(&path).await,
        }
    } else if !path.is_empty() {
        keeper.delete(&path).await
    } else {
        let columns = board["columns"].as_array().unwrap().len();
        let list: Vec<Value> = (0..1 + dice.below(4))
            .map(|_| {
                let scores: Vec<i64> =
                    (0..columns).map(|_| dice.below(5) as i64 * 1_000_000_007).collect();
                let mut new = json!({ "owner": owner_of(dice.below(OWNERS)), "scores": scores });
                if board["slices"] != json!([]) && dice.below(3) > 0 {
                    let country = ["IN", "FR", "x:}{y"][dice.below(3)];
                    new["slices"] = json!({ "country": country });
                }
                new
            })
            .collect();
        keeper.post(&format!("{BOARD}/scores"), json!(list)).await
    };
    assert!(answer.status < 500, "{}", answer.json());
    answer.header("mainstay-token").to_owned()
}

fn urlencoded(owner: &str) -> String {
    owner.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Random operations at all three instances; after each, all of them answer the same to everything.
async fn drive(seed: u64, board: Value, steps: usize) {
    let mut fleet = Fleet::start().await;
    let keeper = admin(&fleet.memory).await;
    let at = [keeper.clone(), keeper.at(&fleet.shared), keeper.at(&fleet.other)];
    make_board(&keeper, "b", board.clone()).await;
    let board = settings(board);
    let slices: &[&str] = match board["slices"].is_array() {
        true => &["country:IN", "country:FR", "country:x%3A%7D%7By", "country:none"],
        false => &[],
    };
    let board = {
        let mut board = board;
        board["slices"] = if slices.is_empty() { json!([]) } else { board["slices"].clone() };
        board
    };
    let mut dice = Dice::of(seed);
    let mut token = String::new();
    for step in 0..steps {
        let writer = &at[dice.below(3)];
        let written = something(writer, &mut dice, &board).await;
        if !written.is_empty() {
            token = written;
        }
        if dice.once_in(9) {
            flush(&mut fleet.redis);
        }
        let expected = everything(&at[0], &token, slices).await;
        for (place, reader) in at.iter().enumerate().skip(1) {
            let found = everything(reader, &token, slices).await;
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found, expected, "seed {seed}, step {step}, instance {place}");
            }
        }
    }
    fleet.end().await;
}

#[tokio::test]
async fn a_fleet_answers_from_redis_as_an_instance_does_from_memory() {
    drive(1, json!({ "operator": "set" }), 14).await;
}

#[tokio::test]
async fn ties_of_every_kind_and_columns_of_both_directions_are_the_same_in_redis() {
    let columns = json!([{ "name": "a" }, { "name": "b", "direction": "asc" }]);
    for (seed, ties) in [(2, "owner"), (3, "shared"), (4, "dense")] {
        let board = json!({ "operator": "set", "columns": columns, "ties": ties });
        drive(seed, board, 8).await;
    }
}

#[tokio::test]
async fn slices_are_the_same_in_redis() {
    for (seed, operator, ties) in [(5, "set", "dense"), (6, "decr", "earliest")] {
        let board = json!({ "operator": operator, "ties": ties, "slices": ["country"] });
        drive(seed, board, 8).await;
    }
}
