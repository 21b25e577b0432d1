//! What pages show besides what the interface answers.

use mainstay_contract::{boards::CompetitionId, id::UserId};
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
