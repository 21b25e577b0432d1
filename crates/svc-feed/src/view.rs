//! What Feed shows: the shapes of the API's answers, which the pages read as well.

use mainstay_contract::{
    feed::VisibilityV1,
    id::{CommentId, MediaId, PostId, UserId},
    ts::Ts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person as shown beside a post, a comment or a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PersonView {
    /// Who.
    pub id: UserId,
    /// The handle without `@`.
    pub handle: String,
    /// The name they chose; the handle if none.
    pub display_name: String,
    /// Their picture.
    pub avatar: Option<MediaView>,
}

/// A picture or film, with everything that is needed to show it without a jump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MediaView {
    /// The upload.
    pub id: MediaId,
    /// What it is.
    pub kind: MediaKind,
    /// Words for those who do not see it; may be empty.
    pub alt: String,
    /// Width in pixels, after the orientation was applied; 0 for film.
    pub width: u32,
    /// Height in pixels; 0 for film.
    pub height: u32,
    /// A few colours to show while it loads; empty for film.
    pub blurhash: String,
    /// The type that is served.
    pub content_type: String,
    /// Size in bytes.
    pub size_bytes: i64,
    /// Where the full size is.
    pub url: String,
    /// Narrower copies, narrowest first; empty for film and for pictures narrower than the first width.
    pub variants: Vec<VariantView>,
}

/// A narrower copy of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariantView {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Where it is.
    pub url: String,
}

/// Picture or film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// JPEG, PNG, GIF or WebP.
    Image,
    /// MP4 or WebM.
    Video,
}

/// Where a post is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostState {
    /// Only the author sees it, until it is published.
    Draft,
    /// Will be published at `published_at`.
    Scheduled,
    /// Shown to those whom its visibility names.
    Published,
    /// Hidden by a moderator; its author still sees it.
    Hidden,
}

/// A post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PostView {
    /// The post.
    pub id: PostId,
    /// Who wrote it.
    pub author: PersonView,
    /// Its words; empty if it is only pictures.
    pub caption: String,
    /// Its pictures and films, in order.
    pub media: Vec<MediaView>,
    /// Its tags, lower case, without `#`, in order of appearance.
    pub hashtags: Vec<String>,
    /// The people it mentions who exist.
    pub mentions: Vec<MentionView>,
    /// Who may see it.
    pub visibility: VisibilityV1,
    /// Whether it takes comments.
    pub comments_enabled: bool,
    /// Where it is in its life.
    pub state: PostState,
    /// Likes.
    pub like_count: i64,
    /// Comments that are shown.
    pub comment_count: i64,
    /// Views that were counted.
    pub view_count: i64,
    /// Whether the reader likes it.
    pub liked_by_me: bool,
    /// When it was written.
    pub created_at: Ts,
    /// When it became, or will become, visible; absent for a draft.
    pub published_at: Option<Ts>,
    /// When its words were last changed after publication.
    pub edited_at: Option<Ts>,
    /// Grows with each change of it by its author or a moderator, and not with likes, comments and views. A change with
    /// `If-Match: "v7"` is made only while this is 7.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// Why it stands where it stands; only with `?explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<ExplainView>,
}

/// A mention in a caption or comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MentionView {
    /// Who.
    pub id: UserId,
    /// The handle as written in the text, without `@`.
    pub handle: String,
}

/// Why a post stands in a timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainView {
    /// A sentence, such as `you follow @ada since 2026-11-02`.
    pub reason: String,
    /// The terms of the score, for ranked timelines.
    pub score: Option<ScoreView>,
}

/// The terms of a post's score in explore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoreView {
    /// likes × weight.
    pub likes: f64,
    /// comments × weight.
    pub comments: f64,
    /// views × weight.
    pub views: f64,
    /// Hours since publication.
    pub age_hours: f64,
    /// e^(−decay × hours).
    pub decay: f64,
    /// The product.
    pub total: f64,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommentView {
    /// The comment.
    pub id: CommentId,
    /// The post it stands under.
    pub post_id: PostId,
    /// Who wrote it.
    pub author: PersonView,
    /// Its words.
    pub text: String,
    /// The comment it replies to.
    pub reply_to: Option<CommentId>,
    /// The people it mentions who exist.
    pub mentions: Vec<MentionView>,
    /// Replies that are shown.
    pub reply_count: i64,
    /// Likes.
    pub like_count: i64,
    /// Whether the reader likes it.
    pub liked_by_me: bool,
    /// When it was written.
    pub created_at: Ts,
    /// When it was changed.
    pub edited_at: Option<Ts>,
    /// Grows with each change of its words or state, and not with likes and replies. A change with `If-Match: "v7"` is
    /// made only while this is 7.
    #[schemars(range(min = 1))]
    pub version: i64,
}

/// A person's page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileView {
    /// Who.
    pub person: PersonView,
    /// What they say of themselves.
    pub bio: String,
    /// Only accepted followers see the posts.
    pub private: bool,
    /// Published posts that the reader may see.
    pub post_count: i64,
    /// Accepted followers.
    pub follower_count: i64,
    /// People followed.
    pub following_count: i64,
    /// How the reader stands to this person; absent for strangers and for oneself.
    pub relation: Option<RelationView>,
    /// Since when.
    pub created_at: Ts,
    /// Grows with each change of what they say of themselves, their picture, privacy or suspension, and not with posts
    /// and followers. A change with `If-Match: "v7"` is made only while this is 7.
    #[schemars(range(min = 1))]
    pub version: i64,
}

/// How one person stands to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelationView {
    /// The reader follows them.
    pub following: bool,
    /// The reader asked to follow and waits.
    pub requested: bool,
    /// They follow the reader.
    pub followed_by: bool,
    /// The reader blocks them.
    pub blocking: bool,
    /// The reader mutes them.
    pub muting: bool,
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Somebody likes your post.
    Like,
    /// Somebody likes your comment.
    CommentLike,
    /// Somebody commented on your post.
    Comment,
    /// Somebody replied to your comment.
    Reply,
    /// Somebody mentioned you.
    Mention,
    /// Somebody follows you.
    Follow,
    /// Somebody asks to follow you.
    FollowRequest,
    /// Somebody accepted your request.
    FollowAccepted,
}

/// One line of the notifications: one or more people did the same thing to the same object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationView {
    /// Opaque; give it to `up_to` to mark this and everything older as read.
    pub id: String,
    /// What happened.
    pub kind: NotificationKind,
    /// The newest people, at most three.
    pub actors: Vec<PersonView>,
    /// How many people in all.
    pub actor_count: i64,
    /// The post it is about.
    pub post: Option<NotifiedPostView>,
    /// The comment it is about.
    pub comment_id: Option<CommentId>,
    /// When the newest of them happened.
    pub updated_at: Ts,
    /// Whether it was read.
    pub read: bool,
}

/// The post a notification is about, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NotifiedPostView {
    /// The post.
    pub id: PostId,
    /// The first 80 characters of its words.
    pub excerpt: String,
    /// Its first picture.
    pub thumbnail: Option<MediaView>,
}

/// A tag with its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HashtagView {
    /// Lower case, without `#`.
    pub tag: String,
    /// Public posts that carry it.
    pub post_count: i64,
}

/// One thing that was reported, in the moderators' queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedView {
    /// The post, comment or person: a TypeID.
    pub target: String,
    /// Reports that wait.
    pub report_count: i64,
    /// The newest reasons, at most five.
    pub reasons: Vec<String>,
    /// The first report's time.
    pub first_reported_at: Ts,
    /// The post, if it is one.
    pub post: Option<Box<PostView>>,
    /// The comment, if it is one.
    pub comment: Option<CommentView>,
    /// The person: the target or the author of it.
    pub person: PersonView,
    /// `visible`, `hidden`, `removed` or `suspended`.
    pub status: String,
}

/// Something that a moderator hid or removed, or a person who was suspended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedView {
    /// The post, comment or person: a TypeID.
    pub target: String,
    /// What was decided last: `hide`, `remove` or `suspend`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub moderator_id: UserId,
    /// The same as a person, if they are known here.
    pub moderator: Option<PersonView>,
    /// When.
    pub decided_at: Ts,
    /// The post, if it is one.
    pub post: Option<Box<PostView>>,
    /// The comment, if it is one.
    pub comment: Option<CommentView>,
    /// The person: the target or the author of it.
    pub person: PersonView,
    /// How it stands now: `visible`, `hidden`, `removed` or `suspended`.
    pub status: String,
    /// Whether it can be taken back: not what its author deleted since, nor what was removed more than 30 days ago.
    pub restorable: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// In order; at most `limit`, maybe fewer.
    pub items: Vec<T>,
    /// Asks for the next page; absent at the end.
    pub next_cursor: Option<String>,
}
