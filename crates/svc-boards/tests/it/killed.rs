//! `kill -9` while a large season is settled, again and again: each cohort is settled once, and every seat of the next
//! season is the one that it would have been.
//!
//! The test runs itself again as a child, which is the program; the child says how far it has come.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use mainstay_core::{
    auth::Role,
    contract::{
        Fact,
        boards::{CohortEndedV1, SeasonEndedV1},
    },
    db::{Position, Sql},
};
use mainstay_testkit::{
    Dice,
    program::{PASSWORD, Program, eventually},
};
use serde_json::{Value, json};

use crate::{make_board, setup};

/// Set in the child: the folder of its program, and how many days after the board was made it is.
const FOLDER: &str = "SVC_BOARDS_KILLED_FOLDER";
const DAYS: &str = "SVC_BOARDS_KILLED_DAYS";
const NAME: &str = "killed::a_season_is_settled_once_whatever_is_killed";
const DAY_S: i64 = 86_400;
const OWNERS: u32 = 20_000;
const COHORT: u32 = 50;

static REACHED: Sql = Sql::new("select settled_cohort, state from boards.season where period = 1");
static SEATS: Sql = Sql::new("select owner, tier, cohort from boards.seat where period = 2");
static EARNED: Sql =
    Sql::new("select owner, next_tier from boards.seat where period = 1 and next_tier is not null");
static OPEN: Sql = Sql::new("select count(*) from boards.season where state <> 2");

async fn submit(house: &Program, owners: impl Iterator<Item = u32>) {
    let login = json!({ "login": "keeper", "password": PASSWORD });
    let keeper = house.stranger().post("/api/v1/auth/login", login).await.expect(200);
    let keeper = house.stranger().signed_in(&keeper);
    let list: Vec<Value> =
        owners.map(|n| json!({ "owner": format!("o{n:05}"), "scores": [n] })).collect();
    for some in list.chunks(10_000) {
        keeper.post("/api/v1/boards/b/scores", json!(some)).await.expect(200);
    }
}

/// Who scores in the second season, in this order.
fn second_season() -> impl Iterator<Item = u32> {
    (0..OWNERS).rev().step_by(3)
}

async fn reached(house: &Program) -> (i64, i64) {
    house.db("boards").read().await.unwrap().one(&REACHED, &[]).await.unwrap()
}

/// In the child: the season ends, on the first day somebody scores in the next, and how far it is settled is a line.
async fn settle_and_tell(folder: &Path, days: i64) {
    let house = setup().holding_the_clock().start_in(folder).await;
    house.clock().advance_s(days * DAY_S);
    house.work("boards.close_periods").await;
    if days == 1 {
        submit(&house, second_season()).await;
    }
    eventually("it is killed", async || {
        let (cohort, state) = reached(&house).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n> {cohort} {state}").unwrap();
        out.flush().unwrap();
        false
    })
    .await;
}

struct Settling {
    child: Child,
    lines: Box<dyn Iterator<Item = (i64, i64)>>,
}

impl Settling {
    fn start(folder: &Path, days: i64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", NAME]).env(FOLDER, folder);
        command.env(DAYS, days.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let lines = lines.filter_map(|line| {
            let (cohort, state) = line.strip_prefix("> ")?.split_once(' ')?;
            Some((cohort.parse().ok()?, state.parse().ok()?))
        });
        Self { child, lines: Box::new(lines) }
    }

    /// Waits until it has come further than `before`, and a little longer; kills it and says how far it had come.
    fn kill_beyond(&mut self, before: i64, looks: usize) -> (i64, i64) {
        let beyond = |(cohort, state): &(i64, i64)| *cohort > before || *state == 2;
        let mut last = self.lines.find(beyond).unwrap();
        if let Some(later) = self.lines.by_ref().take(looks).last() {
            last = later;
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        last
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn facts<F: Fact>(house: &Program) -> Vec<F> {
    let db = house.db("boards");
    let mut tx = db.read().await.unwrap();
    let all = db.outbox().after(&mut tx, Position::default(), 100_000).await.unwrap();
    all.iter().filter_map(|fact| fact.read()).collect()
}

fn number(owner: &str) -> u32 {
    owner.trim_start_matches('o').parse().unwrap()
}

/// Of each fifty the last five move up.
fn earned(n: u32) -> i64 {
    i64::from(n % COHORT >= COHORT - 5)
}

#[tokio::test]
async fn a_season_is_settled_once_whatever_is_killed() {
    if let (Some(folder), Some(days)) = (std::env::var_os(FOLDER), std::env::var_os(DAYS)) {
        let days = days.to_str().unwrap().parse().unwrap();
        return settle_and_tell(Path::new(&folder), days).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let house = setup().holding_the_clock().start_in(folder.path()).await;
    let keeper = house.person_as(Role::Admin, "keeper").await;
    let tiers = json!({
        "names": ["bronze", "silver"], "cohort_size": COHORT, "promote": { "percent": 10 }, "relegate": { "count": 0 },
    });
    let board = json!({ "operator": "set", "reset": { "cron": "0 0 * * *" }, "tiers": tiers });
    make_board(&keeper, "b", board).await;
    submit(&house, 0..OWNERS).await;
    house.end().await;
    let (mut dice, mut at, mut kills) = (Dice::of(11), (0, 1), 0);
    while at.1 != 2 {
        kills += 1;
        let mut settling = Settling::start(folder.path(), kills);
        at = settling.kill_beyond(at.0, dice.below(6));
    }
    assert!(kills > 2, "it was killed in the middle");
    let house = setup().holding_the_clock().start_in(folder.path()).await;
    house.clock().advance_s((kills + 1) * DAY_S);
    house.work("boards.close_periods").await;
    eventually("everything is settled but the present season", async || {
        let open: (i64,) = house.db("boards").read().await.unwrap().one(&OPEN, &[]).await.unwrap();
        open == (1,)
    })
    .await;
    let ended: Vec<CohortEndedV1> = facts(&house).await;
    let mut once: Vec<_> = ended.iter().map(|it| (it.period, it.cohort)).collect();
    let count = once.len();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), count, "each cohort is settled once");
    assert_eq!(once.iter().filter(|(period, _)| *period == 1).count() as u32, OWNERS / COHORT);
    let seasons: Vec<SeasonEndedV1> = facts(&house).await;
    assert_eq!(seasons.iter().filter(|it| it.period == 1).count(), 1);
    let mut tx = house.db("boards").read().await.unwrap();
    let all: Vec<(String, i64)> = tx.all(&EARNED, &[]).await.unwrap();
    assert_eq!(all.len() as u32, OWNERS);
    for (owner, tier) in all {
        assert_eq!(tier, earned(number(&owner)), "{owner}");
    }
    // Who scored first took the first seat.
    let mut filling: BTreeMap<i64, (i64, u32)> = BTreeMap::new();
    let mut newest = 0;
    let mut expected = BTreeMap::new();
    for n in second_season() {
        let cohort = filling.entry(earned(n)).or_insert((0, COHORT));
        if cohort.1 == COHORT {
            newest += 1;
            *cohort = (newest, 0);
        }
        cohort.1 += 1;
        expected.insert(n, (earned(n), cohort.0));
    }
    let seats: Vec<(String, i64, i64)> = tx.all(&SEATS, &[]).await.unwrap();
    let seats: BTreeMap<u32, (i64, i64)> =
        seats.into_iter().map(|(owner, tier, cohort)| (number(&owner), (tier, cohort))).collect();
    assert!(seats == expected, "the seats of the second season are others");
    drop(tx);
    house.end().await;
}
