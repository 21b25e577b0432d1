//! A board's settings, and what must hold for them.

use mainstay_core::error::{Fault, Faults};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine;

use super::{
    operate::Operator,
    schedule::Reset,
    score::{NotAScore, SCALE_MAX, Written},
    tier::Tiers,
};

/// The longest name of a board, in bytes.
pub const BOARD_ID_BYTES_MAX: usize = 128;
/// The longest name of an owner, in bytes.
pub const OWNER_BYTES_MAX: usize = 128;
/// The most columns.
pub const COLUMNS_MAX: usize = 5;
/// The longest title and name of a column, in characters.
const TITLE_CHARS_MAX: usize = 100;
/// The most kinds of slices, and the longest name of one, in bytes.
const SLICES_MAX: usize = 4;
const SLICE_BYTES_MAX: usize = 32;

/// Which score of a column ranks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The lowest.
    Asc,
    /// The highest.
    Desc,
}

/// What happens with equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Who got there first ranks first.
    Earliest,
    /// Ranks go by the owner's name.
    Owner,
    /// They share a rank, and the next one is left out: 1, 2, 2, 4.
    Shared,
    /// They share a rank, and none is left out: 1, 2, 2, 3.
    Dense,
}

/// Who sees a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody, signed in or not.
    #[default]
    Everybody,
    /// Whoever is signed in.
    SignedIn,
    /// Administrators, and API keys that write boards.
    Administrators,
}

/// A column of scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it is called, such as `points`.
    pub name: String,
    /// Which score ranks first.
    #[serde(default = "Column::first_direction")]
    pub direction: Direction,
    /// How many decimals its scores have.
    #[serde(default)]
    #[schemars(range(min = 0, max = 6))]
    pub scale: u8,
    /// The least that a submission may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Written>,
    /// The most that a submission may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Written>,
}

impl Column {
    const fn first_direction() -> Direction {
        Direction::Desc
    }

    /// What a submission may hold, in the column's smallest unit.
    pub fn bounds(&self) -> (i64, i64) {
        let bound = |bound: &Option<Written>, none| {
            bound.as_ref().and_then(|bound| bound.read(self.scale).ok()).unwrap_or(none)
        };
        (bound(&self.min, i64::MIN), bound(&self.max, i64::MAX))
    }
}

/// How often one owner may submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many submissions.
    #[schemars(range(min = 1, max = 10_000))]
    pub max: u32,
    /// In so many seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub per_s: u32,
}

/// A board as its owner configures it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoardSettings {
    /// What people see.
    pub title: String,
    /// Who sees it.
    #[serde(default)]
    pub audience: Audience,
    /// How scores are taken.
    pub operator: Operator,
    /// One to five; the first one counts first.
    pub columns: Vec<Column>,
    /// What happens with equal scores.
    #[serde(default = "BoardSettings::first_ties")]
    pub ties: Ties,
    /// Only administrators submit scores, for any owner. Else people submit their own.
    #[serde(default = "BoardSettings::first_authoritative")]
    pub authoritative: bool,
    /// When the board begins anew; never if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// How its periods are played as seasons, in tiers with promotion and relegation; needs `reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Tiers>,
    /// How many past periods are kept, the newest ones; others are erased with what was submitted in them. All that
    /// ended within `boards.history_days` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub periods_kept: Option<u32>,
    /// How often one owner may submit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// People send evidence with each score, such as a replay's address.
    #[serde(default)]
    pub evidence: bool,
    /// By what owners can be ranked among their like, such as `country` and `team`.
    #[serde(default)]
    pub slices: Vec<String>,
}

impl BoardSettings {
    const fn first_ties() -> Ties {
        Ties::Earliest
    }

    const fn first_authoritative() -> bool {
        true
    }

    /// The directions of the columns, in order.
    pub fn directions(&self) -> impl Iterator<Item = Direction> {
        self.columns.iter().map(|column| column.direction)
    }

    /// These settings, save for what decides which entries follow from submissions and how they are ordered, which is
    /// that of `others`. Both have as many columns.
    pub fn ranked_as(&self, others: &Self) -> Self {
        let mut settings = self.clone();
        (settings.operator, settings.ties) = (others.operator, others.ties);
        settings.slices.clone_from(&others.slices);
        for (column, other) in settings.columns.iter_mut().zip(&others.columns) {
            column.direction = other.direction;
        }
        settings
    }

    /// How its entries are ordered.
    pub fn order(&self) -> engine::Order {
        let directions = self.directions().map(|direction| match direction {
            Direction::Asc => engine::Direction::Asc,
            Direction::Desc => engine::Direction::Desc,
        });
        let ties = match self.ties {
            Ties::Earliest => engine::Ties::Earliest,
            Ties::Owner => engine::Ties::Owner,
            Ties::Shared => engine::Ties::Shared,
            Ties::Dense => engine::Ties::Dense,
        };
        engine::Order::new(directions.collect(), ties)
    }

    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        check_title(&self.title, "/title", &mut faults);
        let count = self.columns.len();
        faults.check((1..=COLUMNS_MAX).contains(&count), "/columns", "out_of_range", || {
            format!("Give one to {COLUMNS_MAX} columns.")
        });
        for (place, column) in self.columns.iter().take(COLUMNS_MAX + 1).enumerate() {
            let earlier = self.columns.get(..place).unwrap_or_default();
            check_column(column, place, earlier, &mut faults);
        }
        if let Some(reset) = &self.reset {
            reset.check("/reset", &mut faults);
        }
        if let Some(tiers) = &self.tiers {
            tiers.check(self.reset.is_some(), &mut faults);
        }
        faults.check(self.periods_kept != Some(0), "/periods_kept", "out_of_range", || {
            "Keep at least one past period.".into()
        });
        let rate = self.rate.is_none_or(|rate| rate.max > 0 && rate.per_s > 0);
        faults.check(rate, "/rate", "out_of_range", || {
            "Give at least one submission in at least one second.".into()
        });
        self.check_slices(&mut faults);
        faults.into_vec()
    }

    fn check_slices(&self, faults: &mut Faults) {
        faults.check(self.slices.len() <= SLICES_MAX, "/slices", "too_many", || {
            format!("Name at most {SLICES_MAX} kinds of slices.")
        });
        for (place, slice) in self.slices.iter().take(SLICES_MAX).enumerate() {
            let word = slice.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let fits = (1..=SLICE_BYTES_MAX).contains(&slice.len()) && word;
            faults.check(fits, format!("/slices/{place}"), "characters", || {
                format!("Use 1 to {SLICE_BYTES_MAX} small letters and `_`, such as `country`.")
            });
        }
    }

    /// The scores of a submission that are taken by `operator`, in their columns' units.
    ///
    /// # Errors
    /// Every fault, with pointers below `at`.
    pub fn read_scores(
        &self,
        scores: &[Written],
        operator: Operator,
        at: &str,
    ) -> Result<Vec<i64>, Vec<Fault>> {
        if scores.len() != self.columns.len() {
            let detail = format!("Send {} scores, one for each column.", self.columns.len());
            return Err(vec![Fault::new(format!("{at}/scores"), "columns", detail)]);
        }
        let mut faults = Vec::new();
        let mut read = Vec::with_capacity(scores.len());
        for (place, (column, written)) in self.columns.iter().zip(scores).enumerate() {
            match read_score(column, written, operator) {
                Ok(score) => read.push(score),
                Err((code, detail)) => {
                    faults.push(Fault::new(format!("{at}/scores/{place}"), code, detail));
                }
            }
        }
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }

    /// Scores as they are shown.
    pub fn show_scores(&self, scores: &[i64]) -> Vec<Written> {
        let columns = self.columns.iter().zip(scores);
        columns.map(|(column, score)| Written::of(*score, column.scale)).collect()
    }
}

fn read_score(
    column: &Column,
    written: &Written,
    operator: Operator,
) -> Result<i64, (&'static str, String)> {
    let odd = |error: NotAScore| (error.code(), error.to_string());
    let score = written.read(column.scale).map_err(odd)?;
    let (min, max) = column.bounds();
    if !(min..=max).contains(&score) {
        let show = |score| Written::of(score, column.scale);
        let detail = format!("`{}` goes from {} to {}.", column.name, show(min), show(max));
        return Err(("out_of_range", detail));
    }
    if operator == Operator::Decr && score < 0 {
        return Err(("out_of_range", "Send how much is taken off: 0 or more.".into()));
    }
    Ok(score)
}

fn check_title(title: &str, at: &str, faults: &mut Faults) {
    let chars = title.trim().chars().count();
    faults.check((1..=TITLE_CHARS_MAX).contains(&chars), at.to_owned(), "length", || {
        format!("Write 1 to {TITLE_CHARS_MAX} characters.")
    });
}

fn check_column(column: &Column, place: usize, earlier: &[Column], faults: &mut Faults) {
    let at = |name: &str| format!("/columns/{place}/{name}");
    check_title(&column.name, &at("name"), faults);
    let fresh = earlier.iter().all(|other| other.name != column.name);
    faults.check(fresh, at("name"), "taken", || "Give each column a name of its own.".into());
    faults.check(column.scale <= SCALE_MAX, at("scale"), "out_of_range", || {
        format!("A column has 0 to {SCALE_MAX} decimals.")
    });
    if column.scale > SCALE_MAX {
        return;
    }
    let mut bounds = Vec::new();
    for (name, bound) in [("min", &column.min), ("max", &column.max)] {
        match bound.as_ref().map(|bound| bound.read(column.scale)) {
            Some(Err(error)) => {
                faults.push(Fault::new(at(name), error.code(), error.to_string()));
            }
            Some(Ok(bound)) => bounds.push(bound),
            None => {}
        }
    }
    faults.check(bounds.is_sorted(), at("max"), "out_of_range", || {
        "The most is not below the least.".into()
    });
}

/// Whether `id` can name a board: 1 to 128 bytes of letters, digits, `-`, `_`, `.`, `:` and no reserved word.
pub fn is_board_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=BOARD_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain) && id != "rules"
}

/// Whether `owner` can have an entry: 1 to 128 bytes without control characters.
pub fn is_owner(owner: &str) -> bool {
    (1..=OWNER_BYTES_MAX).contains(&owner.len()) && !owner.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::panic, reason = "the test wrote the settings itself")]
    fn settings(json: &str) -> BoardSettings {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_board_needs_little_and_says_all_its_faults_at_once() {
        let plain = r#"{"title":"Runs","operator":"best","columns":[{"name":"points"}]}"#;
        assert_eq!(settings(plain).faults(), []);
        let odd = r#"{"title":" ","operator":"best","columns":[
            {"name":"a","scale":2,"min":"1.555","max":"0.00"}, {"name":"a","min":5,"max":4}],
            "reset":{"cron":"nonsense","time_zone":"Mars/Base"},"slices":["Country"]}"#;
        let faults = settings(odd).faults();
        let at: Vec<&str> = faults.iter().map(|fault| &*fault.pointer).collect();
        let expected = [
            "/title",
            "/columns/0/min",
            "/columns/1/name",
            "/columns/1/max",
            "/reset/cron",
            "/reset/time_zone",
            "/slices/0",
        ];
        assert_eq!(at, expected);
    }

    #[test]
    fn scores_are_held_to_their_columns() {
        let board = settings(
            r#"{"title":"Runs","operator":"best","columns":[
            {"name":"points","min":0,"max":100}, {"name":"time","direction":"asc","scale":3}]}"#,
        );
        let read = |json: &str| {
            let written: Vec<Written> = serde_json::from_str(json).unwrap_or_default();
            board.read_scores(&written, board.operator, "")
        };
        assert_eq!(read(r#"[7, "1.250"]"#), Ok(vec![7, 1_250]));
        assert_eq!(
            board.show_scores(&[7, 1_250]),
            [Written::Whole(7), Written::Text("1.250".into())]
        );
        let at = |json: &str| read(json).map_err(|faults| faults[0].pointer.to_string());
        assert_eq!(at("[7]"), Err("/scores".into()));
        assert_eq!(at("[101, 0]"), Err("/scores/0".into()));
        assert_eq!(at("[1, 0.5]"), Err("/scores/1".into()));
    }
}
