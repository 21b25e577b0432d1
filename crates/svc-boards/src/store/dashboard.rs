//! What pages show besides what the interface answers.

use mainstay_contract::{
    boards::{CompetitionId, TransferId},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, ToParam as _, Tx},
    params, row, statements,
};

statements! {
    /// What counts of somebody's days, of every metric.
    DAYS_OF_ALL = "select metric, day, value from boards.activity_day
                   where user_id = $1 and day >= $2 and day < $3 order by metric, day limit $4";
    /// What a competition is called.
    NAME = "select name from boards.competition where id = $1";
    /// What all accounts have together.
    SUMS = "select currency, cast(sum(minor) as bigint) from boards.balance group by currency order by currency limit 100";
    /// The entries of a transfer.
    OF_TRANSFER = "select t.kind, t.reference, t.currency, t.made_at, e.account, e.minor from boards.transfer t
                   join boards.ledger_entry e on e.transfer_id = t.id where t.id = $1 order by e.account limit 100";
}

row! {
    /// What counts of a day.
    #[derive(Debug, Clone)]
    pub(crate) struct DayRow {
        pub(crate) metric: String,
        pub(crate) day: i64,
        pub(crate) value: i64,
    }
}

row! {
    /// An entry of a transfer, with what the transfer is.
    #[derive(Debug, Clone)]
    pub(crate) struct TransferRow {
        pub(crate) kind: String,
        pub(crate) reference: String,
        pub(crate) currency: String,
        pub(crate) made_at: Ts,
        pub(crate) account: String,
        pub(crate) minor: i64,
    }
}

/// What counts of `user`'s days in [`from`, `to`), by metric and day.
pub(crate) async fn days_of_all(
    tx: &mut Tx,
    user: UserId,
    (from, to): (i64, i64),
    limit: i64,
) -> Result<Vec<DayRow>, DbError> {
    tx.all(&DAYS_OF_ALL, params![user, from, to, limit]).await
}

/// What competitions are called, in the order of `ids`.
pub(crate) async fn names(
    tx: &mut Tx,
    ids: &[CompetitionId],
) -> Result<Vec<Option<String>>, DbError> {
    let params: Vec<_> = ids.iter().map(|id| vec![id.to_param()]).collect();
    let rows: Vec<Option<(String,)>> = tx.optional_all(&NAME, &params).await?;
    Ok(rows.into_iter().map(|row| row.map(|(name,)| name)).collect())
}

/// What all accounts have together, by currency.
pub(crate) async fn sums(tx: &mut Tx) -> Result<Vec<(String, i64)>, DbError> {
    tx.all(&SUMS, &[]).await
}

/// The entries of a transfer, by account.
pub(crate) async fn of_transfer(tx: &mut Tx, id: TransferId) -> Result<Vec<TransferRow>, DbError> {
    tx.all(&OF_TRANSFER, params![id]).await
}
