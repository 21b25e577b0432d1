//! Competitions.
#![expect(dead_code, reason = "its callers come next")]

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::db::Tx;

use crate::error::Error;

/// A person's activity changed in the intervals that begin at `starts`: their scores follow, in the same transaction.
pub(crate) async fn activity_changed(
    _tx: &mut Tx,
    _user: UserId,
    _metric: &str,
    _starts: &[Ts],
) -> Result<(), Error> {
    Ok(())
}
