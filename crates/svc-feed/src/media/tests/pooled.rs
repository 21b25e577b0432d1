//! The pool's bounds.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::{CAT_PNG, ROCKET_JPG, TRUNCATED_JPG};
use crate::media::{
    Limits, MediaError, cost_bytes,
    pool::{Pool, PoolSettings},
};

fn pool(workers: usize, waiting_max: usize, memory_bytes: u64) -> Pool {
    Pool::new(PoolSettings {
        workers,
        waiting_max,
        memory_bytes,
        wait_max: Duration::from_secs(60),
        limits: Limits::default(),
    })
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_busy_at_once() {
    let pool = pool(1, 2, 1 << 30);
    let all = join_all((0..8).map(|_| pool.process(Bytes::from_static(ROCKET_JPG)))).await;
    let done = all.iter().filter(|answer| answer.is_ok()).count();
    let busy = all.iter().filter(|answer| matches!(answer, Err(MediaError::Busy))).count();
    assert_eq!((done, busy), (3, 5));
    assert!(pool.process(Bytes::from_static(ROCKET_JPG)).await.is_ok(), "places come back");
}

#[tokio::test]
async fn pictures_that_need_more_memory_than_there_is_go_one_after_another() {
    assert!(cost_bytes(CAT_PNG, &Limits::default()) > 451 * 300 * 4);
    let pool = pool(4, 4, 1);
    let files = [CAT_PNG, ROCKET_JPG, CAT_PNG, ROCKET_JPG];
    let all = join_all(files.map(|file| pool.process(Bytes::from_static(file)))).await;
    assert!(all.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_refusal_comes_through_and_gives_its_place_back() {
    let pool = pool(1, 0, 1 << 30);
    for _ in 0..3 {
        let error = pool.process(Bytes::from_static(TRUNCATED_JPG)).await.err().unwrap();
        assert!(matches!(error, MediaError::Truncated { .. }));
    }
}

#[tokio::test]
async fn waiting_too_long_is_busy() {
    let mut settings = PoolSettings { workers: 1, waiting_max: 1, ..PoolSettings::default() };
    settings.wait_max = Duration::ZERO;
    let pool = Pool::new(settings);
    let both = join_all([ROCKET_JPG, CAT_PNG].map(|file| pool.process(Bytes::from_static(file))));
    let both = both.await;
    assert!(both[0].is_ok());
    assert!(matches!(both[1], Err(MediaError::Busy)));
}
