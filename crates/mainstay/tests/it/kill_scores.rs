//! `kill -9` of the program between record and memory, while many add to their scores: no acknowledged point is lost, a
//! repeat with the same key counts none twice, and after each start the board is what its submissions make of it.
//!
//! CI runs a tenth of the rounds; `cargo xtask soak scores` runs all of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use mainstay_testkit::{
    Dice, Postgres,
    program::{Client, eventually},
    soak,
};
use serde_json::{Value, json};

use crate::{
    kill::{address, flags},
    program::Place,
};

const PASSWORD: &str = "correct horse battery";
const WRITERS: usize = 16;
/// Owners that each writer adds to in one request.
const OWNERS: usize = 5;
const BOARD: &str = "/api/v1/boards/b";

/// Somebody who adds a point to owners of their own, again and again.
struct Writer {
    client: Client,
    number: usize,
    /// Lists that were acknowledged.
    taken: i64,
    /// The key of the list that was not answered.
    open: Option<String>,
}

impl Writer {
    /// Sends a list; what is not answered is sent again with its key the next time. False when the program is gone.
    async fn add(&mut self) -> bool {
        let next = || format!("writer-{}-{}", self.number, self.taken);
        let key = self.open.take().unwrap_or_else(next);
        let list: Vec<Value> =
            (0..OWNERS).map(|n| json!({ "owner": owner(self.number, n), "scores": [1] })).collect();
        let request = self.client.post(&format!("{BOARD}/scores"), json!(list)).once(&key);
        let done = match request.attempt().await {
            Ok(answer) if answer.status == 503 => false,
            Ok(answer) => {
                let answer = answer.expect(200);
                answer["items"].as_array().unwrap().iter().all(|item| item["status"] == 200)
            }
            Err(_gone) => false,
        };
        match done {
            true => self.taken += 1,
            false => self.open = Some(key),
        }
        done
    }
}

fn owner(writer: usize, n: usize) -> String {
    format!("owner-{writer:02}-{n}")
}

/// Every entry, page by page: owner, score and rank.
async fn entries(reader: &Client) -> Vec<(String, i64, u64)> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("{BOARD}/entries?limit=50{cursor}")).await.expect(200);
        all.extend(page["items"].as_array().unwrap().iter().map(|entry| {
            let name = entry["owner"].as_str().unwrap().to_owned();
            (name, entry["scores"][0].as_i64().unwrap(), entry["rank"].as_u64().unwrap())
        }));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn kill_while_scores_are_added(place: &Place, flags: &str) {
    let mut serving = place.serve_with(flags);
    let words = format!(
        "user create keeper --email keeper@example.org --role admin --password-stdin {flags}"
    );
    place.run_with(&words, PASSWORD);
    let login = json!({ "login": "keeper", "password": PASSWORD });
    let stranger = Client::stranger_at(address(&serving));
    let answer = stranger.post("/api/v1/auth/login", login).await.expect(200);
    let mut keeper = stranger.signed_in(&answer);
    let board = |ties: &str| json!({ "title": "B", "operator": "incr", "columns": [{ "name": "points" }], "ties": ties });
    keeper.put(BOARD).json(&board("owner")).await.expect(200);
    let writer = |number| Writer { client: keeper.clone(), number, taken: 0, open: None };
    let mut writers: Vec<Writer> = (0..WRITERS).map(writer).collect();
    let mut dice = Dice::of(soak::seed(1));
    for round in 0..soak::rounds(10) {
        let acknowledged = AtomicUsize::new(0);
        let enough = 1 + dice.below(300);
        let adding = join_all(writers.iter_mut().map(async |writer| {
            while writer.add().await {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let killing = async {
            eventually("the kill", async || acknowledged.load(Ordering::Relaxed) >= enough).await;
            serving.kill();
        };
        tokio::join!(adding, killing);

        serving = place.serve_with(flags);
        keeper = keeper.moved_to(address(&serving));
        // Whoever was not answered asks again.
        for writer in &mut writers {
            writer.client = writer.client.moved_to(address(&serving));
            if writer.open.is_some() {
                assert!(writer.add().await, "round {round}");
            }
        }
        let shown = entries(&keeper).await;
        let mut expected: Vec<(String, i64)> = writers
            .iter()
            .filter(|writer| writer.taken > 0)
            .flat_map(|writer| (0..OWNERS).map(|n| (owner(writer.number, n), writer.taken)))
            .collect();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let expected: Vec<(String, i64, u64)> = expected
            .into_iter()
            .zip(1..)
            .map(|((name, score), rank)| (name, score, rank))
            .collect();
        assert_eq!(shown, expected, "round {round}: what was acknowledged, once");
        // Another rule for ties builds the board anew from its submissions.
        keeper.put(BOARD).json(&board("earliest")).await.expect(200);
        keeper.put(BOARD).json(&board("owner")).await.expect(200);
        assert_eq!(entries(&keeper).await, shown, "round {round}: built anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_on_sqlite_loses_no_score_and_counts_none_twice() {
    let place = Place::new();
    kill_while_scores_are_added(&place, &flags(&place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_on_postgres_loses_no_score_and_counts_none_twice() {
    let postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let place = Place::new();
    let flags = format!("{} --set db.url={url}", flags(&place));
    kill_while_scores_are_added(&place, &flags).await;
}
