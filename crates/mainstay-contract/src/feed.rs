//! Facts of Feed.

use serde::{Deserialize, Serialize};

use crate::{
    id::{CommentId, PostId, UserId},
    ts::Ts,
};

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisibilityV1 {
    /// Everybody, signed in or not.
    Public,
    /// The author and those who follow the author.
    Followers,
    /// The author alone.
    Private,
}

/// What somebody did to how they stand to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelationActV1 {
    /// Follows from now on.
    Follow,
    /// Asked to follow.
    Request,
    /// The asked accepted: follows from now on.
    Accept,
    /// No longer follows or asks: taken back, rejected, or ended by a block.
    Unfollow,
    /// Blocks.
    Block,
    /// No longer blocks.
    Unblock,
    /// Mutes.
    Mute,
    /// No longer mutes.
    Unmute,
}

/// How much somebody has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnreadV1 {
    /// Who.
    pub user: UserId,
    /// How many groups of notifications they have not read.
    pub unread_count: i64,
}

facts! {
    /// A post became visible to others: published at once, or a scheduled one whose time came.
    PostPublishedV1 = "feed.post_published.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// Who may see it.
        visibility: VisibilityV1,
        /// When; the order of timelines.
        published_at: Ts,
        /// Lower case, without `#`.
        hashtags: Vec<String>,
        /// The row's version.
        version: i64,
    }
    /// A published post's text, media, visibility or settings changed. What nobody but its author sees is changed
    /// without a word.
    PostEditedV1 = "feed.post_edited.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// Who may see it now.
        visibility: VisibilityV1,
        /// When it was first published.
        published_at: Ts,
        /// Tags it has now or had before the edit.
        hashtags: Vec<String>,
        /// The row's version.
        version: i64,
    }
    /// A post was deleted by its author, or hidden, restored or removed by a moderator. One that is restored may be
    /// another than the one that was taken away.
    PostVisibilityChangedV1 = "feed.post_visibility_changed.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// `true` when it may be shown again.
        shown: bool,
        /// Who may see it when it is shown.
        visibility: VisibilityV1,
        /// When it was published.
        published_at: Ts,
        /// Its tags.
        hashtags: Vec<String>,
        /// The row's version.
        version: i64,
    }
    /// Somebody likes a post; said once for each person and post until it is taken back.
    PostLikedV1 = "feed.post_liked.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// Who likes it.
        user: UserId,
        /// The count after this like.
        like_count: i64,
        /// The counters' version.
        version: i64,
    }
    /// A like was taken back.
    PostUnlikedV1 = "feed.post_unliked.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// Who no longer likes it.
        user: UserId,
        /// The count after it.
        like_count: i64,
        /// The counters' version.
        version: i64,
    }
    /// A comment was added.
    CommentAddedV1 = "feed.comment_added.v1" {
        /// The comment.
        comment: CommentId,
        /// The comment it replies to.
        reply_to: Option<CommentId>,
        /// The post.
        post: PostId,
        /// Who wrote the post.
        author: UserId,
        /// Who wrote the comment.
        user: UserId,
        /// The post's count after it.
        comment_count: i64,
        /// The counters' version.
        version: i64,
    }
    /// A comment was changed, deleted, hidden or restored.
    CommentChangedV1 = "feed.comment_changed.v1" {
        /// The comment.
        comment: CommentId,
        /// The post.
        post: PostId,
        /// The post's count after it.
        comment_count: i64,
        /// The counters' version.
        version: i64,
    }
    /// Somebody likes a comment, or took the like back.
    CommentLikedV1 = "feed.comment_liked.v1" {
        /// The comment.
        comment: CommentId,
        /// The post it stands under.
        post: PostId,
        /// Who wrote the comment.
        author: UserId,
        /// Who likes it, or no longer does.
        user: UserId,
        /// Likes it now.
        liked: bool,
    }
    /// A published post or a comment mentions people whom it did not mention before. Of a post that is restored, it is
    /// said again of all of them.
    MentionedV1 = "feed.mentioned.v1" {
        /// The post.
        post: PostId,
        /// The comment, if it is one that mentions them.
        comment: Option<CommentId>,
        /// Who wrote it.
        user: UserId,
        /// The people who are newly mentioned.
        mentioned: Vec<UserId>,
    }
    /// A view was counted.
    PostViewedV1 = "feed.post_viewed.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// The count after it.
        view_count: i64,
        /// The counters' version.
        version: i64,
    }
    /// One person's relation to another changed: follow, request, block or mute, given or taken back.
    RelationChangedV1 = "feed.relation_changed.v1" {
        /// Who acted.
        user: UserId,
        /// Towards whom.
        target: UserId,
        /// What changed; the rest says how they stand now.
        act: RelationActV1,
        /// Follows now.
        follows: bool,
        /// Asked to follow and waits.
        requested: bool,
        /// Blocks now.
        blocks: bool,
        /// Mutes now.
        mutes: bool,
    }
    /// Whether one person follows another: said when that changes, and of each follow when an operator has Feed tell
    /// its state again. Whoever only asks to follow does not.
    FollowStateV1 = "feed.follow_state.v1" {
        /// Who follows, or does no longer.
        user: UserId,
        /// Whom.
        target: UserId,
        /// Follows now.
        follows: bool,
        /// Grows with every change between the two; an older one than known is ignored.
        version: i64,
    }
    /// A profile's words, picture or privacy changed, or its suspension.
    ProfileChangedV1 = "feed.profile_changed.v1" {
        /// Whose.
        user: UserId,
        /// Only followers who were accepted see the posts.
        private: bool,
        /// Suspended by a moderator.
        suspended: bool,
        /// The row's version.
        version: i64,
    }
    /// How a person stands in Feed; said of each when an operator has Feed tell its state again.
    ProfileStateV1 = "feed.profile_state.v1" {
        /// Who.
        user: UserId,
        /// The handle, as it is shown.
        handle: String,
        /// Only followers who were accepted see the posts.
        private: bool,
        /// Suspended by a moderator.
        suspended: bool,
        /// The row's version.
        version: i64,
    }
    /// How a post stands that is neither a draft nor scheduled; said of each when an operator has Feed tell its state
    /// again.
    PostStateV1 = "feed.post_state.v1" {
        /// The post.
        post: PostId,
        /// Who wrote it.
        author: UserId,
        /// Who may see it.
        visibility: VisibilityV1,
        /// `false` while it is hidden, and once it was removed or deleted.
        shown: bool,
        /// When it was published; the order of timelines.
        published_at: Ts,
        /// Its tags.
        hashtags: Vec<String>,
        /// Likes.
        like_count: i64,
        /// Comments that are shown.
        comment_count: i64,
        /// Views that were counted.
        view_count: i64,
        /// The row's version.
        version: i64,
        /// The counters' version.
        counts_version: i64,
    }
    /// A moderator suspended a person, or lifted it; the core takes it over and ends their sessions.
    PersonSuspendedV1 = "feed.person_suspended.v1" {
        /// Who.
        user: UserId,
        /// `true` when suspended from now on.
        suspended: bool,
        /// The profile row's version; an older one than known is ignored.
        version: i64,
    }
    /// Explore's weights were changed, or places were computed again with them; said for each step.
    RankingChangedV1 = "feed.ranking_changed.v1" {
        /// How many times the weights were changed; cursors of an earlier generation have ended.
        generation: i64,
        /// Every place follows the weights now.
        complete: bool,
    }
    /// People have something new to be told about, or have read what there was.
    NotifiedV1 = "feed.notified.v1" {
        /// Each of them once.
        people: Vec<UnreadV1>,
    }
}
