//! `kill -9` of the program while people join and leave for money and prizes are approved: the ledger sums to zero,
//! everybody has paid for what they are in, and each prize is paid once.
//!
//! CI runs a tenth of the rounds; `cargo xtask soak money` runs all of them.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use mainstay_core::contract::ts::Ts;
use mainstay_testkit::{
    Dice, Postgres,
    program::{Answer, Client, eventually, id_of},
    soak,
};
use serde_json::{Value, json};

use crate::{
    kill::{address, flags},
    program::{Place, Serving},
};

const PASSWORD: &str = "correct horse battery";
const PLAYERS: usize = 12;

/// The people, and what they play.
struct House {
    keeper: Client,
    second: Client,
    players: Vec<Client>,
    /// Nobody has done anything, so all share each pool.
    over: Vec<String>,
    /// People come and go.
    open: String,
}

fn money(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "INR" })
}

async fn made(keeper: &Client, starts_at: Ts, ends_at: Ts) -> String {
    let new = json!({
        "name": "Race", "metric": "steps", "starts_at": starts_at, "ends_at": ends_at, "join_until": ends_at,
        "fee": money(5_003), "convenience_fee": money(200),
    });
    id_of(&keeper.post("/api/v1/competitions", new).await.expect(201)).to_owned()
}

impl House {
    /// With what is over for so many rounds.
    async fn found(place: &Place, serving: &Serving, flags: &str, rounds: u64) -> Self {
        let stranger = Client::stranger_at(address(serving));
        let staff = async |handle: &str| {
            let words = format!(
                "user create {handle} --email {handle}@example.org --role admin --password-stdin {flags}"
            );
            place.run_with(&words, PASSWORD);
            let login = json!({ "login": handle, "password": PASSWORD });
            let answer = stranger.post("/api/v1/auth/login", login).await.expect(200);
            stranger.clone().signed_in(&answer)
        };
        let (keeper, second) = (staff("keeper").await, staff("second").await);
        let mut players = Vec::new();
        for n in 0..PLAYERS {
            let new = json!({
                "handle": format!("player{n}"), "email": format!("player{n}@example.org"), "password": PASSWORD,
            });
            let answer = stranger.post("/api/v1/auth/register", new).await.expect(201);
            players.push(stranger.clone().signed_in(&answer));
        }
        let now = mainstay_core::clock::Clock::system().now();
        let open = made(&keeper, now.plus_s(86_400), now.plus_s(2 * 86_400)).await;
        let mut over = Vec::new();
        // All players join all of them until then.
        let ends_at = now.plus_s(8 + rounds.cast_signed() / 8);
        for _ in 0..rounds {
            over.push(made(&keeper, now.plus_s(-60), ends_at).await);
        }
        let joins = over.iter().flat_map(|id| {
            let path = format!("/api/v1/competitions/{id}/join");
            players.iter().map(move |player| player.post(&path, json!({})).into_future())
        });
        for answer in join_all(joins).await {
            answer.expect(200);
        }
        for id in &over {
            let path = format!("/api/v1/competitions/{id}/results");
            eventually("the results are final", async || keeper.get(&path).await.status == 200)
                .await;
        }
        Self { keeper, second, players, over, open }
    }

    fn moved_to(&mut self, at: SocketAddr) {
        let Self { keeper, second, players, .. } = self;
        for person in players.iter_mut().chain([keeper, second]) {
            *person = person.moved_to(at);
        }
    }

    /// People come and go, and one pay-out is proposed and approved, until the program is gone. Whether it was
    /// approved, as far as somebody was told.
    async fn storm(&self, round: usize, kill: impl FnOnce(), dice: &mut Dice) -> bool {
        let (acknowledged, approved) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let enough = 1 + dice.below(60);
        let open = format!("/api/v1/competitions/{}/join", self.open);
        let moving = join_all(self.players.iter().zip(0..).map(async |(player, n)| {
            let mut dice = Dice::of((round as u64) << 8 | n);
            loop {
                let request = match dice.once_in(2) {
                    true => player.post(&open, json!({})),
                    false => player.delete(&open),
                };
                let Some(_) = answered(request.attempt().await) else { return };
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let payout = format!("/api/v1/competitions/{}/payout", self.over[round]);
        let approving = async {
            let proposed = self.keeper.post(&payout, Value::Null).attempt().await;
            if answered(proposed).is_none() {
                return;
            }
            let approve = format!("{payout}/approve");
            let approvals = (0..8).map(|_| self.second.post(&approve, Value::Null).attempt());
            for answer in join_all(approvals).await {
                approved.fetch_add(usize::from(answered(answer).is_some()), Ordering::Relaxed);
            }
        };
        let killing = async {
            eventually("the kill", async || acknowledged.load(Ordering::Relaxed) >= enough).await;
            kill();
        };
        tokio::join!(moving, approving, killing);
        approved.into_inner() > 0
    }

    /// What is there now adds up.
    async fn check(&self) {
        let sum: i64 = all(&self.keeper, "/api/v1/ledger/balances?limit=100")
            .await
            .iter()
            .map(|one| one["balance"]["minor"].as_i64().unwrap())
            .sum();
        assert_eq!(sum, 0, "the ledger sums to zero");
        for player in &self.players {
            let entries = all(player, "/api/v1/ledger/entries?limit=100").await;
            let count = |reference: &str, kind: &str| {
                let same = |one: &&Value| one["reference"] == *reference && one["kind"] == *kind;
                entries.iter().filter(same).count()
            };
            let shown =
                player.get(&format!("/api/v1/competitions/{}", self.open)).await.expect(200);
            let paid = count(&self.open, "entry_fee") - count(&self.open, "refund");
            assert_eq!(paid == 1, shown["joined"] == true, "{}: {paid}", player.handle);
            let minor = |one: &Value| one["amount"]["minor"].as_i64().unwrap();
            let own = all(player, "/api/v1/ledger/balances?limit=100").await;
            let balance = own[0]["balance"]["minor"].as_i64().unwrap();
            assert_eq!(balance, entries.iter().map(minor).sum::<i64>(), "{}", player.handle);
            for id in &self.over {
                let payout = self.keeper.get(&format!("/api/v1/competitions/{id}/payout")).await;
                let paid = payout.status == 200 && payout.json()["paid_at"].is_string();
                assert_eq!(count(id, "prize"), usize::from(paid), "{} in {id}", player.handle);
            }
        }
    }
}

/// The body of an answer that says that it was done; otherwise the program is gone.
fn answered<E>(answer: Result<Answer, E>) -> Option<Value> {
    let answer = answer.ok()?;
    match answer.status {
        503 => None,
        _ => Some(answer.expect(200)),
    }
}

async fn all(reader: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = reader.get(&format!("{path}{cursor}")).await.expect(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

async fn kill_while_money_moves(place: &Place, flags: &str) {
    let mut serving = place.serve_with(flags);
    let rounds = soak::rounds(4);
    let mut house = House::found(place, &serving, flags, rounds).await;
    let mut dice = Dice::of(soak::seed(1));
    for round in 0..rounds as usize {
        let approved = house.storm(round, || serving.kill(), &mut dice).await;
        serving = place.serve_with(flags);
        house.moved_to(address(&serving));
        house.check().await;
        let payout = format!("/api/v1/competitions/{}/payout", house.over[round]);
        if approved {
            let shown = house.keeper.get(&payout).await.expect(200);
            assert_eq!(shown["approved_by"], house.second.id, "what was acknowledged stays");
        }
        // Whoever was not answered asks again.
        house.keeper.post(&payout, Value::Null).await.expect(200);
        house.second.post(&format!("{payout}/approve"), Value::Null).await.expect(200);
        house.check().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_on_sqlite_pays_each_prize_once_and_keeps_the_ledger_even() {
    let place = Place::new();
    kill_while_money_moves(&place, &flags(&place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_on_postgres_pays_each_prize_once_and_keeps_the_ledger_even() {
    let postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let place = Place::new();
    let flags = format!("{} --set db.url={url}", flags(&place));
    kill_while_money_moves(&place, &flags).await;
}
