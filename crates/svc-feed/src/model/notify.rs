//! Which line of whose notifications an act belongs to.
//!
//! A line is one kind of act on one object; its key names both, so that the same act of another person finds it again.

use mainstay_contract::id::{CommentId, PostId, UserId};

use crate::view::NotificationKind;

/// A line of somebody's notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose.
    pub user: UserId,
    /// What happened.
    pub kind: NotificationKind,
    /// Kind and object.
    pub key: String,
    /// The post it is about.
    pub post: Option<PostId>,
    /// The comment it is about, or the newest one.
    pub comment: Option<CommentId>,
}

impl Line {
    /// The kind of [`Line::like`], as its row says it.
    pub const LIKE_KIND: &str = kind_name(NotificationKind::Like);

    /// Somebody likes a post of `user`.
    pub fn like(user: UserId, post: PostId) -> Self {
        Self::of(user, NotificationKind::Like, &post.to_string(), Some(post), None)
    }

    /// Somebody likes a comment of `user`.
    pub fn comment_like(user: UserId, post: PostId, comment: CommentId) -> Self {
        let kind = NotificationKind::CommentLike;
        Self::of(user, kind, &comment.to_string(), Some(post), Some(comment))
    }

    /// Somebody commented on a post of `user`.
    pub fn comment(user: UserId, post: PostId, comment: CommentId) -> Self {
        Self::of(user, NotificationKind::Comment, &post.to_string(), Some(post), Some(comment))
    }

    /// Somebody answered the comment `parent` of `user`.
    pub fn reply(user: UserId, post: PostId, parent: CommentId, comment: CommentId) -> Self {
        Self::of(user, NotificationKind::Reply, &parent.to_string(), Some(post), Some(comment))
    }

    /// A post, or a comment under it, mentions `user`.
    pub fn mention(user: UserId, post: PostId, comment: Option<CommentId>) -> Self {
        let object = comment.map_or_else(|| post.to_string(), |comment| comment.to_string());
        Self::of(user, NotificationKind::Mention, &object, Some(post), comment)
    }

    /// Somebody follows `user`.
    pub fn follow(user: UserId) -> Self {
        Self::of(user, NotificationKind::Follow, "", None, None)
    }

    /// Somebody asks to follow `user`.
    pub fn follow_request(user: UserId) -> Self {
        Self::of(user, NotificationKind::FollowRequest, "", None, None)
    }

    /// Somebody accepted the request of `user`.
    pub fn follow_accepted(user: UserId) -> Self {
        Self::of(user, NotificationKind::FollowAccepted, "", None, None)
    }

    fn of(
        user: UserId,
        kind: NotificationKind,
        object: &str,
        post: Option<PostId>,
        comment: Option<CommentId>,
    ) -> Self {
        let name = kind_name(kind);
        let key = if object.is_empty() { name.to_owned() } else { format!("{name}:{object}") };
        Self { user, kind, key, post, comment }
    }

    /// The kind as its row says it.
    pub fn kind_name(&self) -> &'static str {
        kind_name(self.kind)
    }
}

/// The keys of the lines that end with a comment: its likes, its mentions, the answers to it.
pub fn keys_about(comment: CommentId) -> Vec<String> {
    [NotificationKind::CommentLike, NotificationKind::Mention, NotificationKind::Reply]
        .map(|kind| format!("{}:{comment}", kind_name(kind)))
        .to_vec()
}

/// The name of a kind in a row.
pub const fn kind_name(kind: NotificationKind) -> &'static str {
    match kind {
        NotificationKind::Like => "like",
        NotificationKind::CommentLike => "comment_like",
        NotificationKind::Comment => "comment",
        NotificationKind::Reply => "reply",
        NotificationKind::Mention => "mention",
        NotificationKind::Follow => "follow",
        NotificationKind::FollowRequest => "follow_request",
        NotificationKind::FollowAccepted => "follow_accepted",
    }
}

/// The kind of a row's name; `None` for one that this program does not know.
pub fn kind_of(name: &str) -> Option<NotificationKind> {
    [
        NotificationKind::Like,
        NotificationKind::CommentLike,
        NotificationKind::Comment,
        NotificationKind::Reply,
        NotificationKind::Mention,
        NotificationKind::Follow,
        NotificationKind::FollowRequest,
        NotificationKind::FollowAccepted,
    ]
    .into_iter()
    .find(|kind| kind_name(*kind) == name)
}

/// Who is told of a comment, each once: whoever is answered of the answer, and the post's author of the comment.
/// Nobody is told of what they wrote themselves.
pub fn concerned(
    commenter: UserId,
    post_author: UserId,
    answered: Option<UserId>,
) -> (Option<UserId>, Option<UserId>) {
    let reply = answered.filter(|user| *user != commenter);
    let comment = Some(post_author).filter(|user| *user != commenter && Some(*user) != reply);
    (reply, comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: UserId = UserId::from_bits(1);
    const BOB: UserId = UserId::from_bits(2);
    const EVE: UserId = UserId::from_bits(3);
    const POST: PostId = PostId::from_bits(9);
    const COMMENT: CommentId = CommentId::from_bits(8);

    #[test]
    fn the_same_act_on_the_same_object_is_one_line() {
        let other = CommentId::from_bits(7);
        assert_eq!(Line::comment(ADA, POST, COMMENT).key, Line::comment(ADA, POST, other).key);
        assert_ne!(Line::like(ADA, POST).key, Line::comment(ADA, POST, COMMENT).key);
        assert_eq!(Line::follow(ADA).key, "follow");
    }

    #[test]
    fn a_comment_ends_with_what_was_said_of_it() {
        let keys = keys_about(COMMENT);
        for line in [
            Line::comment_like(ADA, POST, COMMENT),
            Line::mention(ADA, POST, Some(COMMENT)),
            Line::reply(ADA, POST, COMMENT, CommentId::from_bits(7)),
        ] {
            assert!(keys.contains(&line.key), "{}", line.key);
        }
        assert!(!keys.contains(&Line::comment(ADA, POST, COMMENT).key));
    }

    #[test]
    fn an_answer_to_the_posts_author_is_told_once_and_nobody_is_told_of_themselves() {
        assert_eq!(concerned(BOB, ADA, Some(ADA)), (Some(ADA), None));
        assert_eq!(concerned(BOB, ADA, Some(EVE)), (Some(EVE), Some(ADA)));
        assert_eq!(concerned(BOB, ADA, None), (None, Some(ADA)));
        assert_eq!(concerned(ADA, ADA, Some(ADA)), (None, None));
    }

    #[test]
    fn every_kind_is_read_back_from_its_name() {
        for kind in [NotificationKind::Like, NotificationKind::FollowAccepted] {
            assert_eq!(kind_of(kind_name(kind)), Some(kind));
        }
        assert_eq!(kind_of("wave"), None);
    }
}
