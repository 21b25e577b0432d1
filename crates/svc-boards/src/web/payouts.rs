//! Prizes of competitions that have ended, by administrators.

use axum::extract::State;
use mainstay_console::visit::{Return, Visit};
use mainstay_contract::{boards::CompetitionId, id::UserId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    http::{Form, Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Names, REFUSED, Web, said};
use crate::{
    error::Error,
    model::competition::Phase,
    pages::{
        keeping::Kept,
        payouts::{Ended, Payout, PayoutsPage, payouts_page},
    },
    service::{Acting, After, CompetitionView},
};

const PRIZES: &str = Kept::Prizes.href();
/// Competitions of a page; each asks for its prizes.
const PAGE_LEN: usize = 10;
/// Prizes of each that are named; more there are only when many are tied, or share a long split.
const PRIZES_NAMED_MAX: usize = 100;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.admins().takes_form(FORM_BYTES_MAX).timeout_ms(30_000);
    vec![
        page.get(PRIZES, list).admins(),
        form(page.post("/admin/boards/prizes/{id}/propose", propose)),
        form(page.post("/admin/boards/prizes/{id}/approve", approve)),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    cursor: Option<String>,
}

async fn list(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let view = web.payouts(&caller, listed.cursor.as_deref()).await?;
    Ok(visit.page(payouts_page(&visit.shell(), &view)))
}

impl Web {
    async fn payouts(&self, caller: &Caller, cursor: Option<&str>) -> Result<PayoutsPage, Error> {
        let after: Option<After> = self.boards.open_cursor("prizes page", cursor)?;
        let over = Some(Phase::Completed);
        let ended = self.boards.competitions(Some(caller), false, over, after, PAGE_LEN);
        let (ended, last) = ended.await?;
        let mut items = Vec::with_capacity(ended.len());
        for competition in ended {
            items.push(self.ended(competition).await?);
        }
        let next_cursor = last.map(|last| self.boards.seal_cursor("prizes page", &last));
        Ok(PayoutsPage { items, next_cursor, refused: None })
    }

    async fn ended(&self, competition: CompetitionView) -> Result<Ended, Error> {
        let view = match self.boards.payout(competition.id).await {
            Ok(view) => view,
            Err(Error::NotFound) => return Ok(Ended { competition, payout: None }),
            Err(error) => return Err(error),
        };
        let named = || view.prizes.iter().take(PRIZES_NAMED_MAX);
        let people = named().map(|prize| prize.user_id);
        let people = people.chain([view.proposed_by]).chain(view.approved_by);
        let people: Vec<String> = people.map(|user| user.to_string()).collect();
        let names = Names::of(self.site.auth(), people.iter().map(|user| &**user)).await?;
        let name = |user: UserId| names.of_owner(&user.to_string());
        let prizes = named().map(|prize| (name(prize.user_id), prize.amount.clone())).collect();
        let payout = Payout {
            prizes,
            proposed_by: name(view.proposed_by),
            approved_by: view.approved_by.map(name),
            view,
        };
        Ok(Ended { competition, payout: Some(payout) })
    }

    /// Leads back to the list, or shows it with why the act was refused.
    async fn decided(
        &self,
        (caller, visit): (&Caller, Visit),
        id: CompetitionId,
        done: Result<(), Error>,
        text: &str,
    ) -> Answer {
        let error = match done {
            Ok(()) => return Ok(self.site.go_and_say(&format!("{PRIZES}#{id}"), text)),
            Err(error) => error,
        };
        let refused = Some((id, said(error)?));
        let mut view = PayoutsPage { refused, ..self.payouts(caller, None).await? };
        if !view.items.iter().any(|item| item.competition.id == id) {
            // It is on a later page.
            let competition = self.boards.competition(Some(caller), id).await?;
            view.items.insert(0, self.ended(competition).await?);
        }
        let visit = visit.at(PRIZES);
        Ok(visit.page_as(REFUSED, payouts_page(&visit.shell(), &view)))
    }
}

async fn propose(
    State(web): State<Web>,
    caller: Caller,
    by: Acting,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Form(_form): Form<Return>,
) -> Answer {
    let done = web.boards.propose_payout(by, id, None).await.map(|_prizes| ());
    let text = "Prizes calculated. A second administrator approves them.";
    web.decided((&caller, visit), id, done, text).await
}

#[derive(Debug, Deserialize)]
struct Seen {
    /// The proposal that stood on the page.
    proposed_at: Ts,
}

async fn approve(
    State(web): State<Web>,
    caller: Caller,
    by: Acting,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Form(seen): Form<Seen>,
) -> Answer {
    let done = web.boards.approve_payout(by, id, Some(seen.proposed_at), None).await;
    let done = done.map(|_prizes| ());
    web.decided((&caller, visit), id, done, "Approved. The prizes are paid.").await
}
