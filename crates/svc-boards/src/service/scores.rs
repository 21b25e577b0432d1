//! Scores as they are submitted: who may, what is looked at, what is answered. `record` writes them.

mod evidence;
pub(crate) mod intake;
mod rebuild;
mod record;
mod replay;

use std::{collections::HashMap, sync::Arc, time::Duration};

use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::{Caller, Scope},
    db::{DbError, Once},
    error::{Code, Fault, Problem},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::intake::Checked;
pub(crate) use self::{
    evidence::EvidenceView,
    rebuild::{AT_ONCE_MAX, BUILD_JOB, ERASE_JOB, differ, rebuild_within},
    record::{record, remove, say_removed},
    replay::{Banned, Replay},
};
use super::{Boards, boards::Board, entries::EntryView, tiers::Seats};
use crate::{
    error::Error,
    model::{
        board::{BoardSettings, OWNER_BYTES_MAX, is_owner},
        operate::Operator,
        score::Written,
    },
    store::{
        self,
        scores::{Place, Slices},
    },
};

/// How long an answer to a score waits for its rank.
const STAND_WITHIN: Duration = Duration::from_secs(5);
/// The most scores in one request.
pub(crate) const SCORES_MAX: usize = 10_000;
/// The longest metadata and evidence, in bytes of JSON.
const METADATA_BYTES_MAX: usize = 4 << 10;
/// The longest value of a slice, in bytes.
const SLICE_BYTES_MAX: usize = 64;

/// Whether `caller` writes for others, as a game's server does.
pub(crate) fn is_server(caller: &Caller) -> bool {
    caller.has(Scope::BoardsWrite)
}

fn written_by_people(board: &Board) -> Result<(), Error> {
    match board.competition {
        None => Ok(()),
        Some(_) => Err(Error::conflict(
            "The scores of a competition come from activity: send that instead.",
        )),
    }
}

/// Who submits a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Submitter {
    /// Somebody, for themselves: the name that they have on boards.
    Person(String),
    /// Somebody who writes for others; their own name.
    Server(String),
    /// Whoever owns the data folder.
    Operator,
}

impl Submitter {
    fn of(caller: &Caller) -> Self {
        let own = caller.user.to_string();
        if is_server(caller) { Self::Server(own) } else { Self::Person(own) }
    }

    fn own(&self) -> Option<String> {
        match self {
            Self::Person(own) | Self::Server(own) => Some(own.clone()),
            Self::Operator => None,
        }
    }
}

/// A score as it is submitted.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewScore {
    /// Whose, 1 to 128 bytes. On a board that people submit to, the caller's own id, which may be left out.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub(crate) owner: Option<String>,
    /// One for each column.
    pub(crate) scores: Vec<Written>,
    /// Kept with the entry when the score changes it; at most 4 KiB of JSON.
    #[serde(default)]
    pub(crate) metadata: Option<Value>,
    /// What shows that the score is real, such as a replay's address; at most 4 KiB of JSON.
    #[serde(default)]
    pub(crate) evidence: Option<Value>,
    /// Another operator than the board's, for this score. Only from those who write for others.
    #[serde(default)]
    pub(crate) operator: Option<Operator>,
    /// Slices that the owner is in, such as `{"country": "IN"}`; those of the board. What is absent stays. Among equal
    /// scores, whoever changes a slice counts as having got there then.
    #[serde(default)]
    pub(crate) slices: Option<Slices>,
}

/// A score that was found to be sound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Submission {
    pub(crate) owner: String,
    pub(crate) scores: Vec<i64>,
    pub(crate) operator: Option<Operator>,
    pub(crate) metadata: Option<Value>,
    pub(crate) evidence: Option<Value>,
    pub(crate) slices: Option<Slices>,
    /// Who made it happen, if it was not the owner.
    pub(crate) cause: Option<String>,
}

impl Submission {
    /// Of `owner`, with these scores and nothing else.
    pub(crate) fn of(owner: impl Into<String>, scores: Vec<i64>) -> Self {
        Self {
            owner: owner.into(),
            scores,
            operator: None,
            metadata: None,
            evidence: None,
            slices: None,
            cause: None,
        }
    }
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It was taken; this is how its owner stands.
    Taken(Recorded),
    /// The owner is banned.
    Banned,
    /// A sum would leave 64 bits.
    Overflow {
        /// The column, from 0.
        column: usize,
    },
}

/// Where scores of a request went, and what became of each, by its place in the request.
type TakenOnce = (Place, Vec<(usize, Outcome)>);

/// How an owner stands after a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) owner: String,
    pub(crate) scores: Vec<i64>,
    pub(crate) seq: i64,
    pub(crate) metadata: Option<Value>,
    pub(crate) attempts: i64,
    pub(crate) updated_at: Ts,
    pub(crate) changed: bool,
}

/// Looks at a score as it is sent.
///
/// # Errors
/// What is wrong with it, all at once.
pub(crate) fn check(
    settings: &BoardSettings,
    submitter: &Submitter,
    new: NewScore,
) -> Result<Submission, Error> {
    let server = !matches!(submitter, Submitter::Person(_));
    let mut faults = Vec::new();
    let own = submitter.own().filter(|_| !settings.authoritative);
    let owner = match (new.owner, own) {
        (Some(owner), _) => owner,
        (None, Some(own)) => own,
        (None, None) => {
            let detail = format!("Say whose score it is, in 1 to {OWNER_BYTES_MAX} bytes.");
            faults.push(Fault::new("/owner", "required", detail));
            String::new()
        }
    };
    let others = matches!(submitter, Submitter::Person(own) if *own != owner);
    if others && faults.is_empty() {
        return Err(Error::Forbidden("People submit their own scores here.".into()));
    }
    if faults.is_empty() && !is_owner(&owner) {
        let detail = format!("Use 1 to {OWNER_BYTES_MAX} bytes without control characters.");
        faults.push(Fault::new("/owner", "characters", detail));
    }
    let operator = new.operator.unwrap_or(settings.operator);
    let scores = settings.read_scores(&new.scores, operator, "").unwrap_or_else(|more| {
        faults.extend(more);
        Vec::new()
    });
    for (at, value) in [("/metadata", &new.metadata), ("/evidence", &new.evidence)] {
        if value.as_ref().is_some_and(|value| value.to_string().len() > METADATA_BYTES_MAX) {
            let detail = format!("Send at most {METADATA_BYTES_MAX} bytes of JSON.");
            faults.push(Fault::new(at, "too_long", detail));
        }
    }
    if settings.evidence && !server && new.evidence.is_none() {
        let detail = "Send what shows that the score is real.";
        faults.push(Fault::new("/evidence", "required", detail));
    }
    if new.operator.is_some() && !server {
        return Err(Error::Forbidden("The board says how scores are taken.".into()));
    }
    check_slices(settings, new.slices.as_ref(), &mut faults);
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let NewScore { metadata, evidence, operator, slices, .. } = new;
    Ok(Submission { owner, scores, operator, metadata, evidence, slices, cause: None })
}

/// Whether [`check`] finds the same of a score under both.
fn are_checked_alike(old: &BoardSettings, new: &BoardSettings) -> bool {
    old.columns == new.columns
        && old.slices == new.slices
        && old.operator == new.operator
        && old.authoritative == new.authoritative
        && old.evidence == new.evidence
}

fn check_slices(settings: &BoardSettings, slices: Option<&Slices>, faults: &mut Vec<Fault>) {
    for (kind, value) in slices.into_iter().flatten() {
        let at = format!("/slices/{kind}");
        if !settings.slices.contains(kind) {
            let detail = format!("This board knows no slices by `{kind}`.");
            faults.push(Fault::new(at, "unknown", detail));
        } else if !(1..=SLICE_BYTES_MAX).contains(&value.len()) {
            let detail = format!("Use 1 to {SLICE_BYTES_MAX} bytes.");
            faults.push(Fault::new(at, "length", detail));
        }
    }
}

impl Boards {
    /// Takes scores in the order of the list, and says how each owner stands afterwards.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see; `Forbidden` if only servers write it; `Conflict` if only its
    /// competition does. What is wrong with a score stands in its place of the answer.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        id: &str,
        list: Vec<Result<NewScore, Problem>>,
        once: Option<Once>,
    ) -> Result<Vec<Result<EntryView, Problem>>, Error> {
        let board = self.board(Some(caller), id).await?;
        written_by_people(&board)?;
        if board.settings.authoritative && !is_server(caller) {
            return Err(Error::Forbidden(
                "Only administrators and keys with the scope `boards:write` write this board."
                    .into(),
            ));
        }
        self.allow(&board, caller, list.len(), once.as_ref()).await?;
        self.submit_to(&board, &Submitter::of(caller), list, once).await
    }

    /// The same for whoever owns the data folder.
    ///
    /// # Errors
    /// As [`Boards::submit`].
    pub(crate) async fn submit_as_operator(
        &self,
        id: &str,
        list: Vec<NewScore>,
    ) -> Result<Vec<Result<EntryView, Problem>>, Error> {
        let board = self.any_board(id).await?;
        written_by_people(&board)?;
        let list = list.into_iter().map(Ok).collect();
        self.submit_to(&board, &Submitter::Operator, list, None).await
    }

    async fn submit_to(
        &self,
        board: &Arc<Board>,
        submitter: &Submitter,
        list: Vec<Result<NewScore, Problem>>,
        once: Option<Once>,
    ) -> Result<Vec<Result<EntryView, Problem>>, Error> {
        let checked: Vec<Result<Submission, Problem>> = list
            .into_iter()
            .map(|new| check(&board.settings, submitter, new?).map_err(Problem::from))
            .collect();
        let sound = checked.iter().enumerate();
        let sound = sound.filter_map(|(place, one)| Some((place, one.as_ref().ok()?.clone())));
        let (places, sound): (Vec<usize>, Vec<Submission>) = sound.unzip();
        let (place, outcomes) = self.take(board, places, sound.into(), once).await?;
        let taken = outcomes.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Taken(recorded) => Some(&*recorded.owner),
            Outcome::Banned | Outcome::Overflow { .. } => None,
        });
        let taken: Vec<&str> = taken.collect();
        // What is kept is not said to have failed: whoever sends it again would count it twice.
        let stand = tokio::time::timeout(STAND_WITHIN, self.stand(board, place, &taken)).await;
        let late =
            |_elapsed| Err(DbError::Unavailable("the ranking is being loaded".into()).into());
        let (board, ranks, seats) = stand.unwrap_or_else(late).unwrap_or_else(|error| {
            tracing::warn!(board = board.id, %error, "scores are kept, but their ranks cannot be told");
            (board.clone(), Vec::new(), HashMap::new())
        });
        let mut ranks = ranks.into_iter();
        let mut outcomes = outcomes.into_iter().peekable();
        let answers = checked.into_iter().enumerate().map(|(number, one)| {
            match (outcomes.next_if(|(at, _)| *at == number), one) {
                (Some((_, Outcome::Taken(recorded))), _) => {
                    let rank = ranks.next().unwrap_or_default();
                    let seat = seats.get(&recorded.owner);
                    Ok(EntryView::of(&board.settings, recorded, rank, seat))
                }
                (Some((_, refused)), _) => Err(refusal(&refused)),
                (None, Err(problem)) => Err(problem),
                (None, Ok(_)) => Err(refused_first()),
            }
        });
        Ok(answers.collect())
    }

    /// The board as it was written to, and the ranks and seats of these owners on it now.
    async fn stand(
        &self,
        board: &Arc<Board>,
        place: Place,
        owners: &[&str],
    ) -> Result<(Arc<Board>, Vec<u64>, Seats), Error> {
        let (board, ranks) = self.ranks_of(board.clone(), place).await?;
        let ranks = ranks.ranks_of(owners).await?;
        let seats = self.seats(&board, place.period, owners).await?;
        Ok((board, ranks, seats))
    }

    /// Writes what was found to be sound, which has these places in the caller's list; what became of each, by place.
    /// For a key that was used before it is what became of them then.
    async fn take(
        &self,
        board: &Arc<Board>,
        places: Vec<usize>,
        list: Arc<[Submission]>,
        once: Option<Once>,
    ) -> Result<TakenOnce, Error> {
        let (board_no, scores) = (board.no, Checked { board: board.clone(), list });
        if once.is_none() {
            let (place, outcomes) = self.inner.intake.take(self.db(), scores).await?;
            return Ok((place, places.into_iter().zip(outcomes).collect()));
        }
        // The record of a key stands for one request, so it is a commit of its own.
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, params![board_no], once, move |tx| {
                let (scores, places) = (scores.clone(), places.clone());
                Box::pin(async move {
                    let taken = intake::record_on(tx, &[scores]).await?.pop();
                    let (place, outcomes) = taken.ok_or(Error::NotFound)??;
                    Ok((place, places.into_iter().zip(outcomes).collect()))
                })
            })
            .await
    }

    /// Holds an owner to the board's rate; a repeat of what was answered before is free.
    async fn allow(
        &self,
        board: &Board,
        caller: &Caller,
        count: usize,
        once: Option<&Once>,
    ) -> Result<(), Error> {
        let Some(rate) = board.settings.rate.filter(|_| !is_server(caller)) else { return Ok(()) };
        if let Some(once) = once
            && self.db().first_answer::<TakenOnce>(once).await?.is_some()
        {
            return Ok(());
        }
        let detail =
            format!("This board takes {} scores in {} s from each person.", rate.max, rate.per_s);
        let few = u32::try_from(count).ok().filter(|count| *count <= rate.max);
        let Some(count) = few else { return Err(Error::invalid("", "too_many", detail)) };
        let owner = caller.user.to_string();
        let now_us = self.inner.clock.now().as_micros();
        self.inner
            .rates
            .check((board.no, &owner), rate, count, now_us)
            .map_err(|wait_s| Problem::new(Code::RateLimited, detail).retry_after_s(wait_s).into())
    }

    /// Removes the entry of `owner` in the present period. What they submit afterwards counts from nothing.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see, and for an owner without an entry; `Forbidden` unless it is
    /// the caller's own on a board that people submit to, or the caller writes for others.
    pub(crate) async fn remove_entry(
        &self,
        caller: &Caller,
        id: &str,
        owner: &str,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let board = self.board(Some(caller), id).await?;
        let own = !board.settings.authoritative && owner == caller.user.to_string();
        if board.competition.is_some() || !(own || is_server(caller)) {
            return Err(Error::Forbidden("You may not remove this entry.".into()));
        }
        let (no, owner) = (board.no, owner.to_owned());
        let lock = params![no];
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, lock, once, move |tx| {
                let (board, owner) = (board.clone(), owner.clone());
                Box::pin(async move {
                    let row = store::boards::board(tx, &board.id).await?;
                    let row = row.filter(|row| row.no == board.no).ok_or(Error::NotFound)?;
                    match remove(tx, &row.into(), &owner).await? {
                        true => Ok(()),
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }
}

/// What was refused when a request came first, and would be taken now.
pub(crate) fn refused_first() -> Problem {
    let detail = "It was refused when this list came first. Send it with another Idempotency-Key.";
    Problem::new(Code::Conflict, detail)
}

fn refusal(outcome: &Outcome) -> Problem {
    match outcome {
        Outcome::Banned => Problem::new(Code::Forbidden, "Scores of this owner do not count here."),
        Outcome::Overflow { column } => Problem::invalid(vec![Fault::new(
            format!("/scores/{column}"),
            "too_large",
            "The sum leaves the numbers of 64 bits.",
        )]),
        Outcome::Taken(_) => Problem::internal("a score was taken without an answer".to_owned()),
    }
}
