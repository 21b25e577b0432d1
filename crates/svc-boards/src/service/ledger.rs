//! The ledger: what one account gets another gives.

use mainstay_contract::{
    boards::{CompetitionId, TransferId},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{
    auth::{Caller, Role},
    db::Tx,
    error::Problem,
    ids,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Boards;
use crate::{error::Error, store};

/// The house's part of fees.
pub(crate) const HOUSE_FEES: &str = "house:fees";
/// What is charged for the convenience of paying.
pub(crate) const HOUSE_CONVENIENCE: &str = "house:convenience";

/// Money: minor units and an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Money {
    /// Such as 5000 for 50 rupees.
    pub(crate) minor: i64,
    /// Such as `INR`.
    pub(crate) currency: String,
}

/// What a transfer did to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LedgerEntryView {
    /// The transfer; its entries in all accounts sum to 0.
    pub(crate) transfer_id: TransferId,
    /// `entry_fee`, `prize` or `refund`.
    pub(crate) kind: String,
    /// What it was for: a competition's id.
    pub(crate) reference: String,
    /// How much the account got; below 0 what it gave.
    pub(crate) amount: Money,
    /// When.
    pub(crate) made_at: Ts,
}

/// What an account has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct BalanceView {
    /// The account.
    pub(crate) account: String,
    /// What it has; below 0 for a person who has paid more than they got.
    pub(crate) balance: Money,
}

/// The account of a person.
pub(crate) fn account_of(user: UserId) -> String {
    format!("user:{user}")
}

/// The account of a competition's prizes.
pub(crate) fn pool_of(competition: CompetitionId) -> String {
    format!("pool:{competition}")
}

/// A transfer that is to be made.
pub(crate) struct NewTransfer<'a> {
    pub(crate) kind: &'static str,
    pub(crate) reference: String,
    pub(crate) currency: &'a str,
    /// Accounts and what they get.
    pub(crate) entries: Vec<(String, i64)>,
}

/// Makes a transfer in this transaction; each account stands in it once. Balances are moved in the order of their
/// accounts, so that transfers never wait for each other in a circle. One of nothing leaves no trace.
///
/// # Errors
/// A fault of ours if the entries do not sum to 0. What the engine says if a balance would leave 64 bits: no part of
/// the transaction stays then.
pub(crate) async fn transfer(tx: &mut Tx, new: NewTransfer<'_>) -> Result<(), Error> {
    let mut entries = new.entries;
    entries.sort_unstable();
    entries.retain(|(_, minor)| *minor != 0);
    let sum: i128 = entries.iter().map(|(_, minor)| i128::from(*minor)).sum();
    if sum != 0 {
        let said = format!("a transfer `{}` of {} does not sum to 0", new.kind, new.reference);
        return Err(Problem::internal(said).into());
    }
    if entries.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let id: TransferId = ids::new_id(now);
    store::ledger::add_transfer(tx, id, (new.kind, &new.reference, new.currency), now).await?;
    for (account, minor) in &entries {
        store::ledger::add_entry(tx, id, account, new.currency, *minor).await?;
    }
    Ok(())
}

impl Boards {
    /// In what money is counted: an ISO 4217 code.
    pub(crate) fn currency(&self) -> &str {
        &self.inner.config.currency
    }

    /// The account that `caller` may look into: their own, or any for administrators.
    ///
    /// # Errors
    /// `NotFound` for another's.
    fn may_look_into(caller: &Caller, account: Option<&str>) -> Result<String, Error> {
        let own = account_of(caller.user);
        match account {
            None => Ok(own),
            Some(account) if account == own || caller.acts_as(Role::Admin) => {
                Ok(account.to_owned())
            }
            Some(_) => Err(Error::NotFound),
        }
    }

    /// Entries of an account before one, newest first.
    ///
    /// # Errors
    /// `NotFound` for another's account, unless the caller is an administrator.
    pub(crate) async fn ledger_entries(
        &self,
        caller: &Caller,
        account: Option<&str>,
        before: TransferId,
        limit: usize,
    ) -> Result<Vec<LedgerEntryView>, Error> {
        let account = Self::may_look_into(caller, account)?;
        let mut tx = self.db().read().await?;
        let rows = store::ledger::entries(&mut tx, &account, before, limit as i64).await?;
        let view = |row: store::ledger::EntryRow| LedgerEntryView {
            transfer_id: row.transfer,
            kind: row.kind,
            reference: row.reference,
            amount: Money { minor: row.minor, currency: row.currency },
            made_at: row.made_at,
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Balances behind an account and currency, by both. Administrators see all, or those of `account`; others their
    /// own.
    ///
    /// # Errors
    /// `NotFound` for another's account, unless the caller is an administrator.
    pub(crate) async fn balances(
        &self,
        caller: &Caller,
        account: Option<&str>,
        (after, currency): (&str, &str),
        limit: usize,
    ) -> Result<Vec<BalanceView>, Error> {
        let account = match account {
            None if caller.acts_as(Role::Admin) => None,
            account => Some(Self::may_look_into(caller, account)?),
        };
        let mut tx = self.db().read().await?;
        let behind = (after, currency);
        let rows =
            store::ledger::balances(&mut tx, account.as_deref(), behind, limit as i64).await?;
        let view = |row: store::ledger::BalanceRow| BalanceView {
            account: row.account,
            balance: Money { minor: row.minor, currency: row.currency },
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
