//! The list of competitions.

use mainstay_console::{
    component::{self, Tab, empty, icon, more, page_head, tabs},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use super::money::{price, sum};
use crate::{model::competition::Phase, service::CompetitionView};

/// Which competitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Active,
    Upcoming,
    Completed,
    Mine,
    Cancelled,
}

impl Shown {
    pub(crate) const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Active, "active", "Active"),
        (Self::Upcoming, "upcoming", "Upcoming"),
        (Self::Completed, "completed", "Completed"),
        (Self::Mine, "mine", "Mine"),
        (Self::Cancelled, "cancelled", "Called off"),
    ];

    /// The tab of this word; the first one for any other.
    pub(crate) fn of(word: &str) -> Self {
        let known = Self::ALL.iter().find(|(_, known, _)| *known == word);
        known.map_or(Self::Active, |(shown, ..)| *shown)
    }

    pub(crate) const fn phase(self) -> Option<Phase> {
        match self {
            Self::Active => Some(Phase::Active),
            Self::Upcoming => Some(Phase::Upcoming),
            Self::Completed => Some(Phase::Completed),
            Self::Cancelled => Some(Phase::Cancelled),
            Self::Mine => None,
        }
    }

    fn href(self) -> String {
        let word = Self::ALL.iter().find(|(shown, ..)| *shown == self);
        format!("/competitions?show={}", word.map_or("active", |(_, word, _)| word))
    }

    const fn nothing(self) -> (&'static str, &'static str) {
        match self {
            Self::Active => (
                "No competition runs now",
                "When one does, its standings move here as people walk, run and ride.",
            ),
            Self::Upcoming => {
                ("Nothing is planned", "The next competition appears here, with time to join.")
            }
            Self::Completed => ("None has ended yet", "Results stay here, with what was won."),
            Self::Mine => {
                ("You are in no competition", "Join one, and it stays here with how you stand.")
            }
            Self::Cancelled => {
                ("None was called off", "One that is stays here; who joined it finds it in theirs.")
            }
        }
    }
}

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct CompetitionsPage {
    pub(crate) shown: Shown,
    /// The one that begins last first; of those that have not begun the one that begins first.
    pub(crate) items: Vec<CompetitionView>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Competitions.
pub(crate) fn competitions_page(shell: &Shell<'_>, view: &CompetitionsPage) -> Markup {
    let next = view
        .next_cursor
        .as_deref()
        .map(|cursor| component::with_cursor(&view.shown.href(), cursor));
    let hrefs = Shown::ALL.map(|(shown, ..)| shown.href());
    let all: Vec<Tab<'_>> = Shown::ALL
        .iter()
        .zip(&hrefs)
        .filter(|((shown, ..), _)| match shown {
            Shown::Mine => shell.viewer.is_some(),
            Shown::Cancelled => shell.is_admin(),
            Shown::Active | Shown::Upcoming | Shown::Completed => true,
        })
        .map(|((shown, _, label), href)| Tab { label, href, current: *shown == view.shown })
        .collect();
    shell.page(
        &Head { title: "Competitions", active: "competitions", ..Head::default() },
        &html! {
            (page_head("Competitions", &html! {
                @if shell.is_admin() {
                    a .button.small href="/competitions/new" { (icon("plus")) "New competition" }
                }
            }))
            (tabs("Competitions", &all))
            @if view.items.is_empty() {
                @let (title, text) = view.shown.nothing();
                @let upcoming = Shown::Upcoming.href();
                (empty("medal", title, text, (view.shown != Shown::Upcoming)
                    .then_some(("See what is planned", &*upcoming))))
            } @else {
                ul .cards data-list="competitions" {
                    @for item in &view.items { (tile(shell, item)) }
                }
                (more(next.as_deref(), "Show more competitions"))
            }
        },
    )
}

/// The phase as a mark.
pub(super) fn phase_mark(phase: Phase) -> Markup {
    html! {
        span class=(format!("mark phase-{}", phase.as_str())) {
            (match phase {
                Phase::Upcoming => "Upcoming",
                Phase::Active => "Active",
                Phase::Completed => "Completed",
                Phase::Cancelled => "Called off",
            })
        }
    }
}

/// The instant that matters next, and what it is.
pub(super) fn next_moment(view: &CompetitionView) -> (&'static str, Ts) {
    match view.phase {
        Phase::Upcoming => ("Begins", view.starts_at),
        Phase::Active => ("Ends", view.ends_at),
        Phase::Completed => ("Ended", view.ends_at),
        Phase::Cancelled => ("Was to begin", view.starts_at),
    }
}

/// `12 of 100`, or `12` where there is room for everybody.
pub(super) fn players(view: &CompetitionView) -> String {
    match view.capacity {
        Some(capacity) => {
            format!("{} of {}", format::grouped(view.participant_count), format::grouped(capacity))
        }
        None => format::grouped(view.participant_count),
    }
}

fn tile(shell: &Shell<'_>, view: &CompetitionView) -> Markup {
    let href = format!("/competitions/{}", view.id);
    let (what, at) = next_moment(view);
    html! {
        li .card.tile #(view.id.to_string()) tabindex="-1" data-item data-open=(href) {
            div .tile-head {
                h2 .tile-name { a href=(href) dir="auto" { (view.name) } }
                @if view.joined { span .mark.good { (icon("check")) "You are in" } }
                (phase_mark(view.phase))
            }
            dl .facts {
                div { dt { (what) } dd { (format::time_ago(at, shell.now)) } }
                div { dt { "Players" } dd { (players(view)) } }
                div { dt { "Fee" } dd { (price(&view.fee)) } }
                div { dt { "Prize pool" } dd { (sum(&view.pool)) } }
            }
        }
    }
}
