//! The ledger, for administrators.

use std::collections::HashMap;

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_contract::{
    boards::{CompetitionId, TransferId},
    id::UserId,
};
use mainstay_core::{
    auth::Caller,
    error::Problem,
    http::{LimitClass, Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, Names, PAGE_LEN, REFUSED, Web};
use crate::{
    error::Error,
    pages::{
        keeping::Kept,
        ledger::{AccountLine, LedgerPage, TransferPage, ledger_page, transfer_page},
        transactions::Transaction,
    },
    service::{BalanceView, LedgerEntryView, Money, account_of},
};

/// Accounts of a page.
const ACCOUNTS: usize = 50;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        // It sums up every balance.
        page.get(Kept::Ledger.href(), show).admins().limit(LimitClass::Search),
        page.get("/admin/boards/ledger/{transfer}", transfer).admins(),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    account: String,
    cursor: Option<String>,
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let query = asked.account.trim().to_owned();
    let view = match query.as_str() {
        "" => web.accounts(&caller, asked.cursor.as_deref()).await?,
        typed => match web.account(typed).await? {
            Some(account) => {
                web.account_page(&caller, account, query, asked.cursor.as_deref()).await?
            }
            None => {
                let unknown = LedgerPage { query, unknown: true, ..LedgerPage::default() };
                return Ok(visit.page_as(REFUSED, ledger_page(&visit.shell(), &unknown)));
            }
        },
    };
    Ok(visit.page(ledger_page(&visit.shell(), &view)))
}

/// What accounts are called.
struct Whose {
    people: Names,
    competitions: HashMap<CompetitionId, String>,
}

impl Whose {
    fn name(&self, account: &str) -> String {
        match account.split_once(':') {
            Some(("user", user)) => self.people.of_owner(user),
            Some(("pool", id)) => {
                let name = id.parse().ok().and_then(|id| self.competitions.get(&id).cloned());
                format!("Prizes of {}", name.unwrap_or_else(|| id.to_owned()))
            }
            Some(("house", "fees")) => "The house: its part of fees".to_owned(),
            Some(("house", "convenience")) => "The house: convenience fees".to_owned(),
            _ => String::new(),
        }
    }
}

impl Web {
    /// What was moved on an account before a transfer, newest first; on the caller's own if none is named.
    pub(super) async fn moved(
        &self,
        caller: &Caller,
        account: Option<&str>,
        before: TransferId,
        limit: usize,
    ) -> Result<Vec<Transaction>, Error> {
        let entries = self.boards.ledger_entries(caller, account, before, limit).await?;
        let of = |entry: &LedgerEntryView| entry.reference.parse::<CompetitionId>().ok();
        let mut ids: Vec<CompetitionId> = entries.iter().filter_map(of).collect();
        ids.sort_unstable();
        ids.dedup();
        let names = self.boards.competition_names(&ids).await?;
        let named = entries.into_iter().map(|entry| {
            let competition = of(&entry).and_then(|id| names.get(&id).cloned());
            Transaction { entry, competition }
        });
        Ok(named.collect())
    }

    /// The account that is meant by what was typed; `None` for a handle that nobody has.
    async fn account(&self, typed: &str) -> Result<Option<String>, Error> {
        if typed.contains(':') {
            return Ok(Some(typed.to_owned()));
        }
        let user = match typed.parse::<UserId>() {
            Ok(user) => Some(user),
            Err(_handle) => {
                let handle = typed.trim_start_matches('@');
                let found = self.site.auth().find_by_handle(handle).await.map_err(Problem::from)?;
                found.map(|found| found.id)
            }
        };
        Ok(user.map(account_of))
    }

    async fn whose(&self, accounts: impl Iterator<Item = &str> + Clone) -> Result<Whose, Error> {
        let users = accounts.clone().filter_map(|account| account.strip_prefix("user:"));
        let pools = accounts.filter_map(|account| account.strip_prefix("pool:")?.parse().ok());
        Ok(Whose {
            people: Names::of(self.site.auth(), users).await?,
            competitions: self.boards.competition_names(&pools.collect::<Vec<_>>()).await?,
        })
    }

    async fn lines(&self, balances: Vec<BalanceView>) -> Result<Vec<AccountLine>, Error> {
        let whose = self.whose(balances.iter().map(|one| &*one.account)).await?;
        let line = |view: BalanceView| AccountLine { name: whose.name(&view.account), view };
        Ok(balances.into_iter().map(line).collect())
    }

    async fn accounts(&self, caller: &Caller, cursor: Option<&str>) -> Result<LedgerPage, Error> {
        let boards = &self.boards;
        let after: Option<(String, String)> = boards.open_cursor("ledger page", cursor)?;
        let (account, currency) = after.unwrap_or_default();
        let balances = boards.balances(caller, None, (&account, &currency), ACCOUNTS).await?;
        let last = balances.last().filter(|_| balances.len() == ACCOUNTS);
        let next_cursor = last.map(|last| {
            let place = (last.account.clone(), last.balance.currency.clone());
            boards.seal_cursor("ledger page", &place)
        });
        Ok(LedgerPage {
            accounts: self.lines(balances).await?,
            sums: boards.sums().await?,
            next_cursor,
            ..LedgerPage::default()
        })
    }

    async fn account_page(
        &self,
        caller: &Caller,
        account: String,
        query: String,
        cursor: Option<&str>,
    ) -> Result<LedgerPage, Error> {
        let boards = &self.boards;
        let name = format!("ledger page {account}");
        let before = boards.open_cursor(&name, cursor)?;
        let before = before.unwrap_or(TransferId::from_bits(u128::MAX));
        let entries = self.moved(caller, Some(&account), before, PAGE_LEN).await?;
        let last = entries.last().filter(|_| entries.len() == PAGE_LEN);
        let next_cursor = last.map(|last| boards.seal_cursor(&name, &last.entry.transfer_id));
        let balances = boards.balances(caller, Some(&account), ("", ""), ACCOUNTS).await?;
        Ok(LedgerPage {
            query,
            accounts: self.lines(balances).await?,
            account: Some(account),
            entries,
            next_cursor,
            ..LedgerPage::default()
        })
    }
}

async fn transfer(State(web): State<Web>, visit: Visit, Path(id): Path<TransferId>) -> Answer {
    let found = web.boards.transfer(id).await?;
    let purpose: Vec<CompetitionId> = found.reference.parse().into_iter().collect();
    let competition = web.boards.competition_names(&purpose).await?.into_values().next();
    let whose = web.whose(found.entries.iter().map(|(account, _)| &**account)).await?;
    let sum: i64 = found.entries.iter().fold(0, |sum, (_, minor)| sum.saturating_add(*minor));
    let money = |minor| Money { minor, currency: found.currency.clone() };
    let view = TransferPage {
        id,
        entries: found
            .entries
            .iter()
            .map(|(account, minor)| (account.clone(), whose.name(account), money(*minor)))
            .collect(),
        sum: money(sum),
        kind: found.kind,
        reference: found.reference,
        competition,
        made_at: found.made_at,
    };
    Ok(visit.page(transfer_page(&visit.shell(), &view)))
}
