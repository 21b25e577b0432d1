//! Lines of likes. Their people are the likes themselves, so a like changes one row of a line and writes nobody down a
//! second time; who is blocked, muted or suspended is left out when the line is read.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

use super::notifications::may_be_told;
use crate::model::notify::Line;

/// Nobody of whom the line's owner, `$1`, is told likes the post.
macro_rules! nobody_likes {
    ($post:literal) => {
        concat!(
            "not exists (select 1 from feed.post_like l where l.post_id = ",
            $post,
            " and l.user_id <> $1 and ",
            may_be_told!("$1", "l.user_id"),
            ")"
        )
    };
}

/// Those whose likes are not told to `$1`. They are few, so they are where to begin.
macro_rules! untold {
    () => {
        "(select $1 as user_id union select user_id from feed.profile where suspended
          union select blocked_id from feed.block where blocker_id = $1
          union select blocker_id from feed.block where blocked_id = $1
          union select muted_id from feed.mute where muter_id = $1)"
    };
}

statements! {
    /// A like, and whether the post's author may be told of it.
    LIKE = concat!("select p.author_id, p.state,
                (select created_at from feed.post_like where user_id = $2 and post_id = p.id), ",
                may_be_told!("p.author_id", "$2"), " from feed.post p where p.id = $1");
    /// Makes a line or brings it up, above everything that was read, if the like is newer than its newest.
    RAISE = "insert into feed.notification (user_id, group_key, kind, post_id, liked_at, updated_at)
             values ($1, $2, $3, $4, $5, greatest($5,
                 (select r.updated_at + interval '1 microsecond' from feed.notification_read r where r.user_id = $1)))
             on conflict (user_id, group_key) do update
             set liked_at = excluded.liked_at, updated_at = excluded.updated_at
             where excluded.liked_at > feed.notification.liked_at",
        sqlite "insert into feed.notification (user_id, group_key, kind, post_id, liked_at, updated_at)
             values ($1, $2, $3, $4, $5, max($5, coalesce(
                 (select r.updated_at + 1 from feed.notification_read r where r.user_id = $1), $5)))
             on conflict (user_id, group_key) do update
             set liked_at = excluded.liked_at, updated_at = excluded.updated_at
             where excluded.liked_at > liked_at";
    /// Removes a line if nobody is left in it.
    DROP_EMPTY = concat!("delete from feed.notification where user_id = $1 and group_key = $2 and ", nobody_likes!("$3"));
    /// Removes the lines in which only one person stood, who is not told of any more.
    DROP_WITHOUT = concat!("delete from feed.notification where user_id = $1 and kind = $2
                and post_id in (select k.post_id from feed.post_like k where k.user_id = $3) and ",
                nobody_likes!("feed.notification.post_id")),
        sqlite concat!("delete from feed.notification where user_id = $1 and kind = $2
                and exists (select 1 from feed.post_like k where k.user_id = $3 and k.post_id = notification.post_id)
                and ", nobody_likes!("notification.post_id"));
    /// The newest people of each line.
    ACTORS = concat!("select g.post_id, a.user_id from unnest($2::uuid[]) g (post_id)
              cross join lateral (select l.user_id, l.created_at from feed.post_like l
                  where l.post_id = g.post_id and l.user_id <> $1 and ", may_be_told!("$1", "l.user_id"), "
                  order by l.created_at desc, l.user_id limit $3) a
              order by g.post_id, a.created_at desc, a.user_id"),
        sqlite concat!("select l.post_id, l.user_id from json_each($2) g cross join feed.post_like l
              where l.post_id = unhex(g.value) and l.user_id in (
                  select k.user_id from feed.post_like k where k.post_id = unhex(g.value) and k.user_id <> $1
                    and ", may_be_told!("$1", "k.user_id"), "
                  order by k.created_at desc, k.user_id limit $3)
              order by l.post_id, l.created_at desc, l.user_id");
    /// How many people of each line are not told of.
    UNTOLD = concat!("select l.post_id, count(*) from ", untold!(), " u join feed.post_like l on l.user_id = u.user_id
              where l.post_id = any($2) group by l.post_id"),
        sqlite concat!("select l.post_id, count(*) from ", untold!(), " u cross join json_each($2) g
              cross join feed.post_like l
              where l.user_id = u.user_id and l.post_id = unhex(g.value) group by l.post_id");
}

row! {
    /// A like, as the post's author is told of it.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct LikeRow {
        pub(crate) author: UserId,
        /// The post's state.
        pub(crate) state: i64,
        /// Since when it stands; `None` if it was taken back.
        pub(crate) since: Option<Ts>,
        /// The author may be told of it.
        pub(crate) may_tell: bool,
    }
}

/// A post that was liked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Liked {
    pub(crate) author: UserId,
    /// When it was liked last.
    pub(crate) at: Ts,
}

/// How each of these likes, by post and person, stands; `None` if there is no such post.
pub(crate) async fn likes(
    tx: &mut Tx,
    likes: &BTreeSet<(PostId, UserId)>,
) -> Result<Vec<Option<LikeRow>>, DbError> {
    let params = likes.iter().map(|(post, actor)| params![*post, *actor].to_vec());
    tx.optional_all(&LIKE, &params.collect::<Vec<_>>()).await
}

/// Brings up the line of each post that was liked after its newest like that is known; returns whose were.
pub(crate) async fn raise(
    tx: &mut Tx,
    posts: &BTreeMap<PostId, Liked>,
) -> Result<Vec<UserId>, DbError> {
    let lines = lines(posts.iter().map(|(post, liked)| (*post, liked.author)));
    let raised = lines.iter().zip(posts.values()).map(|((post, line), liked)| {
        let kind = Line::LIKE_KIND;
        (&RAISE, params![line.user, line.key, *kind, *post, liked.at].to_vec())
    });
    let raised = tx.execute_all(&raised.collect::<Vec<_>>()).await?;
    Ok(changed(lines, raised))
}

/// Removes the lines of these posts, by post and author, in which nobody is left; returns whose were removed.
pub(crate) async fn drop_empty(
    tx: &mut Tx,
    posts: BTreeMap<PostId, UserId>,
) -> Result<Vec<UserId>, DbError> {
    let lines = lines(posts.into_iter());
    let dropped = lines
        .iter()
        .map(|(post, line)| (&DROP_EMPTY, params![line.user, line.key, *post].to_vec()));
    let dropped = tx.execute_all(&dropped.collect::<Vec<_>>()).await?;
    Ok(changed(lines, dropped))
}

fn lines(posts: impl Iterator<Item = (PostId, UserId)>) -> Vec<(PostId, Line)> {
    posts.map(|(post, author)| (post, Line::like(author, post))).collect()
}

/// Whose lines a statement for each changed.
fn changed(lines: Vec<(PostId, Line)>, rows: Vec<u64>) -> Vec<UserId> {
    let changed = lines.into_iter().zip(rows).filter(|(_, rows)| *rows > 0);
    changed.map(|((_, line), _)| line.user).collect()
}

/// Removes the lines of `user` in which nobody but `actor` stood; `true` if there was one.
pub(crate) async fn drop_without(
    tx: &mut Tx,
    user: UserId,
    actor: UserId,
) -> Result<bool, DbError> {
    Ok(tx.execute(&DROP_WITHOUT, params![user, *Line::LIKE_KIND, actor]).await? > 0)
}

/// The newest people of the line of each of these posts of `user`, at most `each`, newest first.
pub(crate) async fn actors(
    tx: &mut Tx,
    user: UserId,
    posts: &[PostId],
    each: i64,
) -> Result<Vec<(PostId, UserId)>, DbError> {
    tx.all(&ACTORS, params![user, posts, each]).await
}

/// How many who like each of these posts of `user` are not told of; posts without any are left out.
pub(crate) async fn untold(
    tx: &mut Tx,
    user: UserId,
    posts: &[PostId],
) -> Result<Vec<(PostId, i64)>, DbError> {
    tx.all(&UNTOLD, params![user, posts]).await
}
