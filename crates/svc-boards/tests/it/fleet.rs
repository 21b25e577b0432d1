//! Rankings that Redis holds for a fleet: the same answers as from memory, whatever becomes of Redis or of an instance.

use futures_util::FutureExt as _;
use mainstay_testkit::{
    Dice, Link, Redis,
    program::{Client, Engine, Program, Transport, eventually},
};
use serde_json::{Value, json};

use crate::{
    admin, database, live::Replica, make_board, ranks, settings, setup, setup_in_redis, submit,
};

const BOARD: &str = "/api/v1/boards/b";
const ENTRIES: &str = "/api/v1/boards/b/entries";
/// Owners of the random operations: few, so that they meet.
const OWNERS: usize = 23;

/// A connection to look into Redis with.
fn connect(url: &str) -> redis::Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn flush(connection: &mut redis::Connection) {
    redis::cmd("FLUSHDB").exec(connection).unwrap();
}

/// Every key that there is.
fn keys(connection: &mut redis::Connection) -> Vec<String> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    keys.sort();
    keys
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
        let url = database();
        let memory = setup().start(Engine::Postgres).await;
        let shared = memory.twin_as(&setup_in_redis(&url)).await;
        let other = memory.twin_as(&setup_in_redis(&url)).await;
        Self { memory, shared, other, redis: connect(&url) }
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
        for count in [0, 1, OWNERS + 2] {
            let owners: Vec<String> = (0..count).rev().chain(0..count).map(owner_of).collect();
            let path = format!("{ENTRIES}/lookup?{slice}");
            let lookup = reader.post(&path, json!({ "owners": owners }));
            let found = lookup.header("mainstay-token", token).await.expect(200);
            all.push(json!([path, comparable(found)]));
        }
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
                if board["slices"].is_array() && dice.below(3) > 0 {
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
    assert!(keys(&mut fleet.redis).iter().any(|key| key.contains(":z:")), "Redis has rankings");
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

#[tokio::test]
async fn pages_from_redis_stand_still_as_those_from_memory_do() {
    let mut dice = Dice::of(7);
    for ties in ["earliest", "owner", "shared", "dense"] {
        let fleet = Fleet::start().await;
        let keeper = admin(&fleet.memory).await;
        let readers = [keeper.at(&fleet.shared), keeper.at(&fleet.other)];
        let board = json!({ "operator": "set", "ties": ties, "slices": ["country"] });
        make_board(&keeper, "b", board.clone()).await;
        let board = settings(board);
        for _ in 0..15 {
            something(&keeper, &mut dice, &board).await;
        }
        for (slice, score) in [("", 3), ("slice=country:IN&", 4)] {
            // Both stand as they were at the end of this score.
            let mark = json!({ "owner": "mark", "scores": [score], "slices": { "country": "IN" } });
            let mark = keeper.post(&format!("{BOARD}/scores"), mark).await;
            let token = mark.header("mainstay-token").to_owned();
            let path = format!("{ENTRIES}?{slice}limit=3");
            let mut here = keeper.get(&path).await.expect(200);
            let mut there =
                readers[0].get(&path).header("mainstay-token", &token).await.expect(200);
            for page in 0.. {
                assert_eq!(there["items"], here["items"], "{ties}, {slice} page {page}");
                assert_eq!(there["count"], here["count"], "{ties}, {slice} page {page}");
                let Some(next) = here["next_cursor"].as_str() else {
                    assert_eq!(there["next_cursor"], Value::Null);
                    break;
                };
                for _ in 0..3 {
                    something(&keeper, &mut dice, &board).await;
                }
                let cursor = there["next_cursor"].as_str().unwrap();
                let reader = &readers[page % 2];
                there = reader.get(&format!("{path}&cursor={cursor}")).await.expect(200);
                here = keeper.get(&format!("{path}&cursor={next}")).await.expect(200);
            }
        }
        fleet.end().await;
    }
}

#[tokio::test]
async fn a_page_that_redis_has_forgotten_is_worked_out_again() {
    let mut fleet = Fleet::start().await;
    let keeper = admin(&fleet.memory).await.at(&fleet.shared);
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    submit(&keeper, "b", &[("ada", 1), ("bea", 2), ("cid", 3)]).await;
    let first = keeper.get(&format!("{ENTRIES}?limit=1")).await.expect(200);
    let next = format!("{ENTRIES}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    keeper.get(&next).await.expect(200);
    submit(&keeper, "b", &[("ada", 5), ("bea", 0)]).await;
    flush(&mut fleet.redis);
    let page = keeper.get(&next).await.expect(200);
    assert_eq!(ranks(&page), [("bea".into(), 2)]);
    let next = format!("{ENTRIES}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(ranks(&keeper.get(&next).await.expect(200)), [("ada".into(), 3)]);
    fleet.end().await;
}

#[tokio::test]
async fn whatever_part_redis_loses_is_missed_and_built_anew() {
    let mut fleet = Fleet::start().await;
    let keeper = admin(&fleet.memory).await;
    let readers = [keeper.at(&fleet.shared), keeper.at(&fleet.other)];
    let board = json!({ "operator": "set", "ties": "dense", "slices": ["country"] });
    make_board(&keeper, "b", board.clone()).await;
    let mut dice = Dice::of(8);
    let mut token = String::new();
    for _ in 0..20 {
        let written = something(&readers[0], &mut dice, &settings(board.clone())).await;
        token = if written.is_empty() { token } else { written };
    }
    let slices = ["country:IN", "country:FR"];
    let expected = everything(&keeper, &token, &slices).await;
    assert_eq!(everything(&readers[0], &token, &slices).await, expected);
    let kinds =
        ["dense-country", ":o", ":g", ":z:", ":z:country:IN", ":d:", ":d:country:FR", "fleet"];
    for kind in kinds {
        let key = keys(&mut fleet.redis).into_iter().find(|key| key.ends_with(kind));
        redis::cmd("DEL").arg(key.unwrap()).exec(&mut fleet.redis).unwrap();
        for reader in &readers {
            assert_eq!(everything(reader, &token, &slices).await, expected, "without {kind}");
        }
    }
    fleet.end().await;
}

#[tokio::test]
async fn a_redis_that_has_gone_back_to_an_older_state_is_not_believed() {
    let mut fleet = Fleet::start().await;
    let keeper = admin(&fleet.memory).await;
    let readers = [keeper.at(&fleet.shared), keeper.at(&fleet.other)];
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    submit(&readers[0], "b", &[("ada", 1), ("bea", 2)]).await;
    let mut dump = Vec::new();
    for key in keys(&mut fleet.redis) {
        let bytes: Vec<u8> = redis::cmd("DUMP").arg(&key).query(&mut fleet.redis).unwrap();
        dump.push((key, bytes));
    }
    submit(&readers[0], "b", &[("ada", 3)]).await;
    keeper.delete(&format!("{ENTRIES}/bea")).await.expect(204);
    let first = async |reader: &Client| ranks(&reader.get(ENTRIES).await.expect(200));
    for reader in &readers {
        eventually("both have it", async || first(reader).await == [("ada".into(), 1)]).await;
    }
    flush(&mut fleet.redis);
    for (key, bytes) in dump {
        redis::cmd("RESTORE").arg(key).arg(0).arg(bytes).exec(&mut fleet.redis).unwrap();
    }
    for reader in &readers {
        assert_eq!(first(reader).await, [("ada".into(), 1)]);
    }
    fleet.end().await;
}

#[tokio::test]
async fn what_was_written_while_nobody_was_there_is_caught_up_on_from_the_log() {
    let url = database();
    let mut redis = connect(&url);
    let memory = setup().start(Engine::Postgres).await;
    let shared = memory.twin_as(&setup_in_redis(&url)).await;
    let keeper = admin(&memory).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    submit(&keeper.at(&shared), "b", &[("ada", 1), ("bea", 2), ("cid", 3)]).await;
    let mut token_of_the_build = || -> Option<String> {
        let place = keys(&mut redis).into_iter().find(|key| key.ends_with("d-earliest-"))?;
        redis::cmd("HGET").arg(place).arg("token").query(&mut redis).unwrap()
    };
    let before = token_of_the_build();
    assert!(before.is_some());
    shared.end().await;
    submit(&keeper, "b", &[("ada", 9)]).await;
    keeper.delete(&format!("{ENTRIES}/cid")).await.expect(204);
    let shared = memory.twin_as(&setup_in_redis(&url)).await;
    let page = keeper.at(&shared).get(ENTRIES).await.expect(200);
    assert_eq!(ranks(&page), [("ada".into(), 1), ("bea".into(), 2)]);
    assert_eq!(token_of_the_build(), before, "it was not built anew");
    shared.end().await;
    memory.end().await;
}

#[tokio::test]
async fn while_redis_is_away_scores_are_taken_and_rankings_are_not_read() {
    let link = Link::to_port(Redis::shared().port()).await.unwrap();
    let number = database().rsplit_once('/').unwrap().1.to_owned();
    let url = format!("redis://127.0.0.1:{}/{number}", link.port());
    let house = setup_in_redis(&url).start(Engine::Postgres).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({ "operator": "incr" })).await;
    submit(&keeper, "b", &[("ada", 1), ("bea", 2)]).await;
    link.cut();
    let score = json!({ "owner": "ada", "scores": [5] });
    let kept = keeper.post(&format!("{BOARD}/scores"), score).await.expect(200);
    assert_eq!((&kept["scores"], &kept["rank"]), (&json!([6]), &json!(0)), "it is kept once");
    let problem = keeper.get(ENTRIES).await.expect_problem(503, "unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("Rankings"), "{problem}");
    link.heal();
    eventually("Redis is back", async || {
        let answer = keeper.get(ENTRIES).await;
        answer.status == 200 && ranks(&answer.json()) == [("ada".into(), 1), ("bea".into(), 2)]
    })
    .await;
    house.end().await;
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_empty_costs_a_build() {
    let mut server = Redis::start().unwrap();
    let url = server.create_database().unwrap();
    let house = setup_in_redis(&url).start(Engine::Postgres).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    submit(&keeper, "b", &[("ada", 1), ("bea", 2)]).await;
    server.kill9().unwrap();
    submit(&keeper, "b", &[("ada", 3)]).await;
    server.restart().unwrap();
    eventually("Redis is back", async || {
        let answer = keeper.get(ENTRIES).await;
        answer.status == 200 && ranks(&answer.json()) == [("ada".into(), 1), ("bea".into(), 2)]
    })
    .await;
    house.end().await;
}

/// So many scores that a build takes a while, and what the best one is.
async fn many(keeper: &Client) {
    let list: Vec<Value> =
        (0..6_000).map(|n| json!({ "owner": format!("owner{n}"), "scores": [n] })).collect();
    keeper.post(&format!("{BOARD}/scores"), json!(list)).await.expect(200);
}

/// Waits until a build is under way.
async fn building(redis: &mut redis::Connection) {
    let mut redis = tokio::sync::Mutex::new(redis);
    let redis = &mut redis;
    eventually("a build is under way", async || {
        let mut redis = redis.lock().await;
        keys(&mut redis).iter().any(|key| key.ends_with(":lease"))
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_dies_while_it_builds_is_followed_by_another() {
    let memory = setup().start(Engine::Postgres).await;
    let link = Link::to_port(Redis::shared().port()).await.unwrap();
    let url = database();
    let number = url.rsplit_once('/').unwrap().1;
    let far = format!("redis://127.0.0.1:{}/{number}", link.port());
    let keeper = admin(&memory).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    many(&keeper).await;
    let dying = memory.twin_as(&setup_in_redis(&far)).await;
    let next = memory.twin_as(&setup_in_redis(&url)).await;
    let (mut redis, reader, other) = (connect(&url), keeper.at(&dying), keeper.at(&next));
    link.delay(std::time::Duration::from_millis(100));
    let reading = tokio::spawn(async move { reader.get(ENTRIES).await });
    building(&mut redis).await;
    // What is written meanwhile is in the next build, or brought to it.
    submit(&keeper, "b", &[("owner7", 7_000)]).await;
    link.cut();
    assert_eq!(reading.await.unwrap().status, 503);
    let answer = other.get(&format!("{ENTRIES}/owner7")).await.expect(200);
    assert_eq!((&answer["rank"], &answer["count"]), (&json!(1), &json!(6_000)));
    dying.end().await;
    next.end().await;
    memory.end().await;
}

#[tokio::test]
async fn a_build_that_redis_forgets_halfway_begins_anew() {
    let link = Link::to_port(Redis::shared().port()).await.unwrap();
    let url = database();
    let number = url.rsplit_once('/').unwrap().1;
    let far = format!("redis://127.0.0.1:{}/{number}", link.port());
    let memory = setup().start(Engine::Postgres).await;
    let keeper = admin(&memory).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    many(&keeper).await;
    let shared = memory.twin_as(&setup_in_redis(&far)).await;
    let (mut redis, reader) = (connect(&url), keeper.at(&shared));
    link.delay(std::time::Duration::from_millis(50));
    let reading = tokio::spawn(async move { reader.get(&format!("{ENTRIES}?limit=1")).await });
    building(&mut redis).await;
    flush(&mut redis);
    let page = reading.await.unwrap().expect(200);
    assert_eq!((&page["count"], ranks(&page)), (&json!(6_000), vec![("owner5999".into(), 1)]));
    shared.end().await;
    memory.end().await;
}

#[tokio::test]
async fn who_watches_at_one_instance_is_told_of_scores_at_another() {
    let fleet = Fleet::start().await;
    let keeper = admin(&fleet.memory).await;
    let writers = [keeper.clone(), keeper.at(&fleet.shared)];
    let reader = keeper.at(&fleet.other);
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    let owners: Vec<String> = (0..120).map(|n| format!("owner{n:03}")).collect();
    let first: Vec<(&str, i64)> = owners.iter().map(|owner| (&**owner, 500)).collect();
    submit(&keeper, "b", &first).await;
    let mut stream = reader.listen_on(Transport::WebSocket, "board:b", "").await;
    let mut replica = Replica::load(&reader, "b").await;
    let mut dice = Dice::of(9);
    for round in 0..8 {
        for writer in &writers {
            let list: Vec<(&str, i64)> = (0..1 + dice.below(5))
                .map(|_| (&*owners[dice.below(120)], dice.below(1_000) as i64))
                .collect();
            submit(writer, "b", &list).await;
            writer.delete(&format!("{ENTRIES}/{}", owners[dice.below(120)])).await;
        }
        let mark = format!("mark{round}");
        submit(&writers[round % 2], "b", &[(&*mark, 10_000 + round as i64)]).await;
        replica.follow_until(&mut stream, &mark).await;
        assert_eq!(replica.top, Replica::load(&reader, "b").await.top, "round {round}");
    }
    drop(stream);
    fleet.end().await;
}

#[tokio::test]
async fn rankings_in_redis_without_a_redis_stop_the_start_with_what_to_do() {
    let without = setup().set("boards.rankings", "redis");
    let start = without.start(Engine::Sqlite);
    let said = std::panic::AssertUnwindSafe(start).catch_unwind().await.err().unwrap();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("`redis.url`"), "{said}");
}
