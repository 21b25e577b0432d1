//! What pages show besides what the interface answers: recent days of every metric, names of competitions.

use std::collections::HashMap;

use mainstay_contract::{
    boards::{CompetitionId, TransferId},
    id::UserId,
    ts::Ts,
};

use super::{Boards, ledger::Money};
use crate::{
    error::Error,
    model::activity::{METRICS_MAX, day_of},
    store,
};

/// A person's days up to today.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent {
    /// The number of today, in UTC.
    pub(crate) today: i64,
    /// Metrics by name; of each the days that have something, in order.
    pub(crate) metrics: Vec<(String, Vec<(i64, i64)>)>,
}

impl Recent {
    /// What counts of a metric today.
    pub(crate) fn today_of(&self, metric: &str) -> i64 {
        let days = self.days_of(metric).iter();
        days.rev().find(|(day, _)| *day == self.today).map_or(0, |(_, value)| *value)
    }

    /// The days of a metric that have something.
    pub(crate) fn days_of(&self, metric: &str) -> &[(i64, i64)] {
        let found = self.metrics.iter().find(|(known, _)| known == metric);
        found.map(|(_, days)| &**days).unwrap_or_default()
    }
}

/// A transfer with its entries.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) currency: String,
    pub(crate) made_at: Ts,
    /// Accounts and what they got, in minor units.
    pub(crate) entries: Vec<(String, i64)>,
}

impl Boards {
    /// What counts of the last `count` days of a person, today with them, of every metric.
    pub(crate) async fn recent(&self, user: UserId, count: i64) -> Result<Recent, Error> {
        let mut tx = self.db().read().await?;
        let today = day_of(tx.now());
        let span = (today + 1 - count, today + 1);
        // Nobody has more metrics, so none is cut off.
        let limit = (METRICS_MAX + 1) * count;
        let rows = store::dashboard::days_of_all(&mut tx, user, span, limit).await?;
        let mut metrics: Vec<(String, Vec<(i64, i64)>)> = Vec::new();
        for row in rows {
            match metrics.last_mut().filter(|(metric, _)| *metric == row.metric) {
                Some((_, days)) => days.push((row.day, row.value)),
                None => metrics.push((row.metric, vec![(row.day, row.value)])),
            }
        }
        Ok(Recent { today, metrics })
    }

    /// What these competitions are called; those that are not there are left out.
    pub(crate) async fn competition_names(
        &self,
        ids: &[CompetitionId],
    ) -> Result<HashMap<CompetitionId, String>, Error> {
        let mut tx = self.db().read().await?;
        let names = store::dashboard::names(&mut tx, ids).await?;
        let named = ids.iter().zip(names).filter_map(|(id, name)| Some((*id, name?)));
        Ok(named.collect())
    }

    /// What all accounts have together, by currency: nothing, as long as every transfer sums to 0.
    pub(crate) async fn sums(&self) -> Result<Vec<Money>, Error> {
        let sums = store::dashboard::sums(&mut *self.db().read().await?).await?;
        Ok(sums.into_iter().map(|(currency, minor)| Money { minor, currency }).collect())
    }

    /// A transfer.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn transfer(&self, id: TransferId) -> Result<Transfer, Error> {
        let rows = store::dashboard::of_transfer(&mut *self.db().read().await?, id).await?;
        let first = rows.first().ok_or(Error::NotFound)?.clone();
        Ok(Transfer {
            kind: first.kind,
            reference: first.reference,
            currency: first.currency,
            made_at: first.made_at,
            entries: rows.into_iter().map(|row| (row.account, row.minor)).collect(),
        })
    }
}
