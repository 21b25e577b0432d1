//! Accounts: made, looked up, suspended, forgotten.

use std::collections::HashMap;

use mainstay_contract::{
    account::{AccountCreatedV1, AccountSuspensionChangedV1, SessionEndedV1},
    feed::PersonSuspendedV1,
};
use serde_json::json;

use super::{
    Account, Actor, Auth, AuthError, Caller, ConsoleSignedIn, Origin, Role, SignedIn, State,
    UserId,
    rules::{self, Chooser},
    sign_in::Draft as Session,
    store::{self, AccountRow},
};
use crate::{
    audit::{self, Entry},
    cache::Tag,
    db::{DbError, Tx},
    error::{Fault, Faults},
    ids, params,
};

/// Accounts that are made in one transaction.
const BATCH: usize = 500;

/// What somebody registers with.
#[derive(Clone)]
pub struct NewAccount {
    /// 3–30 characters of `a-z`, `0-9`, `_`, `.`; kept in lower case.
    pub handle: String,
    /// The address.
    pub email: String,
    /// 8–256 characters.
    pub password: String,
}

/// An account that an operator or the program makes.
#[derive(Clone)]
pub struct NewUser {
    /// As for [`NewAccount`]; reserved ones are allowed.
    pub handle: String,
    /// The address.
    pub email: String,
    /// Without one nobody can sign in with a password.
    pub password: Option<String>,
    /// What it may do.
    pub role: Role,
}

/// What others may need to know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its id.
    pub id: UserId,
    /// Its handle.
    pub handle: String,
    /// Its role.
    pub role: Role,
    /// Whether it may act.
    pub state: State,
    /// The row's version.
    pub version: i64,
}

/// An account that is ready to be written.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) account: Account,
    email_sealed: Vec<u8>,
    email_index: [u8; 32],
    key_wrapped: Vec<u8>,
    password: Option<String>,
}

impl Auth {
    /// Registers an account and signs it in.
    ///
    /// # Errors
    /// `Invalid` with every fault; `Taken` if somebody has the handle or the address; `Overloaded`; `Forbidden` where
    /// registration is closed.
    pub async fn register(&self, new: NewAccount, origin: &Origin) -> Result<SignedIn, AuthError> {
        let draft = self.stranger(new).await?;
        let session = self.token_session(&draft.account, &draft.key_wrapped, origin)?;
        self.insert_with(&draft, &session, origin).await?;
        self.signed_in(draft.account, session).await
    }

    /// Registers an account and signs a browser in: the same, but the answer is a cookie's value.
    ///
    /// # Errors
    /// As [`Auth::register`].
    pub async fn register_console(
        &self,
        new: NewAccount,
        origin: &Origin,
    ) -> Result<ConsoleSignedIn, AuthError> {
        let draft = self.stranger(new).await?;
        let session = self.console_session(&draft.account, &draft.key_wrapped, origin)?;
        self.insert_with(&draft, &session, origin).await?;
        Ok(session.console(draft.account))
    }

    async fn stranger(&self, new: NewAccount) -> Result<Draft, AuthError> {
        if !self.inner.settings.registration_open {
            let why = "Nobody can register here; ask whoever runs this server for an account.";
            return Err(AuthError::Forbidden(why));
        }
        let NewAccount { handle, email, password } = new;
        let user = NewUser { handle, email, password: Some(password), role: Role::User };
        self.draft(user, Chooser::Stranger).await
    }

    /// Writes an account and its first session.
    async fn insert_with(
        &self,
        draft: &Draft,
        session: &Session,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let (entry, origin) = (Actor::User(draft.account.id), origin.audited());
        let (made, begun) = (draft.clone(), session.clone());
        self.write(move |tx| {
            let (draft, session) = (made.clone(), begun.clone());
            let (actor, origin) = (entry.to_string(), origin.clone());
            Box::pin(async move {
                insert(tx, &draft, actor, origin).await?;
                session.insert(tx).await
            })
        })
        .await
    }

    /// Makes an account without signing it in; for the command line.
    ///
    /// # Errors
    /// As [`Auth::register`].
    pub async fn create_user(
        &self,
        new: NewUser,
        actor: Actor,
        origin: &Origin,
    ) -> Result<Account, AuthError> {
        let draft = self.draft(new, Chooser::Operator).await?;
        let account = draft.account.clone();
        let (actor, origin) = (actor.to_string(), origin.audited());
        self.write(move |tx| {
            let (draft, actor, origin) = (draft.clone(), actor.clone(), origin.clone());
            Box::pin(async move { insert(tx, &draft, actor, origin).await })
        })
        .await?;
        Ok(account)
    }

    /// Makes many accounts, some hundreds in each transaction, in the given order; for demonstrations and imports.
    ///
    /// # Errors
    /// As [`Auth::register`], for the first account that cannot be made; the batches before it stay.
    pub async fn create_users(&self, new: Vec<NewUser>) -> Result<Vec<Account>, AuthError> {
        let mut made = Vec::with_capacity(new.len());
        let mut new = new.into_iter().peekable();
        while new.peek().is_some() {
            let mut drafts = Vec::with_capacity(BATCH);
            for user in new.by_ref().take(BATCH) {
                drafts.push(self.draft(user, Chooser::Operator).await?);
            }
            made.extend(drafts.iter().map(|draft| draft.account.clone()));
            self.write(move |tx| {
                let drafts = drafts.clone();
                Box::pin(async move {
                    for draft in drafts {
                        insert(tx, &draft, Actor::System.to_string(), String::new()).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        }
        Ok(made)
    }

    /// The caller's own account.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub async fn me(&self, caller: &Caller) -> Result<Account, AuthError> {
        let mut tx = self.inner.db.read().await?;
        let row = store::account(&mut tx, caller.user).await?.ok_or(AuthError::NotFound)?;
        drop(tx);
        self.view(row)
    }

    /// The account with this id, if there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn find(&self, user: UserId) -> Result<Option<Brief>, AuthError> {
        let mut tx = self.inner.db.read().await?;
        Ok(store::account(&mut tx, user).await?.map(Brief::from))
    }

    /// The account with this handle, in any case, if there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn find_by_handle(&self, handle: &str) -> Result<Option<Brief>, AuthError> {
        let handle = rules::normal_handle(handle);
        let mut tx = self.inner.db.read().await?;
        let row: Option<AccountRow> =
            tx.optional(&store::ACCOUNT_BY_HANDLE, params![handle]).await?;
        Ok(row.map(Brief::from))
    }

    /// The handles of these accounts; those that are not there are left out.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn handles(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, AuthError> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let mut tx = self.inner.db.read().await?;
        let rows: Vec<(UserId, String)> = tx.all(&store::HANDLES, params![users]).await?;
        Ok(rows.into_iter().collect())
    }

    /// Suspends an account and ends its sign-ins, or lifts the suspension. Its API keys work again once it is lifted.
    ///
    /// Changes nothing on repeat.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_suspended(
        &self,
        user: UserId,
        suspended: bool,
        actor: Actor,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let (actor, origin) = (actor.to_string(), origin.audited());
        self.write(move |tx| {
            let (actor, origin) = (actor.clone(), origin.clone());
            Box::pin(async move {
                store::account(tx, user).await?.ok_or(AuthError::NotFound)?;
                suspend(tx, user, suspended, actor, origin).await.map_err(AuthError::from)
            })
        })
        .await?;
        self.inner.known.end(user);
        Ok(())
    }

    /// Takes a moderator's suspension over from Feed's fact, in the consumer's transaction on the schema `core`.
    ///
    /// An administrator's account is left alone, and Feed is told so: a moderator must not shut out those who appoint
    /// moderators.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn on_person_suspended(tx: &mut Tx, fact: &PersonSuspendedV1) -> Result<(), DbError> {
        let PersonSuspendedV1 { user, suspended, version: person_version } = *fact;
        let Some(row) = store::account(tx, user).await? else { return Ok(()) };
        let heard: Option<(i64,)> =
            tx.optional(&store::HEAR_PERSON, params![user, person_version]).await?;
        let Some((version,)) = heard else { return Ok(()) };
        if suspended && row.role == Role::Admin {
            tracing::warn!(%user, "a suspension of an administrator was not taken over");
            let suspended = row.state == State::Suspended;
            let fact = AccountSuspensionChangedV1 { user, suspended, version, person_version };
            return tx.emit(&fact, &[tag(user)]).await.map(drop);
        }
        suspend(tx, user, suspended, Actor::System.to_string(), String::new()).await
    }

    /// Makes what is sealed for a person unreadable for ever, here and in backups, and lets nobody in as them any more.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn forget(&self, user: UserId, actor: Actor) -> Result<(), AuthError> {
        let actor = actor.to_string();
        self.write(move |tx| {
            let actor = actor.clone();
            Box::pin(async move {
                let now = tx.now();
                tx.execute(&store::DROP_SUBJECT_KEY, params![user]).await?;
                tx.execute(&store::BLANK_ACCOUNT, params![user]).await?;
                tx.execute(&store::REVOKE_KEYS, params![user, now]).await?;
                tx.execute(&store::END_SESSIONS, params![user, now, "forgotten"]).await?;
                tx.emit(&SessionEndedV1 { user, session: None }, &[tag(user)]).await?;
                let (action, target) = ("account.forget", user.to_string());
                let (detail, origin) = (json!({}), String::new());
                let entry = Entry { actor, action, target, detail, origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await?;
        self.inner.known.end(user);
        Ok(())
    }

    /// The account as its owner sees it.
    pub(super) fn view(&self, row: AccountRow) -> Result<Account, AuthError> {
        let email = match (&row.key_wrapped, &row.email_sealed) {
            (Some(wrapped), Some(sealed)) => {
                Some(self.inner.vault.subject_key(row.id, wrapped)?.open("email", sealed)?)
            }
            _ => None,
        };
        let AccountRow { id, handle, role, state, created_at, .. } = row;
        Ok(Account { id, handle, email, role, state, created_at })
    }

    /// Checks a new account and prepares its row.
    async fn draft(&self, new: NewUser, chooser: Chooser) -> Result<Draft, AuthError> {
        let mut faults = Faults::default();
        rules::check_handle(&new.handle, chooser, &mut faults);
        rules::check_email(&new.email, &mut faults);
        if let Some(password) = &new.password {
            rules::check_password("/password", password, &new.handle, &new.email, &mut faults);
        }
        if !faults.is_empty() {
            return Err(AuthError::Invalid(faults.into_vec()));
        }
        let vault = &self.inner.vault;
        let handle = rules::normal_handle(&new.handle);
        let email_index = vault.email_index(&rules::normal_email(&new.email));
        // Asked before the hash, which costs a thousand times more, and again in the transaction, where it counts.
        refuse_taken(&mut *self.inner.db.read().await?, &handle, &email_index).await?;
        let password = match new.password {
            Some(password) => Some(self.inner.passwords.hash(password).await?),
            None => None,
        };
        let created_at = self.inner.clock.now();
        let id = ids::new_id(created_at);
        let (key, key_wrapped) = vault.new_subject_key(id)?;
        let email_sealed = key.seal("email", &new.email)?;
        let (role, state, email) = (new.role, State::Active, Some(new.email));
        let account = Account { id, handle, email, role, state, created_at };
        Ok(Draft { account, email_sealed, email_index, key_wrapped, password })
    }
}

impl From<AccountRow> for Brief {
    fn from(row: AccountRow) -> Self {
        let AccountRow { id, handle, role, state, version, .. } = row;
        Self { id, handle, role, state, version }
    }
}

/// The cache tag of what shows an account.
pub(super) fn tag(user: UserId) -> Tag {
    Tag::of("account", user.bits())
}

async fn refuse_taken(tx: &mut Tx, handle: &str, email_index: &[u8]) -> Result<(), AuthError> {
    let (handles, emails): (i64, i64) = tx.one(&store::TAKEN, params![handle, email_index]).await?;
    let mut faults = Vec::new();
    if handles > 0 {
        faults.push(Fault::new("/handle", "taken", "Somebody has this handle. Choose another."));
    }
    if emails > 0 {
        faults.push(Fault::new("/email", "taken", "This address has an account. Sign in."));
    }
    if faults.is_empty() { Ok(()) } else { Err(AuthError::Taken(faults)) }
}

async fn insert(
    tx: &mut Tx,
    draft: &Draft,
    actor: String,
    origin: String,
) -> Result<(), AuthError> {
    let account = &draft.account;
    refuse_taken(tx, &account.handle, &draft.email_index).await?;
    let values = params![
        account.id,
        account.handle,
        draft.email_sealed,
        draft.email_index,
        draft.password,
        account.role,
        account.created_at
    ];
    if tx.execute(&store::ADD_ACCOUNT, values).await? == 0 {
        return Err(AuthError::Taken(Vec::new()));
    }
    let key = params![account.id, draft.key_wrapped, account.created_at];
    tx.execute(&store::ADD_SUBJECT_KEY, key).await?;
    let fact = AccountCreatedV1 { user: account.id, handle: account.handle.clone() };
    tx.emit(&fact, &[tag(account.id)]).await?;
    let detail = json!({ "role": account.role.as_str() });
    let (action, target) = ("account.create", account.id.to_string());
    audit::append(tx, &Entry { actor, action, target, detail, origin }).await?;
    Ok(())
}

async fn suspend(
    tx: &mut Tx,
    user: UserId,
    suspended: bool,
    actor: String,
    origin: String,
) -> Result<(), DbError> {
    let state = if suspended { State::Suspended } else { State::Active };
    let changed: Option<(i64, i64)> = tx.optional(&store::SET_STATE, params![user, state]).await?;
    let Some((version, person_version)) = changed else { return Ok(()) };
    if suspended {
        let now = tx.now();
        tx.execute(&store::END_SESSIONS, params![user, now, "suspended"]).await?;
    }
    let fact = AccountSuspensionChangedV1 { user, suspended, version, person_version };
    tx.emit(&fact, &[tag(user)]).await?;
    let action = if suspended { "account.suspend" } else { "account.unsuspend" };
    let (target, detail) = (user.to_string(), json!({}));
    audit::append(tx, &Entry { actor, action, target, detail, origin }).await
}
