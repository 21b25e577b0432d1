//! Facts of Boards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{define_id, id::UserId, ts::Ts};

define_id!(
    /// A competition in Boards.
    Competition => CompetitionId, "comp"
);

define_id!(
    /// A movement of money in Boards' ledger.
    Transfer => TransferId, "transfer"
);

/// How an owner stands after a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredV1 {
    /// Whose entry.
    pub owner: String,
    /// One for each column, in its smallest unit.
    pub scores: Vec<i64>,
    /// The submission that brought the scores to what they are; what carries a lower number is older.
    pub seq: i64,
    /// Slices that the owner is in, such as a country.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, String>,
}

facts! {
    /// Scores changed entries of a board: at most 1,000 in one fact, in the order in which they were taken.
    ScoresRecordedV1 = "boards.scores_recorded.v1" {
        /// The board's name.
        board: String,
        /// The board's number: another one when a board of that name was deleted and made again.
        board_no: i64,
        /// Which build of the board's entries.
        edition: i64,
        /// The period, counted from the board's first.
        period: i64,
        /// The entries as they are now.
        entries: Vec<ScoredV1>,
    }
    /// Entries of a board were removed: by their owners, by an administrator, by a ban. At most 1,000 in one fact.
    EntriesRemovedV1 = "boards.entries_removed.v1" {
        /// The board's name.
        board: String,
        /// The board's number.
        board_no: i64,
        /// Which build of the board's entries.
        edition: i64,
        /// The period.
        period: i64,
        /// Whose.
        owners: Vec<String>,
        /// The submission that removed them; scores with a higher number came after it.
        seq: i64,
    }
    /// A board was made, changed, built anew or deleted.
    BoardChangedV1 = "boards.board_changed.v1" {
        /// The board's name.
        board: String,
        /// The board's number.
        board_no: i64,
        /// The build of its entries that counts from now on.
        edition: i64,
        /// It is gone.
        deleted: bool,
        /// The row's version.
        version: i64,
    }
    /// Activity of a person was synced, and what counts of it changed.
    ActivityRecordedV1 = "boards.activity_recorded.v1" {
        /// Whose.
        user: UserId,
        /// What was measured, such as `steps`.
        metric: String,
        /// What measured it.
        source: String,
        /// When the interval begins.
        start: Ts,
        /// When it ends.
        end: Ts,
        /// What the source says of it now.
        value: i64,
        /// What that adds to what counts of the day in which it begins; below 0 when a sync takes something back.
        added: i64,
        /// What counts of that day now, of all sources.
        day_total: i64,
    }
    /// Something else counts of a day of a person's activity, although nothing was synced that begins in it: another
    /// order of sources, or a sync of a day beside it that covers some of its time.
    ActivityRecountedV1 = "boards.activity_recounted.v1" {
        /// Whose.
        user: UserId,
        /// What was measured, such as `steps`.
        metric: String,
        /// When the UTC day begins.
        day: Ts,
        /// What that adds to what counts of the day; below 0 when it takes something back.
        added: i64,
        /// What counts of that day now, of all sources.
        day_total: i64,
    }
    /// A person has reached a goal of theirs; said once for each metric and day, whatever is synced later.
    GoalReachedV1 = "boards.goal_reached.v1" {
        /// Who.
        user: UserId,
        /// Of what, such as `steps`.
        metric: String,
        /// When the UTC day begins.
        day: Ts,
        /// The goal.
        per_day: i64,
    }
    /// A person has achieved something; said once for each code.
    AchievementEarnedV1 = "boards.achievement_earned.v1" {
        /// Who.
        user: UserId,
        /// What, such as `streak_7`.
        code: String,
    }
    /// A competition was made, changed or called off, or its results became final.
    CompetitionChangedV1 = "boards.competition_changed.v1" {
        /// Which.
        competition: CompetitionId,
        /// Which activity counts.
        metric: String,
        /// When it begins.
        starts_at: Ts,
        /// When it ends.
        ends_at: Ts,
        /// It does not take place.
        cancelled: bool,
        /// Its results are final.
        settled: bool,
        /// The row's version.
        version: i64,
    }
    /// Somebody takes part in a competition, or does no longer: said of both, once each time.
    CompetitionJoinedV1 = "boards.competition_joined.v1" {
        /// Which.
        competition: CompetitionId,
        /// Who.
        user: UserId,
        /// In which team, if people play in teams.
        team: Option<String>,
        /// They have joined; else they have left.
        joined: bool,
        /// How many take part now.
        participant_count: i64,
    }
    /// The results of a competition are final.
    CompetitionEndedV1 = "boards.competition_ended.v1" {
        /// Which.
        competition: CompetitionId,
        /// Those with the best score; of many who are tied the first hundred.
        winners: Vec<UserId>,
        /// Who took part.
        participant_count: i64,
    }
    /// A prize was paid; said once for each person and competition.
    PrizePaidV1 = "boards.prize_paid.v1" {
        /// Of which competition.
        competition: CompetitionId,
        /// To whom.
        user: UserId,
        /// How much, in minor units.
        minor: i64,
        /// Of which currency.
        currency: String,
    }
    /// A period of a board is over: its ranks are final.
    PeriodClosedV1 = "boards.period_closed.v1" {
        /// The board's name.
        board: String,
        /// The board's number.
        board_no: i64,
        /// The build of the board's entries that counted.
        edition: i64,
        /// The period that is over; the next one has the next number.
        period: i64,
        /// When it began.
        starts_at: Ts,
        /// When it ended.
        ends_at: Ts,
    }
    /// A cohort of a season is over: who plays in another tier from now on. Said once for each cohort.
    CohortEndedV1 = "boards.cohort_ended.v1" {
        /// The board's name.
        board: String,
        /// The board's number.
        board_no: i64,
        /// The period that was the season.
        period: i64,
        /// The cohort, counted from the season's first.
        cohort: i64,
        /// Its tier.
        tier: String,
        /// Who moves up, the first in rank first; at most 1,000 together with those who move down.
        promoted: Vec<String>,
        /// Who moves down, in the order of ranks; then those without a score, by name.
        relegated: Vec<String>,
    }
    /// A season of a board is over, and everybody who played it knows their tier. Said once for each season, after all
    /// of its cohorts.
    SeasonEndedV1 = "boards.season_ended.v1" {
        /// The board's name.
        board: String,
        /// The board's number.
        board_no: i64,
        /// The period that was the season.
        period: i64,
        /// How many cohorts it had.
        cohort_count: i64,
    }
}
