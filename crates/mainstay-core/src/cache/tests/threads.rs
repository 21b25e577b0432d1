//! Readers, writers and a tailer on real threads: no reader may see less than it had been shown.

use std::{sync::atomic::AtomicBool, thread};

use super::*;

const WRITES: u64 = 4_000;

impl Table {
    /// Commits one more version; answers its position.
    fn write(&self) -> (i64, u64) {
        let mut table = self.0.lock().unwrap();
        *table = (table.0 + 1, table.1 + 1);
        *table
    }

    /// The value and the stamp of the snapshot.
    fn read(&self) -> (u64, Stamp) {
        let table = self.0.lock().unwrap();
        (table.1, Stamp(table.0 + 1))
    }
}

#[test]
fn readers_never_see_less_than_was_applied_before_they_asked() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let table = Arc::new(Table::default());
    let (applied, over) = (AtomicI64::new(0), AtomicBool::new(false));
    let (applied, over) = (Arc::new(applied), Arc::new(over));
    let hits = thread::scope(|scope| {
        let readers = (0..3).map(|_| {
            let (posts, table, applied, over) = (&posts, &table, &applied, &over);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { read_until(over, posts, table, applied).await })
            })
        });
        let readers = readers.collect::<Vec<_>>();
        for _ in 0..WRITES {
            let (position, version) = table.write();
            epochs.apply(POST, position);
            // From here on every new call must see this version.
            applied.fetch_max(version as i64, Ordering::AcqRel);
            thread::yield_now();
        }
        over.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>()
    });
    assert!(hits > 0, "some reads must have been answered from memory");
}

async fn read_until(
    over: &AtomicBool,
    posts: &Posts,
    table: &Arc<Table>,
    applied: &AtomicI64,
) -> u64 {
    let mut hits = 0;
    while !over.load(Ordering::Acquire) {
        let must_see = applied.load(Ordering::Acquire) as u64;
        if let Lookup::Hit(hit) = posts.get(&7) {
            assert!(*hit >= must_see, "memory gave {} after {must_see} was applied", *hit);
            hits += 1;
        }
        let must_see = applied.load(Ordering::Acquire) as u64;
        let table = table.clone();
        let load = || async move {
            let (value, stamp) = table.read();
            tokio::task::yield_now().await; // lands late
            Ok::<_, Failed>(Loaded::found(value, [POST], stamp))
        };
        let seen = *posts.get_or_load(&7, load).await.unwrap().unwrap();
        assert!(seen >= must_see, "got {seen} after {must_see} was applied");
    }
    hits
}
