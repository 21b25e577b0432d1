//! Competitions.

use mainstay_contract::id::UserId;
use mainstay_core::db::Tx;

use crate::error::Error;

/// A person's activity changed: their scores follow, in the same transaction.
pub(crate) async fn activity_changed(
    _tx: &mut Tx,
    _user: UserId,
    _metric: &str,
) -> Result<(), Error> {
    Ok(())
}
