//! People's pages: reading and changing them, and taking over what the core says of accounts.

use mainstay_contract::{
    account::{AccountCreatedV1, AccountStateV1, AccountSuspensionChangedV1},
    feed::ProfileChangedV1,
    id::{MediaId, UserId},
};
use mainstay_core::{
    auth::{Caller, Role},
    db::{DbError, Once, Tx},
    error::{Faults, Problem},
    http::IfMatch,
    params,
};
use serde::{Deserialize, Deserializer};

use super::{Feed, cards::people, tags};
use crate::{
    error::Error,
    model::{BIO_CHARS_MAX, DISPLAY_NAME_CHARS_MAX, text},
    store::{
        self,
        profiles::ProfileRow,
        relations::{self, Standing},
    },
    view::ProfileView,
};

/// What is to be changed of a profile; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EditProfile {
    /// The name that is shown, at most 60 characters; the handle is shown if it is empty.
    #[schemars(length(max = 60))]
    pub(crate) display_name: Option<String>,
    /// What they say of themselves, at most 500 characters.
    #[schemars(length(max = 500))]
    pub(crate) bio: Option<String>,
    /// Only accepted followers see the posts. Requests that wait when it is turned off still wait to be answered.
    pub(crate) private: Option<bool>,
    /// A picture of the caller's uploads that is in no post; `null` for none.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<MediaId>")]
    pub(crate) avatar: Option<Option<MediaId>>,
}

/// Tells `null` from an absent field.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<MediaId>>, D::Error> {
    Option::<MediaId>::deserialize(from).map(Some)
}

impl Feed {
    /// The page of `user` as the caller (a stranger, if none) sees it.
    ///
    /// # Errors
    /// `NotFound` if there is no such person, they block the caller, or they are suspended; moderators see them.
    pub(crate) async fn profile(
        &self,
        caller: Option<&Caller>,
        user: UserId,
    ) -> Result<ProfileView, Error> {
        self.meet(user).await?;
        let mut tx = self.db().read().await?;
        let (viewer, moderates) = viewer(caller);
        let (row, standing) = seen(&mut tx, viewer, user, moderates).await?;
        shown(&mut tx, viewer, row, standing).await
    }

    /// Who looks at the posts of `author`, if they may.
    ///
    /// # Errors
    /// As [`Feed::profile`]; `NotFound` for a private account that the caller does not follow.
    pub(super) async fn may_list(
        &self,
        caller: Option<&Caller>,
        author: UserId,
    ) -> Result<Option<UserId>, Error> {
        self.meet(author).await?;
        let (viewer, moderates) = viewer(caller);
        seen_inside(&mut *self.db().read().await?, viewer, author, moderates).await?;
        Ok(viewer)
    }

    /// Makes the profile of somebody who has registered, if the fact of that has not arrived yet: who is answered 201
    /// can be followed and looked at by the next request.
    ///
    /// # Errors
    /// `NotFound` if there is no such account.
    pub(super) async fn meet(&self, user: UserId) -> Result<(), Error> {
        let met = store::profiles::get(&mut *self.db().read().await?, user).await?.is_some();
        if met {
            return Ok(());
        }
        let account = self.inner.auth.find(user).await.map_err(Problem::from)?;
        let handle = account.ok_or(Error::NotFound)?.handle;
        self.db()
            .write(move |tx| {
                let handle = handle.clone();
                Box::pin(async move {
                    let now = tx.now();
                    store::people::ensure(tx, user, &handle, now).await?;
                    Ok(())
                })
            })
            .await
    }

    /// The same by handle, in any case.
    ///
    /// # Errors
    /// As [`Feed::profile`].
    pub(crate) async fn profile_by_handle(
        &self,
        caller: Option<&Caller>,
        handle: &str,
    ) -> Result<ProfileView, Error> {
        let met = store::profiles::by_handle(&mut *self.db().read().await?, handle).await?;
        let user = match met {
            Some(user) => user,
            None => {
                let account =
                    self.inner.auth.find_by_handle(handle).await.map_err(Problem::from)?;
                account.ok_or(Error::NotFound)?.id
            }
        };
        self.profile(caller, user).await
    }

    /// The caller's own page, made if they were not met yet.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) async fn own_profile(&self, caller: &Caller) -> Result<ProfileView, Error> {
        match self.profile(Some(caller), caller.user).await {
            // The fact of their account is still on its way.
            Err(Error::NotFound) => {
                self.edit_profile(caller, EditProfile::default(), IfMatch::Any, None).await
            }
            found => found,
        }
    }

    /// Changes the caller's profile, if it is at a version that `wanted` names.
    ///
    /// # Errors
    /// `Refused` with the present version if it is not; `Invalid` with every fault.
    pub(crate) async fn edit_profile(
        &self,
        caller: &Caller,
        edit: EditProfile,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<ProfileView, Error> {
        let (user, handle) = (caller.user, caller.handle.clone());
        let edit = checked(edit)?;
        let own = vec![user];
        self.db()
            .write_locking(&relations::LOCK, params![own], once, move |tx| {
                let (edit, handle, wanted) = (edit.clone(), handle.clone(), wanted.clone());
                Box::pin(async move {
                    let now = tx.now();
                    store::people::ensure(tx, user, &handle, now).await?;
                    // The row may have come after the lock that was to be taken on it.
                    store::tags::lock_author(tx, user).await?;
                    let mut row = store::profiles::get(tx, user).await?.ok_or(Error::NotFound)?;
                    wanted.check(row.version)?;
                    row.display_name = edit.display_name.unwrap_or(row.display_name);
                    row.bio = edit.bio.unwrap_or(row.bio);
                    let was_private = row.private;
                    row.private = edit.private.unwrap_or(row.private);
                    if row.private != was_private && !row.suspended {
                        store::tags::recount(tx, user, !row.private).await?;
                    }
                    if let Some(avatar) = edit.avatar {
                        change_avatar(tx, &row, avatar).await?;
                        row.avatar = avatar;
                    }
                    row.version = store::profiles::update(tx, &row).await?;
                    changed(tx, &row).await?;
                    shown(tx, Some(user), row, Standing::default()).await
                })
            })
            .await
    }
}

/// Makes the profile of a new account.
pub(crate) async fn account_created(tx: &mut Tx, fact: &AccountCreatedV1) -> Result<(), DbError> {
    let now = tx.now();
    store::people::ensure(tx, fact.user, &fact.handle, now).await.map(drop)
}

/// Takes over how an account stands: makes its profile if there is none, and suspends it if the account is.
pub(crate) async fn account_state(tx: &mut Tx, fact: &AccountStateV1) -> Result<(), DbError> {
    let now = tx.now();
    store::people::ensure(tx, fact.user, &fact.handle, now).await?;
    let AccountStateV1 { user, suspended, version, person_version, .. } = *fact;
    let fact = AccountSuspensionChangedV1 { user, suspended, version, person_version };
    account_suspension(tx, &fact).await
}

/// Takes an account's suspension over. A moderator's decision goes with what it decided.
pub(crate) async fn account_suspension(
    tx: &mut Tx,
    fact: &AccountSuspensionChangedV1,
) -> Result<(), DbError> {
    if !store::profiles::account_version(tx, fact).await? {
        return Ok(());
    }
    if set_suspended(tx, fact.user, fact.suspended).await? && !fact.suspended {
        store::moderation::undecide(tx, &fact.user.to_string()).await?;
    }
    Ok(())
}

/// Suspends somebody or lifts it, and says so; `false` if they were so already.
pub(super) async fn set_suspended(
    tx: &mut Tx,
    user: UserId,
    suspended: bool,
) -> Result<bool, DbError> {
    let Some((private, version)) = store::profiles::suspend(tx, user, suspended).await? else {
        return Ok(false);
    };
    if !private {
        store::tags::recount(tx, user, !suspended).await?;
    }
    let fact = ProfileChangedV1 { user, private, suspended, version };
    tx.emit(&fact, &[tags::profile(user), tags::posts_of(user), tags::EXPLORE]).await?;
    Ok(true)
}

/// Who looks, and whether they moderate.
pub(super) fn viewer(caller: Option<&Caller>) -> (Option<UserId>, bool) {
    let moderates = caller.is_some_and(|caller| caller.acts_as(Role::Moderator));
    (caller.map(|caller| caller.user), moderates)
}

/// A profile that `viewer` sees, and how they stand to it.
pub(super) async fn seen(
    tx: &mut Tx,
    viewer: Option<UserId>,
    user: UserId,
    moderates: bool,
) -> Result<(ProfileRow, Standing), Error> {
    let row = store::profiles::get(tx, user).await?.ok_or(Error::NotFound)?;
    let standing = match viewer {
        Some(viewer) if viewer != user => relations::standing(tx, viewer, user).await?,
        _ => Standing::default(),
    };
    let hidden = standing.blocked_by || row.suspended && viewer != Some(user);
    if hidden && !moderates { Err(Error::NotFound) } else { Ok((row, standing)) }
}

/// The same for what a private account shows to its followers only.
pub(super) async fn seen_inside(
    tx: &mut Tx,
    viewer: Option<UserId>,
    user: UserId,
    moderates: bool,
) -> Result<(), Error> {
    let (row, standing) = seen(tx, viewer, user, moderates).await?;
    let inside = !row.private || viewer == Some(user) || standing.following;
    if inside { Ok(()) } else { Err(Error::NotFound) }
}

async fn shown(
    tx: &mut Tx,
    viewer: Option<UserId>,
    row: ProfileRow,
    standing: Standing,
) -> Result<ProfileView, Error> {
    let own = viewer == Some(row.id);
    let post_count = if own {
        row.post_count
    } else if standing.blocking || standing.blocked_by || row.private && !standing.following {
        0
    } else {
        // Followers see what is for followers; the author's own counter knows no visibility.
        store::profiles::count_seen(tx, row.id, i64::from(standing.following)).await?
    };
    let person = people(tx, &[row.id]).await?.remove(&row.id).ok_or(Error::NotFound)?;
    Ok(ProfileView {
        person,
        bio: row.bio,
        private: row.private,
        post_count,
        follower_count: row.follower_count,
        following_count: row.following_count,
        relation: (viewer.is_some() && !own).then(|| standing.view()),
        created_at: row.created_at,
        version: row.version,
    })
}

/// The input, tidied.
fn checked(edit: EditProfile) -> Result<EditProfile, Error> {
    let display_name =
        edit.display_name.as_deref().map(|name| text::tidy(name).replace(['\n', '\t'], " "));
    let bio = edit.bio.as_deref().map(text::tidy);
    let mut faults = Faults::default();
    let chars = |words: &Option<String>| words.as_deref().map_or(0, |words| words.chars().count());
    faults.check(
        chars(&display_name) <= DISPLAY_NAME_CHARS_MAX,
        "/display_name",
        "too_long",
        || format!("A name has at most {DISPLAY_NAME_CHARS_MAX} characters."),
    );
    faults.check(chars(&bio) <= BIO_CHARS_MAX, "/bio", "too_long", || {
        format!("A bio has at most {BIO_CHARS_MAX} characters.")
    });
    let edit = EditProfile { display_name, bio, ..edit };
    if faults.is_empty() { Ok(edit) } else { Err(Error::Invalid(faults.into_vec())) }
}

async fn change_avatar(
    tx: &mut Tx,
    row: &ProfileRow,
    avatar: Option<MediaId>,
) -> Result<(), Error> {
    if avatar == row.avatar {
        return Ok(());
    }
    if let Some(old) = row.avatar {
        store::profiles::leave_avatar(tx, old, row.id).await?;
    }
    match avatar {
        Some(new) if !store::profiles::take_avatar(tx, new, row.id).await? => Err(Error::invalid(
            "/avatar",
            "not_found",
            "There is no such picture of yours that is free; upload the file first.",
        )),
        _ => Ok(()),
    }
}

async fn changed(tx: &mut Tx, row: &ProfileRow) -> Result<(), Error> {
    let (user, version) = (row.id, row.version);
    let fact = ProfileChangedV1 { user, private: row.private, suspended: row.suspended, version };
    tx.emit(&fact, &[tags::profile(user), tags::posts_of(user), tags::EXPLORE]).await?;
    Ok(())
}
