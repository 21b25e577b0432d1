//! Checkpoints of the past where there are none: after a build, before which nothing is of use any more, and of boards
//! that are older than checkpoints are.

use super::{
    keeping::{Made, apart_max},
    label,
};
use crate::{
    error::Error,
    service::{Boards, boards::Board, history::walk::Walk, scores::Banned},
    store::{self, scores::Place},
};

/// Checkpoints that are made at a time; others wait meanwhile.
const AT_ONCE_MAX: usize = 8;

/// Where more submissions follow without a checkpoint than may.
#[derive(Debug, PartialEq, Eq)]
struct Gap {
    /// After this checkpoint; from the beginning on if there is none.
    after: Option<i64>,
    /// How many submissions may follow it.
    apart: i64,
    /// The checkpoint that comes next.
    next: i64,
}

/// The first gap among checkpoints with these numbers and entries.
fn gap(kept: &[(i64, i64)], begin: i64, at_least: i64) -> Option<Gap> {
    let mut after = None;
    for (next, entries) in kept {
        let apart = apart_max(*entries, at_least);
        if next - after.unwrap_or(begin) > apart {
            return Some(Gap { after, apart, next: *next });
        }
        after = Some(*next);
    }
    None
}

impl Boards {
    /// Makes some checkpoints where the past of a period needs them, and has more made later if that is not all.
    pub(super) async fn fill_past(
        &self,
        board: &Board,
        place: Place,
        at_least: i64,
    ) -> Result<(), Error> {
        let checkpoints = &self.inner.checkpoints;
        let (begin, _) = checkpoints.bounds(place).await?;
        let mut going: Option<(i64, Walk)> = None;
        for _ in 0..AT_ONCE_MAX {
            let mut tx = self.db().read().await?;
            let kept = store::checkpoints::list(&mut tx, place).await?;
            drop(tx);
            let Some(Gap { after, apart, next }) = gap(&kept, begin, at_least) else {
                return Ok(());
            };
            let at = after.unwrap_or(begin);
            let mut walk = match going.take().filter(|(seq, _)| *seq == at) {
                Some((_, walk)) => walk,
                None => match self.walk_from(board, place, after).await? {
                    Some(walk) => walk,
                    None => return Ok(()),
                },
            };
            let count = usize::try_from(apart).unwrap_or(usize::MAX);
            // Numbers of bans are no submissions; then there may be fewer than it seems.
            let Some((seq, newest_at)) = walk.advance_by(count).await?.filter(|it| it.0 < next)
            else {
                return Ok(());
            };
            let (entries, bytes) = walk.encode(label(place, seq)).await?;
            if !self.is_still(board, place).await? {
                return Ok(());
            }
            let entry_count = entries.cast_signed();
            let made = Made { place, seq, newest_at, entry_count, bytes };
            // One that was there and is being erased is made when it is gone.
            if !checkpoints.keep(board, made).await? {
                return Ok(());
            }
            going = Some((seq, walk));
        }
        self.make_later(board.no).await
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
        let Some(row) = checkpoints.find(place, &board.settings, any).await? else {
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
        assert_eq!(gap(&[], 0, 100), None, "the newest is made first");
        assert_eq!(gap(&[(1_000, 10)], 0, 100), None);
        let found = |after, apart, next| Some(Gap { after, apart, next });
        assert_eq!(gap(&[(1_001, 10)], 0, 100), found(None, 1_000, 1_001));
        assert_eq!(gap(&[(1_001, 10)], 500, 100), None, "the period began later");
        assert_eq!(gap(&[(900, 10), (1_901, 10)], 0, 100), found(Some(900), 1_000, 1_901));
        assert_eq!(gap(&[(900, 10), (1_900, 10)], 0, 100), None);
        assert_eq!(gap(&[(2_000, 8_000)], 0, 100), None, "a large board's are further apart");
    }
}
