//! Competitions: made, called off. Lists, changes, joining, scores, results and prizes are beside.

mod editing;
mod ending;
mod joining;
mod paying;
mod scoring;
mod showing;

use mainstay_contract::{
    boards::{CompetitionChangedV1, CompetitionId},
    ts::Ts,
};
use mainstay_core::{
    db::{Json, Once, Tx},
    error::Faults,
    ids, params,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::showing::view;
pub(crate) use self::{
    editing::EditCompetition,
    ending::ResultsView,
    joining::Join,
    paying::PayoutView,
    scoring::{DayUpdate, LeaderboardEntry, activity_changed, ban_changed},
    showing::{After, CompetitionView},
};
use super::{Boards, acting::Acting, boards::create_in, ledger::Money};
use crate::{
    error::Error,
    model::{
        activity::is_name,
        board::{Audience, BoardSettings, Column, Direction, Ties},
        competition::{Teams, state},
        operate::Operator,
        prize::{PLACES_MAX, is_split},
    },
    store::{self, competitions::CompetitionRow},
};

/// The longest name and description, in characters.
const NAME_CHARS_MAX: usize = 100;
const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// The longest a competition may take, in days.
const DAYS_MAX: i64 = 366;
/// The highest fee, in minor units.
const FEE_MAX: i64 = 1_000_000_000;
/// The most people of a competition. Its results are made final in one commit, which this bounds.
const CAPACITY_MAX: i64 = 100_000;
/// What of the fees goes to the pool if nothing is said, in per cent; and how the pool is split.
const POOL_PERCENT: i64 = 60;
const PRIZE_SPLIT: [u32; 3] = [60, 30, 10];

/// A new competition.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCompetition {
    /// What people see.
    pub(crate) name: String,
    /// More about it.
    #[serde(default)]
    pub(crate) description: String,
    /// Which activity counts, such as `steps`.
    pub(crate) metric: String,
    /// When it begins.
    pub(crate) starts_at: Ts,
    /// When it ends, at most 366 days later.
    pub(crate) ends_at: Ts,
    /// Until when people can join; until it begins if absent.
    #[serde(default)]
    pub(crate) join_until: Option<Ts>,
    /// The most people; 100,000 if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) capacity: Option<i64>,
    /// How often somebody may send a day's figures by `/leaderboard/update`; any number if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) attempts_max: Option<i64>,
    /// What joining costs.
    #[serde(default)]
    pub(crate) fee: Option<Money>,
    /// What is charged besides for the convenience of paying; none of it goes to the pool.
    #[serde(default)]
    pub(crate) convenience_fee: Option<Money>,
    /// What of the fees goes to the pool, in per cent; 60 if absent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) pool_percent: Option<i64>,
    /// How the pool is split among the first places, in per cent; 60, 30, 10 if absent.
    #[serde(default)]
    pub(crate) prize_split: Option<Vec<u32>>,
    /// Whether people play in teams.
    #[serde(default)]
    pub(crate) teams: Option<Teams>,
}

impl NewCompetition {
    fn check(self, id: CompetitionId, currency: &str, now: Ts) -> Result<CompetitionRow, Error> {
        let mut faults = Faults::default();
        let name = self.name.trim().to_owned();
        faults.check(
            (1..=NAME_CHARS_MAX).contains(&name.chars().count()),
            "/name",
            "length",
            || format!("Write 1 to {NAME_CHARS_MAX} characters."),
        );
        let long = self.description.chars().count() > DESCRIPTION_CHARS_MAX;
        faults.check(!long, "/description", "too_long", || {
            format!("Write at most {DESCRIPTION_CHARS_MAX} characters.")
        });
        faults.check(is_name(&self.metric), "/metric", "characters", || {
            "Name an activity in small letters, such as `steps`.".into()
        });
        let length_us = self.ends_at.micros_since(self.starts_at);
        faults.check(
            (1..=DAYS_MAX * 86_400_000_000).contains(&length_us),
            "/ends_at",
            "out_of_range",
            || format!("End after the start, at most {DAYS_MAX} days later."),
        );
        faults.check(self.ends_at > now, "/ends_at", "in_the_past", || "End after now.".into());
        let join_until = self.join_until.unwrap_or(self.starts_at);
        faults.check(join_until <= self.ends_at, "/join_until", "out_of_range", || {
            "Let people join until the end at the latest.".into()
        });
        let within =
            |value: Option<i64>, most| value.is_none_or(|value| (1..=most).contains(&value));
        faults.check(within(self.capacity, CAPACITY_MAX), "/capacity", "out_of_range", || {
            format!("Take 1 to {CAPACITY_MAX} people.")
        });
        faults.check(within(self.attempts_max, 100_000), "/attempts_max", "out_of_range", || {
            "Allow 1 to 100000 attempts.".into()
        });
        let fee = minor_of(self.fee.as_ref(), "/fee", currency, &mut faults);
        let convenience_fee =
            minor_of(self.convenience_fee.as_ref(), "/convenience_fee", currency, &mut faults);
        let pool_percent = self.pool_percent.unwrap_or(POOL_PERCENT);
        faults.check((0..=100).contains(&pool_percent), "/pool_percent", "out_of_range", || {
            "Give 0 to 100 per cent of the fees to the pool.".into()
        });
        let prize_split = self.prize_split.unwrap_or_else(|| PRIZE_SPLIT.to_vec());
        faults.check(is_split(&prize_split), "/prize_split", "malformed", || {
            format!("Give 1 to {PLACES_MAX} shares in per cent, the largest first, 100 in all.")
        });
        faults.check(
            self.teams.is_none_or(|teams| teams.is_valid()),
            "/teams",
            "malformed",
            || "Say `sum`, `average`, or `best_n` with `n` from 1 to 1000.".into(),
        );
        if !faults.is_empty() {
            return Err(Error::Invalid(faults.into_vec()));
        }
        Ok(CompetitionRow {
            id,
            name,
            description: self.description,
            metric: self.metric,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            join_until,
            capacity: self.capacity,
            attempts_max: self.attempts_max,
            fee,
            convenience_fee,
            currency: currency.to_owned(),
            pool_percent,
            prize_split: Json(prize_split),
            teams: self.teams.map(Json),
            state: state::OPEN,
            participant_count: 0,
            certificate: None,
            refunded_to: None,
            created_at: now,
            version: 1,
        })
    }
}

fn minor_of(money: Option<&Money>, at: &'static str, currency: &str, faults: &mut Faults) -> i64 {
    let Some(money) = money else { return 0 };
    faults.check((0..=FEE_MAX).contains(&money.minor), at, "out_of_range", || {
        format!("Charge 0 to {FEE_MAX} minor units.")
    });
    faults.check(money.currency == currency, at, "currency", || {
        format!("This installation counts in {currency}.")
    });
    money.minor
}

/// The name of the board of teams.
pub(crate) fn teams_board(id: CompetitionId) -> String {
    format!("{id}.teams")
}

fn board_settings(title: &str, metric: &str) -> BoardSettings {
    BoardSettings {
        title: title.to_owned(),
        audience: Audience::Everybody,
        operator: Operator::Set,
        columns: vec![Column {
            name: metric.to_owned(),
            direction: Direction::Desc,
            scale: 0,
            min: None,
            max: None,
        }],
        ties: Ties::Shared,
        authoritative: true,
        reset: None,
        tiers: None,
        periods_kept: None,
        rate: None,
        evidence: false,
        slices: Vec::new(),
    }
}

impl Boards {
    /// Makes a competition with a board of its name.
    ///
    /// # Errors
    /// `Invalid` with every fault.
    pub(crate) async fn create_competition(
        &self,
        by: Acting,
        new: NewCompetition,
        once: Option<Once>,
    ) -> Result<CompetitionView, Error> {
        let currency = self.inner.config.currency.clone();
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (by, new, currency) = (by.clone(), new.clone(), currency.clone());
                Box::pin(async move {
                    let now = tx.now();
                    let row = new.check(ids::new_id(now), &currency, now)?;
                    store::competitions::add(tx, &row, by.user).await?;
                    let settings = board_settings(&row.name, &row.metric);
                    create_in(tx, &row.id.to_string(), settings, Some(row.id)).await?;
                    if row.teams.is_some() {
                        let settings = board_settings(&format!("{}: teams", row.name), &row.metric);
                        create_in(tx, &teams_board(row.id), settings, Some(row.id)).await?;
                    }
                    say_changed(tx, &row).await?;
                    let detail = json!({ "name": row.name });
                    by.note(tx, "boards.make_competition", row.id, detail).await?;
                    view(tx, row, None).await
                })
            })
            .await
    }

    /// Calls a competition off: everybody gets their money back, many of them a little later. Calling it off twice
    /// changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` once its results are final.
    pub(crate) async fn cancel_competition(
        &self,
        by: Acting,
        id: CompetitionId,
        once: Option<Once>,
    ) -> Result<(), Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                let by = by.clone();
                Box::pin(async move {
                    let mut row =
                        store::competitions::lock(tx, id).await?.ok_or(Error::NotFound)?;
                    match row.state {
                        state::CANCELLED => return Ok(()),
                        state::SETTLED => {
                            return Err(Error::conflict(
                                "Its results are final: it cannot be called off any more.",
                            ));
                        }
                        _ => {}
                    }
                    row.state = state::CANCELLED;
                    row.version += 1;
                    store::competitions::keep(tx, &row).await?;
                    say_changed(tx, &row).await?;
                    let detail = json!({ "participant_count": row.participant_count });
                    by.note(tx, "boards.cancel_competition", id, detail).await?;
                    joining::refund_some(tx, &row).await
                })
            })
            .await
    }
}

async fn say_changed(tx: &mut Tx, row: &CompetitionRow) -> Result<(), Error> {
    let fact = CompetitionChangedV1 {
        competition: row.id,
        metric: row.metric.clone(),
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        cancelled: row.state == state::CANCELLED,
        settled: row.state == state::SETTLED,
        version: row.version,
    };
    Ok(tx.emit(&fact, &[]).await?)
}
