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
use serde_json::{Value, json};

use super::{joining, scoring};
use crate::{
    error::Error,
    model::{competition::state, prize::split_pool},
    service::{
        Acting, Boards,
        ledger::{HOUSE_FEES, Money, NewTransfer, account_of, pool_of, transfer},
    },
    store::{
        self,
        competitions::{CompetitionRow, PayoutRow},
    },
};

/// Results that are read at a time.
const BATCH: i64 = 5_000;
/// Prizes that are paid in one commit.
const PRIZES_AT_ONCE: usize = 500;
/// Prizes that are shown. More there are only when very many are tied.
const PRIZES_SHOWN_MAX: usize = 1_000;

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
    /// Best place first; the first thousand.
    pub(crate) prizes: Vec<PrizeView>,
    /// How many there are.
    pub(crate) prize_count: i64,
    /// What they come to.
    pub(crate) total: Money,
    /// Who proposed them.
    pub(crate) proposed_by: UserId,
    /// When.
    pub(crate) proposed_at: Ts,
    /// Who approved them; with that they are paid.
    pub(crate) approved_by: Option<UserId>,
    /// When.
    pub(crate) approved_at: Option<Ts>,
    /// When all were paid: with the approval, or soon after it if they are more than 500.
    pub(crate) paid_at: Option<Ts>,
}

impl Boards {
    /// Proposes the prizes that follow from the results. Proposing again changes nothing, unless somebody was banned
    /// from the competition's board meanwhile: who is banned there gets nothing, and those behind move up.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` as long as the results are not final.
    pub(crate) async fn propose_payout(
        &self,
        by: Acting,
        id: CompetitionId,
        once: Option<Once>,
    ) -> Result<PayoutView, Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                let by = by.clone();
                Box::pin(async move {
                    let row = settled(tx, id).await?;
                    let known = store::competitions::payout(tx, id).await?;
                    if known.as_ref().is_some_and(|payout| payout.approved_by.is_some()) {
                        return view(tx, &row).await;
                    }
                    let prizes = prizes(tx, &row).await?;
                    if known.is_none_or(|payout| payout.prizes.0 != prizes) {
                        let now = tx.now();
                        store::competitions::propose(tx, id, &prizes, by.user, now).await?;
                        by.note(tx, "boards.propose_prizes", id, sum(&row, &prizes)).await?;
                    }
                    view(tx, &row).await
                })
            })
            .await
    }

    /// Approves what another administrator has proposed, and pays it with that: once, however often and by how many it
    /// is asked for. What nobody may win goes to the house.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if nothing is proposed, or at another time than `proposed_at`, or by the same
    /// administrator, or other prizes follow from the results now.
    pub(crate) async fn approve_payout(
        &self,
        by: Acting,
        id: CompetitionId,
        proposed_at: Option<Ts>,
        once: Option<Once>,
    ) -> Result<PayoutView, Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                let by = by.clone();
                Box::pin(async move {
                    let row = settled(tx, id).await?;
                    let payout = store::competitions::payout(tx, id).await?;
                    let payout = payout.ok_or(Error::conflict(
                        "Nobody has proposed prizes: `POST …/payout` first.",
                    ))?;
                    if payout.approved_by.is_some() {
                        return view(tx, &row).await;
                    }
                    if proposed_at.is_some_and(|seen| seen != payout.proposed_at) {
                        return Err(Error::conflict(
                            "Other prizes were proposed meanwhile. Look at them, and approve those.",
                        ));
                    }
                    if payout.proposed_by == by.user {
                        return Err(Error::conflict(
                            "Another administrator has to approve what you have proposed.",
                        ));
                    }
                    if prizes(tx, &row).await? != payout.prizes.0 {
                        return Err(Error::conflict(
                            "Somebody was banned, or is not any more, since it was proposed: propose it anew.",
                        ));
                    }
                    let now = tx.now();
                    if store::competitions::approve(tx, id, by.user, now).await? {
                        let detail = sum(&row, &payout.prizes.0);
                        by.note(tx, "boards.approve_prizes", id, detail).await?;
                        pay_some(tx, &row, payout).await?;
                    }
                    view(tx, &row).await
                })
            })
            .await
    }

    /// Goes on with prizes that are approved, and with money that is to be given back: so many at a time that nobody
    /// waits long for the accounts.
    ///
    /// # Errors
    /// Of one of the competitions; the others were served.
    pub(crate) async fn move_money(&self) -> Result<(), Error> {
        let mut tx = self.db().read().await?;
        let unpaid = store::competitions::unpaid(&mut tx).await?;
        let owing = store::competitions::owing(&mut tx).await?;
        drop(tx);
        let mut failed = None;
        for id in unpaid.into_iter().chain(owing) {
            let lock = params![id];
            let moved = self.db().write_queued(&store::competitions::LOCK, lock, move |tx| {
                Box::pin(async move {
                    let Some(row) = store::competitions::lock(tx, id).await? else { return Ok(()) };
                    if row.refunded_to.is_some() {
                        return joining::refund_some(tx, &row).await;
                    }
                    match store::competitions::payout(tx, id).await? {
                        Some(payout)
                            if payout.approved_by.is_some() && payout.paid_at.is_none() =>
                        {
                            pay_some(tx, &row, payout).await
                        }
                        _ => Ok(()),
                    }
                })
            });
            failed = moved.await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
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

/// What prizes come to, for the audit log.
fn sum(row: &CompetitionRow, prizes: &[(UserId, i64)]) -> Value {
    let total: i64 = prizes.iter().map(|(_, minor)| minor).sum();
    json!({ "prize_count": prizes.len(), "total_minor": total, "currency": row.currency })
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
    let board_no = scoring::board(tx, &row.id.to_string()).await?.no;
    let (mut users, mut scores, mut after) = (Vec::new(), Vec::new(), 0);
    loop {
        let some = store::competitions::results(tx, row.id, after, BATCH).await?;
        let Some(last) = some.last() else { break };
        after = last.place;
        let names: Vec<String> = some.iter().map(|result| result.user.to_string()).collect();
        let banned = store::boards::banned_among(tx, board_no, &names).await?;
        let counts = some.iter().zip(&names).filter(|(_, name)| !banned.contains(name));
        for (result, _) in counts {
            users.push(result.user);
            scores.push(result.score);
        }
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

/// Pays the next prizes of an approved pay-out and notes how many are paid: in the same commit, so that each is paid
/// once, whatever happens in between. They go by user, so that two pay-outs never wait for each other in a circle.
async fn pay_some(tx: &mut Tx, row: &CompetitionRow, payout: PayoutRow) -> Result<(), Error> {
    let Json(mut prizes) = payout.prizes;
    prizes.sort_unstable_by_key(|(user, _)| *user);
    let paid = usize::try_from(payout.paid_count).unwrap_or(usize::MAX);
    let some = prizes.iter().skip(paid).take(PRIZES_AT_ONCE);
    for (user, minor) in some.clone().copied() {
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
    if prizes.is_empty() {
        forfeit(tx, row).await?;
    }
    let paid = paid + some.count();
    let all_at = (paid >= prizes.len()).then(|| tx.now());
    Ok(store::competitions::paid(tx, row.id, paid as i64, all_at).await?)
}

/// Gives the house what is in a pool that nobody may win: everybody who took part is banned.
async fn forfeit(tx: &mut Tx, row: &CompetitionRow) -> Result<(), Error> {
    let pool = pool_of(row.id);
    let left = store::ledger::balance(tx, &pool, &row.currency).await?;
    if left == 0 {
        return Ok(());
    }
    let new = NewTransfer {
        kind: "forfeit",
        reference: row.id.to_string(),
        currency: &row.currency,
        entries: vec![(pool, -left), (HOUSE_FEES.to_owned(), left)],
    };
    transfer(tx, new).await
}

async fn view(tx: &mut Tx, row: &CompetitionRow) -> Result<PayoutView, Error> {
    let payout = store::competitions::payout(tx, row.id).await?.ok_or(Error::NotFound)?;
    let Json(prizes) = payout.prizes;
    let money = |minor| Money { minor, currency: row.currency.clone() };
    let prize = |(user_id, minor)| PrizeView { user_id, amount: money(minor) };
    let (count, total) = (prizes.len() as i64, prizes.iter().map(|(_, minor)| minor).sum());
    Ok(PayoutView {
        prizes: prizes.into_iter().take(PRIZES_SHOWN_MAX).map(prize).collect(),
        prize_count: count,
        total: money(total),
        proposed_by: payout.proposed_by,
        proposed_at: payout.proposed_at,
        approved_by: payout.approved_by,
        approved_at: payout.approved_at,
        paid_at: payout.paid_at,
    })
}
