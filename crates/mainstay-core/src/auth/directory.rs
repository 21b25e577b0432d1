//! Accounts as whoever runs the program looks them up.

use mainstay_contract::ts::Ts;
use serde::Serialize;

use super::{
    Auth, AuthError, Role, Standing, State, UserId, rules,
    store::{self, AccountRow, ListedRow},
};
use crate::params;

/// Accounts of one page.
const PAGE_MAX: i64 = 500;

/// An account with what its owner sees and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Its id.
    pub id: UserId,
    /// Its handle, in lower case.
    pub handle: String,
    /// Its address; none once the person was forgotten.
    pub email: Option<String>,
    /// Its role.
    pub role: Role,
    /// How it stands.
    pub state: Standing,
    /// When it was created.
    pub created_at: Ts,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: UserId,
    /// Its handle, in lower case.
    pub handle: String,
    /// Its role.
    pub role: Role,
    /// How it stands.
    pub state: Standing,
}

/// A page of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountPage {
    /// In the order of their handles.
    pub items: Vec<Listed>,
    /// The handle to go on after; none at the end.
    pub next: Option<String>,
}

impl Auth {
    /// The account with this handle, in any case, if there is one.
    ///
    /// # Errors
    /// `Seal` if its address cannot be opened; what the engine says.
    pub async fn describe(&self, handle: &str) -> Result<Option<Described>, AuthError> {
        let handle = rules::normal_handle(handle);
        let mut tx = self.inner.db.read().await?;
        let row: Option<AccountRow> =
            tx.optional(&store::ACCOUNT_BY_HANDLE, params![handle]).await?;
        drop(tx);
        let Some(row) = row else { return Ok(None) };
        let state = match (&row.key_wrapped, row.state) {
            (None, _) => Standing::Forgotten,
            (Some(_), State::Suspended) => Standing::Suspended,
            (Some(_), State::Active) => Standing::Active,
        };
        let account = self.view(row)?;
        Ok(Some(Described {
            id: account.id,
            handle: account.handle,
            email: account.email,
            role: account.role,
            state,
            created_at: account.created_at,
        }))
    }

    /// Accounts after a handle, which need not be there, in the order of their handles by code points; with `role` only
    /// those that have it. At most `limit` (1–500).
    ///
    /// # Errors
    /// What the engine says.
    pub async fn accounts(
        &self,
        role: Option<Role>,
        after: &str,
        limit: i64,
    ) -> Result<AccountPage, AuthError> {
        let (after, limit) = (rules::normal_handle(after), limit.clamp(1, PAGE_MAX));
        let mut tx = self.inner.db.read().await?;
        // One more than asked for tells whether there is a next page.
        let asked = limit + 1;
        let rows: Vec<ListedRow> = tx.all(&store::ACCOUNTS, params![after, role, asked]).await?;
        drop(tx);
        let more = rows.len() as i64 > limit;
        let shown = rows.into_iter().take(limit.unsigned_abs() as usize);
        let items: Vec<Listed> = shown.map(Listed::from).collect();
        let next = items.last().filter(|_| more).map(|last| last.handle.clone());
        Ok(AccountPage { items, next })
    }
}

impl From<ListedRow> for Listed {
    fn from(row: ListedRow) -> Self {
        let ListedRow { id, handle, role, state } = row;
        Self { id, handle, role, state }
    }
}
