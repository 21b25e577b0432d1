//! Transfers, their entries, and balances.

use mainstay_contract::{boards::TransferId, ts::Ts};
use mainstay_core::{
    db::{DbError, ToParam as _, Tx},
    params, row, statements,
};

statements! {
    /// Adds a transfer.
    ADD_TRANSFER = "insert into boards.transfer (id, kind, reference, currency, made_at) values ($1, $2, $3, $4, $5)";
    /// Adds an entry of a transfer.
    ADD_ENTRY = "insert into boards.ledger_entry (account, transfer_id, minor) values ($1, $2, $3)";
    /// Moves a balance.
    MOVE_BALANCE = "insert into boards.balance (account, currency, minor) values ($1, $2, $3)
                    on conflict (account, currency) do update set minor = boards.balance.minor + excluded.minor",
        sqlite "insert into boards.balance (account, currency, minor) values ($1, $2, $3)
                    on conflict (account, currency) do update set minor = minor + excluded.minor";
    /// Entries of an account, newest first, before one.
    ENTRIES = "select e.transfer_id, t.kind, t.reference, t.currency, e.minor, t.made_at from boards.ledger_entry e
               join boards.transfer t on t.id = e.transfer_id
               where e.account = $1 and e.transfer_id < $2 order by e.transfer_id desc limit $3";
    /// Balances by account and currency, after one.
    BALANCES = "select account, currency, minor from boards.balance
                where account > $1 or account = $1 and currency > $2 order by account, currency limit $3";
    /// The same of one account.
    BALANCES_OF = "select account, currency, minor from boards.balance
                   where account = $1 and currency > $2 order by currency limit $3";
    /// What an account has.
    BALANCE = "select minor from boards.balance where account = $1 and currency = $2";
}

row! {
    /// An entry of an account.
    #[derive(Debug, Clone)]
    pub(crate) struct EntryRow {
        pub(crate) transfer: TransferId,
        pub(crate) kind: String,
        pub(crate) reference: String,
        pub(crate) currency: String,
        pub(crate) minor: i64,
        pub(crate) made_at: Ts,
    }
}

row! {
    /// What an account has.
    #[derive(Debug, Clone)]
    pub(crate) struct BalanceRow {
        pub(crate) account: String,
        pub(crate) currency: String,
        pub(crate) minor: i64,
    }
}

/// Adds a transfer without its entries.
pub(crate) async fn add_transfer(
    tx: &mut Tx,
    id: TransferId,
    (kind, reference, currency): (&str, &str, &str),
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&ADD_TRANSFER, params![id, kind, reference, currency, now]).await
}

/// Adds an entry of a transfer and moves the balance of its account.
pub(crate) async fn add_entry(
    tx: &mut Tx,
    transfer: TransferId,
    account: &str,
    currency: &str,
    minor: i64,
) -> Result<(), DbError> {
    tx.run(&ADD_ENTRY, params![account, transfer, minor]).await?;
    tx.run(&MOVE_BALANCE, params![account, currency, minor]).await
}

/// Entries of `account` before one, newest first.
pub(crate) async fn entries(
    tx: &mut Tx,
    account: &str,
    before: TransferId,
    limit: i64,
) -> Result<Vec<EntryRow>, DbError> {
    tx.all(&ENTRIES, params![account, before, limit]).await
}

/// Balances behind an account and currency, by both; with `account` those of this one, behind the currency.
pub(crate) async fn balances(
    tx: &mut Tx,
    account: Option<&str>,
    (after, currency): (&str, &str),
    limit: i64,
) -> Result<Vec<BalanceRow>, DbError> {
    match account {
        Some(account) => tx.all(&BALANCES_OF, params![account, currency, limit]).await,
        None => tx.all(&BALANCES, params![after, currency, limit]).await,
    }
}

/// What accounts have in their currencies, in the order of `accounts`.
pub(crate) async fn balances_in(
    tx: &mut Tx,
    accounts: &[(String, String)],
) -> Result<Vec<i64>, DbError> {
    let params: Vec<_> = accounts
        .iter()
        .map(|(account, currency)| vec![account.to_param(), currency.to_param()])
        .collect();
    let rows: Vec<Option<(i64,)>> = tx.optional_all(&BALANCE, &params).await?;
    Ok(rows.into_iter().map(|row| row.map_or(0, |(minor,)| minor)).collect())
}

/// What an account has in a currency.
pub(crate) async fn balance(tx: &mut Tx, account: &str, currency: &str) -> Result<i64, DbError> {
    let found: Option<(i64,)> = tx.optional(&BALANCE, params![account, currency]).await?;
    Ok(found.map_or(0, |(minor,)| minor))
}
