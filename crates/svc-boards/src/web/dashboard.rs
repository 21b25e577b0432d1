//! A person's own page, their goals, and what was moved on their account.

use axum::extract::State;
use mainstay_console::{form::FormErrors, visit::Visit};
use mainstay_contract::boards::TransferId;
use mainstay_core::{
    auth::Caller,
    http::{Form, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, PAGE_LEN, REFUSED, Web, said};
use crate::{
    error::Error,
    model::{activity::is_name, money::ungrouped},
    pages::{
        chart::{Chart, whole_days},
        dashboard::{DashboardPage, SPANS, dashboard_page},
        transactions::{TransactionsPage, transactions_page},
    },
    service::{GoalView, Recent, account_of},
};

const HERE: &str = "/dashboard";
/// Competitions and transactions that are shown of more.
const SHOWN: usize = 5;
/// Balances: one for each currency that was ever counted in.
const BALANCES_MAX: usize = 20;
/// Days of which today's metrics are looked for, which the longest span needs too.
const RECENT_DAYS: i64 = 30;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.takes_form(FORM_BYTES_MAX);
    vec![
        page.get(HERE, show).signed_in(),
        page.get("/dashboard/transactions", transactions).signed_in(),
        form(page.post("/dashboard/goals", set_goal)),
        form(page.post("/dashboard/goals/remove", remove_goal)),
        form(page.post("/dashboard/sources", raise_source)),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    metric: String,
    days: Option<i64>,
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let view = web.dashboard(&caller, &asked).await?;
    Ok(visit.page(dashboard_page(&visit.shell(), &view)))
}

impl Web {
    async fn dashboard(&self, caller: &Caller, asked: &Asked) -> Result<DashboardPage, Error> {
        let (boards, user) = (&self.boards, caller.user);
        let recent = boards.recent(user, RECENT_DAYS).await?;
        let goals = boards.goals(user).await?;
        let metrics = metrics_of(&recent, &goals);
        let today = metrics.iter().map(|metric| ((*metric).to_owned(), recent.today_of(metric)));
        let today = today.collect();
        let sources = boards.sources(user, &metrics).await?;
        let (items, _) = boards.competitions(Some(caller), true, None, None, SHOWN).await?;
        Ok(DashboardPage {
            chart: chart(&recent, &goals, asked),
            today,
            sources,
            goals,
            achievements: boards.achievements(user).await?,
            competitions: items,
            balances: boards
                .balances(caller, Some(&own_account(caller)), ("", ""), BALANCES_MAX)
                .await?,
            transactions: self.moved(caller, None, TransferId::from_bits(u128::MAX), SHOWN).await?,
            metric: String::new(),
            per_day: String::new(),
            errors: FormErrors::default(),
        })
    }
}

fn own_account(caller: &Caller) -> String {
    account_of(caller.user)
}

/// What a person measures or aims at: steps first, then by name.
fn metrics_of<'a>(recent: &'a Recent, goals: &'a [GoalView]) -> Vec<&'a str> {
    let known = recent.metrics.iter().map(|(metric, _)| &**metric);
    let mut all: Vec<&str> = known.chain(goals.iter().map(|goal| &*goal.metric)).collect();
    all.sort_unstable_by_key(|metric| (*metric != "steps", *metric));
    all.dedup();
    all
}

/// The chart that is asked for, or the first one.
fn chart(recent: &Recent, goals: &[GoalView], asked: &Asked) -> Option<Chart> {
    let all = metrics_of(recent, goals);
    let metric = all.iter().find(|metric| **metric == asked.metric).or(all.first())?;
    let span = asked.days.filter(|days| SPANS.contains(days)).unwrap_or(SPANS[0]);
    Some(Chart {
        days: whole_days(recent.days_of(metric), recent.today + 1 - span..=recent.today),
        goal: goals.iter().find(|goal| goal.metric == **metric).map(|goal| goal.per_day),
        metric: (*metric).to_owned(),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    cursor: Option<String>,
}

async fn transactions(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let name = format!("transactions {}", caller.user);
    let before = web.boards.open_cursor(&name, listed.cursor.as_deref())?;
    let before = before.unwrap_or(TransferId::from_bits(u128::MAX));
    let items = web.moved(&caller, None, before, PAGE_LEN).await?;
    let last = items.last().filter(|_| items.len() == PAGE_LEN);
    let next_cursor = last.map(|last| web.boards.seal_cursor(&name, &last.entry.transfer_id));
    let account = own_account(&caller);
    let balances = web.boards.balances(&caller, Some(&account), ("", ""), BALANCES_MAX).await?;
    let view = TransactionsPage { balances, items, next_cursor };
    Ok(visit.page(transactions_page(&visit.shell(), &view)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GoalForm {
    metric: String,
    per_day: String,
}

async fn set_goal(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Form(form): Form<GoalForm>,
) -> Answer {
    let metric = form.metric.trim().to_lowercase();
    let typed = ungrouped(form.per_day.trim()).and_then(|typed| typed.parse::<i64>().ok());
    let done = match (is_name(&metric), typed) {
        (false, _) => {
            let detail = "Name an activity in small letters, such as `steps`.";
            Err(Error::invalid("/metric", "characters", detail))
        }
        (true, None) => {
            Err(Error::invalid("/per_day", "malformed", "Write a whole number, such as 8000."))
        }
        (true, Some(per_day)) => web.boards.set_goal(caller.user, &metric, per_day, None).await,
    };
    match done {
        Ok(_goal) => Ok(web.site.go_and_say(HERE, "Goal set.")),
        Err(error) => {
            let errors = said(error)?;
            let view = web.dashboard(&caller, &Asked::default()).await?;
            let view = DashboardPage { metric, per_day: form.per_day, errors, ..view };
            let visit = visit.at(HERE);
            Ok(visit.page_as(REFUSED, dashboard_page(&visit.shell(), &view)))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceForm {
    source: String,
}

async fn raise_source(
    State(web): State<Web>,
    caller: Caller,
    Form(form): Form<SourceForm>,
) -> Answer {
    let recent = web.boards.recent(caller.user, RECENT_DAYS).await?;
    let goals = web.boards.goals(caller.user).await?;
    let metrics = metrics_of(&recent, &goals);
    web.boards.raise_source(caller.user, &form.source, &metrics).await?;
    Ok(web.site.go_and_say(HERE, "The order of your sources has changed."))
}

async fn remove_goal(State(web): State<Web>, caller: Caller, Form(form): Form<GoalForm>) -> Answer {
    match web.boards.delete_goal(caller.user, &form.metric, None).await {
        // It went by itself meanwhile: that is what was wanted.
        Ok(()) | Err(Error::NotFound) => Ok(web.site.go_and_say(HERE, "Goal removed.")),
        Err(error) => Err(error),
    }
}
