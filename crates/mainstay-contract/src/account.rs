//! Facts of the core about accounts.

use serde::{Deserialize, Serialize};

use crate::{Fact, id::UserId};

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
