//! Checkpoints of the past where there are none: after a build, before which nothing is of use any more, and of boards
//! that are older than checkpoints are.

use super::{
    keeping::{Made, apart_max},
    label,
};
use crate::{
    error::Error,
    service::{Boards, boards::Board, history::walk::Walk, scores::Banned},
    store::{self, boards::PeriodRow, scores::Place},
};

/// Makes checkpoints of the periods of a board that are over; its key is the board's number.
pub(crate) const FILL_JOB: &str = "boards.fill_past";

/// Checkpoints that are made at a time; others wait meanwhile.
const AT_ONCE_MAX: usize = 8;
/// Periods that are looked at at a time.
const PERIODS_BATCH: i64 = 100;

/// Where more submissions follow without a checkpoint than may.
#[derive(Debug, PartialEq, Eq)]
struct Gap {
    /// After this checkpoint; from the beginning on if there is none.
    after: Option<i64>,
    /// How many submissions may follow it.
    apart: i64,
    /// The checkpoint that comes next, or the number behind the last submission.
    next: i64,
}

/// Where a period ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nowhere yet: at its newest checkpoint, which is made when it is due.
    Open,
    /// With all that was submitted.
    Closed,
}

/// The first gap among checkpoints with these numbers and entries, and before `end` if there is one.
fn gap(kept: &[(i64, i64)], (begin, end): (i64, Option<i64>), at_least: i64) -> Option<Gap> {
    let newest = kept.last().map_or(0, |(_, entries)| *entries);
    let mut after = None;
    for (next, entries) in kept.iter().copied().chain(end.map(|end| (end, newest))) {
        let apart = apart_max(entries, at_least);
        if next - after.unwrap_or(begin) > apart {
            return Some(Gap { after, apart, next });
        }
        after = Some(next);
    }
    None
}

impl Boards {
    /// Makes checkpoints of the periods of a board that are over, as far back as past instants are told; after a build,
    /// before which none is of use.
    pub(crate) async fn fill_closed(&self, board_no: i64) -> Result<(), Error> {
        let at_least = self.inner.checkpoints.at_least;
        if at_least == 0 {
            return Ok(());
        }
        let Ok(_alone) = self.inner.checkpoints.making.acquire().await else { return Ok(()) };
        let Some((board, head)) = self.steady(board_no).await? else { return Ok(()) };
        let told_since = self.told_since();
        let mut before = head.period;
        loop {
            let mut tx = self.db().read().await?;
            let periods = store::boards::periods(&mut tx, board_no, before, PERIODS_BATCH).await?;
            drop(tx);
            let told = |period: &&PeriodRow| period.ends_at.is_none_or(|end| end > told_since);
            for period in periods.iter().filter(told) {
                let place = Place { board_no, edition: head.edition, period: period.no };
                if self.fill_past(&board, place, (End::Closed, at_least)).await? {
                    return self.make_later(FILL_JOB, board_no).await;
                }
            }
            match periods.last() {
                Some(last) if told(&last) => before = last.no,
                _ => return Ok(()),
            }
        }
    }

    /// Makes some checkpoints where the past of a period needs them; `true` if that is not all.
    pub(super) async fn fill_past(
        &self,
        board: &Board,
        place: Place,
        (end, at_least): (End, i64),
    ) -> Result<bool, Error> {
        let checkpoints = &self.inner.checkpoints;
        let (begin, behind) = checkpoints.bounds(place).await?;
        let end = (end == End::Closed).then_some(behind);
        let mut going: Option<(i64, Walk)> = None;
        for _ in 0..AT_ONCE_MAX {
            let mut tx = self.db().read().await?;
            let mut kept = store::checkpoints::list(&mut tx, place).await?;
            // Of what is older nothing is told any more.
            let oldest =
                store::checkpoints::newest_before(&mut tx, place, self.told_since()).await?;
            drop(tx);
            kept.retain(|(seq, _)| *seq >= oldest);
            let begin = begin.max(oldest);
            let Some(Gap { after, apart, next }) = gap(&kept, (begin, end), at_least) else {
                return Ok(false);
            };
            let at = after.unwrap_or(begin);
            let mut walk = match going.take().filter(|(seq, _)| *seq == at) {
                Some((_, walk)) => walk,
                None => match self.walk_from(board, place, after).await? {
                    Some(walk) => walk,
                    None => return Ok(false),
                },
            };
            let count = usize::try_from(apart).unwrap_or(usize::MAX);
            // Numbers of bans are no submissions; then there may be fewer than it seems.
            let Some((seq, newest_at)) = walk.advance_by(count).await?.filter(|it| it.0 < next)
            else {
                return Ok(false);
            };
            let (entries, bytes) = walk.encode(label(place, seq)).await?;
            if !self.is_still(board, place).await? {
                return Ok(false);
            }
            let entry_count = entries.cast_signed();
            let made = Made { place, seq, newest_at, entry_count, bytes };
            // One that was there and is being erased is made when it is gone.
            if !checkpoints.keep(board, made).await? {
                return Ok(false);
            }
            going = Some((seq, walk));
        }
        Ok(true)
    }

    /// A way through a period from a checkpoint on, or from its beginning; nothing if the checkpoint cannot be used.
    async fn walk_from(
        &self,
        board: &Board,
        place: Place,
        before: Option<i64>,
    ) -> Result<Option<Walk>, Error> {
        let checkpoints = &self.inner.checkpoints;
        let banned = Banned::causes(checkpoints.banned(board.no).await?);
        let mut walk = Walk::begin(checkpoints, board, place, banned).await?;
        let Some(seq) = before else { return Ok(Some(walk)) };
        let any = (seq, mainstay_contract::ts::Ts::from_micros(i64::MAX));
        let Some(row) = checkpoints.find(place, &board.ranked, any).await? else {
            return Ok(None);
        };
        Ok(walk.go_on_from(&row).await?.then_some(walk))
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, gap};

    #[test]
    fn a_gap_is_where_more_follow_than_may() {
        let open = |kept: &[(i64, i64)], begin| gap(kept, (begin, None), 100);
        assert_eq!(open(&[], 0), None, "the newest is made first");
        assert_eq!(open(&[(1_000, 10)], 0), None);
        let found = |after, apart, next| Some(Gap { after, apart, next });
        assert_eq!(open(&[(1_001, 10)], 0), found(None, 1_000, 1_001));
        assert_eq!(open(&[(1_001, 10)], 500), None, "the period began later");
        assert_eq!(open(&[(900, 10), (1_901, 10)], 0), found(Some(900), 1_000, 1_901));
        assert_eq!(open(&[(900, 10), (1_900, 10)], 0), None);
        assert_eq!(open(&[(2_000, 8_000)], 0), None, "a large board's are further apart");
        let closed = |kept: &[(i64, i64)], end| gap(kept, (0, Some(end)), 100);
        assert_eq!(closed(&[], 1_000), None);
        assert_eq!(closed(&[], 1_001), found(None, 1_000, 1_001));
        assert_eq!(closed(&[(900, 10)], 1_901), found(Some(900), 1_000, 1_901));
        assert_eq!(closed(&[(900, 8_000)], 1_901), None);
    }
}
