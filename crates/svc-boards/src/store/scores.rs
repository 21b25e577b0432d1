//! Submissions and the entries that follow from them.

use std::collections::BTreeMap;

use mainstay_contract::ts::Ts;
use mainstay_core::{
    db::{Cell, DbError, Json, Param, Tx},
    params, row, statements,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{operate::Operator, score};

/// What an [`EntryRow`] reads.
macro_rules! entry_columns {
    () => {
        "owner, scores, seq, metadata, slices, attempts, updated_at"
    };
}

/// What a submission is added with.
macro_rules! submission_columns {
    () => {
        "(board_no, seq, period, owner, kind, scores, operator, metadata, slices, evidence, cause, submitted_at)"
    };
}

/// What an entry is set with.
macro_rules! set_columns {
    () => {
        "(board_no, edition, period, owner, scores, seq, metadata, slices, attempts, updated_at)"
    };
}

/// What becomes of the entry that the owner has.
macro_rules! or_update {
    () => {
        "on conflict (board_no, edition, period, owner) do update set scores = excluded.scores, seq = excluded.seq,
            metadata = excluded.metadata, slices = excluded.slices, attempts = excluded.attempts,
            updated_at = excluded.updated_at"
    };
}

statements! {
    /// Entries of these owners. Each is looked up by itself: a planner without figures of a new board's table would
    /// rather go through all of the period.
    ENTRIES_AMONG = concat!("select e.* from unnest($4::text[]) as asked (owner) cross join lateral (
            select ", entry_columns!(), " from boards.entry
            where board_no = $1 and edition = $2 and period = $3 and owner = asked.owner limit 1) e"),
        sqlite concat!("select ", entry_columns!(), " from boards.entry
            where board_no = $1 and edition = $2 and period = $3 and owner in (select value from json_each($4))");
    /// Entries by owner, after one: what a board is loaded from.
    ENTRIES_AFTER = "select owner, scores, seq, slices from boards.entry
                     where board_no = $1 and edition = $2 and period = $3 and owner > $4 order by owner limit $5";
    /// What an owner has sent with evidence, before one, newest first.
    EVIDENCE = "select seq, period, scores, operator, metadata, evidence, submitted_at from boards.submission
                where board_no = $1 and owner = $2 and seq < $3 and evidence is not null order by seq desc limit $4";
    /// Adds submissions.
    ADD_SUBMISSIONS = concat!("insert into boards.submission ", submission_columns!(), " select * from unnest(
            $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bytea[], $7::text[],
            $8::jsonb[], $9::jsonb[], $10::jsonb[], $11::text[], $12::timestamptz[])"),
        sqlite concat!("insert into boards.submission ", submission_columns!(), "
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
    /// Sets entries, each of another owner.
    SET_ENTRIES = concat!("insert into boards.entry ", set_columns!(), " select * from unnest(
            $1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::bigint[], $7::jsonb[],
            $8::jsonb[], $9::bigint[], $10::timestamptz[]) ", or_update!()),
        sqlite concat!("insert into boards.entry ", set_columns!(), "
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ", or_update!());
    /// Removes an entry.
    REMOVE_ENTRY = "delete from boards.entry where board_no = $1 and edition = $2 and period = $3 and owner = $4";
    /// When a submission was made, and what was sent with it.
    SUBMISSION = "select submitted_at, metadata from boards.submission where board_no = $1 and seq = $2";
    /// Submissions in order, after one: what a board is built from.
    SUBMISSIONS_AFTER = "select seq, period, owner, kind, scores, operator, metadata, slices, cause, submitted_at
                         from boards.submission where board_no = $1 and seq > $2 order by seq limit $3";
}

/// Slices that an owner is in, by kind.
pub(crate) type Slices = BTreeMap<String, String>;

row! {
    /// How an owner stands.
    #[derive(Debug, Clone)]
    pub(crate) struct EntryRow {
        pub(crate) owner: String,
        scores: Vec<u8>,
        pub(crate) seq: i64,
        pub(crate) metadata: Option<Json<Value>>,
        pub(crate) slices: Option<Json<Slices>>,
        pub(crate) attempts: i64,
        pub(crate) updated_at: Ts,
    }
}

impl EntryRow {
    /// One for each column.
    pub(crate) fn scores(&self) -> Result<Vec<i64>, DbError> {
        read_scores(&self.scores)
    }
}

/// An entry as the engine needs it, looked at where it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StandingRow<'a> {
    pub(crate) owner: &'a str,
    /// One for each column.
    pub(crate) scores: &'a [i64],
    pub(crate) seq: i64,
    /// A document of [`Slices`], if there is one.
    pub(crate) slices: Option<&'a str>,
}

/// What a submission was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubmissionKind {
    /// A score.
    Score,
    /// The owner's entry was removed.
    Removal,
}

/// A submission to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSubmission<'a> {
    pub(crate) seq: i64,
    pub(crate) period: i64,
    pub(crate) owner: &'a str,
    pub(crate) kind: SubmissionKind,
    pub(crate) scores: &'a [i64],
    pub(crate) operator: Option<&'static str>,
    pub(crate) metadata: Option<&'a Value>,
    pub(crate) slices: Option<&'a Slices>,
    pub(crate) evidence: Option<&'a Value>,
    pub(crate) cause: Option<&'a str>,
}

/// An entry to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry<'a> {
    pub(crate) owner: &'a str,
    pub(crate) scores: &'a [i64],
    pub(crate) seq: i64,
    pub(crate) metadata: Option<&'a Value>,
    pub(crate) slices: Option<&'a Slices>,
    pub(crate) attempts: i64,
    pub(crate) updated_at: Ts,
}

impl<'a> NewSubmission<'a> {
    fn row(&self, board_no: i64, now: Ts) -> Vec<Param<'a>> {
        let kind = match self.kind {
            SubmissionKind::Score => 0,
            SubmissionKind::Removal => 1,
        };
        vec![
            Param::I64(board_no),
            Param::I64(self.seq),
            Param::I64(self.period),
            Param::Text(self.owner.into()),
            Param::I64(kind),
            Param::Bytes(score::to_bytes(self.scores).into()),
            text(self.operator),
            json(self.metadata),
            json(self.slices),
            json(self.evidence),
            text(self.cause),
            Param::Ts(now),
        ]
    }
}

impl<'a> NewEntry<'a> {
    fn row(&self, place: Place) -> Vec<Param<'a>> {
        vec![
            Param::I64(place.board_no),
            Param::I64(place.edition),
            Param::I64(place.period),
            Param::Text(self.owner.into()),
            Param::Bytes(score::to_bytes(self.scores).into()),
            Param::I64(self.seq),
            json(self.metadata),
            json(self.slices),
            Param::I64(self.attempts),
            Param::Ts(self.updated_at),
        ]
    }
}

/// Which entries are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) board_no: i64,
    pub(crate) edition: i64,
    pub(crate) period: i64,
}

fn read_scores(bytes: &[u8]) -> Result<Vec<i64>, DbError> {
    score::from_bytes(bytes).ok_or(DbError::Decode { column: 1, expected: "scores" })
}

fn text(value: Option<&str>) -> Param<'_> {
    value.map_or(Param::Null, |value| Param::Text(value.into()))
}

fn json<T: serde::Serialize>(value: Option<&T>) -> Param<'static> {
    value.map_or(Param::Null, |value| Param::Json(serde_json::to_string(value).unwrap_or_default()))
}

/// Entries of `owners`, in no order; at most as many.
pub(crate) async fn entries_among(
    tx: &mut Tx,
    place: Place,
    owners: &[String],
) -> Result<Vec<EntryRow>, DbError> {
    let Place { board_no, edition, period } = place;
    tx.all(&ENTRIES_AMONG, params![board_no, edition, period, owners.to_vec()]).await
}

/// Lets `look` see entries of owners after `after`, by owner; returns how many there were.
pub(crate) async fn entries_after(
    tx: &mut Tx,
    place: Place,
    after: &str,
    limit: i64,
    look: &mut (dyn FnMut(StandingRow<'_>) + Send),
) -> Result<i64, DbError> {
    let Place { board_no, edition, period } = place;
    let (mut count, mut scores) = (0, Vec::new());
    let params = params![board_no, edition, period, after, limit];
    tx.each(&ENTRIES_AFTER, params, &mut |cells| {
        let [owner, bytes, seq, slices] = cells else {
            return Err(DbError::NoRow(ENTRIES_AFTER.text()));
        };
        scores.clear();
        scores.extend(score::each(bytes.bytes(1)?));
        let slices = match slices {
            Cell::Null => None,
            slices => Some(slices.text(3)?),
        };
        look(StandingRow { owner: owner.text(0)?, scores: &scores, seq: seq.i64(2)?, slices });
        count += 1;
        Ok(())
    })
    .await?;
    Ok(count)
}

/// Keeps submissions that were made `now`.
pub(crate) async fn add_submissions(
    tx: &mut Tx,
    board_no: i64,
    new: &[NewSubmission<'_>],
    now: Ts,
) -> Result<(), DbError> {
    let rows = new.iter().map(|new| new.row(board_no, now));
    tx.run_rows(&ADD_SUBMISSIONS, rows.collect()).await
}

/// Keeps entries, in each place of owners who differ.
pub(crate) async fn set_entries(tx: &mut Tx, new: &[(Place, NewEntry<'_>)]) -> Result<(), DbError> {
    let rows = new.iter().map(|(place, new)| new.row(*place));
    tx.run_rows(&SET_ENTRIES, rows.collect()).await
}

/// Removes an entry; `true` if there was one.
pub(crate) async fn remove_entry(tx: &mut Tx, place: Place, owner: &str) -> Result<bool, DbError> {
    let Place { board_no, edition, period } = place;
    Ok(tx.execute(&REMOVE_ENTRY, params![board_no, edition, period, owner]).await? == 1)
}

row! {
    /// A submission as it was kept.
    #[derive(Debug, Clone)]
    pub(crate) struct SubmissionRow {
        pub(crate) seq: i64,
        pub(crate) period: i64,
        pub(crate) owner: String,
        kind: i64,
        scores: Vec<u8>,
        operator: Option<String>,
        pub(crate) metadata: Option<Json<Value>>,
        pub(crate) slices: Option<Json<Slices>>,
        pub(crate) cause: Option<String>,
        pub(crate) submitted_at: Ts,
    }
}

impl SubmissionRow {
    /// What it was.
    pub(crate) fn kind(&self) -> SubmissionKind {
        if self.kind == 0 { SubmissionKind::Score } else { SubmissionKind::Removal }
    }

    /// One for each column that the board had then.
    pub(crate) fn scores(&self) -> Result<Vec<i64>, DbError> {
        read_scores(&self.scores)
    }

    /// The operator, if it was another than the board's.
    pub(crate) fn operator(&self) -> Option<Operator> {
        self.operator.as_deref().and_then(Operator::parse)
    }
}

row! {
    /// A submission with evidence.
    #[derive(Debug, Clone)]
    pub(crate) struct EvidenceRow {
        pub(crate) seq: i64,
        pub(crate) period: i64,
        scores: Vec<u8>,
        operator: Option<String>,
        pub(crate) metadata: Option<Json<Value>>,
        pub(crate) evidence: Json<Value>,
        pub(crate) submitted_at: Ts,
    }
}

impl EvidenceRow {
    /// One for each column.
    pub(crate) fn scores(&self) -> Result<Vec<i64>, DbError> {
        read_scores(&self.scores)
    }

    /// The operator that it named.
    pub(crate) fn operator(&self) -> Option<Operator> {
        self.operator.as_deref().and_then(Operator::parse)
    }
}

/// What `owner` has sent with evidence before `before`, newest first.
pub(crate) async fn evidence(
    tx: &mut Tx,
    board_no: i64,
    owner: &str,
    before: i64,
    limit: i64,
) -> Result<Vec<EvidenceRow>, DbError> {
    tx.all(&EVIDENCE, params![board_no, owner, before, limit]).await
}

/// Submissions above `after`, in order.
pub(crate) async fn submissions_after(
    tx: &mut Tx,
    board_no: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<SubmissionRow>, DbError> {
    tx.all(&SUBMISSIONS_AFTER, params![board_no, after, limit]).await
}

/// When submissions were made and what was sent with them, in the order of `seqs`.
pub(crate) async fn submissions(
    tx: &mut Tx,
    board_no: i64,
    seqs: &[i64],
) -> Result<Vec<Option<(Ts, Option<Json<Value>>)>>, DbError> {
    let params: Vec<_> = seqs.iter().map(|seq| params![board_no, *seq].to_vec()).collect();
    tx.optional_all(&SUBMISSION, &params).await
}
