//! Facts of the core about accounts.

use serde::{Deserialize, Serialize};

use crate::{Fact, define_id, id::UserId};

define_id!(
    /// One sign-in of a person, on one device or browser.
    Session => SessionId, "session"
);
define_id!(
    /// An API key; its secrets change, its id stays.
    ApiKey => ApiKeyId, "key"
);

/// Somebody registered, or an operator created an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCreatedV1 {
    /// Who.
    pub user: UserId,
    /// The handle, as it is shown.
    pub handle: String,
}

impl Fact for AccountCreatedV1 {
    const NAME: &'static str = "core.account_created.v1";
}

/// An account may no longer act, or may again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSuspensionChangedV1 {
    /// Whose account.
    pub user: UserId,
    /// `true` from now on suspended.
    pub suspended: bool,
    /// The account row's version; an older one than known is ignored.
    pub version: i64,
}

impl Fact for AccountSuspensionChangedV1 {
    const NAME: &'static str = "core.account_suspension_changed.v1";
}

/// An account's role changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRoleChangedV1 {
    /// Whose account.
    pub user: UserId,
    /// The role from now on: `user`, `moderator` or `admin`.
    pub role: String,
    /// The account row's version; an older one than known is ignored.
    pub version: i64,
}

impl Fact for AccountRoleChangedV1 {
    const NAME: &'static str = "core.account_role_changed.v1";
}

/// A sign-in ended: signed out, replaced, or its refresh token was used twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEndedV1 {
    /// Whose.
    pub user: UserId,
    /// Which; without one, all of that person's.
    pub session: Option<SessionId>,
}

impl Fact for SessionEndedV1 {
    const NAME: &'static str = "core.session_ended.v1";
}

/// An API key was revoked, or one of its secrets ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyChangedV1 {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub key: ApiKeyId,
}

impl Fact for ApiKeyChangedV1 {
    const NAME: &'static str = "core.api_key_changed.v1";
}
