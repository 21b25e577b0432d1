//! People's activity.
#![expect(dead_code, reason = "its callers come next")]

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::db::Tx;

use crate::error::Error;

/// What counts of a person's activity that begins from `from` on and before `to`.
pub(crate) async fn total_in(
    _tx: &mut Tx,
    _user: UserId,
    _metric: &str,
    _from: Ts,
    _to: Ts,
) -> Result<i64, Error> {
    Ok(0)
}

/// Sets what a person has done in the day that begins at `day_start`, as one interval of the source `leaderboard`.
pub(crate) async fn set_day(
    _tx: &mut Tx,
    _user: UserId,
    _metric: &str,
    _day_start: Ts,
    _value: i64,
) -> Result<(), Error> {
    Ok(())
}
