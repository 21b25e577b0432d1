//! Bounded work on pictures: so many at once, so much memory, so many waiting.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore, TryAcquireError},
    task::spawn_blocking,
    time::timeout,
};

use super::{Limits, MediaError, Processed, cost_bytes, process};

/// Memory is handed out in pieces of this size.
const PIECE_BYTES: u64 = 1 << 20;

/// Bounds of a [`Pool`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Pictures worked on at once; each takes one core.
    pub workers: usize,
    /// Pictures that may wait beside those; the next one is `Busy`.
    pub waiting_max: usize,
    /// How long one may wait for a worker, and again for memory, before it is `Busy`.
    pub wait_max: Duration,
    /// Memory for all pictures worked on. One that needs more than all of it is worked on alone.
    pub memory_bytes: u64,
    /// What is taken.
    pub limits: Limits,
}

impl Default for PoolSettings {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            workers,
            waiting_max: 4 * workers,
            wait_max: Duration::from_secs(10),
            memory_bytes: 768 << 20,
            limits: Limits::default(),
        }
    }
}

/// Runs [`process`] on blocking threads. A clone is the same pool.
#[derive(Debug, Clone)]
pub struct Pool {
    settings: Arc<PoolSettings>,
    places: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

impl Pool {
    /// A pool within `settings`; 0 workers count as 1.
    pub fn new(settings: PoolSettings) -> Self {
        let workers = settings.workers.max(1);
        let pieces = pieces(settings.memory_bytes).max(1);
        Self {
            places: Arc::new(Semaphore::new(workers + settings.waiting_max)),
            workers: Arc::new(Semaphore::new(workers)),
            memory: Arc::new(Semaphore::new(pieces as usize)),
            settings: Arc::new(settings),
        }
    }

    /// What is taken.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Processes `bytes` when it is their turn.
    ///
    /// # Errors
    /// As [`Pool::turn`] and [`Turn::process`].
    pub async fn process(&self, bytes: Bytes) -> Result<Processed, MediaError> {
        self.turn().await?.process(bytes).await
    }

    /// Waits for a worker, so that what is to be processed need not be in memory before. Dropping it gives it back.
    ///
    /// # Errors
    /// `Busy` if the queue is full or the wait too long.
    pub async fn turn(&self) -> Result<Turn, MediaError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let worker = self.within_wait(Arc::clone(&self.workers).acquire_owned()).await?;
        Ok(Turn { pool: self.clone(), worker, place })
    }

    async fn within_wait(
        &self,
        permit: impl Future<Output = Acquired>,
    ) -> Result<OwnedSemaphorePermit, MediaError> {
        let permit = timeout(self.settings.wait_max, permit).await;
        let permit = permit.map_err(|_late| MediaError::Busy)?;
        permit.map_err(|source| MediaError::Failed { source: source.into() })
    }
}

type Acquired = Result<OwnedSemaphorePermit, AcquireError>;

/// A worker of the pool that waits for its picture.
#[derive(Debug)]
pub struct Turn {
    pool: Pool,
    worker: OwnedSemaphorePermit,
    place: OwnedSemaphorePermit,
}

impl Turn {
    /// Processes `bytes`, as soon as there is memory for it.
    ///
    /// Dropping the future while it waits gives the turn up; work that has begun runs to its end and keeps it so long.
    ///
    /// # Errors
    /// Those of [`process`]; `Busy` if the wait is too long; `Failed` if a decoder panics.
    pub async fn process(self, bytes: Bytes) -> Result<Processed, MediaError> {
        let settings = Arc::clone(&self.pool.settings);
        let cost = pieces(cost_bytes(&bytes, &settings.limits));
        let cost = cost.min(pieces(settings.memory_bytes)).max(1);
        // Behind the worker: whoever waits here waits for others who have both, so all get through.
        let memory = Arc::clone(&self.pool.memory).acquire_many_owned(cost);
        let memory = self.pool.within_wait(memory).await?;
        let work = spawn_blocking(move || {
            let done = process(&bytes, &settings.limits);
            drop((memory, self.worker, self.place));
            done
        });
        match work.await {
            Ok(done) => done,
            Err(source) => Err(MediaError::Failed { source: source.into() }),
        }
    }
}

fn busy(_full: TryAcquireError) -> MediaError {
    MediaError::Busy
}

fn pieces(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX)
}
