//! One board, live: its top, where the reader stands, its periods; its season, the reader's cohort, its slices.

use mainstay_console::{
    component::{Tab, empty, icon, more, page_head_back, query_text, tabs},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use super::{
    ranking::{Ranking, entry_count},
    season::{Move, Season, season_card},
};
use crate::model::board::Ties;

/// An entry in the list.
#[derive(Debug, Clone)]
pub struct EntryLine {
    /// From 1.
    pub rank: u64,
    /// Whose, as the board knows them.
    pub owner: String,
    /// What they are called.
    pub name: String,
    /// Where they are shown, if they are people.
    pub href: Option<String>,
    /// One for each column, as they are shown.
    pub scores: Vec<String>,
    /// When the scores came to what they are.
    pub updated_at: Ts,
    /// What the season brings them, in the ranking of a cohort.
    pub moves: Option<Move>,
}

/// Where the reader stands.
#[derive(Debug, Clone)]
pub struct Mine {
    /// Their rank.
    pub rank: u64,
    /// They and those next to them.
    pub around: Vec<EntryLine>,
}

/// Who is ranked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Among {
    Everybody,
    /// The reader's cohort of the season.
    OwnCohort,
    /// The cohort of this number.
    Cohort(i64),
    /// One's like: kind and value.
    Slice(String, String),
}

/// A board.
#[derive(Debug, Clone)]
pub struct BoardPage {
    /// Its name.
    pub id: String,
    /// What people see.
    pub title: String,
    /// What the columns are called.
    pub columns: Vec<String>,
    /// What happens with equal scores.
    pub ties: Ties,
    /// The entries.
    pub entries: Vec<EntryLine>,
    /// Entries in all.
    pub count: u64,
    /// Whether this is the period that scores go to.
    pub current: bool,
    /// The period's number, from 1.
    pub period: i64,
    /// When it began and ends; it never ends if that is absent.
    pub span: (Ts, Option<Ts>),
    /// Where the reader stands, if they have an entry.
    pub mine: Option<Mine>,
    /// Where the competition is that it belongs to.
    pub competition_href: Option<String>,
    /// The period as it was asked for.
    pub window: Option<String>,
    /// Who is ranked.
    pub(crate) among: Among,
    /// The season that the period is played as.
    pub(crate) season: Option<Season>,
    /// The tier and the number of the cohort that is ranked.
    pub(crate) cohort: Option<(String, i64)>,
    /// The place of the first entry that is shown, from 1.
    pub(crate) from: u64,
    /// The place of the next entry, from 1; absent at the end.
    pub(crate) next: Option<u64>,
    /// Slices that the board knows.
    pub(crate) slices: Vec<String>,
}

impl BoardPage {
    /// The page of the same period with this question.
    fn href(&self, question: &str) -> String {
        let window = self.window.as_ref().map(|window| format!("window={}", query_text(window)));
        let question = question.trim_start_matches('&').to_owned();
        let parts = window.into_iter().chain(Some(question));
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        let joint = if parts.is_empty() { "" } else { "?" };
        format!("/boards/{}{joint}{}", self.id, parts.join("&"))
    }

    /// What is asked besides the period.
    fn question(&self) -> String {
        match &self.among {
            Among::Everybody => String::new(),
            Among::OwnCohort => "cohort=me".to_owned(),
            Among::Cohort(number) => format!("cohort={number}"),
            Among::Slice(kind, value) => {
                format!("by={}&is={}", query_text(kind), query_text(value))
            }
        }
    }
}

/// A board as it stands.
pub fn board_page(shell: &Shell<'_>, view: &BoardPage) -> Markup {
    // What is told live is the top of everybody.
    let live = view.current && view.among == Among::Everybody && view.from == 1;
    let topic = live.then(|| format!("board:{}", view.id));
    let own = shell.viewer.as_ref().map(|viewer| viewer.id.to_string());
    let title = match &view.among {
        Among::Everybody => view.title.clone(),
        Among::OwnCohort => format!("{}, your cohort", view.title),
        Among::Cohort(number) => format!("{}, cohort {number}", view.title),
        Among::Slice(kind, value) => format!("{}, {kind} {value}", view.title),
    };
    let ranking = Ranking {
        title: &title,
        topic: topic.as_deref(),
        columns: &view.columns,
        ties: view.ties,
        begun: true,
        own: own.as_deref(),
        entries: &view.entries,
    };
    // Several columns take the place of the column beside them.
    let wide = view.columns.len() > 1;
    let standing = view.mine.as_ref().map(|mine| standing(&ranking, mine, view.count));
    let (aside, above) = if wide { (None, standing) } else { (standing, None) };
    shell.page(
        &Head { title: &title, active: "boards", aside, wide, ..Head::default() },
        &html! {
            (page_head_back(&view.title, "/boards", "All boards", &html! {
                @if live { span .mark.live-mark data-live-mark hidden { "Live" } }
                @if let Some(href) = &view.competition_href {
                    a .button.small href=(href) { (icon("medal")) "Competition" }
                }
            }))
            (periods(view))
            @if let Some(season) = &view.season { (season_card(shell, season)) }
            (ranked(shell, view))
            @if let Some(standing) = above { (standing) }
            (facts(shell, view))
            (ranking.list(&nobody(view)))
            (onwards(view))
        },
    )
}

/// The way to the entries behind. Those of a cohort are added; of a board, whose top moves, they are a page of their
/// own.
fn onwards(view: &BoardPage) -> Markup {
    let question = view.question();
    let next = view.next.map(|next| view.href(&format!("{question}&from={next}")));
    if matches!(view.among, Among::OwnCohort | Among::Cohort(_)) {
        return more(next.as_deref(), "Show more of the cohort");
    }
    html! {
        @if view.from > 1 || next.is_some() {
            nav .row.end.onwards aria-label="More places" {
                @if view.from > 1 { a .button href=(view.href(&question)) { (icon("arrow-up")) "The first ones" } }
                @if let Some(next) = &next { a .button href=(next) { "The next ones" (icon("chevron-right")) } }
            }
        }
    }
}

fn periods(view: &BoardPage) -> Markup {
    // Another period has other cohorts of other numbers.
    let question = match &view.among {
        Among::Cohort(_) => String::new(),
        _ => view.question(),
    };
    let href = |window: Option<&str>| {
        BoardPage { window: window.map(str::to_owned), ..view.clone() }.href(&question)
    };
    html! {
        @if view.period > 1 || !view.current {
            (tabs("Periods", &[
                Tab { label: "Now", href: &href(None), current: view.current },
                Tab { label: "Previous period", href: &href(Some("previous")), current: !view.current },
            ]))
        }
    }
}

/// Among whom ranks are shown.
fn ranked(shell: &Shell<'_>, view: &BoardPage) -> Markup {
    let cohorts = view.season.as_ref().is_some_and(Season::has_cohorts);
    let other = match &view.among {
        Among::Cohort(number) => Some(format!("Cohort {number}")),
        Among::Slice(kind, value) => Some(format!("{kind} {value}")),
        Among::Everybody | Among::OwnCohort => None,
    };
    let (all, own, this) = (view.href(""), view.href("cohort=me"), view.href(&view.question()));
    let mut choices =
        vec![Tab { label: "Everybody", href: &all, current: view.among == Among::Everybody }];
    if cohorts && shell.viewer.is_some() {
        let current = view.among == Among::OwnCohort;
        choices.push(Tab { label: "Your cohort", href: &own, current });
    }
    if let Some(label) = &other {
        choices.push(Tab { label, href: &this, current: true });
    }
    html! {
        @if choices.len() > 1 { (tabs("Ranking", &choices)) }
        @if !view.slices.is_empty() && !matches!(view.among, Among::OwnCohort | Among::Cohort(_)) {
            (slice_form(view))
        }
    }
}

fn slice_form(view: &BoardPage) -> Markup {
    let (kind, value) = match &view.among {
        Among::Slice(kind, value) => (&**kind, &**value),
        _ => ("", ""),
    };
    html! {
        form .row.slice-form method="get" action=(format!("/boards/{}", view.id)) data-swap {
            @if let Some(window) = &view.window { input type="hidden" name="window" value=(window); }
            label .sr-only for="f-by" { "Ranks among" }
            select .input.narrow #f-by name="by" {
                @for known in &view.slices { option value=(known) selected[known == kind] { (known) } }
            }
            input .input.grow name="is" value=(value) required dir="auto" autocomplete="off" aria-label="Of this value"
                placeholder="Such as IN";
            button .button { "Show" }
        }
    }
}

fn facts(shell: &Shell<'_>, view: &BoardPage) -> Markup {
    let (starts_at, ends_at) = view.span;
    html! {
        p .hint.ranking-facts {
            (entry_count(view.count))
            @if let Among::Slice(kind, value) = &view.among { " of " (kind) " " bdi { (value) } }
            @if let (Some(season), Some((tier, number))) = (&view.season, &view.cohort) {
                " in cohort " (number) " of " bdi { (tier) } (season.cohort_words(tier, view.count))
            } @else {
                @match (view.current, ends_at) {
                    (true, Some(ends_at)) => { " · ends " (format::time_ago(ends_at, shell.now)) }
                    (false, Some(ends_at)) => {
                        " · " (format::exact_time(starts_at)) " to " (format::exact_time(ends_at))
                    }
                    (_, None) => {}
                }
            }
        }
    }
}

fn nobody(view: &BoardPage) -> Markup {
    match &view.among {
        Among::Everybody | Among::Slice(..) if view.from > 1 => empty(
            "users",
            "Nobody is left here",
            "These are more places than there are.",
            Some(("See the first ones", &view.href(&view.question()))),
        ),
        Among::Everybody if !view.current => empty(
            "trophy",
            "Nobody scored in this period",
            "It is over, and what comes now counts for the present one.",
            Some(("See how it stands now", &format!("/boards/{}", view.id))),
        ),
        Among::Everybody => empty(
            "trophy",
            "Nobody is on this board yet",
            "The first score appears here at once.",
            None,
        ),
        Among::OwnCohort
            if view.season.as_ref().is_some_and(|season| season.shown.seat.is_none()) =>
        {
            empty(
                "users",
                "You are in no cohort",
                "With your first score of a season you take a place in a cohort of your tier.",
                Some(("See everybody", &view.href(""))),
            )
        }
        Among::OwnCohort | Among::Cohort(_) => empty(
            "users",
            "Nobody is left here",
            "Nobody of the cohort has a score, or these are more places than it has.",
            Some(("See everybody", &view.href(""))),
        ),
        Among::Slice(kind, value) => empty(
            "users",
            "Nobody here",
            &format!("Nobody on this board has {kind} {value}."),
            Some(("See everybody", &view.href(""))),
        ),
    }
}

/// Their rank, and those next to them: beside a list of several columns only if the list does not show them.
fn standing(ranking: &Ranking<'_>, mine: &Mine, count: u64) -> Markup {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let many = ranking.columns.len() > 1;
    let listed = ranking.entries.iter().any(|entry| Some(&*entry.owner) == ranking.own);
    html! {
        section .card.standing aria-label="Where you stand" {
            h2 { "You" }
            p .standing-rank aria-live="polite" {
                (icon("trophy"))
                span data-my-rank=(mine.rank) { (mine.rank) }
                span .handle { " of " (format::grouped(count)) }
            }
            @if !(many && listed) {
                ol .ranking.small[!many] { @for entry in &mine.around { (ranking.row(entry)) } }
            }
        }
    }
}
