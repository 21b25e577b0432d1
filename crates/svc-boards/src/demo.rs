//! A demonstration: a competition whose players climb while one looks, one that is over, and one that is to come.
//!
//! Everything goes through the use cases, so that money, results and ranks are those of real use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainstay_contract::{boards::CompetitionId, id::UserId, ts::Ts};
use mainstay_core::{
    auth::{Caller, Role},
    clock::Clock,
    error::Problem,
    jobs::Periodic,
};

use crate::{
    error::Error,
    model::competition::Phase,
    service::{Acting, Boards, EntriesQuery, Join, Money, NewActivity, NewCompetition},
};

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
/// The most players.
const PLAYERS_MAX: usize = 40;
/// How often somebody moves, and how many at a time.
const CLIMB_EVERY: Duration = Duration::from_secs(1);
const CLIMBERS: usize = 3;
/// The least and the most that somebody walks in a second.
const STEPS_PER_S_MAX: i64 = 6;
/// How far back a first step reaches.
const FIRST_S: i64 = 10;
/// The longest that one walk is said to have taken.
const WALK_S_MAX: i64 = 60;
const NAME: &str = "Steps of the week";

/// Why the demonstration could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make the competitions of the demo")]
pub struct DemoError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl From<Error> for DemoError {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

/// Numbers that look random; the same for the same beginning (splitmix64).
struct Chance(u64);

impl Chance {
    fn within(&mut self, least: i64, most: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let span = most.abs_diff(least).saturating_add(1);
        least.saturating_add_unsigned((mixed ^ (mixed >> 31)) % span)
    }
}

/// Fills empty records with competitions of `people`, the administrators among them only as those who make them.
/// `clock` is a manual one that stands at the present; it is moved on by some seconds.
///
/// # Errors
/// What the engine says. The records are then of no use and are thrown away.
pub async fn fill(boards: &Boards, clock: &Clock, people: &[Caller]) -> Result<(), DemoError> {
    let Some(admin) = people.iter().find(|person| person.role == Role::Admin) else {
        return Ok(());
    };
    let players = people.iter().filter(|person| person.role == Role::User).take(PLAYERS_MAX);
    let players: Vec<&Caller> = players.collect();
    let midnight = {
        let now_s = clock.now().as_micros().div_euclid(1_000_000);
        Ts::from_micros(now_s.div_euclid(DAY_S) * DAY_S * 1_000_000)
    };
    let now = clock.now();
    let inr = |minor| Some(Money { minor, currency: boards.currency().to_owned() });
    let new = |name: &str, description: &str, starts_at: Ts, ends_at: Ts| NewCompetition {
        name: name.into(),
        description: description.into(),
        metric: "steps".into(),
        starts_at,
        ends_at,
        join_until: Some(ends_at),
        capacity: Some(100),
        attempts_max: None,
        fee: inr(5_000),
        convenience_fee: inr(200),
        pool_percent: None,
        prize_split: None,
        teams: None,
    };
    let week = new(
        NAME,
        "Everybody's watch counts. The three who walk most share the pool.",
        midnight.plus_s(-2 * DAY_S),
        midnight.plus_s(5 * DAY_S),
    );
    // Over as soon as the clock is moved.
    let begun = midnight.plus_s(-7 * DAY_S);
    let over =
        new("Warm-up", "A week of steps. It is over, and its prizes wait.", begun, now.plus_s(1));
    let (begins, until) = (midnight.plus_s(6 * DAY_S), midnight.plus_s(13 * DAY_S));
    let words = "Join before it begins; until then the fee comes back.";
    let later =
        NewCompetition { join_until: Some(begins), ..new("Next week", words, begins, until) };
    let by = Acting { user: admin.user, origin: String::new() };
    let mut ids = Vec::new();
    for new in [week, over, later] {
        ids.push(boards.create_competition(by.clone(), new, None).await?.id);
    }
    // Before the walks: only days that are told while a goal stands earn something.
    if let Some(looking) = players.first() {
        boards.set_goal(looking.user, "steps", 8_000, None).await?;
    }
    let mut chance = Chance(players.len() as u64);
    for (place, player) in players.iter().enumerate() {
        for id in ids.iter().take(2) {
            boards.join_competition(player.user, *id, Join::default(), None).await?;
        }
        if let Some(later) = ids.last().filter(|_| place % 3 == 1) {
            boards.join_competition(player.user, *later, Join::default(), None).await?;
        }
        boards.sync(player, walks(midnight, now, &mut chance), None).await?;
    }
    clock.advance_s(2);
    boards.settle_competitions().await?;
    if let Some(over) = ids.get(1) {
        // It waits for the other administrator, as whom one signs in first.
        let second = people.iter().rfind(|person| person.role == Role::Admin);
        let second =
            second.map_or(by, |second| Acting { user: second.user, origin: String::new() });
        boards.propose_payout(second, *over, None).await?;
    }
    Ok(())
}

/// What somebody's watch says of nine days, hour by hour; so much alike that whoever walks on passes others soon.
fn walks(midnight: Ts, now: Ts, chance: &mut Chance) -> Vec<Result<NewActivity, Problem>> {
    let mut walks = Vec::new();
    for hour in (-8 * 24..24_i64).filter(|hour| (7..22).contains(&hour.rem_euclid(24))) {
        let start = midnight.plus_s(hour * HOUR_S);
        if start.plus_s(HOUR_S) < now {
            let (end, value) = (start.plus_s(HOUR_S), chance.within(450, 800));
            walks.push(Ok(walk("watch", start, end, value)));
        }
    }
    walks
}

fn walk(source: &str, start: Ts, end: Ts, value: i64) -> NewActivity {
    let (source, metric) = (source.to_owned(), "steps".to_owned());
    NewActivity { user_id: None, source, metric, start, end, value, revision: None }
}

/// Lets players of the demonstration walk on while it is shown.
pub(crate) fn climb(boards: &Boards) -> Periodic {
    let (boards, walked) = (boards.clone(), Arc::new(Mutex::new(Walked::default())));
    Periodic {
        name: "boards.demo",
        every: CLIMB_EVERY,
        run: Arc::new(move || {
            let (boards, walked) = (boards.clone(), walked.clone());
            Box::pin(async move {
                climb_once(&boards, &walked).await.map_err(|error| error.to_string())
            })
        }),
    }
}

/// Until when the walks of each player are told.
#[derive(Default)]
struct Walked {
    until: HashMap<String, Ts>,
    turn: usize,
}

async fn climb_once(boards: &Boards, walked: &Mutex<Walked>) -> Result<(), Error> {
    let Some(id) = shown(boards).await? else { return Ok(()) };
    let query = EntriesQuery { limit: Some(100), ..EntriesQuery::default() };
    let page = boards.entries(None, &id.to_string(), &query).await?;
    let mut players: Vec<String> = page.items.iter().map(|entry| entry.owner.clone()).collect();
    players.sort();
    let now = boards.now();
    let mut chance = Chance(now.as_micros().unsigned_abs());
    let turn = {
        let mut walked = walked.lock().unwrap_or_else(PoisonError::into_inner);
        walked.turn = walked.turn.wrapping_add(CLIMBERS);
        walked.turn
    };
    let climbers = players.iter().cycle().skip(turn % players.len().max(1)).take(CLIMBERS);
    for owner in climbers.take(players.len()) {
        let Ok(user) = owner.parse::<UserId>() else { continue };
        let from = {
            let mut walked = walked.lock().unwrap_or_else(PoisonError::into_inner);
            let before = walked.until.insert(owner.clone(), now);
            before.unwrap_or(now.plus_s(-FIRST_S)).max(now.plus_s(-WALK_S_MAX))
        };
        let most = now.micros_since(from) / 1_000_000 * STEPS_PER_S_MAX;
        // A walk that is refused, as one after a day of them is, did not take place.
        drop(boards.sync_one(user, walk("phone", from, now, chance.within(0, most))).await?);
    }
    Ok(())
}

/// The competition that goes on.
async fn shown(boards: &Boards) -> Result<Option<CompetitionId>, Error> {
    let (active, _) = boards.competitions(None, false, Some(Phase::Active), None, 1).await?;
    Ok(active.first().map(|competition| competition.id))
}
