//! Another password: chosen by its owner, or given by an operator.

use mainstay_contract::account::SessionEndedV1;
use serde_json::json;

use super::{
    Actor, Auth, AuthError, Caller, Origin, SessionId, UserId,
    accounts::tag,
    rules,
    sessions::own_session,
    store::{self, AccountRow},
};
use crate::{
    audit::{self, Entry},
    error::{Fault, Faults},
    params,
};

/// Where the present password stands in the body.
const CURRENT: &str = "/current_password";
/// Where the new one stands.
const NEW: &str = "/new_password";

impl Auth {
    /// Changes the caller's password and ends their other sign-ins; the one that asks and API keys stay.
    ///
    /// # Errors
    /// `Invalid` if the new password breaks a rule or the present one is wrong, which counts like a wrong sign-in;
    /// `LockedOut` after several of those; `Conflict` if the password was changed meanwhile; `Forbidden` for an API
    /// key; `Overloaded`.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let session = own_session(caller)?;
        let row = store::account(&mut *self.inner.db.read().await?, caller.user).await?;
        let row = row.ok_or(AuthError::NotFound)?;
        self.check_change(&row, current, new)?;
        let login = row.handle.clone();
        self.refuse_locked(&login, origin)?;
        let proved = self.prove(&login, current, Some(row), "account.refuse_password", origin);
        let row = proved.await.map_err(|error| match error {
            AuthError::WrongCredentials => {
                let detail = "This is not your present password.";
                AuthError::Invalid(vec![Fault::new(CURRENT, "wrong", detail)])
            }
            other => other,
        })?;
        let hash = self.inner.passwords.hash(new.to_owned()).await?;
        let ended = self.replace_password(row, session, hash, origin).await?;
        ended.into_iter().for_each(|other| self.inner.known.end(other));
        Ok(())
    }

    /// What can be said before the present password is checked, all at once.
    fn check_change(&self, row: &AccountRow, current: &str, new: &str) -> Result<(), AuthError> {
        let email = self.view(row.clone())?.email.unwrap_or_default();
        let mut faults = Faults::default();
        let given = !current.is_empty();
        faults.check(given, CURRENT, "required", || "Write your present password.".into());
        rules::check_password(NEW, new, &row.handle, &email, &mut faults);
        faults.check(!given || current != new, NEW, "unchanged", || {
            "This is the password that you have. Choose another.".into()
        });
        match faults.is_empty() {
            true => Ok(()),
            false => Err(AuthError::Invalid(faults.into_vec())),
        }
    }

    /// Writes the new hash in place of the one that was checked, and ends the sessions beside `kept`; says which.
    async fn replace_password(
        &self,
        checked: AccountRow,
        kept: SessionId,
        hash: String,
        origin: &Origin,
    ) -> Result<Vec<SessionId>, AuthError> {
        let (user, old, origin) = (checked.id, checked.password, origin.audited());
        self.write(move |tx| {
            let (old, hash, origin) = (old.clone(), hash.clone(), origin.clone());
            Box::pin(async move {
                let now = tx.now();
                if tx.execute(&store::REPLACE_PASSWORD, params![user, hash, old]).await? == 0 {
                    return Err(AuthError::Conflict(
                        "The password was changed a moment ago. Sign in with the new one.",
                    ));
                }
                let others = params![user, kept, now];
                let ended: Vec<(SessionId,)> = tx.all(&store::END_OTHER_SESSIONS, others).await?;
                for (other,) in &ended {
                    tx.emit(&SessionEndedV1 { user, session: Some(*other) }, &[]).await?;
                }
                let (actor, target) = (user.to_string(), user.to_string());
                let (action, detail) = ("account.change_password", json!({ "ended": ended.len() }));
                audit::append(tx, &Entry { actor, action, target, detail, origin }).await?;
                Ok(ended.into_iter().map(|(other,)| other).collect())
            })
        })
        .await
    }

    /// Gives an account another password, ends its sign-ins and forgives the wrong passwords that this instance has
    /// counted for it; for an operator. API keys stay, and so does a suspension.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if the password breaks a rule; `Conflict` if the person was forgotten; `Overloaded`.
    pub async fn set_password(
        &self,
        user: UserId,
        password: String,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let row = store::account(&mut *self.inner.db.read().await?, user).await?;
        let account = self.view(row.ok_or(AuthError::NotFound)?)?;
        let email = account.email.unwrap_or_default();
        let mut faults = Faults::default();
        rules::check_password("/password", &password, &account.handle, &email, &mut faults);
        if !faults.is_empty() {
            return Err(AuthError::Invalid(faults.into_vec()));
        }
        let hash = self.inner.passwords.hash(password).await?;
        self.put_password(user, hash, actor, origin.audited()).await?;
        self.inner.known.end(user);
        for login in [account.handle, rules::normal_email(&email)] {
            self.inner.lockout.forgive(&login);
        }
        Ok(())
    }

    /// Writes the hash and ends all sessions.
    async fn put_password(
        &self,
        user: UserId,
        hash: String,
        actor: Actor,
        origin: String,
    ) -> Result<(), AuthError> {
        let actor = actor.to_string();
        self.write(move |tx| {
            let (hash, actor, origin) = (hash.clone(), actor.clone(), origin.clone());
            Box::pin(async move {
                let row = store::account(tx, user).await?.ok_or(AuthError::NotFound)?;
                if row.key_wrapped.is_none() {
                    return Err(AuthError::Conflict(
                        "This person was forgotten; nobody can sign in as them any more.",
                    ));
                }
                let now = tx.now();
                tx.execute(&store::SET_PASSWORD, params![user, hash]).await?;
                tx.execute(&store::END_SESSIONS, params![user, now, "password"]).await?;
                tx.emit(&SessionEndedV1 { user, session: None }, &[tag(user)]).await?;
                let (action, target) = ("account.set_password", user.to_string());
                let entry = Entry { actor, action, target, detail: json!({}), origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await
    }
}
