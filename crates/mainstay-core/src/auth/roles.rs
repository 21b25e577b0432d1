//! What an account may do, and that somebody is left who may do everything.

use mainstay_contract::account::AccountRoleChangedV1;
use serde_json::json;

use super::{
    Actor, Auth, AuthError, Origin, Role, State, UserId,
    accounts::tag,
    store::{self, AccountRow},
};
use crate::{
    audit::{self, Entry},
    db::Tx,
    params,
};

impl Auth {
    /// Changes what an account may do, from its next request on. Changes nothing on repeat.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is the last administrator who can act and would be none any more.
    pub async fn set_role(
        &self,
        user: UserId,
        role: Role,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let (actor, origin) = (actor.to_string(), origin.audited());
        self.write(move |tx| {
            let (actor, origin) = (actor.clone(), origin.clone());
            Box::pin(async move {
                let row = store::account(tx, user).await?.ok_or(AuthError::NotFound)?;
                if role != Role::Admin {
                    keep_an_administrator(tx, &row).await?;
                }
                let changed: Option<(i64,)> =
                    tx.optional(&store::SET_ROLE, params![user, role]).await?;
                let Some((version,)) = changed else { return Ok(()) };
                let fact = AccountRoleChangedV1 { user, role: role.to_string(), version };
                tx.emit(&fact, &[tag(user)]).await?;
                let detail = json!({ "role": role.as_str() });
                let (action, target) = ("account.set_role", user.to_string());
                let entry = Entry { actor, action, target, detail, origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await?;
        self.inner.known.end(user);
        Ok(())
    }
}

/// Refuses if `leaving` is the only administrator who is neither suspended nor forgotten.
///
/// Whoever changes a role, suspends an administrator or forgets one queues up in [`Auth::write`], on Postgres behind
/// one lock for all instances. So who is found here still can act when the transaction ends. A moderator's suspension
/// does not queue up there, but never shuts out an administrator.
async fn keep_an_administrator(tx: &mut Tx, leaving: &AccountRow) -> Result<(), AuthError> {
    let acts = leaving.role == Role::Admin
        && leaving.state == State::Active
        && leaving.key_wrapped.is_some();
    if !acts {
        return Ok(());
    }
    let other: Option<(UserId,)> =
        tx.optional(&store::OTHER_ADMINISTRATOR, params![leaving.id]).await?;
    match other {
        Some(_) => Ok(()),
        None => Err(AuthError::Conflict(
            "This is the last administrator who can act. Make somebody else an administrator first.",
        )),
    }
}
