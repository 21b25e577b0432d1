//! Transfers, their entries, and balances.

use mainstay_contract::{boards::TransferId, ts::Ts};
use mainstay_core::{
    db::{DbError, Tx},
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
    /// Balances of accounts, by name, after one.
    BALANCES = "select account, currency, minor from boards.balance where account > $1 order by account, currency limit $2";
    /// Balances of one account.
    BALANCES_OF = "select account, currency, minor from boards.balance where account = $1 order by currency limit 10";
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

/// Balances of accounts after `after`, by name.
pub(crate) async fn balances(
    tx: &mut Tx,
    after: &str,
    limit: i64,
) -> Result<Vec<BalanceRow>, DbError> {
    tx.all(&BALANCES, params![after, limit]).await
}

/// Balances of one account.
pub(crate) async fn balances_of(tx: &mut Tx, account: &str) -> Result<Vec<BalanceRow>, DbError> {
    tx.all(&BALANCES_OF, params![account]).await
}

/// What an account has in a currency.
pub(crate) async fn balance(tx: &mut Tx, account: &str, currency: &str) -> Result<i64, DbError> {
    let found: Option<(i64,)> = tx.optional(&BALANCE, params![account, currency]).await?;
    Ok(found.map_or(0, |(minor,)| minor))
}
