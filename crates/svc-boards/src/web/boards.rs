//! Boards and what stands on them.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::{
    auth::Caller,
    http::{Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, Names, PAGE_LEN, Web};
use crate::{
    error::Error,
    pages::{
        board::{Among, BoardPage, EntryLine, Mine, board_page},
        boards::{BoardLine, BoardsPage, boards_page},
        season::{Move, Season},
    },
    service::{CohortPart, EntriesPage, EntriesQuery, EntryView, Items, StandingQuery},
};

/// As many as those who watch are told of.
const TOP: u32 = 100;
/// Entries around the reader.
const AROUND: u32 = 5;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![page.get("/boards", list), page.get("/boards/{board}", show)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    cursor: Option<String>,
}

async fn list(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let (boards, caller) = (&web.boards, visit.caller.as_ref());
    let after: Option<String> = boards.open_cursor("boards", listed.cursor.as_deref())?;
    let (views, last) = boards.list_boards(caller, &after.unwrap_or_default(), PAGE_LEN).await?;
    let mut lines = Vec::with_capacity(views.len());
    for view in views {
        let query = EntriesQuery { limit: Some(1), ..EntriesQuery::default() };
        let top = boards.entries(caller, &view.id, &query).await?;
        let names = Names::of(web.site.auth(), top.items.iter().map(|item| &*item.owner)).await?;
        let leader = top.items.first().map(|entry| {
            let score = entry.scores.first().map(ToString::to_string).unwrap_or_default();
            (names.of_owner(&entry.owner), score)
        });
        lines.push(BoardLine {
            id: view.id,
            title: view.settings.title,
            count: top.count,
            leader,
            ends_at: view.period.ends_at,
        });
    }
    let next_cursor = last.map(|last| boards.seal_cursor("boards", &last));
    Ok(visit.page(boards_page(&visit.shell(), &BoardsPage { boards: lines, next_cursor })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    window: Option<String>,
    cohort: String,
    /// The place of the first entry that is shown, from 1.
    from: Option<u64>,
    by: String,
    is: String,
}

impl Shown {
    /// Who is to be ranked.
    ///
    /// # Errors
    /// `Invalid` for what is no cohort, and for a cohort and a slice together.
    fn among(&self) -> Result<Among, Error> {
        let slice = !self.is.trim().is_empty();
        match (&*self.cohort, slice) {
            ("", false) => Ok(Among::Everybody),
            ("", true) => Ok(Among::Slice(self.by.clone(), self.is.trim().to_owned())),
            (_, true) => {
                let detail = "Ask for a cohort or for a slice, not for both.";
                Err(Error::invalid("?is", "contradicts", detail))
            }
            ("me", false) => Ok(Among::OwnCohort),
            (number, false) => number.parse().map(Among::Cohort).map_err(|_odd| {
                let detail = "Ask for a cohort's number, or for `me`.";
                Error::invalid("?cohort", "malformed", detail)
            }),
        }
    }
}

async fn show(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Answer {
    let among = shown.among()?;
    if among == Among::OwnCohort {
        visit.signed_in()?;
    }
    let caller = visit.caller.as_ref();
    let view =
        web.board(caller, &id, (shown.window, among, shown.from.unwrap_or(1).max(1))).await?;
    Ok(visit.page(board_page(&visit.shell(), &view)))
}

/// Ranks among whom, as the use cases ask for it: the slice, the cohort.
fn circle(among: &Among) -> (Option<String>, Option<String>) {
    match among {
        Among::Everybody => (None, None),
        Among::OwnCohort => (None, Some("me".to_owned())),
        Among::Cohort(number) => (None, Some(number.to_string())),
        Among::Slice(kind, value) => (Some(format!("{kind}:{value}")), None),
    }
}

impl Web {
    /// A board as it stands for who looks, ranked among some, from a place on.
    async fn board(
        &self,
        caller: Option<&Caller>,
        id: &str,
        (window, among, from): (Option<String>, Among, u64),
    ) -> Result<BoardPage, Error> {
        let board = self.boards.show_board(caller, id).await?;
        if let Among::Slice(kind, _) = &among
            && !board.settings.slices.contains(kind)
        {
            let detail = format!("This board knows no slices by `{kind}`.");
            return Err(Error::invalid("?by", "unknown", detail));
        }
        let page = self.ranked(caller, id, (window.as_deref(), &among, from)).await?;
        let own = caller.map(|caller| caller.user.to_string());
        let period = page.period;
        let season = self.boards.season_shown(caller, id, period.number, own.as_deref()).await?;
        let of_cohort = matches!(among, Among::OwnCohort | Among::Cohort(_));
        if season.is_none() && of_cohort {
            return Err(Error::NotFound);
        }
        let around = self.around(caller, id, (window.as_deref(), &among)).await?;
        let owners = page.items.iter().chain(around.iter()).map(|item| &*item.owner);
        let names = Names::of(self.site.auth(), owners).await?;
        let mut entries: Vec<EntryLine> =
            page.items.iter().map(|entry| line(entry, &names)).collect();
        if let Some(season) = season.as_ref().filter(|_| of_cohort) {
            let owners: Vec<&str> = page.items.iter().map(|item| &*item.owner).collect();
            let part = CohortPart { first: from - 1, owners: &owners, count: page.count };
            let of = (id, period.number);
            let brings = self.boards.season_brings(caller, of, season, part).await?;
            for (entry, brings) in entries.iter_mut().zip(brings) {
                entry.moves = brings.and_then(|outcome| Move::of(outcome, season.phase));
            }
        }
        let mine = around.iter().find(|entry| Some(&entry.owner) == own.as_ref());
        let mine = mine.map(|entry| Mine {
            rank: entry.rank,
            around: around.iter().map(|entry| line(entry, &names)).collect(),
        });
        let first = page.items.first().filter(|_| of_cohort);
        let next = from.saturating_add(page.items.len() as u64);
        let settings = board.settings;
        Ok(BoardPage {
            title: settings.title,
            columns: settings.columns.into_iter().map(|column| column.name).collect(),
            ties: settings.ties,
            cohort: first.and_then(|entry| Some((entry.tier.clone()?, entry.cohort?))),
            from,
            next: Some(next).filter(|next| !entries.is_empty() && *next <= page.count),
            entries,
            count: page.count,
            current: period.number == board.period.number,
            period: period.number,
            span: (period.starts_at, period.ends_at),
            mine,
            competition_href: board.competition_id.map(|id| format!("/competitions/{id}")),
            window,
            among,
            season: season.map(|shown| Season { shown, ends_at: period.ends_at }),
            slices: settings.slices,
            id: id.to_owned(),
        })
    }

    /// The entries that are asked for; none if the reader has no cohort.
    async fn ranked(
        &self,
        caller: Option<&Caller>,
        id: &str,
        (window, among, from): (Option<&str>, &Among, u64),
    ) -> Result<EntriesPage, Error> {
        let (slice, cohort) = circle(among);
        let window = window.map(str::to_owned);
        let query = EntriesQuery {
            limit: Some(TOP),
            window: window.clone(),
            slice,
            cohort,
            from_rank: Some(from),
            ..EntriesQuery::default()
        };
        match self.boards.entries(caller, id, &query).await {
            Err(error) if error.is_not_found() && *among == Among::OwnCohort => {
                let query = EntriesQuery { limit: Some(1), window, ..EntriesQuery::default() };
                let whole = self.boards.entries(caller, id, &query).await?;
                Ok(EntriesPage { items: Items::default(), next_cursor: None, count: 0, ..whole })
            }
            page => page,
        }
    }

    /// The reader and those next to them; nobody if the reader is not among them.
    async fn around(
        &self,
        caller: Option<&Caller>,
        id: &str,
        (window, among): (Option<&str>, &Among),
    ) -> Result<Items, Error> {
        let Some(reader) = caller else { return Ok(Items::default()) };
        let (slice, cohort) = circle(among);
        let window = window.map(str::to_owned);
        let query = StandingQuery {
            limit: Some(AROUND),
            window,
            slice,
            cohort,
            ..StandingQuery::default()
        };
        match self.boards.around(caller, id, &reader.user.to_string(), &query).await {
            Ok(around) => Ok(around.items),
            Err(error) if error.is_not_found() => Ok(Items::default()),
            Err(error) => Err(error),
        }
    }
}

/// An entry with what its owner is called.
pub(super) fn line(entry: &EntryView, names: &Names) -> EntryLine {
    EntryLine {
        rank: entry.rank,
        owner: entry.owner.clone(),
        name: names.of_owner(&entry.owner),
        href: names.href(&entry.owner),
        scores: entry.scores.iter().map(ToString::to_string).collect(),
        updated_at: entry.updated_at,
        moves: None,
    }
}
