//! What is asked of a board's entries, and how they are shown.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use mainstay_contract::ts::Ts;
use mainstay_core::error::{Fault, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    engine::Ranked,
    error::Error,
    model::{
        board::{BoardSettings, Ties},
        score::Written,
    },
    service::{boards::Board, periods::PeriodView, scores::Recorded, standings::Slice},
};

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct EntryView {
    /// From 1. With `shared` and `dense` ties several entries can have it. 0 in the answer to a score that was kept
    /// while its rank cannot be told.
    pub(crate) rank: u64,
    /// Whose.
    pub(crate) owner: String,
    /// One for each column.
    pub(crate) scores: Vec<Written>,
    /// When the scores came to what they are.
    pub(crate) updated_at: Ts,
    /// The tier that they play the season in, on a board with tiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tier: Option<String>,
    /// Their cohort in the season, for `?cohort=`; on a board with tiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cohort: Option<i64>,
    /// What was sent with them; of a past state, with the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
}

impl EntryView {
    /// What was recorded, with its rank, and the tier and cohort of its owner's seat.
    pub(in crate::service) fn of(
        settings: &BoardSettings,
        recorded: Recorded,
        rank: u64,
        seat: Option<&(String, i64)>,
    ) -> Self {
        Self {
            rank,
            owner: recorded.owner,
            scores: settings.show_scores(&recorded.scores),
            updated_at: recorded.updated_at,
            tier: seat.map(|(tier, _)| tier.clone()),
            cohort: seat.map(|(_, cohort)| *cohort),
            metadata: recorded.metadata,
        }
    }
}

/// Entries of a page. Clones share them and their text, which is written once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Items(Arc<Entries>);

#[derive(Debug, Default)]
struct Entries {
    views: Vec<EntryView>,
    text: OnceLock<Box<RawValue>>,
}

impl Items {
    /// As they are sent.
    ///
    /// # Errors
    /// If they cannot be written as JSON.
    pub(in crate::service) fn text(&self) -> Result<&RawValue, serde_json::Error> {
        let Entries { views, text } = &*self.0;
        match text.get() {
            Some(text) => Ok(text),
            None => {
                let written = to_raw_value(views)?;
                Ok(text.get_or_init(|| written))
            }
        }
    }
}

impl From<Vec<EntryView>> for Items {
    fn from(views: Vec<EntryView>) -> Self {
        Self(Arc::new(Entries { views, text: OnceLock::new() }))
    }
}

impl Deref for Items {
    type Target = [EntryView];

    fn deref(&self) -> &[EntryView] {
        &self.0.views
    }
}

impl Serialize for Items {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text().map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// A page of a board.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct EntriesPage {
    /// In the order of ranks.
    #[schemars(with = "Vec<EntryView>")]
    pub(crate) items: Items,
    /// Asks for the next page of the same standing; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// Entries in all.
    pub(crate) count: u64,
    /// The period that was read.
    pub(crate) period: PeriodView,
    /// The newest submission that is counted: a number that grows with each one.
    pub(crate) as_of: u64,
}

/// One owner's entry.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StandingView {
    /// The entry.
    #[serde(flatten)]
    pub(crate) entry: EntryView,
    /// How many of the others rank behind it, or share its rank, in per cent: 100 for the first of many.
    pub(crate) percentile: f64,
    /// Entries in all.
    pub(crate) count: u64,
    /// The newest submission that is counted.
    pub(crate) as_of: u64,
}

/// Which entries.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EntriesQuery {
    /// How many, 1 to 1,000; 20 if absent.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// `current` (if absent), `previous`, a period's number, or an instant in it.
    pub(crate) window: Option<String>,
    /// How the board stood at this instant, within `boards.history_days`; not with `window`.
    pub(crate) at: Option<Ts>,
    /// Ranks among one's like only: kind and value, such as `country:IN`.
    pub(crate) slice: Option<String>,
    /// Ranks among the caller and whom they follow only, of whom at most 10,000 are looked at.
    pub(crate) friends: bool,
    /// Ranks in one cohort of a board with tiers: its number, or `me` for the caller's; not with `friends`.
    pub(crate) cohort: Option<String>,
    /// The rank to begin with, if there is no cursor.
    pub(crate) from_rank: Option<u64>,
}

/// Whose entry, and in which period.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StandingQuery {
    /// How many entries around it, 1 to 100; 11 if absent.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) limit: Option<u32>,
    /// `current` (if absent), `previous`, a period's number, or an instant in it.
    pub(crate) window: Option<String>,
    /// How the board stood at this instant, within `boards.history_days`; not with `window`.
    pub(crate) at: Option<Ts>,
    /// Ranks among one's like only: kind and value, such as `country:IN`.
    pub(crate) slice: Option<String>,
    /// Ranks among the caller and whom they follow only, of whom at most 10,000 are looked at.
    pub(crate) friends: bool,
    /// Ranks in one cohort of a board with tiers: its number, or `me` for the caller's; not with `friends`.
    pub(crate) cohort: Option<String>,
}

/// Which period is asked for.
pub(super) enum Window {
    Current,
    Previous,
    Number(i64),
    At(Ts),
}

impl Window {
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Error> {
        let text = match text {
            None | Some("current") => return Ok(Self::Current),
            Some("previous") => return Ok(Self::Previous),
            Some(text) => text,
        };
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        text.parse().map(Self::At).map_err(|_odd| {
            let detail = "Ask for `current`, `previous`, a period's number, or an instant such as 2026-03-01T12:00:00Z.";
            Error::invalid("?window", "malformed", detail)
        })
    }
}

/// The slice of `board` that is asked for.
///
/// # Errors
/// `Invalid` for one that it does not have: it would look as if nobody were in it.
pub(in crate::service) fn slice_of(
    board: &Board,
    text: Option<&str>,
) -> Result<Option<Slice>, Error> {
    let Some(text) = text else { return Ok(None) };
    let Some((kind, value)) = text.split_once(':') else {
        let detail = "Write kind and value with a colon between them, such as `country:IN`.";
        return Err(Error::invalid("?slice", "malformed", detail));
    };
    let kinds = &board.settings.slices;
    match kinds.iter().any(|known| known == kind) {
        true => Ok(Some((kind.to_owned(), value.to_owned()))),
        false if kinds.is_empty() => {
            Err(Error::invalid("?slice", "unknown", "This board has no slices."))
        }
        false => {
            let known: Vec<&str> = kinds.iter().map(String::as_str).collect();
            let detail =
                format!("This board has no slices by `{kind}`, but by {}.", known.join(", "));
            Err(Error::invalid("?slice", "unknown", detail))
        }
    }
}

pub(super) fn limit_of(limit: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    match limit.unwrap_or(usual) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        _ => {
            let detail = format!("Ask for 1 to {most} entries.");
            Err(Problem::invalid(vec![Fault::new("?limit", "out_of_range", detail)]))
        }
    }
}

/// No board has so many entries, and Redis still tells the number from the next.
const FROM_MAX: u64 = 1 << 52;

impl EntriesQuery {
    /// The place of the first entry, from 0, when no cursor says it.
    pub(super) fn first(&self) -> u64 {
        self.from_rank.unwrap_or(1).clamp(1, FROM_MAX) - 1
    }
}

/// How many of the others stand behind an entry, in per cent; those who share its rank do, so that all of them are told
/// the same. A dense rank does not say how many are before, so there it is by place.
pub(super) fn percentile(ties: Ties, ranked: &Ranked, count: u64) -> f64 {
    let before = if ties == Ties::Dense { ranked.place } else { ranked.rank.saturating_sub(1) };
    let behind = count.saturating_sub(before + 1);
    match count {
        0 | 1 => 100.0,
        _ => (behind as f64 / (count - 1) as f64 * 10_000.0).round() / 100.0,
    }
}

/// The first of the `limit` places around one: half of the rest behind, the other half before, moved at the ends.
pub(in crate::service) fn first_around(place: u64, limit: u64, count: u64) -> u64 {
    let behind = limit / 2;
    let before = limit.saturating_sub(1 + behind);
    place.saturating_sub(before).min(count.saturating_sub(limit))
}
