//! A board's period worked through from one instant to the next.

use std::{collections::VecDeque, sync::Arc};

use mainstay_contract::ts::Ts;
use mainstay_core::db::DbError;

use crate::{
    engine::encoded::Label,
    error::Error,
    model::board::BoardSettings,
    service::{
        boards::Board,
        checkpoints::{Checkpoints, first_that},
        scores::{Banned, Replay},
        standings::Sliced,
    },
    store::{
        self,
        checkpoints::{CheckpointRow, ReplayRow},
        scores::Place,
    },
};

/// The most submissions that are worked through for one request.
const SUBMISSIONS_MAX: i64 = 4_000_000;
/// Submissions that are read at a time.
const BATCH: i64 = 5_000;

/// A ranking that goes from one instant to the next.
pub(crate) struct Walk {
    checkpoints: Arc<Checkpoints>,
    settings: BoardSettings,
    place: Place,
    banned: Banned,
    /// Nothing while it is lent.
    replay: Option<Replay>,
    /// The last submission that was taken, or that the checkpoint has.
    seq: i64,
    /// The latest instant of a submission that was taken, or that the checkpoint has.
    newest_at: Ts,
    /// Whether nothing was taken yet.
    is_new: bool,
    /// One more than the last submission there is.
    end: i64,
    /// Read, and not taken yet; and the last of them, or the one before.
    rows: VecDeque<ReplayRow>,
    read_to: i64,
    /// Submissions that were worked through.
    taken: i64,
}

impl Walk {
    /// Before the first submission of a period.
    pub(crate) async fn begin(
        checkpoints: &Arc<Checkpoints>,
        board: &Board,
        place: Place,
        banned: Banned,
    ) -> Result<Self, Error> {
        let (seq, end) = checkpoints.bounds(place).await?;
        let settings = board.ranked.clone();
        let empty = Sliced::empty(&settings);
        Ok(Self {
            checkpoints: checkpoints.clone(),
            replay: Some(Replay::from(&settings, banned.clone(), empty)),
            settings,
            place,
            banned,
            seq,
            newest_at: Ts::from_micros(0),
            is_new: true,
            end,
            rows: VecDeque::new(),
            read_to: seq,
            taken: 0,
        })
    }

    /// What it goes through.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The ranking at the instant that it has come to.
    pub(crate) fn sliced(&self) -> Option<&Sliced> {
        self.replay.as_ref().map(Replay::sliced)
    }

    /// The ranking at the instant that it has come to, to be kept.
    pub(crate) fn finish(self) -> Sliced {
        let empty = || Sliced::empty(&self.settings);
        self.replay.map_or_else(empty, Replay::finish)
    }

    /// How many entries the ranking has, and the ranking as bytes.
    ///
    /// # Errors
    /// `Unavailable` if that was cut short.
    pub(crate) async fn encode(&mut self, label: Label) -> Result<(u64, Vec<u8>), Error> {
        let Some(replay) = self.replay.take() else { return Err(Error::NotFound) };
        let encode = move || {
            let (count, bytes) = (replay.sliced().len(), replay.sliced().encode(label));
            (replay, count, bytes)
        };
        let done = tokio::task::spawn_blocking(encode).await;
        let (replay, count, bytes) =
            done.map_err(|error| DbError::Unavailable(error.to_string()))?;
        self.replay = Some(replay);
        Ok((count, bytes))
    }

    /// Goes on to `at`, which is not before the instant that it has come to.
    ///
    /// # Errors
    /// `Invalid` if there are too many submissions in between.
    pub(crate) async fn advance_to(&mut self, at: Ts) -> Result<(), Error> {
        self.jump(at).await?;
        self.check_room(at).await?;
        loop {
            if self.rows.is_empty() && !self.fetch().await? {
                return Ok(());
            }
            let later = self.rows.iter().position(|row| row.submitted_at > at);
            let due = self.rows.drain(..later.unwrap_or(self.rows.len())).collect();
            self.take(due).await?;
            if later.is_some() {
                return Ok(());
            }
        }
    }

    /// Goes on to behind the submission `seq`, which is not before the one that it has come to; not further any more.
    ///
    /// # Errors
    /// As [`Walk::advance_to`].
    pub(crate) async fn advance_behind(&mut self, seq: i64) -> Result<(), Error> {
        self.end = self.end.min(seq.saturating_add(1));
        self.advance_to(Ts::from_micros(i64::MAX)).await
    }

    /// Goes on from the last checkpoint before `at`, if that is ahead so far that reading it is quicker.
    async fn jump(&mut self, at: Ts) -> Result<(), Error> {
        if self.end - self.seq <= 1 {
            return Ok(());
        }
        let found = self.checkpoints.find(self.place, &self.settings, (self.end - 1, at)).await?;
        let is_ahead = |row: &CheckpointRow| {
            let ahead = row.seq - self.seq;
            ahead > if self.is_new { 0 } else { self.checkpoints.ahead_max(row.entry_count) }
        };
        let Some(row) = found.filter(is_ahead) else { return Ok(()) };
        if self.go_on_from(&row).await? {
            self.checkpoints.count_past();
        }
        Ok(())
    }

    /// Goes on from a checkpoint; `false` if it cannot be used.
    pub(crate) async fn go_on_from(&mut self, row: &CheckpointRow) -> Result<bool, Error> {
        let owners = &self.banned.owners;
        let opened = self.checkpoints.open(self.place, &self.settings, row, owners).await?;
        let Some(sliced) = opened else { return Ok(false) };
        self.replay = Some(Replay::from(&self.settings, self.banned.clone(), sliced));
        (self.seq, self.newest_at, self.is_new) = (row.seq, row.newest_at, false);
        self.rows.retain(|waiting| waiting.seq > row.seq);
        self.read_to = self.read_to.max(row.seq);
        Ok(true)
    }

    /// Takes the next `count` submissions; the last of them, and the latest instant so far. Nothing if there are fewer.
    ///
    /// # Errors
    /// What the records say.
    pub(crate) async fn advance_by(
        &mut self,
        mut count: usize,
    ) -> Result<Option<(i64, Ts)>, Error> {
        self.taken = 0;
        while count > 0 {
            if self.rows.is_empty() && !self.fetch().await? {
                return Ok(None);
            }
            let some: Vec<ReplayRow> = self.rows.drain(..count.min(self.rows.len())).collect();
            count -= some.len();
            self.take(some).await?;
        }
        Ok(Some((self.seq, self.newest_at)))
    }

    /// Refuses before the work what would be refused in its midst.
    async fn check_room(&self, at: Ts) -> Result<(), Error> {
        let room = SUBMISSIONS_MAX - self.taken;
        if self.end - self.seq <= room {
            return Ok(());
        }
        let board = (self.place.board_no, self.end - 1);
        let later = first_that(self.checkpoints.db(), board, |period, submitted_at| {
            period < self.place.period || submitted_at <= at
        });
        if later.await? - 1 - self.seq > room { Err(too_many()) } else { Ok(()) }
    }

    /// Reads what comes next; `false` if there is nothing.
    async fn fetch(&mut self) -> Result<bool, Error> {
        let mut tx = self.checkpoints.db().read().await?;
        let (board_no, bounds) = (self.place.board_no, (self.read_to, self.end));
        let rows = store::checkpoints::replay_after(&mut tx, board_no, bounds, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(false) };
        self.read_to = last.seq;
        self.rows.extend(rows);
        Ok(true)
    }

    async fn take(&mut self, rows: Vec<ReplayRow>) -> Result<(), Error> {
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(()) };
        let Some(mut replay) = self.replay.take() else { return Ok(()) };
        let newest_at = rows.iter().map(|row| row.submitted_at).fold(self.newest_at, Ts::max);
        self.taken += rows.len() as i64;
        if self.taken > SUBMISSIONS_MAX {
            return Err(too_many());
        }
        let work = move || {
            rows.iter().for_each(|row| replay.take(row));
            replay
        };
        let done = tokio::task::spawn_blocking(work).await;
        self.replay = Some(done.map_err(|error| DbError::Unavailable(error.to_string()))?);
        (self.seq, self.newest_at, self.is_new) = (last, newest_at, false);
        Ok(())
    }
}

fn too_many() -> Error {
    let detail = format!(
        "More than {SUBMISSIONS_MAX} submissions would have to be worked through. Ask for a later instant or a shorter span."
    );
    Error::invalid("?at", "too_many", detail)
}
