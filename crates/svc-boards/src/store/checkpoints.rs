//! Checkpoints of rankings, and what is read to go on from one.

use mainstay_contract::ts::Ts;
use mainstay_core::{
    blobs::BlobHash,
    db::{Cell, DbError, Sql, Tx},
    params, row, statements,
};

use super::scores::{Place, Slices, SubmissionKind};
use crate::model::{operate::Operator, score};

macro_rules! checkpoint_columns {
    () => {
        "(board_no, edition, period, seq, state, hash, size_bytes, entry_count, basis, newest_at, moved_at)"
    };
}

statements! {
    /// The newest checkpoint of a period that stands for an instant.
    CHECKPOINT_AT = "select seq, hash, size_bytes, entry_count, newest_at from boards.checkpoint
                     where board_no = $1 and edition = $2 and period = $3 and seq <= $4 and state = 1 and basis = $5
                       and newest_at <= $6
                     order by seq desc limit 1";
    /// Boards in the order of their numbers, with the newest checkpoint of their present period.
    ADVANCED = "select h.no, h.edition, h.period, h.last_seq, c.seq, c.entry_count
                from boards.head h join boards.board b on b.no = h.no
                left join boards.checkpoint c on c.board_no = h.no and c.edition = h.edition and c.period = h.period
                  and c.state = 1 and not exists (
                    select 1 from boards.checkpoint d where d.board_no = c.board_no and d.edition = c.edition
                    and d.period = c.period and d.state = 1 and d.seq > c.seq)
                where h.no > $1 and h.last_seq - coalesce(c.seq, 0) >= $2 and b.deleted_at is null
                order by h.no limit $3";
    /// Says that a checkpoint's bytes are being stored.
    ADD_CHECKPOINT = concat!("insert into boards.checkpoint ", checkpoint_columns!(), "
        values ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10) on conflict do nothing");
    /// Says that they are stored, also if its row is gone.
    KEEP_CHECKPOINT = concat!("insert into boards.checkpoint ", checkpoint_columns!(), "
        values ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10)
        on conflict (board_no, edition, period, seq) do update set state = 1, moved_at = excluded.moved_at
            where checkpoint.state = 0 and checkpoint.hash = excluded.hash");
    /// Takes a checkpoint out of use.
    LEAVE_CHECKPOINT = "update boards.checkpoint set state = 2, moved_at = $5
        where board_no = $1 and edition = $2 and period = $3 and seq = $4 and state = 1";
    /// Takes out of use what belongs to boards that are deleted or gone, or to builds that are not shown any more.
    LEAVE_OUTDATED = "update boards.checkpoint set state = 2, moved_at = $1 where state = 1 and not exists (
        select 1 from boards.head h join boards.board b on b.no = h.no
        where h.no = checkpoint.board_no and h.edition = checkpoint.edition and b.deleted_at is null)";
    /// Takes out of use what is older than ranks are kept, but for the newest of that in each period: from it on the
    /// first instants that are kept are found.
    LEAVE_OLD = "update boards.checkpoint set state = 2, moved_at = $1 where state = 1 and newest_at < $2 and exists (
        select 1 from boards.checkpoint d where d.board_no = checkpoint.board_no and d.edition = checkpoint.edition
        and d.period = checkpoint.period and d.seq > checkpoint.seq and d.state = 1 and d.newest_at < $2)";
    /// The newest checkpoint of a period that has nothing from an instant on.
    NEWEST_BEFORE = "select coalesce(max(seq), 0) from boards.checkpoint
        where board_no = $1 and edition = $2 and period = $3 and state = 1 and newest_at < $4";
    /// Checkpoints of a period that are in use, the oldest first.
    CHECKPOINTS = "select seq, entry_count from boards.checkpoint
                   where board_no = $1 and edition = $2 and period = $3 and state = 1 order by seq limit 10000";
    /// Whether there is a checkpoint of this place and number, in use or not.
    IS_TAKEN = "select seq from boards.checkpoint where board_no = $1 and edition = $2 and period = $3 and seq = $4";
    /// Checkpoints that are not in use since an instant.
    UNUSED = "select board_no, edition, period, seq, hash from boards.checkpoint
              where state <> 1 and moved_at < $1 order by moved_at limit $2";
    /// Forgets a checkpoint that is not in use.
    FORGET_CHECKPOINT = "delete from boards.checkpoint
        where board_no = $1 and edition = $2 and period = $3 and seq = $4 and state <> 1 and moved_at < $5";
    /// Submissions after one, in order, each with the entry that its owner has now. Each owner is looked up by itself,
    /// as in `ENTRIES_AMONG`: else Postgres may go through all of a board for each submission.
    TOUCHED_AFTER = "select s.seq, s.owner, s.submitted_at, e.seq, e.scores, e.slices from (
            select seq, owner, submitted_at from boards.submission
            where board_no = $1 and seq > $3 and seq < $4 and period = $5 order by seq limit $6) s
        left join lateral (select seq, scores, slices from boards.entry
            where board_no = $1 and edition = $2 and period = $5 and owner = s.owner limit 1) e on true
        order by s.seq",
        sqlite "select s.seq, s.owner, s.submitted_at, e.seq, e.scores, e.slices from boards.submission s
        left join boards.entry e
          on e.board_no = s.board_no and e.edition = $2 and e.period = s.period and e.owner = s.owner
        where s.board_no = $1 and s.seq > $3 and s.seq < $4 and s.period = $5 order by s.seq limit $6";
    /// The first submission from one on: its period and instant.
    SUBMISSION_FROM = "select period, submitted_at from boards.submission
                       where board_no = $1 and seq >= $2 order by seq limit 1";
    /// Submissions after one, in order, without what does not move ranks.
    REPLAY_AFTER = "select seq, submitted_at, owner, kind, scores, operator, slices, cause from boards.submission
                    where board_no = $1 and seq > $2 and seq < $3 order by seq limit $4";
    /// The latest instant among some submissions.
    NEWEST_AT = "select max(submitted_at) from boards.submission where board_no = $1 and seq > $2 and seq <= $3";
    /// Owners who are banned on a board or everywhere, after one, and since when.
    BANNED_AFTER = "select owner, banned_at from boards.ban where board_no in (0, $1) and owner > $2 order by owner limit $3";
}

row! {
    /// A checkpoint in use.
    #[derive(Debug, Clone)]
    pub(crate) struct CheckpointRow {
        /// The last submission that is in it.
        pub(crate) seq: i64,
        hash: Vec<u8>,
        pub(crate) size_bytes: i64,
        pub(crate) entry_count: i64,
        pub(crate) newest_at: Ts,
    }
}

impl CheckpointRow {
    /// The name of its blob.
    pub(crate) fn hash(&self) -> Result<BlobHash, DbError> {
        hash_of(&self.hash)
    }
}

row! {
    /// A board whose present period may need a checkpoint.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct AdvancedRow {
        pub(crate) no: i64,
        pub(crate) edition: i64,
        pub(crate) period: i64,
        pub(crate) last_seq: i64,
        /// The newest checkpoint, and how many entries it has.
        pub(crate) seq: Option<i64>,
        pub(crate) entry_count: Option<i64>,
    }
}

row! {
    /// A checkpoint that is not in use.
    #[derive(Debug, Clone)]
    pub(crate) struct UnusedRow {
        board_no: i64,
        edition: i64,
        period: i64,
        pub(crate) seq: i64,
        hash: Vec<u8>,
    }
}

impl UnusedRow {
    /// What it is of.
    pub(crate) fn place(&self) -> Place {
        Place { board_no: self.board_no, edition: self.edition, period: self.period }
    }

    /// The name of its blob.
    pub(crate) fn hash(&self) -> Result<BlobHash, DbError> {
        hash_of(&self.hash)
    }
}

/// A checkpoint that is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewCheckpoint {
    pub(crate) place: Place,
    pub(crate) seq: i64,
    pub(crate) hash: BlobHash,
    pub(crate) size_bytes: i64,
    pub(crate) entry_count: i64,
    pub(crate) basis: String,
    pub(crate) newest_at: Ts,
}

/// A submission and how its owner stands now; looked at where it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TouchedRow<'a> {
    pub(crate) seq: i64,
    pub(crate) owner: &'a str,
    pub(crate) submitted_at: Ts,
    /// The entry's number, scores and slices, a document; `None` if there is no entry.
    pub(crate) entry: Option<(i64, &'a [i64], Option<&'a str>)>,
}

/// A submission as it moves ranks.
#[derive(Debug, Clone)]
pub(crate) struct ReplayRow {
    pub(crate) seq: i64,
    pub(crate) submitted_at: Ts,
    pub(crate) owner: String,
    pub(crate) kind: SubmissionKind,
    pub(crate) scores: Vec<i64>,
    pub(crate) operator: Option<Operator>,
    pub(crate) slices: Option<Slices>,
    pub(crate) cause: Option<String>,
}

fn hash_of(bytes: &[u8]) -> Result<BlobHash, DbError> {
    let bytes = <[u8; 32]>::try_from(bytes);
    bytes
        .map(BlobHash::from_bytes)
        .map_err(|_odd| DbError::Decode { column: 1, expected: "a hash" })
}

/// The newest checkpoint of `place` up to the submission `up_to` that has nothing later than `at`.
pub(crate) async fn checkpoint_at(
    tx: &mut Tx,
    place: Place,
    basis: &str,
    (up_to, at): (i64, Ts),
) -> Result<Option<CheckpointRow>, DbError> {
    let Place { board_no, edition, period } = place;
    tx.optional(&CHECKPOINT_AT, params![board_no, edition, period, up_to, basis, at]).await
}

/// Boards with numbers above `after` that have so many submissions since the newest checkpoint of their period, or
/// since their beginning if there is none.
pub(crate) async fn advanced(
    tx: &mut Tx,
    after: i64,
    submissions: i64,
    limit: i64,
) -> Result<Vec<AdvancedRow>, DbError> {
    tx.all(&ADVANCED, params![after, submissions, limit]).await
}

/// Says that the bytes of a checkpoint are being stored; `false` if there is one of this place and number.
pub(crate) async fn add(tx: &mut Tx, new: &NewCheckpoint, now: Ts) -> Result<bool, DbError> {
    Ok(put(tx, &ADD_CHECKPOINT, new, now).await? == 1)
}

/// Says that they are stored: from now on it is used. If storing them took so long that what [`add`] said was erased,
/// it is said again.
pub(crate) async fn keep(tx: &mut Tx, new: &NewCheckpoint, now: Ts) -> Result<(), DbError> {
    put(tx, &KEEP_CHECKPOINT, new, now).await.map(drop)
}

async fn put(tx: &mut Tx, how: &'static Sql, new: &NewCheckpoint, now: Ts) -> Result<u64, DbError> {
    let Place { board_no, edition, period } = new.place;
    let hash = new.hash.as_bytes().to_vec();
    let params = params![
        board_no,
        edition,
        period,
        new.seq,
        hash,
        new.size_bytes,
        new.entry_count,
        new.basis,
        new.newest_at,
        now
    ];
    tx.execute(how, params).await
}

/// Takes a checkpoint out of use.
pub(crate) async fn leave(tx: &mut Tx, place: Place, seq: i64, now: Ts) -> Result<(), DbError> {
    let Place { board_no, edition, period } = place;
    tx.run(&LEAVE_CHECKPOINT, params![board_no, edition, period, seq, now]).await
}

/// Takes out of use what nothing is loaded from any more: of deleted boards and earlier builds; and what has nothing
/// later than `old`, but for the newest of that in each period.
pub(crate) async fn leave_outdated(tx: &mut Tx, old: Ts, now: Ts) -> Result<(), DbError> {
    tx.run(&LEAVE_OUTDATED, params![now]).await?;
    tx.run(&LEAVE_OLD, params![now, old]).await
}

/// Numbers and entries of a period's checkpoints, the oldest first; at most 10,000.
pub(crate) async fn list(tx: &mut Tx, place: Place) -> Result<Vec<(i64, i64)>, DbError> {
    let Place { board_no, edition, period } = place;
    tx.all(&CHECKPOINTS, params![board_no, edition, period]).await
}

/// The number of a period's newest checkpoint that has nothing from `at` on; 0 if there is none.
pub(crate) async fn newest_before(tx: &mut Tx, place: Place, at: Ts) -> Result<i64, DbError> {
    let Place { board_no, edition, period } = place;
    let (seq,): (i64,) = tx.one(&NEWEST_BEFORE, params![board_no, edition, period, at]).await?;
    Ok(seq)
}

/// Whether there is a checkpoint of this place and number, in use or not.
pub(crate) async fn is_taken(tx: &mut Tx, place: Place, seq: i64) -> Result<bool, DbError> {
    let Place { board_no, edition, period } = place;
    let row: Option<(i64,)> =
        tx.optional(&IS_TAKEN, params![board_no, edition, period, seq]).await?;
    Ok(row.is_some())
}

/// Checkpoints that are not in use since before `before`.
pub(crate) async fn unused(tx: &mut Tx, before: Ts, limit: i64) -> Result<Vec<UnusedRow>, DbError> {
    tx.all(&UNUSED, params![before, limit]).await
}

/// Forgets a checkpoint that is not in use since before `before`.
pub(crate) async fn forget(tx: &mut Tx, place: Place, seq: i64, before: Ts) -> Result<(), DbError> {
    let Place { board_no, edition, period } = place;
    tx.run(&FORGET_CHECKPOINT, params![board_no, edition, period, seq, before]).await
}

/// Lets `look` see submissions above `after` and below `end` with the entries of their owners, in order and all of one
/// moment; returns how many there were.
pub(crate) async fn touched_after(
    tx: &mut Tx,
    place: Place,
    (after, end): (i64, i64),
    limit: i64,
    look: &mut (dyn FnMut(TouchedRow<'_>) + Send),
) -> Result<i64, DbError> {
    let (mut count, mut scores) = (0, Vec::new());
    let params = params![place.board_no, place.edition, after, end, place.period, limit];
    tx.each(&TOUCHED_AFTER, params, &mut |cells| {
        let [seq, owner, submitted_at, entry_seq, bytes, slices] = cells else {
            return Err(DbError::NoRow(TOUCHED_AFTER.text()));
        };
        let entry = match entry_seq {
            Cell::Null => None,
            entry_seq => {
                scores.clear();
                scores.extend(score::each(bytes.bytes(4)?));
                Some((entry_seq.i64(3)?, &*scores, text_or_none(*slices, 5)?))
            }
        };
        let submitted_at = Ts::from_micros(submitted_at.i64(2)?);
        look(TouchedRow { seq: seq.i64(0)?, owner: owner.text(1)?, submitted_at, entry });
        count += 1;
        Ok(())
    })
    .await?;
    Ok(count)
}

/// Submissions above `after` and below `end`, in order.
pub(crate) async fn replay_after(
    tx: &mut Tx,
    board_no: i64,
    (after, end): (i64, i64),
    limit: i64,
) -> Result<Vec<ReplayRow>, DbError> {
    let mut rows = Vec::new();
    tx.each(&REPLAY_AFTER, params![board_no, after, end, limit], &mut |cells| {
        let [seq, submitted_at, owner, kind, scores, operator, slices, cause] = cells else {
            return Err(DbError::NoRow(REPLAY_AFTER.text()));
        };
        let slices = text_or_none(*slices, 6)?;
        rows.push(ReplayRow {
            seq: seq.i64(0)?,
            submitted_at: Ts::from_micros(submitted_at.i64(1)?),
            owner: owner.text(2)?.to_owned(),
            kind: match kind.i64(3)? {
                0 => SubmissionKind::Score,
                _ => SubmissionKind::Removal,
            },
            scores: score::each(scores.bytes(4)?).collect(),
            operator: text_or_none(*operator, 5)?.and_then(Operator::parse),
            slices: slices.and_then(|slices| serde_json::from_str(slices).ok()),
            cause: text_or_none(*cause, 7)?.map(str::to_owned),
        });
        Ok(())
    })
    .await?;
    Ok(rows)
}

fn text_or_none(cell: Cell<'_>, column: usize) -> Result<Option<&str>, DbError> {
    match cell {
        Cell::Null => Ok(None),
        cell => cell.text(column).map(Some),
    }
}

/// Period and instant of the first submission from `seq` on.
pub(crate) async fn submission_from(
    tx: &mut Tx,
    board_no: i64,
    seq: i64,
) -> Result<Option<(i64, Ts)>, DbError> {
    tx.optional(&SUBMISSION_FROM, params![board_no, seq]).await
}

/// The latest instant among the submissions above `after` up to `last`, if there are any.
pub(crate) async fn newest_at(
    tx: &mut Tx,
    board_no: i64,
    after: i64,
    last: i64,
) -> Result<Option<Ts>, DbError> {
    let (newest,): (Option<Ts>,) = tx.one(&NEWEST_AT, params![board_no, after, last]).await?;
    Ok(newest)
}

/// Owners after `after` who are banned on a board or everywhere, by name, and since when; one who is banned in both
/// ways comes twice.
pub(crate) async fn banned_after(
    tx: &mut Tx,
    board_no: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Ts)>, DbError> {
    tx.all(&BANNED_AFTER, params![board_no, after, limit]).await
}
