-- Feed's own tables. Counters stand beside the rows they count and change in the same transaction.

-- A person in Feed; made when they first act or are first met in a fact.
create table feed.profile (
    user_id uuid primary key,
    handle text not null,
    handle_key text not null,
    display_name text not null,
    bio text not null,
    avatar_id uuid,
    private boolean not null,
    suspended boolean not null,
    post_count bigint not null,
    follower_count bigint not null,
    following_count bigint not null,
    created_at timestamptz not null,
    version bigint not null,
    -- The version of the account's row whose suspension was taken over; an older one is ignored.
    account_version bigint not null default 0,
    -- This row's version when a moderator last suspended or lifted; what the core said before it knew is ignored.
    acted_version bigint not null default 0
);
create unique index profile_by_handle on feed.profile (handle_key);
-- People worth following, most followed first.
create index profile_by_followers on feed.profile (follower_count desc, user_id) where not suspended;
-- The few who are suspended: they are left out of notifications.
create index profile_suspended on feed.profile (user_id) where suspended;

-- Words by which a person is found: the handle, its parts, and the words of the name, folded.
create table feed.profile_word (
    word text not null,
    user_id uuid not null references feed.profile (user_id),
    primary key (word, user_id)
);
create index profile_word_by_user on feed.profile_word (user_id);

-- A post. `state`: 0 draft, 1 scheduled, 2 published, 3 hidden, 4 removed, 5 deleted.
-- `visibility`: 0 public, 1 followers, 2 private. A deleted post keeps its row, without words, as long as a frozen
-- ranking may name it; a removed one keeps everything for 30 days, in which it can be restored. Both since `gone_at`.
create table feed.post (
    id uuid primary key,
    author_id uuid not null references feed.profile (user_id),
    caption text not null,
    visibility bigint not null,
    comments_enabled boolean not null,
    state bigint not null,
    hashtags jsonb not null,
    mentions jsonb not null,
    created_at timestamptz not null,
    published_at timestamptz,
    edited_at timestamptz,
    gone_at timestamptz,
    version bigint not null
);
-- Posts to be erased.
create index post_gone on feed.post (gone_at) where gone_at is not null;
-- An author's published posts, newest first: profile and home timelines.
create index post_by_author on feed.post (author_id, published_at desc, id desc) where state = 2;
-- Public posts, newest first: the latest timeline.
create index post_by_time on feed.post (published_at desc, id desc) where state = 2 and visibility = 0;
-- Scheduled posts by their time.
create index post_due on feed.post (published_at) where state = 1;
-- Drafts and scheduled posts of an author.
create index post_unpublished on feed.post (author_id, created_at desc) where state < 2;

-- A post's counters and its place in explore. `rank_key` is null unless the post is published and public.
create table feed.post_stat (
    post_id uuid primary key references feed.post (id),
    like_count bigint not null check (like_count >= 0),
    comment_count bigint not null check (comment_count >= 0),
    view_count bigint not null check (view_count >= 0),
    published_at timestamptz,
    rank_key double precision,
    version bigint not null
); -- without rowid
create index post_stat_by_rank on feed.post_stat (rank_key desc, published_at desc, post_id desc)
    where rank_key is not null;

-- How a place in explore changed, so that a ranking stays frozen for whoever pages it. `key_before` is null for a post
-- that was not in it before. Kept for as long as a cursor lives.
create table feed.rank_move (
    xid bigint not null,
    seq bigint not null,
    post_id uuid not null,
    key_before double precision,
    published_at timestamptz not null,
    at timestamptz not null,
    primary key (xid, seq)
); -- without rowid

-- Which weights the rank keys were computed with.
create table feed.ranking (
    one bigint primary key check (one = 1),
    weights jsonb not null
);

-- Tags of published posts.
create table feed.post_tag (
    tag text not null,
    published_at timestamptz not null,
    post_id uuid not null references feed.post (id),
    primary key (tag, published_at, post_id)
);
create index post_tag_by_post on feed.post_tag (post_id);

-- A tag and how many public posts of accounts that are neither private nor suspended carry it.
create table feed.hashtag (
    tag text primary key,
    post_count bigint not null check (post_count >= 0)
);
-- Tags in use, most used first.
create index hashtag_by_use on feed.hashtag (post_count desc, tag) where post_count > 0;

-- Who likes what.
create table feed.post_like (
    user_id uuid not null,
    post_id uuid not null references feed.post (id),
    created_at timestamptz not null,
    primary key (user_id, post_id)
); -- without rowid
create index post_like_by_post on feed.post_like (post_id, created_at desc, user_id);

-- Comments. `state`: 0 shown, 1 hidden, 2 removed, 3 deleted. A reply's `reply_to` is the comment it answers. A deleted
-- one keeps its row, without words, as long as something answers it; it is erased a while after `gone_at`.
create table feed.comment (
    id uuid primary key,
    post_id uuid not null references feed.post (id),
    author_id uuid not null references feed.profile (user_id),
    reply_to uuid references feed.comment (id),
    text text not null,
    mentions jsonb not null,
    state bigint not null,
    like_count bigint not null check (like_count >= 0),
    reply_count bigint not null check (reply_count >= 0),
    created_at timestamptz not null,
    edited_at timestamptz,
    gone_at timestamptz, -- since when it is deleted and nothing answers it
    version bigint not null
);
-- Comments to be erased.
create index comment_gone on feed.comment (gone_at) where gone_at is not null;
create index comment_by_post on feed.comment (post_id, id) where state = 0;
create index comment_by_parent on feed.comment (reply_to, id) where state = 0;
-- All of a post's comments, and all answers to one, for the end of the post.
create index comment_all_by_post on feed.comment (post_id, id);
create index comment_all_by_parent on feed.comment (reply_to) where reply_to is not null;
create index comment_by_author on feed.comment (author_id, id);

-- Who likes which comment.
create table feed.comment_like (
    user_id uuid not null,
    comment_id uuid not null references feed.comment (id),
    created_at timestamptz not null,
    primary key (user_id, comment_id)
); -- without rowid

-- Likes of a comment, for its end.
create index comment_like_by_comment on feed.comment_like (comment_id);

-- A view while it lasts and for 30 days; the post may be gone before. `silent` if it ended because it was not heard of.
create table feed.view_session (
    id uuid primary key,
    post_id uuid not null,
    viewer_id uuid not null,
    started_at timestamptz not null,
    seen_at timestamptz not null,
    dwell_ms bigint not null,
    ended boolean not null,
    silent boolean not null
);
create index view_session_open on feed.view_session (seen_at) where not ended;
create index view_session_by_age on feed.view_session (started_at);

-- When a viewer's view of a post was last counted: one in 30 minutes.
create table feed.view_mark (
    viewer_id uuid not null,
    post_id uuid not null,
    counted_at timestamptz not null,
    primary key (viewer_id, post_id)
); -- without rowid
create index view_mark_by_age on feed.view_mark (counted_at);

-- Content that was about to be stored, or lost a reference, at that time; a sweep removes the bytes when an hour later no
-- file refers to them.
create table feed.blob_gone (
    hash bytea primary key,
    at timestamptz not null
);

-- An upload: a picture or film of one person. `post_id` is null until it is attached; unattached ones end.
create table feed.media (
    id uuid primary key,
    owner_id uuid not null,
    post_id uuid references feed.post (id),
    position bigint not null,
    is_avatar boolean not null,
    kind bigint not null,
    alt text not null,
    width bigint not null,
    height bigint not null,
    blurhash text not null,
    created_at timestamptz not null
);
create index media_by_post on feed.media (post_id, position) where post_id is not null;
create index media_unattached on feed.media (created_at) where post_id is null and not is_avatar;
create index media_unattached_by_owner on feed.media (owner_id) where post_id is null and not is_avatar;

-- The files of an upload: width 0 is the full size, the others are narrower copies.
create table feed.media_file (
    media_id uuid not null references feed.media (id),
    width bigint not null,
    height bigint not null,
    content_type text not null,
    size_bytes bigint not null,
    hash bytea not null,
    primary key (media_id, width)
);
create index media_file_by_hash on feed.media_file (hash);

-- Who follows whom. `state`: 0 accepted, 1 requested.
create table feed.follow (
    follower_id uuid not null,
    followee_id uuid not null,
    state bigint not null,
    created_at timestamptz not null,
    primary key (follower_id, followee_id)
); -- without rowid
create index follow_by_followee on feed.follow (followee_id, state, created_at desc, follower_id);
-- Whom somebody follows, newest first.
create index follow_by_follower on feed.follow (follower_id, state, created_at desc, followee_id);

-- Who blocks whom; looked at from both sides.
create table feed.block (
    blocker_id uuid not null,
    blocked_id uuid not null,
    created_at timestamptz not null,
    primary key (blocker_id, blocked_id)
); -- without rowid
create index block_by_blocked on feed.block (blocked_id, blocker_id);

-- Who mutes whom.
create table feed.mute (
    muter_id uuid not null,
    muted_id uuid not null,
    created_at timestamptz not null,
    primary key (muter_id, muted_id)
); -- without rowid

-- One line of somebody's notifications: the same act of one or more people on the same object. `actor_count` is null in
-- a line of likes: its people are those who like the post, and nobody is written down twice; it has the time of the
-- newest like that it was brought up for.
create table feed.notification (
    user_id uuid not null,
    group_key text not null,
    kind text not null,
    post_id uuid,
    comment_id uuid,
    actor_count bigint check (actor_count >= 0),
    liked_at timestamptz,
    updated_at timestamptz not null,
    primary key (user_id, group_key)
); -- without rowid
create index notification_by_time on feed.notification (user_id, updated_at desc, group_key desc);
-- The lines about a post, for its deletion.
create index notification_by_post on feed.notification (post_id) where post_id is not null;

-- Up to where somebody has read: the line at that place, and everything older.
create table feed.notification_read (
    user_id uuid primary key,
    updated_at timestamptz not null,
    group_key text not null
); -- without rowid

-- The people of a line, except of likes. In the order in which the lines are found that somebody stands in, for a block.
create table feed.notification_actor (
    user_id uuid not null,
    actor_id uuid not null,
    group_key text not null,
    at timestamptz not null,
    primary key (user_id, actor_id, group_key)
); -- without rowid
-- The newest people of a line.
create index notification_actor_by_time on feed.notification_actor (user_id, group_key, at desc, actor_id);

-- Reports; those that were acted on stay for 180 days. `target` is the TypeID of a post, comment or person.
create table feed.report (
    id uuid primary key,
    reporter_id uuid not null,
    target text not null,
    person_id uuid not null,
    reason text not null,
    created_at timestamptz not null,
    resolved_at timestamptz
);
create unique index report_once on feed.report (reporter_id, target) where resolved_at is null;
create index report_waiting on feed.report (target, created_at) where resolved_at is null;
create index report_resolved on feed.report (resolved_at) where resolved_at is not null;

-- Prefixes and places are compared by code points, whatever the locale of the database; on SQLite they always are.
--! postgres
alter table feed.profile_word alter column word type text collate "C";
alter table feed.hashtag alter column tag type text collate "C";
alter table feed.notification alter column group_key type text collate "C";
alter table feed.notification_actor alter column group_key type text collate "C";
alter table feed.notification_read alter column group_key type text collate "C";
alter table feed.report alter column target type text collate "C";
--! both
