//! Reading boards: pages that stand still, neighbourhoods, several owners, slices.

use mainstay_core::{db::DbError, params, statements};
use mainstay_testkit::program::{Engine, Program, eventually};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held, make_board, ranks, setup, submit};

const ENTRIES: &str = "/api/v1/boards/b/entries";

statements! {
    /// Takes a score back to what it was before.
    LOSE = "update boards.entry set scores = $1 where owner = 'ada'";
    /// Makes the records another log.
    REPLACE = "update boards.log set epoch = epoch + 1";
}

fn owners_of(page: &Value) -> Vec<String> {
    ranks(page).into_iter().map(|(owner, _)| owner).collect()
}

#[tokio::test]
async fn pages_stay_as_they_were_while_ranks_move() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let scores: Vec<(String, i64)> = (0..25).map(|n| (format!("owner{n:02}"), n)).collect();
        let scores: Vec<(&str, i64)> = scores.iter().map(|(owner, n)| (&**owner, *n)).collect();
        submit(&keeper, "b", &scores).await;
        let reader = house.stranger();
        let first = reader.get(&format!("{ENTRIES}?limit=10")).await.expect(200);
        let mut seen = owners_of(&first);
        let mut cursor = first["next_cursor"].as_str().unwrap().to_owned();
        // The last ones overtake everybody, and the first one falls behind.
        submit(&keeper, "b", &[("owner00", 100), ("owner01", 99), ("owner24", -1)]).await;
        keeper.delete(&format!("{ENTRIES}/owner02")).await.expect(204);
        loop {
            let next = format!("{ENTRIES}?limit=10&cursor={cursor}");
            let page = reader.get(&next).await.expect(200);
            seen.extend(owners_of(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => {
                    let last = page["items"].as_array().unwrap().last().unwrap();
                    assert_eq!((&last["rank"], &last["scores"]), (&json!(25), &json!([0])));
                    break;
                }
            }
        }
        let expected: Vec<String> = (0..25).rev().map(|n| format!("owner{n:02}")).collect();
        assert_eq!(seen, expected);
        let fresh = reader.get(&format!("{ENTRIES}?limit=2")).await.expect(200);
        assert_eq!(owners_of(&fresh), ["owner00", "owner01"]);
        house.clock().advance_s(601);
        house.work("boards.forget_idle").await;
        let late = format!("{ENTRIES}?limit=10&cursor={cursor}");
        reader.get(&late).await.expect_problem(410, "cursor_expired");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_was_shown_is_shown_again_only_while_nothing_of_it_has_changed() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set", "slices": ["team"] })).await;
        submit(&keeper, "b", &[("ada", 3), ("bea", 2), ("cid", 1)]).await;
        let reader = house.stranger();
        let page = async |query: &str| {
            let first = reader.get(&format!("{ENTRIES}?{query}")).await.expect(200);
            let again = reader.get(&format!("{ENTRIES}?{query}")).await.expect(200);
            assert_eq!(first, again);
            again
        };
        assert_eq!(owners_of(&page("limit=2").await), ["ada", "bea"]);
        assert_eq!(owners_of(&page("limit=3").await), ["ada", "bea", "cid"]);
        assert_eq!(owners_of(&page("limit=2&from_rank=2").await), ["bea", "cid"]);

        // The order stays.
        let noted = json!({ "owner": "ada", "scores": [4], "metadata": { "level": 7 } });
        keeper.post("/api/v1/boards/b/scores", noted).await.expect(200);
        assert_eq!(page("limit=2").await["items"][0]["metadata"], json!({ "level": 7 }));

        let moved = json!({ "owner": "cid", "scores": [9], "slices": { "team": "red" } });
        keeper.post("/api/v1/boards/b/scores", moved).await.expect(200);
        assert_eq!(owners_of(&page("limit=2").await), ["cid", "ada"]);
        assert_eq!(owners_of(&page("limit=2&slice=team:red").await), ["cid"]);

        keeper.delete(&format!("{ENTRIES}/cid")).await.expect(204);
        assert_eq!(owners_of(&page("limit=2").await), ["ada", "bea"]);

        // The same page in other words, each of which is gone on with in its own.
        for window in ["", "&window=current", "&window=1"] {
            let cursor = page(&format!("limit=1{window}")).await["next_cursor"].clone();
            let next = format!("{ENTRIES}?limit=1{window}&cursor={}", cursor.as_str().unwrap());
            assert_eq!(owners_of(&reader.get(&next).await.expect(200)), ["bea"], "{window}");
        }

        let cursor = page("limit=1").await["next_cursor"].clone();
        house.clock().advance_s(301);
        let young = page("limit=1").await["next_cursor"].clone();
        house.clock().advance_s(400);
        house.work("boards.forget_idle").await;
        let next = async |cursor: Value| {
            let cursor = cursor.as_str().unwrap().to_owned();
            reader.get(&format!("{ENTRIES}?limit=1&cursor={cursor}")).await
        };
        next(cursor).await.expect_problem(410, "cursor_expired");
        assert_eq!(
            owners_of(&next(young).await.expect(200)),
            ["bea"],
            "its ten minutes are its own"
        );
    })
    .await;
}

#[tokio::test]
async fn a_neighbourhood_is_whole_also_at_the_ends() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let scores: Vec<_> = names.iter().zip((0..7).rev()).map(|(name, n)| (*name, n)).collect();
        submit(&keeper, "b", &scores).await;
        let around = async |owner: &str, limit: u32| {
            let path = format!("{ENTRIES}/{owner}/around?limit={limit}");
            owners_of(&house.stranger().get(&path).await.expect(200)).join("")
        };
        assert_eq!(around("d", 3).await, "cde");
        assert_eq!(around("d", 4).await, "cdef", "one more behind than before");
        assert_eq!(around("a", 3).await, "abc");
        assert_eq!(around("g", 3).await, "efg");
        assert_eq!(around("d", 100).await, "abcdefg");
        assert_eq!(around("d", 1).await, "d");
        let stranger = house.stranger();
        stranger.get(&format!("{ENTRIES}/nobody/around")).await.expect_problem(404, "not_found");
        stranger.get(&format!("{ENTRIES}/d/around?limit=0")).await.expect_problem(422, "invalid");
        stranger.get(&format!("{ENTRIES}?limit=1001")).await.expect_problem(422, "invalid");
        let from = stranger.get(&format!("{ENTRIES}?limit=2&from_rank=4")).await.expect(200);
        assert_eq!(ranks(&from), [("d".into(), 4), ("e".into(), 5)]);
    })
    .await;
}

#[tokio::test]
async fn several_owners_are_looked_up_in_one_call() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 1), ("bea", 2), ("cid", 3)]).await;
        let lookup = format!("{ENTRIES}/lookup");
        let asked = json!({ "owners": ["ada", "nobody", "cid", "ada"] });
        let page = house.stranger().post(&lookup, asked).await.expect(200);
        assert_eq!(ranks(&page), [("cid".into(), 1), ("ada".into(), 3)]);
        let many = json!({ "owners": vec!["x"; 1_001] });
        house.stranger().post(&lookup, many).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn ranks_among_ones_like_are_exact() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set", "slices": ["country"] })).await;
        let scores = "/api/v1/boards/b/scores";
        let list = json!([
            { "owner": "ada", "scores": [1], "slices": { "country": "IN" } },
            { "owner": "bea", "scores": [2], "slices": { "country": "FR" } },
            { "owner": "cid", "scores": [3], "slices": { "country": "IN" } },
            { "owner": "dan", "scores": [4] },
        ]);
        keeper.post(scores, list).await.expect(200);
        let india = async || {
            let path = format!("{ENTRIES}?slice=country:IN");
            ranks(&house.stranger().get(&path).await.expect(200))
        };
        assert_eq!(india().await, [("cid".into(), 1), ("ada".into(), 2)]);
        let one =
            house.stranger().get(&format!("{ENTRIES}/ada?slice=country:IN")).await.expect(200);
        assert_eq!((&one["rank"], &one["count"]), (&json!(2), &json!(2)));
        let moves = json!({ "owner": "cid", "scores": [3], "slices": { "country": "FR" } });
        keeper.post(scores, moves).await.expect(200);
        assert_eq!(india().await, [("ada".into(), 1)]);
        let unknown = json!({ "owner": "cid", "scores": [3], "slices": { "planet": "Mars" } });
        keeper.post(scores, unknown).await.expect_problem(422, "invalid");
    })
    .await;
}

/// How many boards were loaded from their records.
async fn loads(house: &Program) -> u64 {
    let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
    let name = "boards_loads_total{from=\"records\"} ";
    said.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_was_read_longest_ago_makes_room_for_what_is_read_now() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let setup = setup().set("boards.memory_entries_max", "1000").holding_the_clock();
        let house = setup.start(engine).await;
        let keeper = admin(&house).await;
        let read = async |id: &str| {
            let page =
                keeper.get(&format!("/api/v1/boards/{id}/entries?limit=1")).await.expect(200);
            page["count"].as_u64().unwrap()
        };
        let loads = async || loads(&house).await;
        let names: Vec<String> = (0..400).map(|n| format!("owner{n}")).collect();
        let scores: Vec<(&str, i64)> = names.iter().map(|name| (&**name, 7)).collect();
        for id in ["a", "b", "c"] {
            make_board(&keeper, id, json!({})).await;
            submit(&keeper, id, &scores).await;
            house.clock().advance_s(1);
        }
        // Two of them have room.
        let before = loads().await;
        assert_eq!((read("b").await, loads().await), (400, before), "it was written before c");
        house.clock().advance_s(1);
        assert_eq!((read("a").await, loads().await), (400, before + 1), "b and c were later");
        house.clock().advance_s(1);
        assert_eq!((read("b").await, loads().await), (400, before + 1), "c went");
        house.clock().advance_s(1);
        submit(&keeper, "c", &[("another", 9)]).await;
        assert_eq!((read("c").await, loads().await), (401, before + 2));
        house.clock().advance_s(1);
        assert_eq!((read("b").await, loads().await), (400, before + 2), "a went");
        house.clock().advance_s(1);
        assert_eq!((read("a").await, loads().await), (400, before + 3));
        assert_eq!((read("b").await, loads().await), (400, before + 3), "c went");
        house.end().await;
    }
}

#[tokio::test]
async fn a_board_that_nobody_asks_for_leaves_memory_and_comes_back() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let setup = setup().set("boards.idle_s", "600").holding_the_clock();
        let house = setup.holding_periodic_work().start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 7)]).await;
        let count = async || keeper.get(ENTRIES).await.expect(200)["count"].as_u64().unwrap();
        let before = loads(&house).await;
        house.clock().advance_s(599);
        house.work("boards.forget_idle").await;
        assert_eq!((count().await, loads(&house).await), (1, before), "it was asked for lately");
        house.clock().advance_s(601);
        house.work("boards.forget_idle").await;
        submit(&keeper, "b", &[("bea", 9)]).await;
        assert_eq!((count().await, loads(&house).await), (2, before + 1));
        house.end().await;
    }
}

#[tokio::test]
async fn pages_of_a_slice_go_on_also_when_everybody_has_left_it_and_others_have_come() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().holding_the_clock().start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "set", "slices": ["country"] })).await;
        let go = async |owner: &str, score: i64, country: &str| {
            let one =
                json!({ "owner": owner, "scores": [score], "slices": { "country": country } });
            keeper.post("/api/v1/boards/b/scores", one).await.expect(200);
            house.clock().advance_s(1);
        };
        go("ada", 5, "IN").await;
        go("bea", 4, "IN").await;
        let path = format!("{ENTRIES}?slice=country:IN&limit=1");
        let first = keeper.get(&path).await.expect(200);
        assert_eq!(owners_of(&first), ["ada"]);
        house.clock().advance_s(1);
        let next = format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap());
        for comers in [&[][..], &[("cid", 9), ("dan", 8), ("eve", 7)][..]] {
            for owner in ["ada", "bea"] {
                go(owner, 1, "FR").await;
            }
            for (owner, score) in comers {
                go(owner, *score, "IN").await;
            }
            let page = keeper.get(&next).await.expect(200);
            assert_eq!(
                (ranks(&page), &page["next_cursor"]),
                (vec![("bea".into(), 2)], &Value::Null)
            );
        }
        house.end().await;
    }
}

#[tokio::test]
async fn what_is_in_memory_is_read_anew_when_the_records_are_another_log() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 4)]).await;
        let read = async || keeper.get(ENTRIES).await.expect(200)["items"][0]["scores"].clone();
        assert_eq!(read().await, json!([5]));
        // As after a standby has taken over that did not have the newest score.
        let replace = house.db("boards").write(|tx| {
            Box::pin(async move {
                tx.execute(&LOSE, params![[&[0x80], &[0; 6][..], &[3]].concat()]).await?;
                tx.execute(&REPLACE, &[]).await?;
                Ok::<_, DbError>(())
            })
        });
        replace.await.unwrap();
        eventually("what is in memory is read anew", async || read().await == json!([4])).await;
        submit(&keeper, "b", &[("bea", 2)]).await;
        assert_eq!(read().await, json!([3]));
        house.end().await;
    }
}

#[tokio::test]
async fn pages_go_on_as_they_were_on_another_instance() {
    let house = setup().holding_the_clock().start(Engine::Postgres).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({ "operator": "set" })).await;
    submit(&keeper, "b", &[("ada", 5), ("bea", 4), ("cid", 3), ("dan", 2), ("eve", 1)]).await;
    house.clock().advance_s(1);
    let first = keeper.get(&format!("{ENTRIES}?limit=2")).await.expect(200);
    assert_eq!(owners_of(&first), ["ada", "bea"]);
    // Of the same instant, which tells nothing apart.
    submit(&keeper, "b", &[("eve", 9), ("ada", 0)]).await;
    house.clock().advance_s(1);
    let why = json!({ "reason": "a hacked client" });
    keeper.put("/api/v1/boards/b/bans/cid").json(&why).await.expect(200);
    let twin = house.twin().await;
    let elsewhere = keeper.at(&twin);
    let mut cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let mut rest = Vec::new();
    loop {
        let page = elsewhere.get(&format!("{ENTRIES}?limit=2&cursor={cursor}")).await.expect(200);
        rest.extend(ranks(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(rest, [("dan".into(), 4), ("eve".into(), 5)], "without who is banned");
    house.clock().advance_s(601);
    let late = format!("{ENTRIES}?limit=2&cursor={cursor}");
    elsewhere.get(&late).await.expect_problem(410, "cursor_expired");
    twin.end().await;
    house.end().await;
}
