//! Prizes: proposed by one administrator, approved by another, paid once.

use mainstay_contract::{
    boards::{CompetitionId, PrizePaidV1},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{
    db::{Json, Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::{competition::state, prize::split_pool},
    service::{
        Boards,
        ledger::{Money, NewTransfer, account_of, pool_of, transfer},
    },
    store::{self, competitions::CompetitionRow},
};

/// Results that are read at a time.
const BATCH: i64 = 5_000;

/// What somebody gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PrizeView {
    /// Who.
    pub(crate) user_id: UserId,
    /// How much.
    pub(crate) amount: Money,
}

/// Prizes as they are proposed or paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PayoutView {
    /// Best place first.
    pub(crate) prizes: Vec<PrizeView>,
    /// Who proposed them.
    pub(crate) proposed_by: UserId,
    /// When.
    pub(crate) proposed_at: Ts,
    /// Who approved them; with that they were paid.
    pub(crate) approved_by: Option<UserId>,
    /// When.
    pub(crate) paid_at: Option<Ts>,
}

impl Boards {
    /// Proposes the prizes that follow from the results. Proposing again changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` as long as the results are not final.
    pub(crate) async fn propose_payout(
        &self,
        by: UserId,
        id: CompetitionId,
        once: Option<Once>,
    ) -> Result<PayoutView, Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                Box::pin(async move {
                    let row = settled(tx, id).await?;
                    if store::competitions::payout(tx, id).await?.is_none() {
                        let prizes = prizes(tx, &row).await?;
                        let now = tx.now();
                        store::competitions::propose(tx, id, &prizes, by, now).await?;
                    }
                    view(tx, &row).await
                })
            })
            .await
    }

    /// Approves what another administrator has proposed, and pays it with that: once, however often and by how many it is
    /// asked for.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if nothing is proposed, or by the same administrator.
    pub(crate) async fn approve_payout(
        &self,
        by: UserId,
        id: CompetitionId,
        once: Option<Once>,
    ) -> Result<PayoutView, Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                Box::pin(async move {
                    let row = settled(tx, id).await?;
                    let payout = store::competitions::payout(tx, id).await?;
                    let payout = payout.ok_or(Error::conflict(
                        "Nobody has proposed prizes: `POST …/payout` first.",
                    ))?;
                    if payout.approved_by.is_some() {
                        return view(tx, &row).await;
                    }
                    if payout.proposed_by == by {
                        return Err(Error::conflict(
                            "Another administrator has to approve what you have proposed.",
                        ));
                    }
                    let now = tx.now();
                    if store::competitions::approve(tx, id, by, now).await? {
                        pay(tx, &row, payout.prizes.0).await?;
                    }
                    view(tx, &row).await
                })
            })
            .await
    }

    /// Prizes as they are proposed or paid.
    ///
    /// # Errors
    /// `NotFound` if nothing is proposed.
    pub(crate) async fn payout(&self, id: CompetitionId) -> Result<PayoutView, Error> {
        let mut tx = self.db().read().await?;
        let row = store::competitions::one(&mut tx, id).await?.ok_or(Error::NotFound)?;
        view(&mut tx, &row).await
    }
}

async fn settled(tx: &mut Tx, id: CompetitionId) -> Result<CompetitionRow, Error> {
    let row = store::competitions::lock(tx, id).await?.ok_or(Error::NotFound)?;
    match row.state {
        state::SETTLED => Ok(row),
        state::CANCELLED => Err(Error::conflict("It has been called off: there are no prizes.")),
        _ => Err(Error::conflict("The results are not final yet.")),
    }
}

/// Who gets what of the pool.
async fn prizes(tx: &mut Tx, row: &CompetitionRow) -> Result<Vec<(UserId, i64)>, Error> {
    let (mut users, mut scores, mut after) = (Vec::new(), Vec::new(), 0);
    loop {
        let some = store::competitions::results(tx, row.id, after, BATCH).await?;
        let Some(last) = some.last() else { break };
        after = last.place;
        users.extend(some.iter().map(|result| result.user));
        scores.extend(some.iter().map(|result| result.score));
        // Whoever is behind the last place with a share gets something only if they are tied with it.
        let paid = row.prize_split.0.len();
        if scores.len() > paid && scores.last() != scores.get(paid - 1) {
            break;
        }
    }
    let pool = store::ledger::balance(tx, &pool_of(row.id), &row.currency).await?;
    let amounts = split_pool(pool, &row.prize_split.0, &scores);
    Ok(users.into_iter().zip(amounts).filter(|(_, minor)| *minor > 0).collect())
}

async fn pay(tx: &mut Tx, row: &CompetitionRow, prizes: Vec<(UserId, i64)>) -> Result<(), Error> {
    for (user, minor) in prizes {
        let new = NewTransfer {
            kind: "prize",
            reference: row.id.to_string(),
            currency: &row.currency,
            entries: vec![(pool_of(row.id), -minor), (account_of(user), minor)],
        };
        transfer(tx, new).await?;
        let currency = row.currency.clone();
        let fact = PrizePaidV1 { competition: row.id, user, minor, currency };
        tx.emit(&fact, &[]).await?;
    }
    Ok(())
}

async fn view(tx: &mut Tx, row: &CompetitionRow) -> Result<PayoutView, Error> {
    let payout = store::competitions::payout(tx, row.id).await?.ok_or(Error::NotFound)?;
    let Json(prizes) = payout.prizes;
    let prize = |(user_id, minor)| PrizeView {
        user_id,
        amount: Money { minor, currency: row.currency.clone() },
    };
    Ok(PayoutView {
        prizes: prizes.into_iter().map(prize).collect(),
        proposed_by: payout.proposed_by,
        proposed_at: payout.proposed_at,
        approved_by: payout.approved_by,
        paid_at: payout.approved_at,
    })
}
