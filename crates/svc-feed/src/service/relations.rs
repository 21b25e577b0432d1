//! Follows, requests, blocks and mutes.
//!
//! Each use case locks both profiles in the order of their ids, so that the counters equal the rows and no two of them
//! wait for each other in a ring.

use mainstay_contract::{
    feed::{FollowStateV1, RelationActV1, RelationChangedV1},
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    auth::Caller,
    db::{Once, Tx},
    params,
};
use serde::Serialize;

use super::{Feed, cards::people, likes::visible, profiles, tags};
use crate::{
    error::Error,
    model::{FOLLOWS_MAX, follow_state},
    store::{
        self,
        relations::{Met, Standing},
    },
    view::{Page, PersonView, RelationView},
};

/// What somebody can do to how they stand to another, and take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    Follow,
    Block,
    Mute,
}

/// Somebody who asks to follow the caller.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct FollowRequestView {
    /// Who asks.
    pub(crate) person: PersonView,
    /// Since when.
    pub(crate) created_at: Ts,
}

/// Which people of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circle {
    Followers,
    Following,
}

impl Feed {
    /// Follows, blocks or mutes `target`, or takes it back. Doing it twice changes nothing.
    ///
    /// Following a private account asks for it. A block ends follows and requests of both.
    ///
    /// # Errors
    /// `Invalid` towards oneself; `NotFound` if there is no such person, or they block the caller; `Conflict` if the
    /// caller follows as many as one can, or blocks whom they want to follow.
    pub(crate) async fn set_tie(
        &self,
        caller: &Caller,
        target: UserId,
        tie: Tie,
        on: bool,
        once: Option<Once>,
    ) -> Result<RelationView, Error> {
        let (user, handle) = (caller.user, caller.handle.clone());
        if user == target {
            return Err(Error::invalid("{id}", "oneself", "Name another person than yourself."));
        }
        self.meet(target).await?;
        let both = vec![user, target];
        self.db()
            .write_locking(&store::relations::LOCK, params![both], once, move |tx| {
                let handle = handle.clone();
                Box::pin(async move {
                    let now = tx.now();
                    store::people::ensure(tx, user, &handle, now).await?;
                    let other = store::profiles::get(tx, target).await?.ok_or(Error::NotFound)?;
                    let standing = store::relations::standing(tx, user, target).await?;
                    // What one did before can be taken back even from somebody who blocks or was suspended.
                    let has = match tie {
                        Tie::Follow => standing.following || standing.requested,
                        Tie::Block => standing.blocking,
                        Tie::Mute => standing.muting,
                    };
                    if (standing.blocked_by || other.suspended) && (on || !has) {
                        return Err(Error::NotFound);
                    }
                    if on != has {
                        match (tie, on) {
                            (Tie::Follow, true) => {
                                follow(tx, user, target, &standing, other.private).await?;
                            }
                            (Tie::Follow, false) => end_follow(tx, user, target).await?,
                            (Tie::Block, true) => block(tx, user, target).await?,
                            (Tie::Block, false) => {
                                store::relations::unblock(tx, user, target).await?;
                                tell(tx, user, target, RelationActV1::Unblock).await?;
                            }
                            (Tie::Mute, true) => {
                                store::relations::mute(tx, user, target, now).await?;
                                tell(tx, user, target, RelationActV1::Mute).await?;
                            }
                            (Tie::Mute, false) => {
                                store::relations::unmute(tx, user, target).await?;
                                tell(tx, user, target, RelationActV1::Unmute).await?;
                            }
                        }
                    }
                    Ok(store::relations::standing(tx, user, target).await?.view())
                })
            })
            .await
    }

    /// Accepts or rejects the request of `from` to follow the caller.
    ///
    /// # Errors
    /// `NotFound` if none waits; `Conflict` if they follow as many as one can.
    pub(crate) async fn answer_request(
        &self,
        user: UserId,
        from: UserId,
        accepts: bool,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let both = vec![user, from];
        self.db()
            .write_locking(&store::relations::LOCK, params![both], once, move |tx| {
                Box::pin(async move {
                    if !accepts {
                        if !store::relations::reject(tx, from, user).await? {
                            return Err(Error::NotFound);
                        }
                        return tell(tx, from, user, RelationActV1::Unfollow).await;
                    }
                    let asker = store::profiles::get(tx, from).await?.ok_or(Error::NotFound)?;
                    let (now, version) = (tx.now(), store::relations::next_version(tx).await?);
                    if !store::relations::accept(tx, from, user, (now, version)).await? {
                        return Err(Error::NotFound);
                    }
                    if asker.following_count >= FOLLOWS_MAX {
                        return Err(Error::Conflict(
                            "They already follow 10,000 people, the most that one can.",
                        ));
                    }
                    store::relations::count(tx, from, user, 1).await?;
                    tell_follow(tx, (from, user), true, version).await?;
                    tell(tx, from, user, RelationActV1::Accept).await
                })
            })
            .await
    }

    /// Who asks to follow the caller, newest first.
    ///
    /// # Errors
    /// A bad cursor.
    pub(crate) async fn follow_requests(
        &self,
        user: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<FollowRequestView>, Error> {
        let list = format!("follow requests {user}");
        let from = self.met(&list, cursor)?;
        let mut tx = self.db().read().await?;
        let state = follow_state::REQUESTED;
        let mut met =
            store::relations::followers(&mut tx, user, state, from, limit + 1, Some(user)).await?;
        let next_cursor = self.next(&list, &mut met, limit);
        let ids: Vec<UserId> = met.iter().map(|met| met.user).collect();
        let mut people = people(&mut tx, &ids).await?;
        let items = met.into_iter().filter_map(|met| {
            let person = people.remove(&met.user)?;
            Some(FollowRequestView { person, created_at: met.at })
        });
        Ok(Page { items: items.collect(), next_cursor })
    }

    /// Who follows `user`, or whom they follow, newest first. A private account shows both to its followers only.
    ///
    /// # Errors
    /// `NotFound` if `viewer` may not see it; a bad cursor.
    pub(crate) async fn circle(
        &self,
        viewer: Option<UserId>,
        user: UserId,
        circle: Circle,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<PersonView>, Error> {
        let list = format!("{circle:?} {user}");
        let from = self.met(&list, cursor)?;
        let mut tx = self.db().read().await?;
        profiles::seen_inside(&mut tx, viewer, user, false).await?;
        let limit_more = limit + 1;
        let met = match circle {
            Circle::Followers => {
                let state = follow_state::ACCEPTED;
                store::relations::followers(&mut tx, user, state, from, limit_more, viewer).await?
            }
            Circle::Following => {
                store::relations::following(&mut tx, user, from, limit_more, viewer).await?
            }
        };
        self.page_of_people(&mut tx, &list, met, limit).await
    }

    /// Who likes a post, newest first.
    ///
    /// # Errors
    /// `NotFound` if `viewer` may not see the post; a bad cursor.
    pub(crate) async fn likers(
        &self,
        viewer: Option<UserId>,
        post: PostId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<PersonView>, Error> {
        let list = format!("likers {post}");
        let from = self.met(&list, cursor)?;
        let mut tx = self.db().read().await?;
        visible(&mut tx, post, viewer).await?;
        let met = store::relations::likers(&mut tx, post, from, limit + 1, viewer).await?;
        self.page_of_people(&mut tx, &list, met, limit).await
    }

    fn met(&self, list: &str, cursor: Option<&str>) -> Result<Met, Error> {
        match cursor {
            Some(cursor) => Ok(self.inner.cursors.open(list, cursor)?),
            None => Ok(Met::TOP),
        }
    }

    /// Cuts what was read to `limit` and makes the cursor of the rest.
    fn next(&self, list: &str, met: &mut Vec<Met>, limit: usize) -> Option<String> {
        let more = met.len() > limit;
        met.truncate(limit);
        met.last().filter(|_| more).map(|last| self.inner.cursors.seal(list, last))
    }

    async fn page_of_people(
        &self,
        tx: &mut Tx,
        list: &str,
        mut met: Vec<Met>,
        limit: usize,
    ) -> Result<Page<PersonView>, Error> {
        let next_cursor = self.next(list, &mut met, limit);
        let ids: Vec<UserId> = met.iter().map(|met| met.user).collect();
        let mut people = people(tx, &ids).await?;
        let items = ids.iter().filter_map(|user| people.remove(user)).collect();
        Ok(Page { items, next_cursor })
    }
}

async fn follow(
    tx: &mut Tx,
    user: UserId,
    target: UserId,
    standing: &Standing,
    private: bool,
) -> Result<(), Error> {
    if standing.blocking {
        return Err(Error::Conflict("You block this person; unblock them first."));
    }
    let follower = store::profiles::get(tx, user).await?.ok_or(Error::NotFound)?;
    // Requests count as follows: each may become one. They are counted only where one is added.
    let waiting = if private { store::relations::waiting(tx, user).await? } else { 0 };
    if follower.following_count + waiting >= FOLLOWS_MAX {
        return Err(Error::Conflict(
            "You follow 10,000 people, the most that one can; unfollow somebody first.",
        ));
    }
    let at = (tx.now(), store::relations::next_version(tx).await?);
    if private {
        store::relations::follow(tx, user, target, follow_state::REQUESTED, at).await?;
        return tell(tx, user, target, RelationActV1::Request).await;
    }
    store::relations::follow(tx, user, target, follow_state::ACCEPTED, at).await?;
    store::relations::count(tx, user, target, 1).await?;
    tell_follow(tx, (user, target), true, at.1).await?;
    tell(tx, user, target, RelationActV1::Follow).await
}

/// Ends a follow or request, if there is one.
async fn end_follow(tx: &mut Tx, user: UserId, target: UserId) -> Result<(), Error> {
    match store::relations::unfollow(tx, user, target).await? {
        Some(follow_state::ACCEPTED) => {
            store::relations::count(tx, user, target, -1).await?;
            let version = store::relations::next_version(tx).await?;
            tell_follow(tx, (user, target), false, version).await?;
        }
        Some(_) => {}
        None => return Ok(()),
    }
    tell(tx, user, target, RelationActV1::Unfollow).await
}

async fn block(tx: &mut Tx, user: UserId, target: UserId) -> Result<(), Error> {
    let now = tx.now();
    store::relations::block(tx, user, target, now).await?;
    end_follow(tx, user, target).await?;
    end_follow(tx, target, user).await?;
    tell(tx, user, target, RelationActV1::Block).await
}

/// Says whether the first follows the second, for whoever keeps that beside their own records.
async fn tell_follow(
    tx: &mut Tx,
    (user, target): (UserId, UserId),
    follows: bool,
    version: i64,
) -> Result<(), Error> {
    tx.emit(&FollowStateV1 { user, target, follows, version }, &[]).await?;
    Ok(())
}

/// Says how `user` stands to `target` after `act`.
async fn tell(tx: &mut Tx, user: UserId, target: UserId, act: RelationActV1) -> Result<(), Error> {
    let now = store::relations::standing(tx, user, target).await?;
    let fact = RelationChangedV1 {
        user,
        target,
        act,
        follows: now.following,
        requested: now.requested,
        blocks: now.blocking,
        mutes: now.muting,
    };
    let outdated = [
        tags::relations_of(user),
        tags::relations_of(target),
        tags::profile(user),
        tags::profile(target),
    ];
    tx.emit(&fact, &outdated).await?;
    Ok(())
}
