//! Writing scores: each is kept as it came, and the entry that follows from it. The only place where entries change.

use std::collections::{BTreeMap, HashMap};

use mainstay_contract::{
    boards::{EntriesRemovedV1, ScoredV1, ScoresRecordedV1},
    ts::Ts,
};
use mainstay_core::db::{DbError, Json, Tx};
use serde_json::Value;

use super::{Outcome, Recorded, Submission};
use crate::{
    error::Error,
    model::{
        board::BoardSettings,
        operate::{Operator, Overflow, operate},
    },
    service::{
        boards::Board,
        periods::{advance, hold},
        tiers,
    },
    store::{
        self,
        boards::Head,
        scores::{EntryRow, NewEntry, NewSubmission, Place, Slices, SubmissionKind},
    },
};

/// The most entries in one fact.
const FACT_ENTRIES_MAX: usize = 1_000;

/// An owner's entry while submissions are worked through.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    scores: Vec<i64>,
    seq: i64,
    metadata: Option<Value>,
    slices: Option<Slices>,
    attempts: i64,
    updated_at: Ts,
}

/// What a submission says, kept or new.
pub(super) struct Given<'a> {
    pub(super) seq: i64,
    pub(super) scores: &'a [i64],
    pub(super) operator: Operator,
    pub(super) metadata: Option<&'a Value>,
    pub(super) slices: Option<&'a Slices>,
    pub(super) at: Ts,
}

impl TryFrom<EntryRow> for Held {
    type Error = DbError;

    fn try_from(row: EntryRow) -> Result<Self, DbError> {
        let scores = row.scores()?;
        let (metadata, slices) = (row.metadata.map(|Json(v)| v), row.slices.map(|Json(v)| v));
        let (seq, attempts, updated_at) = (row.seq, row.attempts, row.updated_at);
        Ok(Self { scores, seq, metadata, slices, attempts, updated_at })
    }
}

impl Held {
    /// An entry of which only what ranks it is known.
    pub(super) fn ranked(scores: Vec<i64>, seq: i64, slices: Option<Slices>, at: Ts) -> Self {
        Self { scores, seq, metadata: None, slices, attempts: 0, updated_at: at }
    }

    /// The submission that brought the scores to what they are.
    pub(super) fn seq(&self) -> i64 {
        self.seq
    }

    /// How an owner who had `old` stands after `given`.
    pub(super) fn after(
        settings: &BoardSettings,
        old: Option<Self>,
        given: &Given<'_>,
    ) -> Result<Self, Overflow> {
        let before = old.as_ref().map(|old| &*old.scores);
        let scores = operate(given.operator, settings.directions(), before, given.scores)?;
        let Some(mut held) = old else {
            return Ok(Self {
                scores,
                seq: given.seq,
                metadata: given.metadata.cloned(),
                slices: given.slices.cloned(),
                attempts: 1,
                updated_at: given.at,
            });
        };
        held.attempts += 1;
        let moved = given.slices.is_some_and(|new| {
            let slices = held.slices.get_or_insert_default();
            let before = slices.clone();
            slices.extend(new.iter().map(|(kind, value)| (kind.clone(), value.clone())));
            *slices != before
        });
        if scores != held.scores {
            (held.scores, held.seq, held.updated_at) = (scores, given.seq, given.at);
            if let Some(metadata) = given.metadata {
                held.metadata = Some(metadata.clone());
            }
        } else if moved {
            // Whoever holds the entry in memory takes only what is newer.
            held.seq = given.seq;
        }
        Ok(held)
    }

    pub(super) fn kept<'a>(&'a self, owner: &'a str) -> NewEntry<'a> {
        NewEntry {
            owner,
            scores: &self.scores,
            seq: self.seq,
            metadata: self.metadata.as_ref(),
            slices: self.slices.as_ref(),
            attempts: self.attempts,
            updated_at: self.updated_at,
        }
    }

    pub(super) fn scored(&self, owner: &str) -> ScoredV1 {
        ScoredV1 {
            owner: owner.to_owned(),
            scores: self.scores.clone(),
            seq: self.seq,
            slices: self.slices.clone().unwrap_or_default(),
        }
    }
}

/// Takes `list` in its order, in this transaction, and says what became of each and where. On Postgres the board's
/// head is locked here, if the caller has not locked it.
///
/// What somebody who is banned submits is refused. What has a cause, as a rule's scores have, nobody can be told of: it
/// is kept without effect, and counts when the ban is lifted. A competition scores its players anew then.
pub(crate) async fn record(
    tx: &mut Tx,
    board: &Board,
    list: &[Submission],
) -> Result<(Place, Vec<Outcome>), Error> {
    let before = hold(tx, board.no).await?;
    let mut head = advance(tx, board, before).await?;
    let place = board.place(head);
    let mut owners: Vec<String> = list.iter().map(|new| new.owner.clone()).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut names: Vec<String> = list.iter().filter_map(|new| new.cause.clone()).collect();
    names.extend_from_slice(&owners);
    names.sort_unstable();
    names.dedup();
    let banned = store::boards::banned_among(tx, board.no, &names).await?;
    let mut held: HashMap<String, Held> = HashMap::with_capacity(owners.len());
    for row in store::scores::entries_among(tx, place, &owners).await? {
        held.insert(row.owner.clone(), row.try_into()?);
    }
    let now = tx.now();
    let mut outcomes = Vec::with_capacity(list.len());
    let mut kept = Vec::with_capacity(list.len());
    let mut touched: BTreeMap<&str, bool> = BTreeMap::new();
    let mut players = Vec::new();
    for new in list {
        let who = [Some(&new.owner), new.cause.as_ref()].into_iter().flatten();
        let out: Vec<&String> = who.filter(|name| banned.contains(name)).collect();
        if !out.is_empty() {
            outcomes.push(Outcome::Banned);
            if new.cause.is_some() {
                head.last_seq += 1;
                kept.push(submission(head, new));
            }
            if new.cause.is_some() || board.competition.is_some() {
                for name in out {
                    store::bans::mark(tx, name, board.no).await?;
                }
            }
            continue;
        }
        let operator = new.operator.unwrap_or_else(|| usual_operator(board, &new.scores));
        let given = Given {
            seq: head.last_seq + 1,
            scores: &new.scores,
            operator,
            metadata: new.metadata.as_ref(),
            slices: new.slices.as_ref(),
            at: now,
        };
        let old = held.get(&new.owner).cloned();
        let seq_before = old.as_ref().map(|old| old.seq);
        let entry = match Held::after(&board.ranked, old, &given) {
            Ok(entry) => entry,
            Err(Overflow { column }) => {
                outcomes.push(Outcome::Overflow { column });
                continue;
            }
        };
        head.last_seq += 1;
        kept.push(submission(head, new));
        let changed = seq_before != Some(entry.seq);
        *touched.entry(&new.owner).or_default() |= changed;
        outcomes.push(Outcome::Taken(Recorded {
            owner: new.owner.clone(),
            scores: entry.scores.clone(),
            seq: entry.seq,
            metadata: entry.metadata.clone(),
            attempts: entry.attempts,
            updated_at: entry.updated_at,
            changed,
        }));
        if board.settings.tiers.is_some() {
            players.push(new.owner.clone());
        }
        held.insert(new.owner.clone(), entry);
    }
    store::scores::add_submissions(tx, board.no, &kept, now).await?;
    tiers::seat_new(tx, board, head.period, &players).await?;
    let touched = || {
        touched.iter().filter_map(|(owner, changed)| Some((*owner, held.get(*owner)?, *changed)))
    };
    let entries: Vec<_> = touched().map(|(owner, entry, _)| (place, entry.kept(owner))).collect();
    store::scores::set_entries(tx, &entries).await?;
    let changed = touched().filter(|(.., changed)| *changed);
    let mut scored: Vec<ScoredV1> = changed.map(|(owner, entry, _)| entry.scored(owner)).collect();
    if head != before {
        store::boards::move_head(tx, board.no, head).await?;
    }
    scored.sort_unstable_by_key(|scored| scored.seq);
    say_recorded(tx, board, place, scored).await?;
    Ok((place, outcomes))
}

/// The operator of a score that names none. While the board is built anew it is the one before, unless the score was
/// not allowed under that; the past is told by the one before until the build is shown.
fn usual_operator(board: &Board, scores: &[i64]) -> Operator {
    match board.ranked.operator {
        Operator::Decr if scores.iter().any(|score| *score < 0) => board.settings.operator,
        operator => operator,
    }
}

/// A submission as it came, as the newest one of `head`.
fn submission(head: Head, new: &Submission) -> NewSubmission<'_> {
    NewSubmission {
        seq: head.last_seq,
        period: head.period,
        owner: &new.owner,
        kind: SubmissionKind::Score,
        scores: &new.scores,
        operator: new.operator.map(Operator::as_str),
        metadata: new.metadata.as_ref(),
        slices: new.slices.as_ref(),
        evidence: new.evidence.as_ref(),
        cause: new.cause.as_deref(),
    }
}

async fn say_recorded(
    tx: &mut Tx,
    board: &Board,
    place: Place,
    scored: Vec<ScoredV1>,
) -> Result<(), Error> {
    let mut scored = scored.into_iter().peekable();
    while scored.peek().is_some() {
        let fact = ScoresRecordedV1 {
            board: board.id.clone(),
            board_no: board.no,
            edition: place.edition,
            period: place.period,
            entries: scored.by_ref().take(FACT_ENTRIES_MAX).collect(),
        };
        tx.emit(&fact, &[]).await?;
    }
    Ok(())
}

/// Removes the entry of `owner` in the present period, in this transaction; `true` if there was one.
pub(crate) async fn remove(tx: &mut Tx, board: &Board, owner: &str) -> Result<bool, Error> {
    let before = hold(tx, board.no).await?;
    let mut head = advance(tx, board, before).await?;
    let place = board.place(head);
    if !store::scores::remove_entry(tx, place, owner).await? {
        return Ok(false);
    }
    head.last_seq += 1;
    let submission = NewSubmission {
        seq: head.last_seq,
        period: head.period,
        owner,
        kind: SubmissionKind::Removal,
        scores: &[],
        operator: None,
        metadata: None,
        slices: None,
        evidence: None,
        cause: None,
    };
    let now = tx.now();
    store::scores::add_submissions(tx, board.no, &[submission], now).await?;
    store::boards::move_head(tx, board.no, head).await?;
    say_removed(tx, board, place, owner, head.last_seq).await?;
    Ok(true)
}

/// Says that the entry of `owner` is gone since the submission `seq`.
pub(crate) async fn say_removed(
    tx: &mut Tx,
    board: &Board,
    place: Place,
    owner: &str,
    seq: i64,
) -> Result<(), Error> {
    let fact = EntriesRemovedV1 {
        board: board.id.clone(),
        board_no: board.no,
        edition: place.edition,
        period: place.period,
        owners: vec![owner.to_owned()],
        seq,
    };
    Ok(tx.emit(&fact, &[]).await?)
}
