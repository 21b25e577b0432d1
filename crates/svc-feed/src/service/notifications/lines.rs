//! Lines from facts. Each fact is a hint to look: the line follows what the records say when the fact is taken, so
//! facts that come twice or in another order end in the same lines.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_contract::{
    feed::{
        CommentAddedV1, CommentChangedV1, CommentLikedV1, MentionedV1, NotifiedV1,
        PostVisibilityChangedV1, RelationActV1, RelationChangedV1, UnreadV1,
    },
    id::{CommentId, PostId, UserId},
};
use mainstay_core::db::{DbError, Tx};

use crate::{
    model::{
        comment_state,
        notify::{Line, concerned, keys_about},
        post_state,
    },
    store::{
        self,
        like_lines::{LikeRow, Liked},
        posts::HeldPost,
    },
};

/// Lines that a block takes somebody out of.
const BLOCKED_LINES_MAX: i64 = 10_000;

/// Whose lines changed; in order, so that those who change the same ones at the same time queue up.
pub(crate) type Told = BTreeSet<UserId>;

/// Posts were liked, or likes were taken back; by post and person. However many there are, a post's line is brought up
/// once.
pub(crate) async fn posts_liked(
    tx: &mut Tx,
    told: &mut Told,
    likes: &BTreeSet<(PostId, UserId)>,
) -> Result<(), DbError> {
    let stand = store::like_lines::likes(tx, likes).await?;
    let (mut liked, mut unliked) = (BTreeMap::new(), BTreeMap::new());
    for ((post, user), like) in likes.iter().zip(stand) {
        let Some(LikeRow { author, state, since, may_tell }) = like else { continue };
        match since {
            None => {
                unliked.insert(*post, author);
            }
            Some(at) if author != *user && state <= post_state::HIDDEN && may_tell => {
                let newest = liked.entry(*post).or_insert(Liked { author, at });
                newest.at = newest.at.max(at);
            }
            Some(_) => {}
        }
    }
    unliked.retain(|post, _| !liked.contains_key(post));
    told.extend(store::like_lines::raise(tx, &liked).await?);
    told.extend(store::like_lines::drop_empty(tx, unliked).await?);
    Ok(())
}

/// A comment was liked, or a like was taken back.
pub(crate) async fn comment_liked(
    tx: &mut Tx,
    told: &mut Told,
    fact: &CommentLikedV1,
) -> Result<(), DbError> {
    let line = Line::comment_like(fact.author, fact.post, fact.comment);
    if !store::notifications::likes_comment(tx, fact.user, fact.comment).await? {
        return untell(tx, told, &line, fact.user).await;
    }
    if shown_comment(tx, fact.comment).await? {
        tell_of_post(tx, told, line, fact.user, fact.post).await?;
    }
    Ok(())
}

/// A comment was added.
pub(crate) async fn comment_added(
    tx: &mut Tx,
    told: &mut Told,
    fact: &CommentAddedV1,
) -> Result<(), DbError> {
    let Some(row) = store::comments::get(tx, fact.comment).await? else { return Ok(()) };
    if row.state != comment_state::SHOWN {
        return Ok(());
    }
    let parent = match row.reply_to {
        Some(parent) => store::comments::get(tx, parent).await?,
        None => None,
    };
    let (reply, comment) =
        concerned(row.author, fact.author, parent.as_ref().map(|parent| parent.author));
    if let (Some(user), Some(parent)) = (reply, &parent) {
        let line = Line::reply(user, row.post, parent.id, row.id);
        tell_again(tx, told, line, row.author, row.post).await?;
    }
    if let Some(user) = comment {
        tell_again(tx, told, Line::comment(user, row.post, row.id), row.author, row.post).await?;
    }
    Ok(())
}

/// A comment was changed; if it is not shown any more, nobody is told of it.
pub(crate) async fn comment_changed(
    tx: &mut Tx,
    told: &mut Told,
    fact: &CommentChangedV1,
) -> Result<(), DbError> {
    let Some(row) = store::comments::get(tx, fact.comment).await? else { return Ok(()) };
    if row.state == comment_state::SHOWN {
        return Ok(());
    }
    let gone = store::notifications::drop_of_keys(tx, row.post, &keys_about(row.id)).await?;
    told.extend(gone);
    if let Some(held) = store::posts::held(tx, row.post, None).await? {
        let line = Line::comment(held.sight.author, row.post, row.id);
        comment_gone(tx, told, &line, row.author, row.id, None).await?;
    }
    if let Some(parent) = row.reply_to
        && let Some(answered) = store::comments::get(tx, parent).await?
    {
        let line = Line::reply(answered.author, row.post, parent, row.id);
        comment_gone(tx, told, &line, row.author, row.id, Some(parent)).await?;
    }
    Ok(())
}

/// People are mentioned who were not before.
pub(crate) async fn mentioned(
    tx: &mut Tx,
    told: &mut Told,
    fact: &MentionedV1,
) -> Result<(), DbError> {
    let (answered, shown) = match fact.comment {
        Some(comment) => match store::comments::get(tx, comment).await? {
            Some(row) => {
                let parent = match row.reply_to {
                    Some(parent) => store::comments::get(tx, parent).await?,
                    None => None,
                };
                (parent.map(|parent| parent.author), row.state == comment_state::SHOWN)
            }
            None => (None, false),
        },
        None => (None, true),
    };
    if !shown {
        return Ok(());
    }
    for user in &fact.mentioned {
        // Who is answered is told of the answer.
        if Some(*user) != answered {
            let line = Line::mention(*user, fact.post, fact.comment);
            tell_of_post(tx, told, line, fact.user, fact.post).await?;
        }
    }
    Ok(())
}

/// A post was hidden, removed, deleted or restored.
pub(crate) async fn post_visibility(
    tx: &mut Tx,
    told: &mut Told,
    fact: &PostVisibilityChangedV1,
) -> Result<(), DbError> {
    let held = store::posts::held(tx, fact.post, None).await?;
    if held.is_some_and(|held| held.sight.state <= post_state::HIDDEN) {
        return Ok(());
    }
    let gone = store::notifications::drop_of_post(tx, fact.post).await?;
    told.extend(gone);
    Ok(())
}

/// How somebody stands to another changed.
pub(crate) async fn relation(
    tx: &mut Tx,
    told: &mut Told,
    fact: &RelationChangedV1,
) -> Result<(), DbError> {
    let (user, target) = (fact.user, fact.target);
    let now = store::relations::standing(tx, user, target).await?;
    match fact.act {
        RelationActV1::Follow if now.following => {
            tell(tx, told, Line::follow(target), user, None).await
        }
        RelationActV1::Request if now.requested => {
            tell(tx, told, Line::follow_request(target), user, None).await
        }
        RelationActV1::Accept if now.following => {
            untell(tx, told, &Line::follow_request(target), user).await?;
            tell(tx, told, Line::follow_accepted(user), target, None).await
        }
        RelationActV1::Unfollow if !now.following && !now.requested => {
            untell(tx, told, &Line::follow(target), user).await?;
            untell(tx, told, &Line::follow_request(target), user).await?;
            untell(tx, told, &Line::follow_accepted(user), target).await
        }
        RelationActV1::Block if now.blocking => {
            forget(tx, told, user, target).await?;
            forget(tx, told, target, user).await
        }
        RelationActV1::Mute if now.muting => {
            let emptied = store::like_lines::drop_without(tx, user, target).await?;
            told.extend(emptied.then_some(user));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Takes `actor` out of every line of `user`.
async fn forget(tx: &mut Tx, told: &mut Told, user: UserId, actor: UserId) -> Result<(), DbError> {
    let keys = store::notifications::lines_with(tx, user, actor, BLOCKED_LINES_MAX).await?;
    for key in &keys {
        store::notifications::remove(tx, user, key, actor).await?;
    }
    let emptied = store::like_lines::drop_without(tx, user, actor).await?;
    if emptied || !keys.is_empty() {
        told.insert(user);
    }
    Ok(())
}

async fn shown_comment(tx: &mut Tx, comment: CommentId) -> Result<bool, DbError> {
    let row = store::comments::get(tx, comment).await?;
    Ok(row.is_some_and(|row| row.state == comment_state::SHOWN))
}

/// Whether `actor`'s act is to be told in this line: not to themselves, to nobody who is blocked, blocks or mutes, and
/// only about a post that the line's owner sees.
async fn may_tell(
    tx: &mut Tx,
    line: &Line,
    actor: UserId,
    post: Option<&HeldPost>,
) -> Result<bool, DbError> {
    let sees = post.is_none_or(|held| held.sight.visible_to(Some(line.user)));
    Ok(line.user != actor && sees && store::notifications::may_tell(tx, line.user, actor).await?)
}

/// Puts `actor` into a line, once.
async fn tell(
    tx: &mut Tx,
    told: &mut Told,
    line: Line,
    actor: UserId,
    post: Option<&HeldPost>,
) -> Result<(), DbError> {
    if may_tell(tx, &line, actor, post).await? {
        let now = tx.now();
        let added = store::notifications::add(tx, &line, actor, now).await?;
        told.extend(added.then_some(line.user));
    }
    Ok(())
}

/// The same, about a post as the line's owner sees it.
async fn tell_of_post(
    tx: &mut Tx,
    told: &mut Told,
    line: Line,
    actor: UserId,
    post: PostId,
) -> Result<(), DbError> {
    match store::posts::held(tx, post, Some(line.user)).await? {
        Some(held) => tell(tx, told, line, actor, Some(&held)).await,
        None => Ok(()),
    }
}

/// The same for what somebody does more than once: it brings the line up each time.
async fn tell_again(
    tx: &mut Tx,
    told: &mut Told,
    line: Line,
    actor: UserId,
    post: PostId,
) -> Result<(), DbError> {
    let Some(held) = store::posts::held(tx, post, Some(line.user)).await? else { return Ok(()) };
    if !may_tell(tx, &line, actor, Some(&held)).await? {
        return Ok(());
    }
    let now = tx.now();
    if !store::notifications::add(tx, &line, actor, now).await? {
        store::notifications::touch(tx, &line, actor, now).await?;
    }
    told.insert(line.user);
    Ok(())
}

/// Takes `actor` out of a line.
async fn untell(tx: &mut Tx, told: &mut Told, line: &Line, actor: UserId) -> Result<(), DbError> {
    if store::notifications::remove(tx, line.user, &line.key, actor).await? {
        told.insert(line.user);
    }
    Ok(())
}

/// A comment that a line counts is gone: its author leaves the line unless another comment of theirs stands there.
async fn comment_gone(
    tx: &mut Tx,
    told: &mut Told,
    line: &Line,
    author: UserId,
    gone: CommentId,
    reply_to: Option<CommentId>,
) -> Result<(), DbError> {
    let (post, user) = (line.post.unwrap_or(PostId::from_bits(0)), line.user);
    if store::notifications::last_comment(tx, post, author, reply_to).await?.is_none() {
        untell(tx, told, line, author).await?;
    }
    store::notifications::show_other_comment(tx, user, &line.key, post, gone).await
}

/// Says to everybody whose lines changed how many they have not read.
pub(crate) async fn say_unread(tx: &mut Tx, told: Told) -> Result<(), DbError> {
    let told: Vec<UserId> = told.into_iter().collect();
    let unread = store::notifications::unread(tx, &told).await?;
    let people = told.into_iter().zip(unread);
    let people: Vec<_> =
        people.map(|(user, unread_count)| UnreadV1 { user, unread_count }).collect();
    if people.is_empty() { Ok(()) } else { tx.emit(&NotifiedV1 { people }, &[]).await }
}
