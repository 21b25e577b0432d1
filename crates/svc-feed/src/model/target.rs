//! What can be reported and acted on, and what a moderator's act makes of it.

use std::{fmt, str::FromStr};

use mainstay_contract::id::{CommentId, PostId, UserId};
use serde::{Deserialize, Serialize};

use super::{comment_state, post_state};

/// A post, a comment or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A post.
    Post(PostId),
    /// A comment.
    Comment(CommentId),
    /// A person.
    Person(UserId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Post(post) => post.fmt(f),
            Self::Comment(comment) => comment.fmt(f),
            Self::Person(person) => person.fmt(f),
        }
    }
}

/// A text that names no post, comment or person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a post, a comment or a person")]
pub struct NotATarget;

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let post = text.parse().map(Self::Post).ok();
        let comment = || text.parse().map(Self::Comment).ok();
        let person = || text.parse().map(Self::Person).ok();
        post.or_else(comment).or_else(person).ok_or(NotATarget)
    }
}

/// What a moderator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nobody but its author sees it.
    Hide,
    /// It is shown again; what is shown stays, and its reports are done with. A person may act again.
    Restore,
    /// Nobody sees it any more, its author neither; a post can be restored for 30 days.
    Remove,
    /// The person may not act, and nothing of theirs is shown.
    Suspend,
    /// The person may act again.
    Unsuspend,
}

impl Act {
    /// The act's name, as it is sent and kept.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hide => "hide",
            Self::Restore => "restore",
            Self::Remove => "remove",
            Self::Suspend => "suspend",
            Self::Unsuspend => "unsuspend",
        }
    }

    /// The act's name in the audit log.
    pub const fn audited(self) -> &'static str {
        match self {
            Self::Hide => "feed.hide",
            Self::Restore => "feed.restore",
            Self::Remove => "feed.remove",
            Self::Suspend => "feed.suspend",
            Self::Unsuspend => "feed.unsuspend",
        }
    }

    /// Whether a person is suspended after it; `None` if it is not for people.
    pub const fn suspends(self) -> Option<bool> {
        match self {
            Self::Suspend => Some(true),
            Self::Restore | Self::Unsuspend => Some(false),
            Self::Hide | Self::Remove => None,
        }
    }

    /// The state of a post after it; `None` if it is not for posts.
    pub const fn post_state(self) -> Option<i64> {
        match self {
            Self::Hide => Some(post_state::HIDDEN),
            Self::Restore => Some(post_state::PUBLISHED),
            Self::Remove => Some(post_state::REMOVED),
            Self::Suspend | Self::Unsuspend => None,
        }
    }

    /// The state of a comment after it; `None` if it is not for comments.
    pub const fn comment_state(self) -> Option<i64> {
        match self {
            Self::Hide => Some(comment_state::HIDDEN),
            Self::Restore => Some(comment_state::SHOWN),
            Self::Remove => Some(comment_state::REMOVED),
            Self::Suspend | Self::Unsuspend => None,
        }
    }
}

/// How a post in this state stands, for moderators.
pub const fn post_status(state: i64) -> &'static str {
    match state {
        post_state::HIDDEN => "hidden",
        post_state::REMOVED | post_state::DELETED => "removed",
        _ => "visible",
    }
}

/// How a comment in this state stands, for moderators.
pub const fn comment_status(state: i64) -> &'static str {
    match state {
        comment_state::SHOWN => "visible",
        comment_state::HIDDEN => "hidden",
        _ => "removed",
    }
}

/// How a person stands, for moderators.
pub const fn person_status(suspended: bool) -> &'static str {
    if suspended { "suspended" } else { "visible" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_back_from_its_own_text() {
        let bits = 0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881;
        for target in [
            Target::Post(PostId::from_bits(bits)),
            Target::Comment(CommentId::from_bits(bits)),
            Target::Person(UserId::from_bits(bits)),
        ] {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert_eq!("media_01h2xcejqtf2nbrexx3vqjhp41".parse::<Target>(), Err(NotATarget));
    }

    #[test]
    fn an_act_has_one_name() {
        for act in [Act::Hide, Act::Restore, Act::Remove, Act::Suspend, Act::Unsuspend] {
            assert_eq!(serde_json::to_value(act).unwrap_or_default(), act.name());
            assert_eq!(act.audited(), format!("feed.{}", act.name()));
        }
    }

    #[test]
    fn people_are_suspended_and_not_hidden_and_posts_the_other_way_round() {
        assert_eq!(Act::Hide.suspends(), None);
        assert_eq!(Act::Suspend.post_state(), None);
        assert_eq!(Act::Restore.suspends(), Some(false));
        assert_eq!(Act::Restore.post_state(), Some(post_state::PUBLISHED));
    }
}
