//! Reading the ledger.

use axum::extract::State;
use mainstay_contract::boards::TransferId;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{Json, PageQuery, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    page::cut,
    service::{BalanceView, Boards, LedgerEntryView},
};

/// Which entries or balances.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AccountQuery {
    /// Of which account, such as `user:…`, `pool:…`, `house:fees` or `house:convenience`. Others than one's own only
    /// for administrators. If absent: one's own; for administrators the balances of all.
    account: Option<String>,
    /// How many, 1 to 100; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of entries.
#[derive(Debug, Serialize, JsonSchema)]
struct EntriesPage {
    /// Newest first.
    items: Vec<LedgerEntryView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

/// A page of balances.
#[derive(Debug, Serialize, JsonSchema)]
struct BalancesPage {
    /// By account.
    items: Vec<BalanceView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Ledger");
    vec![
        r.get("/api/v1/ledger/entries", entries)
            .about("List what was moved on an account, newest first")
            .details("Double entries in minor units: the entries of a transfer in all accounts sum to 0.")
            .signed_in()
            .query::<AccountQuery>()
            .answers::<EntriesPage>(200)
            .refuses(&[Code::NotFound]),
        r.get("/api/v1/ledger/balances", balances)
            .about("List balances: all for administrators, else one's own")
            .signed_in()
            .query::<AccountQuery>()
            .answers::<BalancesPage>(200)
            .refuses(&[Code::NotFound]),
    ]
}

async fn entries(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<AccountQuery>,
) -> Result<Json<EntriesPage>, Error> {
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let name = format!("ledger {} {:?}", caller.user, query.account);
    let before = boards.open_cursor(&name, query.cursor.as_deref())?;
    let before = before.unwrap_or(TransferId::from_bits(u128::MAX));
    let account = query.account.as_deref();
    let mut items = boards.ledger_entries(&caller, account, before, limit + 1).await?;
    let next_cursor =
        cut(&mut items, limit).map(|last| boards.seal_cursor(&name, &last.transfer_id));
    Ok(Json(EntriesPage { items, next_cursor }))
}

async fn balances(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<AccountQuery>,
) -> Result<Json<BalancesPage>, Error> {
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let name = format!("balances {} {:?}", caller.user, query.account);
    let after: Option<(String, String)> = boards.open_cursor(&name, query.cursor.as_deref())?;
    let (account, currency) = after.unwrap_or_default();
    let asked = query.account.as_deref();
    let mut items = boards.balances(&caller, asked, (&account, &currency), limit + 1).await?;
    let next_cursor = cut(&mut items, limit).map(|last| {
        let place = (last.account.clone(), last.balance.currency.clone());
        boards.seal_cursor(&name, &place)
    });
    Ok(Json(BalancesPage { items, next_cursor }))
}
