//! Which counts were told, so that an older one is not told after a newer one.

use std::collections::HashMap;

use mainstay_contract::id::PostId;

/// Posts and kinds of counts that are remembered at least; at most twice as many.
const TOLD_MAX: usize = 32_768;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    Likes,
    Comments,
    Views,
}

/// The newest version of each count of the posts that were told of lately. Facts of one post are committed in order,
/// but reach an instance in the order in which those who wrote them go on.
#[derive(Debug, Default)]
pub(super) struct Told {
    log_epoch: u64,
    young: HashMap<(PostId, Counted), i64>,
    old: HashMap<(PostId, Counted), i64>,
}

impl Told {
    /// Whether `version` is above what was told of this count, which it is from now on.
    pub(super) fn is_news(
        &mut self,
        log_epoch: u64,
        post: PostId,
        counted: Counted,
        version: i64,
    ) -> bool {
        if self.log_epoch != log_epoch {
            // Another log after a restore: its versions may begin below.
            *self = Self { log_epoch, ..Self::default() };
        }
        let key = (post, counted);
        let last = self.young.get(&key).or_else(|| self.old.get(&key));
        if last.is_some_and(|last| *last >= version) {
            return false;
        }
        if self.young.len() >= TOLD_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, version);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_count_is_no_news_and_each_kind_counts_for_itself() {
        let (mut told, post) = (Told::default(), PostId::from_bits(1));
        let mut news = |epoch, counted, version| told.is_news(epoch, post, counted, version);
        assert!(news(1, Counted::Likes, 5));
        assert!(!news(1, Counted::Likes, 4) && !news(1, Counted::Likes, 5));
        assert!(news(1, Counted::Comments, 4), "a count of another kind");
        assert!(news(1, Counted::Likes, 6));
        assert!(news(2, Counted::Likes, 1), "another log");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut told = Told::default();
        for post in 0..4 * TOLD_MAX as u128 {
            assert!(told.is_news(1, PostId::from_bits(post), Counted::Likes, 1));
        }
        assert!(told.young.len() + told.old.len() <= 2 * TOLD_MAX);
        let last = PostId::from_bits(4 * TOLD_MAX as u128 - 1);
        assert!(!told.is_news(1, last, Counted::Likes, 1));
    }
}
