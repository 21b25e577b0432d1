//! The order in which a person's sources count, and counting anew when it changes.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_contract::id::UserId;
use mainstay_core::{
    db::{Once, Tx},
    params,
};

use super::{goals, intervals_around, sync::recounted};
use crate::{
    error::Error,
    model::activity::{counted, day_of, day_start, is_name, limits::ActivityLimits},
    service::{Boards, competitions},
    store::{self, activities::Of},
};

/// The most sources whose order can be said.
pub(super) const SOURCES_MAX: usize = 20;
/// Intervals that are counted anew in one commit; of one day even if it has more.
const INTERVALS_AT_ONCE: i64 = 5_000;

impl Boards {
    /// The sources that have said something of these metrics of a person, in the order in which they count: those of
    /// [`Boards::priority`] first, the others by name.
    pub(crate) async fn sources(
        &self,
        user: UserId,
        metrics: &[&str],
    ) -> Result<Vec<String>, Error> {
        let mut tx = self.db().read().await?;
        let mut all = store::activities::priority(&mut tx, user).await?;
        let mut others = BTreeSet::new();
        for metric in metrics {
            let of = Of { user, metric };
            others.extend(store::activities::sources(&mut tx, of, SOURCES_MAX as i64).await?);
        }
        others.retain(|source| !all.contains(source));
        all.extend(others);
        Ok(all)
    }

    /// Lets a source count before the one that counted just before it. What is first, or unknown, stays.
    ///
    /// # Errors
    /// As [`Boards::set_priority`].
    pub(crate) async fn raise_source(
        &self,
        user: UserId,
        source: &str,
        metrics: &[&str],
    ) -> Result<(), Error> {
        let mut all = self.sources(user, metrics).await?;
        let found = all.iter().position(|known| known == source);
        let Some((at, before)) = found.and_then(|at| Some((at, at.checked_sub(1)?))) else {
            return Ok(());
        };
        all.swap(at, before);
        all.truncate(SOURCES_MAX);
        self.set_priority(user, all, None).await.map(drop)
    }

    /// Says which sources of the caller count first. What was synced before is counted anew, some days in a commit; if
    /// that is interrupted, `boards.recount_activity` goes on with it.
    ///
    /// # Errors
    /// `Invalid` for names that no source has, or too many.
    pub(crate) async fn set_priority(
        &self,
        user: UserId,
        priority: Vec<String>,
        once: Option<Once>,
    ) -> Result<Vec<String>, Error> {
        let mut sorted = priority.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let fits = priority.len() <= SOURCES_MAX && sorted.len() == priority.len();
        if !fits || !priority.iter().all(|source| is_name(source)) {
            let detail = format!("Name at most {SOURCES_MAX} sources, each once.");
            return Err(Error::invalid("/priority", "malformed", detail));
        }
        let priority = self
            .db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let priority = priority.clone();
                Box::pin(async move {
                    let now = tx.now();
                    if store::activities::lock_person(tx, user, now).await? == priority {
                        return Ok(priority);
                    }
                    store::activities::set_priority(tx, user, &priority).await?;
                    Ok::<_, Error>(priority)
                })
            })
            .await?;
        while self.recount_some(user).await? {}
        Ok(priority)
    }

    /// Goes on with counting anew what an order of sources has changed, for those who have not come to its end.
    pub(crate) async fn recount_activity(&self) -> Result<(), Error> {
        let users = store::activities::recounts(&mut *self.db().read().await?).await?;
        for user in users {
            while self.recount_some(user).await? {}
        }
        Ok(())
    }

    /// Counts some days anew; `false` once all are.
    async fn recount_some(&self, user: UserId) -> Result<bool, Error> {
        let limits = self.inner.config.activity;
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], None, move |tx| {
                Box::pin(async move { recount_in(tx, user, &limits).await })
            })
            .await
    }
}

async fn recount_in(tx: &mut Tx, user: UserId, limits: &ActivityLimits) -> Result<bool, Error> {
    let now = tx.now();
    let priority = store::activities::lock_person(tx, user, now).await?;
    let Some((metric, day)) = store::activities::recount(tx, user).await? else { return Ok(false) };
    let after = store::activities::days_after(tx, user, (&metric, day)).await?;
    let Some((metric, first, _)) = after.first().cloned() else {
        store::activities::move_recount(tx, user, None).await?;
        return Ok(false);
    };
    let (mut last, mut intervals) = (first, 0);
    for (_, day, more) in after.iter().take_while(|(of, ..)| *of == metric) {
        intervals += more;
        if intervals > INTERVALS_AT_ONCE && *day > first {
            break;
        }
        last = *day;
    }
    let of = Of { user, metric: &metric };
    let changed = recount(tx, of, &priority, limits.in_a_day(&metric), (first, last)).await?;
    if !changed.is_empty() {
        goals::achieve(tx, of, &changed).await?;
    }
    // Also of a day whose sum is the same: what counts before and after the start of a competition may be another.
    competitions::activity_changed(tx, of, (first, last)).await?;
    store::activities::move_recount(tx, user, Some((&metric, last))).await?;
    Ok(true)
}

/// Counts the known days from the first to the last of these anew; those of which something else counts. Of a day
/// counts `most` at most: what one source covered when it was synced may count in another order.
async fn recount(
    tx: &mut Tx,
    of: Of<'_>,
    priority: &[String],
    most: i64,
    (first, last): (i64, i64),
) -> Result<BTreeSet<i64>, Error> {
    let time = (day_start(first), day_start(last + 1));
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for (start, value) in counted(&intervals_around(tx, of, time).await?, priority) {
        *sums.entry(day_of(start)).or_default() += value;
    }
    let mut changed = BTreeSet::new();
    for (day, kept) in store::activities::kept_days(tx, of, (first, last + 1)).await? {
        let value = sums.get(&day).copied().unwrap_or_default().min(most);
        if value != kept.value {
            store::activities::count_day(tx, of, day, value).await?;
            recounted(tx, of, day, value - kept.value, value).await?;
            changed.insert(day);
        }
    }
    Ok(changed)
}
