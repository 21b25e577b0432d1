//! Checkpoints: rankings as they stood after a submission, kept as blobs.
//!
//! A board is loaded from its newest one and from what was submitted since, and a past instant is found from the newest
//! one before it. A checkpoint is only ever a shorter way to what the records say: one that cannot be read, or that was
//! made under other settings, is left aside, and the records are read instead.
//!
//! Reading order: this file (what is kept and how it is read), `reading` (how a board is loaded), `keeping` (when one
//! is made, and when it goes), `filling` (those of a past that has none).

mod filling;
mod keeping;
mod reading;

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mainstay_contract::ts::Ts;
use mainstay_core::{
    blobs::{BlobError, Blobs},
    db::{Db, DbError},
    mount::Core,
    telemetry::Unit,
};
use tokio::sync::Semaphore;

use super::standings::Sliced;
use crate::{
    engine::{Refused, encoded::Label},
    model::board::BoardSettings,
    store::{self, checkpoints::CheckpointRow, scores::Place},
};

pub(crate) use self::{filling::FILL_JOB, keeping::CHECKPOINT_JOB};

/// The largest checkpoint, in bytes: it is held in memory while it is written or read. Some 80 million entries.
const CHECKPOINT_BYTES_MAX: u64 = 2 << 30;
/// A store that takes longer is of no use: the records are there.
const FETCH_WITHIN: Duration = Duration::from_secs(60);
/// A board with no more submissions is small.
const SMALL_SEQ_MAX: i64 = 100_000;
/// Bans that are read at a time.
const BANS_BATCH: i64 = 5_000;

/// Counts a board that was loaded, by what it was loaded from.
type CountLoads = Box<dyn Fn(&'static str) + Send + Sync>;

/// Rankings that are kept as blobs, and the records beside them.
pub(crate) struct Checkpoints {
    db: Db,
    blobs: Blobs,
    count_loads: CountLoads,
    /// After how many submissions one is made, at least; 0 for never.
    at_least: i64,
    /// Whoever makes one waits here: it holds a whole board besides the one that is shown.
    making: Semaphore,
    /// The number before the first submission of a board's period, for boards that were looked at.
    begins: Mutex<HashMap<(i64, i64), i64>>,
}

/// Why a checkpoint was not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("fetch it: {0}")]
    Blob(#[source] BlobError),
    #[error("fetch it within {} s", FETCH_WITHIN.as_secs())]
    Late,
    #[error("read it: {0}")]
    Bytes(#[source] Refused),
}

impl Unusable {
    /// Whether it will never be of use, and not only now.
    fn for_good(&self) -> bool {
        match self {
            Self::Blob(
                BlobError::NotFound | BlobError::Damaged { .. } | BlobError::TooLarge { .. },
            ) => true,
            Self::Blob(_) | Self::Late => false,
            Self::Bytes(Refused::Damaged | Refused::Other) => true,
            // Another version of the program may know it, such as the one that this one is taken back for.
            Self::Bytes(Refused::Unknown) => false,
        }
    }
}

/// What entries depend on besides what was submitted and who is banned.
pub(crate) fn basis(settings: &BoardSettings) -> String {
    let directions: Vec<_> = settings.directions().collect();
    let all = (settings.operator, directions, settings.ties, &settings.slices);
    // Words alone, which are always a document.
    serde_json::to_string(&all).unwrap_or_default()
}

fn label(place: Place, seq: i64) -> Label {
    [place.board_no, place.edition, place.period, seq]
}

impl Checkpoints {
    /// Of the records of `db`. They are made after `at_least` submissions; if that is 0, none are made or used.
    pub(crate) fn new(core: &Core, db: &Db, at_least: u32) -> Self {
        let scope = core.metrics.scope("boards");
        let help = "Boards that this instance has loaded: `checkpoint`, from one and what came since; `records`, \
                    from all entries; `past`, from one for a past instant; and `unusable` checkpoints";
        let loads = scope.counter_family("loads", help, Unit::None, &["from"]);
        Self {
            db: db.clone(),
            blobs: core.blobs.clone(),
            count_loads: Box::new(move |from| {
                loads.with(&[from]).inc();
            }),
            at_least: at_least.into(),
            making: Semaphore::new(1),
            begins: Mutex::default(),
        }
    }

    /// The records.
    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Forgets what was known of a log that was replaced.
    pub(crate) fn forget_begins(&self) {
        self.begins().clear();
    }

    /// Whether a place is loaded in a moment: not many can have submitted something.
    pub(crate) async fn is_small(&self, place: Place) -> bool {
        let head = async { store::boards::head(&mut *self.db.read().await?, place.board_no).await };
        // What cannot be known is found out by loading it.
        matches!(head.await, Ok(Some(head)) if head.last_seq <= SMALL_SEQ_MAX)
    }

    fn begins(&self) -> MutexGuard<'_, HashMap<(i64, i64), i64>> {
        self.begins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest checkpoint of `place` under these settings, of those up to the submission `up_to` that have nothing
    /// later than `at`.
    pub(crate) async fn find(
        &self,
        place: Place,
        settings: &BoardSettings,
        (up_to, at): (i64, Ts),
    ) -> Result<Option<CheckpointRow>, DbError> {
        if self.at_least == 0 {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        store::checkpoints::checkpoint_at(&mut tx, place, &basis(settings), (up_to, at)).await
    }

    /// So many submissions of a period with so many entries are worked through rather than a checkpoint read.
    pub(super) fn ahead_max(&self, entry_count: i64) -> i64 {
        (self.at_least / 2).max(entry_count / 20)
    }

    /// Counts a past instant that is found from a checkpoint.
    pub(super) fn count_past(&self) {
        (self.count_loads)("past");
    }

    /// The ranking of a checkpoint, without `banned` owners; nothing if it cannot be used.
    pub(crate) async fn open(
        &self,
        place: Place,
        settings: &BoardSettings,
        row: &CheckpointRow,
        banned: &HashSet<String>,
    ) -> Result<Option<Sliced>, DbError> {
        let mut sliced = match self.fetch(place, settings, row).await? {
            Ok(sliced) => sliced,
            Err(error) => {
                (self.count_loads)("unusable");
                let (board_no, seq) = (place.board_no, row.seq);
                tracing::warn!(board_no, seq, %error, "a checkpoint of board {board_no} is not used");
                if error.for_good() {
                    self.leave(place, row.seq).await?;
                }
                return Ok(None);
            }
        };
        banned.iter().for_each(|owner| sliced.leave_out(owner));
        Ok(Some(sliced))
    }

    async fn fetch(
        &self,
        place: Place,
        settings: &BoardSettings,
        row: &CheckpointRow,
    ) -> Result<Result<Sliced, Unusable>, DbError> {
        let hash = row.hash()?;
        let fetch = self.blobs.read(&hash, CHECKPOINT_BYTES_MAX);
        let bytes = match tokio::time::timeout(FETCH_WITHIN, fetch).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Ok(Err(Unusable::Blob(error))),
            Err(_late) => return Ok(Err(Unusable::Late)),
        };
        let (settings, label) = (settings.clone(), label(place, row.seq));
        let read = move || Sliced::decode(&settings, label, &bytes).map_err(Unusable::Bytes);
        tokio::task::spawn_blocking(read).await.map_err(cut_short)
    }

    /// Takes a checkpoint out of use.
    async fn leave(&self, place: Place, seq: i64) -> Result<(), DbError> {
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    store::checkpoints::leave(tx, place, seq, now).await
                })
            })
            .await
    }

    /// Who is banned on a board, or everywhere.
    pub(crate) async fn banned(&self, board_no: i64) -> Result<HashSet<String>, DbError> {
        self.banned_by(board_no, Ts::from_micros(i64::MAX)).await
    }

    /// Who of them was banned at `instant` already.
    pub(crate) async fn banned_by(
        &self,
        board_no: i64,
        instant: Ts,
    ) -> Result<HashSet<String>, DbError> {
        let (mut all, mut after) = (HashSet::new(), String::new());
        loop {
            let mut tx = self.db.read().await?;
            let some =
                store::checkpoints::banned_after(&mut tx, board_no, &after, BANS_BATCH).await?;
            let more = some.len() as i64 == BANS_BATCH;
            if let Some((last, _)) = some.last() {
                after.clone_from(last);
            }
            let then = some.into_iter().filter(|(_, banned_at)| *banned_at <= instant);
            all.extend(then.map(|(owner, _)| owner));
            if !more {
                return Ok(all);
            }
        }
    }
}

fn cut_short(error: tokio::task::JoinError) -> DbError {
    DbError::Unavailable(error.to_string())
}

/// The number of the first submission of a board, of those up to `last`, for which `is_before` does not hold; one more
/// than `last` if there is none. It holds for those before it: periods and instants ascend with numbers.
pub(super) async fn first_that(
    db: &Db,
    (board_no, last): (i64, i64),
    is_before: impl Fn(i64, Ts) -> bool,
) -> Result<i64, DbError> {
    let mut tx = db.read().await?;
    let (mut low, mut high) = (1, last.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match store::checkpoints::submission_from(&mut tx, board_no, middle).await? {
            Some((period, at)) if is_before(period, at) => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
