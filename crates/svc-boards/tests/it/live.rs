//! Live boards: what is told of the top and of the reader, to whom, and after what.

use std::time::{Duration, Instant};

use mainstay_testkit::{
    Dice,
    program::{Client, Listener, Setup, Transport, eventually},
};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held, make_board, ranks, submit};

/// The top of a board as somebody who watches has it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Replica {
    pub(crate) top: Vec<(String, Value)>,
    as_of: u64,
}

impl Replica {
    pub(crate) async fn load(reader: &Client, id: &str) -> Self {
        let page = reader.get(&format!("/api/v1/boards/{id}/entries?limit=100")).await.expect(200);
        let entry =
            |item: &Value| (item["owner"].as_str().unwrap().to_owned(), item["scores"].clone());
        let top = page["items"].as_array().unwrap().iter().map(entry).collect();
        Self { top, as_of: page["as_of"].as_u64().unwrap() }
    }

    /// Takes out everybody who is named, then puts the entries in at their places.
    fn apply(&mut self, patch: &Value) {
        let entries = patch["entries"].as_array().unwrap();
        let gone = patch["gone"].as_array().unwrap();
        let named = |owner: &str| {
            entries.iter().any(|entry| entry["owner"] == owner)
                || gone.iter().any(|gone| gone == owner)
        };
        self.top.retain(|(owner, _)| !named(owner));
        for entry in entries {
            let place = usize::try_from(entry["place"].as_u64().unwrap()).unwrap();
            let owner = entry["owner"].as_str().unwrap().to_owned();
            self.top.insert(place, (owner, entry["scores"].clone()));
        }
        assert!(self.top.len() <= 100, "{patch}");
        self.as_of = patch["as_of"].as_u64().unwrap();
    }

    /// Follows patches until one names `owner`.
    pub(crate) async fn follow_until(&mut self, stream: &mut Listener, owner: &str) -> usize {
        let mut patches = 0;
        loop {
            let message = stream.next().await;
            if message["type"] == "patch" {
                patches += 1;
                self.apply(&message["data"]);
                let entries = message["data"]["entries"].as_array().unwrap();
                if entries.iter().any(|entry| entry["owner"] == owner) {
                    return patches;
                }
            }
        }
    }
}

#[tokio::test]
async fn patches_keep_a_top_as_the_board_has_it() {
    both_engines(async |house| {
        let (keeper, reader) = (admin(house).await, house.stranger());
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let owners: Vec<String> = (0..130).map(|n| format!("owner{n:03}")).collect();
        let first: Vec<(&str, i64)> = owners.iter().map(|owner| (&**owner, 500)).collect();
        submit(&keeper, "b", &first).await;
        let mut stream = reader.listen_on(Transport::WebSocket, "board:b", "").await;
        let mut replica = Replica::load(&reader, "b").await;
        let mut dice = Dice::of(7);
        for round in 0..12 {
            for _ in 0..10 {
                let list: Vec<(&str, i64)> = (0..1 + dice.below(5))
                    .map(|_| (&*owners[dice.below(130)], dice.below(1_000) as i64))
                    .collect();
                submit(&keeper, "b", &list).await;
            }
            let owner = &owners[dice.below(130)];
            keeper.delete(&format!("/api/v1/boards/b/entries/{owner}")).await;
            let mark = format!("mark{round}");
            submit(&keeper, "b", &[(&*mark, 10_000 + round)]).await;
            let patches = replica.follow_until(&mut stream, &mark).await;
            assert!(patches < 12, "{patches} messages for twelve requests: they are put together");
            assert_eq!(replica.top, Replica::load(&reader, "b").await.top, "round {round}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_from_elsewhere_a_reset() {
    both_engines(async |house| {
        let (keeper, reader) = (admin(house).await, house.stranger());
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        submit(&keeper, "b", &[("ada", 1), ("bea", 2)]).await;
        let mut replica = Replica::load(&reader, "b").await;
        let mut stream = reader.listen("board:b").await;
        let mut witness = reader.listen("board:b").await;
        submit(&keeper, "b", &[("cid", 3)]).await;
        replica.follow_until(&mut stream, "cid").await;
        let last = stream.last_id().to_owned();
        drop(stream);
        submit(&keeper, "b", &[("ada", 4)]).await;
        submit(&keeper, "b", &[("dan", 5)]).await;
        Replica::default().follow_until(&mut witness, "dan").await;
        let mut stream = reader.listen_on(Transport::EventStream, "board:b", &last).await;
        replica.follow_until(&mut stream, "dan").await;
        assert_eq!(replica.top, Replica::load(&reader, "b").await.top);
        let mut elsewhere =
            reader.listen_on(Transport::WebSocket, "board:b", "AQAAAAAAAAAAAP8").await;
        assert_eq!(elsewhere.next().await["type"], "reset");
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_to_a_board_that_nobody_watched_meanwhile_loads_it_anew() {
    both_engines(async |house| {
        let (keeper, reader) = (admin(house).await, house.stranger());
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let mut stream = reader.listen_on(Transport::WebSocket, "board:b", "").await;
        submit(&keeper, "b", &[("ada", 1)]).await;
        Replica::default().follow_until(&mut stream, "ada").await;
        let last = stream.last_id().to_owned();
        drop(stream);
        eventually("nobody watches", async || house.core().live.connections() == 0).await;
        submit(&keeper, "b", &[("ada", 4)]).await;
        let mut stream = reader.listen_on(Transport::WebSocket, "board:b", &last).await;
        assert_eq!(stream.next().await["type"], "reset");
    })
    .await;
}

#[tokio::test]
async fn a_reader_is_told_how_they_stand_and_nobody_else_is() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        submit(&keeper, "b", &[(&ada.id, 1), ("bea", 2)]).await;
        let mut hers = ada.listen("board:b").await;
        submit(&keeper, "b", &[("cid", 3)]).await;
        let around = mine(&mut hers).await;
        let own =
            around.as_array().unwrap().iter().find(|entry| entry["owner"] == *ada.id).unwrap();
        assert_eq!((&own["rank"], &own["scores"]), (&json!(3), &json!([1])));
        assert_eq!(around.as_array().unwrap().len(), 3);
        // Whoever is taken off the board is told that they are nowhere.
        keeper.delete(&format!("/api/v1/boards/b/entries/{}", ada.id)).await.expect(204);
        assert_eq!(mine(&mut hers).await, json!([]));
    })
    .await;
}

/// What a reader is told next of how they stand.
async fn mine(stream: &mut Listener) -> Value {
    loop {
        let message = stream.next().await;
        if message["type"] == "mine" {
            return message["data"]["around"].clone();
        }
    }
}

/// Boards whose teller has its turns when the test says so.
fn told_by_hand() -> Setup {
    crate::setup().holding_periodic_work()
}

#[tokio::test]
async fn who_watches_loads_a_board_that_was_built_anew_also_if_a_newcomer_found_it_first() {
    told_by_hand()
        .on_both_engines(async |house| {
            let (keeper, reader) = (admin(house).await, house.stranger());
            make_board(&keeper, "b", json!({ "operator": "set" })).await;
            submit(&keeper, "b", &[("ada", 1)]).await;
            let mut first = reader.listen("board:b").await;
            house.work("boards.tell").await;
            make_board(&keeper, "b", json!({ "operator": "set", "ties": "shared" })).await;
            let _newcomer = reader.listen("board:b").await;
            house.work("boards.tell").await;
            submit(&keeper, "b", &[("bea", 2)]).await;
            house.work("boards.tell").await;
            assert_eq!(first.next().await["type"], "reload");
            assert_eq!(first.next().await["type"], "patch");
        })
        .await;
}

#[tokio::test]
async fn readers_learn_how_they_stand_within_a_few_turns() {
    told_by_hand()
        .on_both_engines(async |house| {
            let (keeper, ada) = (admin(house).await, house.person("ada").await);
            make_board(&keeper, "b", json!({ "operator": "set" })).await;
            submit(&keeper, "b", &[(&ada.id, 1)]).await;
            let mut hers = ada.listen("board:b").await;
            let began = Instant::now();
            for round in 0..5 {
                submit(&keeper, "b", &[("bea", round)]).await;
                let turns = async {
                    loop {
                        house.work("boards.tell").await;
                    }
                };
                tokio::select! {
                    _ = mine(&mut hers) => {}
                    () = turns => {}
                }
            }
            // A turn that nobody rings for waits for a second.
            assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        })
        .await;
}

#[tokio::test]
async fn the_socket_of_guide_two_begins_with_a_snapshot_and_goes_on_with_patches() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let daily = json!({ "operator": "set", "reset": { "cron": "0 0 * * *" } });
        make_board(&keeper, "steps", daily).await;
        submit(&keeper, "steps", &[("ada", 5), ("bea", 7)]).await;
        let mut socket = ada.listen_at("/ws/leaderboard/steps").await;
        let first = socket.next().await;
        assert_eq!(first["type"], "snapshot");
        let expected = json!([
            { "rank": 1, "user_id": "bea", "score": 7 }, { "rank": 2, "user_id": "ada", "score": 5 },
        ]);
        assert_eq!(first["entries"], expected);
        submit(&keeper, "steps", &[("ada", 9)]).await;
        let patch = socket.next().await;
        let expected = json!([{ "place": 0, "rank": 1, "user_id": "ada", "score": 9 }]);
        assert_eq!((&patch["type"], &patch["entries"]), (&json!("patch"), &expected));
        house.clock().advance_s(86_400);
        submit(&keeper, "steps", &[("cid", 1)]).await;
        loop {
            let next = socket.next().await;
            if next["type"] == "snapshot" && next["entries"] != json!([]) {
                assert_eq!(next["entries"], json!([{ "rank": 1, "user_id": "cid", "score": 1 }]));
                break;
            }
        }
        let top = keeper.get("/api/v1/boards/steps/entries").await.expect(200);
        assert_eq!(ranks(&top), [("cid".into(), 1)]);
    })
    .await;
}
