//! Competitions: the list, one of them, joining and leaving.

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};
use mainstay_console::{
    form::FormErrors,
    visit::{Return, Visit},
};
use mainstay_contract::{boards::CompetitionId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    http::{Form, Path, Query, Route, reply, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Names, PAGE_LEN, REFUSED, Web, boards::line, said};
use crate::{
    error::Error,
    model::{activity::day_of, competition::Phase},
    pages::{
        chart::{Chart, whole_days},
        competition::{CompetitionPage, Mine, Standings, competition_page},
        competitions::{CompetitionsPage, Shown, competitions_page},
        results::{Prizes, ResultLine, Results},
    },
    service::{After, CompetitionView, EntriesQuery, EntryView, Join, PayoutView, StandingQuery},
};

/// As many as those who watch are told of.
const TOP: u32 = 100;
/// Entries around the reader.
const AROUND: u32 = 5;
/// Days of the reader that are shown.
const PROGRESS_DAYS: i64 = 30;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.takes_form(FORM_BYTES_MAX);
    vec![
        page.get("/competitions", list),
        page.get("/competitions/{id}", show),
        page.get("/competitions/{id}/certificate", certificate),
        form(page.post("/competitions/{id}/join", join)),
        form(page.post("/competitions/{id}/leave", leave)),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    show: String,
    cursor: Option<String>,
}

async fn list(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let (boards, caller) = (&web.boards, visit.caller.as_ref());
    let shown = match Shown::of(&listed.show) {
        // A list of one's own asks who one is.
        Shown::Mine if caller.is_none() => Shown::Active,
        shown => shown,
    };
    let user = caller.map(|caller| caller.user);
    let name = format!("competitions page {shown:?} {user:?}");
    let after: Option<After> = boards.open_cursor(&name, listed.cursor.as_deref())?;
    let mine = shown == Shown::Mine;
    let (items, last) = boards.competitions(caller, mine, shown.phase(), after, PAGE_LEN).await?;
    let next_cursor = last.map(|last| boards.seal_cursor(&name, &last));
    let view = CompetitionsPage { shown, items, next_cursor };
    Ok(visit.page(competitions_page(&visit.shell(), &view)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    show: String,
    cursor: Option<String>,
}

async fn show(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Query(asked): Query<Asked>,
) -> Answer {
    let view = web.competition(&visit, id, &asked).await?;
    Ok(visit.page(competition_page(&visit.shell(), &view)))
}

impl Web {
    /// A competition as it stands for who looks.
    async fn competition(
        &self,
        visit: &Visit,
        id: CompetitionId,
        asked: &Asked,
    ) -> Result<CompetitionPage, Error> {
        let caller = visit.caller.as_ref();
        let competition = self.boards.competition(caller, id).await?;
        let by_team = competition.teams.is_some() && asked.show == "teams";
        let results = match competition.settled && competition.phase == Phase::Completed {
            true => Some(self.results(id, asked.cursor.as_deref()).await?),
            false => None,
        };
        Ok(CompetitionPage {
            standings: self.standings(caller, &competition, by_team).await?,
            mine: self.mine(caller, &competition).await?,
            progress: self.progress(caller, &competition, visit.shell().now).await?,
            competition,
            by_team,
            results,
            team: String::new(),
            errors: FormErrors::default(),
        })
    }

    async fn standings(
        &self,
        caller: Option<&Caller>,
        competition: &CompetitionView,
        by_team: bool,
    ) -> Result<Standings, Error> {
        let id = competition.id.to_string();
        let board = if by_team { format!("{id}.teams") } else { id };
        let query = EntriesQuery { limit: Some(TOP), ..EntriesQuery::default() };
        let page = self.boards.entries(caller, &board, &query).await?;
        let owners = page.items.iter().map(|item| &*item.owner);
        let names = match by_team {
            true => Names::none(),
            false => Names::of(self.site.auth(), owners).await?,
        };
        let own = match by_team {
            true => competition.team.clone(),
            false => caller.map(|caller| caller.user.to_string()),
        };
        let entries = page.items.iter().map(|entry| line(entry, &names)).collect();
        Ok(Standings { board, entries, count: page.count, own })
    }

    async fn mine(
        &self,
        caller: Option<&Caller>,
        competition: &CompetitionView,
    ) -> Result<Option<Mine>, Error> {
        let Some(caller) = caller.filter(|_| competition.joined) else { return Ok(None) };
        let (id, own) = (competition.id.to_string(), caller.user.to_string());
        let query = StandingQuery { limit: Some(AROUND), ..StandingQuery::default() };
        match self.boards.around(Some(caller), &id, &own, &query).await {
            Ok(around) => Ok(mine_among(&around.items, &own)),
            // Banned: on no board.
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the reader did on the days of the competition so far.
    async fn progress(
        &self,
        caller: Option<&Caller>,
        competition: &CompetitionView,
        now: Ts,
    ) -> Result<Option<Chart>, Error> {
        let begun = matches!(competition.phase, Phase::Active | Phase::Completed);
        let Some(caller) = caller.filter(|_| competition.joined && begun) else { return Ok(None) };
        // Its end is the first instant that does not belong to it.
        let last = day_of(now.min(competition.ends_at.plus_micros(-1)));
        let first = day_of(competition.starts_at).max(last + 1 - PROGRESS_DAYS);
        let known = self.boards.days(caller.user, &competition.metric, first, last + 1).await?;
        let days = whole_days(&known, first..=last);
        // One day is the score itself.
        let worth = days.len() > 1;
        Ok(worth.then(|| Chart { metric: competition.metric.clone(), days, goal: None }))
    }

    async fn results(&self, id: CompetitionId, cursor: Option<&str>) -> Result<Results, Error> {
        let after = self.boards.open_cursor(&format!("results {id}"), cursor)?;
        let page = self.boards.results(id, after.unwrap_or(0), PAGE_LEN).await?;
        let users: Vec<String> = page.items.iter().map(|item| item.user_id.to_string()).collect();
        let names = Names::of(self.site.auth(), users.iter().map(|user| &**user)).await?;
        let lines = page.items.iter().zip(&users).map(|(item, user)| ResultLine {
            rank: item.rank,
            user: item.user_id,
            name: names.of_owner(user),
            href: names.href(user),
            score: item.score,
        });
        let prizes = match self.boards.payout(id).await {
            Ok(payout) => prizes(payout),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        Ok(Results { lines: lines.collect(), prizes, next_cursor: page.next_cursor })
    }

    /// The page again, with why a form on it was refused.
    async fn refused(
        &self,
        visit: Visit,
        id: CompetitionId,
        team: String,
        errors: FormErrors,
    ) -> Answer {
        let visit = visit.at(format!("/competitions/{id}"));
        let view = self.competition(&visit, id, &Asked::default()).await?;
        let view = CompetitionPage { team, errors, ..view };
        Ok(visit.page_as(REFUSED, competition_page(&visit.shell(), &view)))
    }
}

/// What is said of prizes to everybody: those that two administrators have agreed on.
fn prizes(payout: PayoutView) -> Option<Prizes> {
    payout.approved_at?;
    let by_user = payout.prizes.into_iter().map(|prize| (prize.user_id, prize.amount));
    Some(Prizes { total: payout.total, by_user: by_user.collect() })
}

fn mine_among(around: &[EntryView], own: &str) -> Option<Mine> {
    let score =
        |entry: &EntryView| entry.scores.first().map(ToString::to_string).unwrap_or_default();
    let whole = |entry: &EntryView| entry.scores.first().and_then(|score| score.read(0).ok());
    let entry = around.iter().find(|entry| entry.owner == own)?;
    let ahead = around.iter().rev().find(|other| other.rank < entry.rank);
    let gap = ahead.and_then(|ahead| {
        Some((ahead.rank, whole(ahead)?.saturating_sub(whole(entry)?).saturating_abs()))
    });
    Some(Mine { rank: entry.rank, score: score(entry), gap })
}

async fn certificate(State(web): State<Web>, Path(id): Path<CompetitionId>) -> Answer {
    let results = web.boards.results(id, 0, 1).await?;
    let mut response = reply::whole(StatusCode::OK, "application/jose", results.certificate);
    let name = format!("attachment; filename=\"{id}.jws\"");
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JoinForm {
    team: Option<String>,
    total_minor: Option<i64>,
}

async fn join(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Form(form): Form<JoinForm>,
) -> Answer {
    let join = Join { team: form.team.clone(), total_minor: form.total_minor };
    match web.boards.join_competition(caller.user, id, join, None).await {
        Ok(_joined) => Ok(after(&web, id, "You are in. Good luck!")),
        Err(error) => {
            let errors = said(error)?;
            web.refused(visit, id, form.team.unwrap_or_default(), errors).await
        }
    }
}

async fn leave(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Path(id): Path<CompetitionId>,
    Form(_form): Form<Return>,
) -> Answer {
    match web.boards.leave_competition(caller.user, id, None).await {
        Ok(_left) => Ok(after(&web, id, "You left, and have back what you paid.")),
        Err(error) => web.refused(visit, id, String::new(), said(error)?).await,
    }
}

/// Leads to the competition, which then says what was done.
pub(super) fn after(web: &Web, id: CompetitionId, text: &str) -> Response {
    web.site.go_and_say(&format!("/competitions/{id}"), text)
}
