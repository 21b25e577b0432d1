//! What Feed's things are and how Feed decides: pure, without I/O or clock.

pub mod diversity;
pub mod dry_run;
pub mod marks;
pub mod notify;
pub mod rank;
pub mod target;
pub mod text;

use mainstay_contract::{feed::VisibilityV1, id::UserId};

/// Most characters of a caption, as Unicode scalar values.
pub const CAPTION_CHARS_MAX: usize = 2_200;
/// Most characters of a comment.
pub const COMMENT_CHARS_MAX: usize = 2_200;
/// Most characters of the words for a picture.
pub const ALT_CHARS_MAX: usize = 1_000;
/// Most pictures and films of a post.
pub const MEDIA_MAX: usize = 10;
/// Most people that somebody can follow; the home timeline merges them at each read.
pub const FOLLOWS_MAX: i64 = 10_000;
/// Most characters of the name somebody chooses.
pub const DISPLAY_NAME_CHARS_MAX: usize = 60;
/// Most characters of what somebody says of themselves.
pub const BIO_CHARS_MAX: usize = 500;
/// Most characters of the reason of a report or of a moderator's act.
pub const REASON_CHARS_MAX: usize = 500;
/// Most characters of a search.
pub const QUERY_CHARS_MAX: usize = 100;
/// Lines of notifications end after this time without activity.
pub const NOTIFICATION_LIFE_S: i64 = 90 * 24 * 60 * 60;
/// A viewer's views of a post count once in this time.
pub const VIEW_WINDOW_S: i64 = 30 * 60;
/// A view that was not heard of for this long is over.
pub const VIEW_SILENCE_S: i64 = 5 * 60;
/// The longest dwell time of one view that is believed.
pub const DWELL_MS_MAX: i64 = 6 * 60 * 60 * 1_000;
/// Unattached uploads end after this time.
pub const UPLOAD_LIFE_S: i64 = 24 * 60 * 60;
/// Views are kept for this long.
pub const VIEW_LIFE_S: i64 = 30 * 24 * 60 * 60;
/// A deleted post keeps its row for this long: longer than a frozen ranking that may name it.
pub const DELETED_LIFE_S: i64 = 2 * RANKING_LIFE_S;
/// A deleted comment that nothing answers keeps its row for this long: longer than the answers to idempotency keys are
/// kept, so that a repeat of the deletion finds it.
pub const DELETED_COMMENT_LIFE_S: i64 = 2 * 24 * 60 * 60;
/// A removed post can be restored for this long.
pub const REMOVED_LIFE_S: i64 = 30 * 24 * 60 * 60;
/// Reports that were acted on are kept for this long.
pub const REPORT_LIFE_S: i64 = 180 * 24 * 60 * 60;
/// A frozen ranking can be paged for this long.
pub const RANKING_LIFE_S: i64 = 60 * 60;

/// Where a post is in its life, as its row says.
pub mod post_state {
    /// Only its author sees it.
    pub const DRAFT: i64 = 0;
    /// Waits for its time.
    pub const SCHEDULED: i64 = 1;
    /// Shown to whom its visibility names.
    pub const PUBLISHED: i64 = 2;
    /// Hidden by a moderator; its author sees it.
    pub const HIDDEN: i64 = 3;
    /// Removed by a moderator; nobody sees it, and it can be restored for a while.
    pub const REMOVED: i64 = 4;
    /// Deleted by its author.
    pub const DELETED: i64 = 5;

    /// Whether a moderator took it away and can give it back.
    pub const fn may_return(state: i64) -> bool {
        matches!(state, HIDDEN | REMOVED)
    }
}

/// What a comment's row says of it.
pub mod comment_state {
    /// Shown.
    pub const SHOWN: i64 = 0;
    /// Hidden by a moderator.
    pub const HIDDEN: i64 = 1;
    /// Removed by a moderator.
    pub const REMOVED: i64 = 2;
    /// Deleted by its author.
    pub const DELETED: i64 = 3;

    /// Whether a moderator took it away and can give it back.
    pub const fn may_return(state: i64) -> bool {
        matches!(state, HIDDEN | REMOVED)
    }
}

/// A follow as its row says.
pub mod follow_state {
    /// Accepted.
    pub const ACCEPTED: i64 = 0;
    /// Waits for the other to accept.
    pub const REQUESTED: i64 = 1;
}

/// The row's number of a visibility.
pub fn visibility_number(visibility: VisibilityV1) -> i64 {
    match visibility {
        VisibilityV1::Public => 0,
        VisibilityV1::Followers => 1,
        VisibilityV1::Private => 2,
    }
}

/// The visibility of a row's number; anything unknown is the narrowest.
pub fn visibility_of(number: i64) -> VisibilityV1 {
    match number {
        0 => VisibilityV1::Public,
        1 => VisibilityV1::Followers,
        _ => VisibilityV1::Private,
    }
}

/// What decides whether somebody sees a post: its row, its author's, and how the two stand to each other.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Who wrote it.
    pub author: UserId,
    /// The post's state.
    pub state: i64,
    /// The post's visibility.
    pub visibility: i64,
    /// The author shows posts to followers only.
    pub author_private: bool,
    /// The author is suspended.
    pub author_suspended: bool,
    /// The viewer follows the author, accepted.
    pub follows: bool,
    /// One of them blocks the other.
    pub blocked: bool,
}

impl Sight {
    /// Whether `viewer` (nobody, if a stranger) sees the post. The one place where this is decided; statements that
    /// filter in bulk follow it and a test compares them.
    pub fn visible_to(&self, viewer: Option<UserId>) -> bool {
        if viewer == Some(self.author) {
            return self.state <= post_state::HIDDEN;
        }
        if self.state != post_state::PUBLISHED || self.author_suspended || self.blocked {
            return false;
        }
        match visibility_of(self.visibility) {
            VisibilityV1::Public => !self.author_private || self.follows,
            VisibilityV1::Followers => self.follows,
            VisibilityV1::Private => false,
        }
    }

    /// Whether everybody sees it, whoever was asked about: then its media may be cached by anybody.
    pub fn is_open(&self) -> bool {
        Self { follows: false, ..*self }.visible_to(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHOR: UserId = UserId::from_bits(1);
    const OTHER: UserId = UserId::from_bits(2);

    fn sight() -> Sight {
        Sight {
            author: AUTHOR,
            state: post_state::PUBLISHED,
            visibility: 0,
            author_private: false,
            author_suspended: false,
            follows: false,
            blocked: false,
        }
    }

    #[test]
    fn a_private_account_shows_public_posts_to_followers_only() {
        let private = Sight { author_private: true, ..sight() };
        assert!(!private.visible_to(None));
        assert!(!private.visible_to(Some(OTHER)));
        assert!(Sight { follows: true, ..private }.visible_to(Some(OTHER)));
        assert!(private.visible_to(Some(AUTHOR)));
    }

    #[test]
    fn a_block_or_a_suspension_hides_even_from_followers() {
        let followed = Sight { follows: true, ..sight() };
        assert!(followed.visible_to(Some(OTHER)));
        assert!(!Sight { blocked: true, ..followed }.visible_to(Some(OTHER)));
        assert!(!Sight { author_suspended: true, ..followed }.visible_to(Some(OTHER)));
    }

    #[test]
    fn what_a_follower_may_see_is_not_open_to_everybody() {
        let followers = Sight { visibility: 1, follows: true, ..sight() };
        assert!(followers.visible_to(Some(OTHER)) && !followers.is_open());
        let private = Sight { author_private: true, follows: true, ..sight() };
        assert!(private.visible_to(Some(OTHER)) && !private.is_open());
        assert!(sight().is_open());
    }

    #[test]
    fn its_author_sees_a_hidden_post_but_not_a_removed_one() {
        assert!(Sight { state: post_state::HIDDEN, ..sight() }.visible_to(Some(AUTHOR)));
        assert!(!Sight { state: post_state::HIDDEN, ..sight() }.visible_to(Some(OTHER)));
        assert!(!Sight { state: post_state::REMOVED, ..sight() }.visible_to(Some(AUTHOR)));
    }
}
