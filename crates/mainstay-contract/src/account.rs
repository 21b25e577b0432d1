//! Facts of the core about accounts.

use crate::{define_id, id::UserId};

define_id!(
    /// One sign-in of a person, on one device or browser.
    Session => SessionId, "session"
);
define_id!(
    /// An API key; its secrets change, its id stays.
    ApiKey => ApiKeyId, "key"
);

facts! {
    /// Somebody registered, or an operator created an account.
    AccountCreatedV1 = "core.account_created.v1" {
        /// Who.
        user: UserId,
        /// The handle, as it is shown.
        handle: String,
    }
    /// An account may no longer act, or may again. Said too when a moderator's suspension was not taken over.
    AccountSuspensionChangedV1 = "core.account_suspension_changed.v1" {
        /// Whose account.
        user: UserId,
        /// `true` from now on suspended.
        suspended: bool,
        /// The account row's version; an older one than known is ignored.
        version: i64,
        /// The newest `PersonSuspendedV1` that was known when this was decided, by its version; 0 if none was.
        person_version: i64,
    }
    /// An account's role changed.
    AccountRoleChangedV1 = "core.account_role_changed.v1" {
        /// Whose account.
        user: UserId,
        /// The role from now on: `user`, `moderator` or `admin`.
        role: String,
        /// The account row's version; an older one than known is ignored.
        version: i64,
    }
    /// How an account stands; said of each account when an operator has the core tell its state again.
    AccountStateV1 = "core.account_state.v1" {
        /// Whose account.
        user: UserId,
        /// The handle, as it is shown.
        handle: String,
        /// The role: `user`, `moderator` or `admin`.
        role: String,
        /// `true` while it may not act.
        suspended: bool,
        /// The account row's version; an older one than known is ignored.
        version: i64,
        /// The newest `PersonSuspendedV1` that is known, by its version; 0 if none is.
        person_version: i64,
    }
    /// A sign-in ended: signed out, replaced, or its refresh token was used twice.
    SessionEndedV1 = "core.session_ended.v1" {
        /// Whose.
        user: UserId,
        /// Which; without one, all of that person's.
        session: Option<SessionId>,
    }
    /// An API key was revoked, or one of its secrets ended.
    ApiKeyChangedV1 = "core.api_key_changed.v1" {
        /// Whose.
        user: UserId,
        /// Which.
        key: ApiKeyId,
    }
}
