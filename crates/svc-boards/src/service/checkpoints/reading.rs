//! How a board is loaded: from its newest checkpoint and what was submitted since, or from all its entries.

use mainstay_contract::{boards::ScoredV1, ts::Ts};
use mainstay_core::db::DbError;
use tokio::sync::mpsc;

use super::{Checkpoints, cut_short, first_that};
use crate::{
    model::board::BoardSettings,
    service::standings::{Loading, Sliced},
    store::{
        self,
        checkpoints::{CheckpointRow, TouchedRow},
        scores::{Place, StandingRow},
    },
};

/// Entries that are read at a time.
const ENTRIES_BATCH: i64 = 10_000;
/// Batches of them that wait to be put in order.
const BATCHES_AHEAD: usize = 4;
/// Submissions that are read at a time.
const TOUCHED_BATCH: i64 = 5_000;
/// Submissions whose instants are looked at at a time.
const INSTANTS_BATCH: i64 = 200_000;
/// Checkpoints that are tried before all entries are read.
const TRIES_MAX: usize = 2;
/// Periods whose beginnings are remembered.
const BEGINS_MAX: usize = 10_000;
/// A checkpoint that is further behind is of no use: reading so many owners again takes as long as reading them all.
const BEHIND_MAX: i64 = 50_000;

/// A ranking with everything that was submitted up to `seq`, and nothing later.
pub(super) struct Exact {
    pub(super) sliced: Sliced,
    pub(super) seq: i64,
    /// The latest instant of a submission that is in it.
    pub(super) newest_at: Ts,
}

/// Entries on their way from where they are read to where they are put in order, one behind the other.
#[derive(Default)]
struct Batch {
    owners: String,
    scores: Vec<i64>,
    rows: Vec<BatchRow>,
}

/// An entry of a batch; its scores and its owner's name end here.
struct BatchRow {
    owner_end: usize,
    scores_end: usize,
    seq: i64,
    slices: Option<Box<str>>,
}

impl Batch {
    fn push(&mut self, row: StandingRow<'_>) {
        self.owners.push_str(row.owner);
        self.scores.extend_from_slice(row.scores);
        self.rows.push(BatchRow {
            owner_end: self.owners.len(),
            scores_end: self.scores.len(),
            seq: row.seq,
            slices: row.slices.map(Box::from),
        });
    }

    fn each(&self, mut look: impl FnMut(StandingRow<'_>)) {
        let (mut owner_at, mut scores_at) = (0, 0);
        for BatchRow { owner_end, scores_end, seq, slices } in &self.rows {
            look(StandingRow {
                owner: &self.owners[owner_at..*owner_end],
                scores: &self.scores[scores_at..*scores_end],
                seq: *seq,
                slices: slices.as_deref(),
            });
            (owner_at, scores_at) = (*owner_end, *scores_end);
        }
    }

    /// The last owner's name.
    fn last(&self) -> &str {
        let before = self.rows.iter().rev().nth(1).map_or(0, |row| row.owner_end);
        &self.owners[before..]
    }
}

/// How far a checkpoint may be behind for a start.
fn behind_max(row: &CheckpointRow) -> i64 {
    BEHIND_MAX.max(row.entry_count / 8)
}

impl Checkpoints {
    /// The entries of `place` as they are. What is written meanwhile may be in it or not.
    ///
    /// # Errors
    /// What the records say.
    pub(crate) async fn load(
        &self,
        place: Place,
        settings: &BoardSettings,
    ) -> Result<Sliced, DbError> {
        if let Some((row, mut sliced)) = self.newest(place, settings).await? {
            self.catch_up(place, &mut sliced, (row.seq, row.newest_at)).await?;
            (self.count_loads)("checkpoint");
            return Ok(sliced);
        }
        let sliced = self.read(place, settings).await?;
        (self.count_loads)("records");
        Ok(sliced)
    }

    /// The newest checkpoint, if it can be used and is not far behind.
    async fn newest(
        &self,
        place: Place,
        settings: &BoardSettings,
    ) -> Result<Option<(CheckpointRow, Sliced)>, DbError> {
        let (_, end) = self.bounds(place).await?;
        let banned = self.banned(place.board_no).await?;
        let mut up_to = end - 1;
        for _ in 0..TRIES_MAX {
            let any = (up_to, Ts::from_micros(i64::MAX));
            let Some(row) = self.find(place, settings, any).await? else { return Ok(None) };
            if end - row.seq > behind_max(&row) {
                return Ok(None);
            }
            if let Some(sliced) = self.open(place, settings, &row, &banned).await? {
                return Ok(Some((row, sliced)));
            }
            up_to = row.seq - 1;
        }
        Ok(None)
    }

    /// The number before the first submission of a period, and the one behind the last that there is.
    pub(crate) async fn bounds(&self, place: Place) -> Result<(i64, i64), DbError> {
        let head = store::boards::head(&mut *self.db.read().await?, place.board_no).await?;
        let Some(head) = head else { return Ok((0, 1)) };
        let board = (place.board_no, head.last_seq);
        let known = self.begins().get(&(place.board_no, place.period)).copied();
        let after = match known {
            Some(after) => after,
            None => {
                let after = self.first_of(board, place.period).await? - 1;
                let mut begins = self.begins();
                if begins.len() >= BEGINS_MAX {
                    begins.clear();
                }
                begins.insert((place.board_no, place.period), after);
                after
            }
        };
        let end = match place.period < head.period {
            true => self.first_of(board, place.period + 1).await?,
            false => head.last_seq + 1,
        };
        Ok((after, end))
    }

    async fn first_of(&self, board: (i64, i64), period: i64) -> Result<i64, DbError> {
        first_that(&self.db, board, |found, _| found < period).await
    }

    /// Reads the entries of a place and puts them in order, the one while the other is done.
    async fn read(&self, place: Place, settings: &BoardSettings) -> Result<Sliced, DbError> {
        let (batches, mut arriving) = mpsc::channel::<Batch>(BATCHES_AHEAD);
        let mut loading = Loading::new(settings);
        let build = move || {
            while let Some(batch) = arriving.blocking_recv() {
                batch.each(|row| loading.push(row));
            }
            loading.finish()
        };
        let built = tokio::task::spawn_blocking(build);
        let read = self.read_into(place, batches).await;
        let built = built.await.map_err(cut_short)?;
        read.map(|()| built)
    }

    /// Some entries at a time: one snapshot would keep SQLite's log from being shortened.
    async fn read_into(&self, place: Place, batches: mpsc::Sender<Batch>) -> Result<(), DbError> {
        let mut after = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let mut batch = Batch::default();
            let look = &mut |row: StandingRow<'_>| batch.push(row);
            let count =
                store::scores::entries_after(&mut tx, place, &after, ENTRIES_BATCH, look).await?;
            drop(tx);
            after.replace_range(.., batch.last());
            if batches.send(batch).await.is_err() || count < ENTRIES_BATCH {
                return Ok(());
            }
        }
    }

    /// Brings a ranking that has everything up to the submission `after`, and perhaps more, to what the entries are
    /// now: whoever has submitted since is read again. Returns the last submission that was looked at, and the latest
    /// instant; up to that submission it is exact then.
    ///
    /// Each look is one statement, which sees submissions and entries of one moment, on Postgres too. Whoever submits
    /// after it has a submission that the next look finds; so when a look has found the last one, everybody is as they
    /// were at that moment.
    async fn catch_up(
        &self,
        place: Place,
        sliced: &mut Sliced,
        (mut after, mut newest_at): (i64, Ts),
    ) -> Result<(i64, Ts), DbError> {
        let head = store::boards::head(&mut *self.db.read().await?, place.board_no).await?;
        // Of a period that is open the last submission is not known yet.
        let end = match head.is_some_and(|head| head.period > place.period) {
            true => self.bounds(place).await?.1,
            false => i64::MAX,
        };
        loop {
            let mut tx = self.db.read().await?;
            let bounds = (after, end);
            let count = store::checkpoints::touched_after(
                &mut tx,
                place,
                bounds,
                TOUCHED_BATCH,
                &mut |row| {
                    after = row.seq;
                    newest_at = newest_at.max(row.submitted_at);
                    touch(sliced, row);
                },
            )
            .await?;
            drop(tx);
            if count < TOUCHED_BATCH {
                return Ok((after, newest_at));
            }
            tokio::task::yield_now().await;
        }
    }

    /// The entries of `place` with everything up to a submission and nothing later.
    pub(super) async fn exact(
        &self,
        place: Place,
        settings: &BoardSettings,
    ) -> Result<Exact, DbError> {
        let (mut sliced, from) = match self.newest(place, settings).await? {
            Some((row, sliced)) => (sliced, (row.seq, row.newest_at)),
            None => {
                let (after, end) = self.bounds(place).await?;
                let sliced = self.read(place, settings).await?;
                (sliced, (end - 1, self.newest_at(place.board_no, (after, end)).await?))
            }
        };
        let (seq, newest_at) = self.catch_up(place, &mut sliced, from).await?;
        Ok(Exact { sliced, seq, newest_at })
    }

    async fn newest_at(&self, board_no: i64, (mut after, end): (i64, i64)) -> Result<Ts, DbError> {
        let mut newest = Ts::from_micros(0);
        while after < end - 1 {
            let last = (end - 1).min(after + INSTANTS_BATCH);
            let mut tx = self.db.read().await?;
            let some = store::checkpoints::newest_at(&mut tx, board_no, after, last).await?;
            newest = newest.max(some.unwrap_or(newest));
            after = last;
        }
        Ok(newest)
    }
}

/// Puts into a ranking how an owner stands who has submitted something.
fn touch(sliced: &mut Sliced, row: TouchedRow<'_>) {
    match row.entry {
        Some((seq, scores, slices)) => {
            let slices = slices.and_then(|slices| serde_json::from_str(slices).ok());
            sliced.put_entry(ScoredV1 {
                owner: row.owner.to_owned(),
                scores: scores.to_vec(),
                seq,
                slices: slices.unwrap_or_default(),
            });
        }
        // What they had is gone, be it by this submission, by a later one, or by a ban.
        None => sliced.remove_entry(row.owner, row.seq),
    }
}
