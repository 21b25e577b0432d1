//! Whom people follow, as Feed tells it: a copy of our own, for ranks among friends.

use mainstay_contract::{feed::FollowStateV1, id::UserId};
use mainstay_core::db::{DbError, Tx};

use super::Boards;
use crate::{error::Error, store};

/// The most people whom one follows that are looked at: as many as Feed lets one follow.
const FRIENDS_MAX: i64 = 10_000;

/// Takes what Feed says of a follow. An older word than the one that is known changes nothing.
pub(crate) async fn follow_told(tx: &mut Tx, told: &FollowStateV1) -> Result<(), DbError> {
    store::friends::set(tx, told).await
}

impl Boards {
    /// The names on boards of `user` and of whom they follow, `user` first. Where Feed does not run nobody follows.
    pub(super) async fn friends_of(&self, user: UserId) -> Result<Vec<String>, Error> {
        let mut tx = self.db().read().await?;
        let friends = store::friends::of(&mut tx, user, FRIENDS_MAX).await?;
        Ok([user].into_iter().chain(friends).map(|user| user.to_string()).collect())
    }
}
