//! One competition: what it is, joining it, how it stands or how it ended.

use mainstay_console::{
    component::{Tab, empty, icon, page_head_back, tabs},
    form::{Field, FormErrors},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::{
    board::EntryLine,
    chart::{Chart, chart},
    competitions::{next_moment, phase_mark, players},
    metric::metric_words,
    money::{price, sum},
    ranking::{Ranking, entry_count, grouped},
    results::{Results, results},
};
use crate::{
    model::{
        board::Ties,
        competition::{Phase, TeamScore, Teams},
    },
    service::{CompetitionView, Money},
};

/// Where the reader stands.
#[derive(Debug, Clone)]
pub(crate) struct Mine {
    pub(crate) rank: u64,
    pub(crate) score: String,
    /// The rank before theirs and how far it is to it, if somebody is ahead of them.
    pub(crate) gap: Option<(u64, i64)>,
}

/// How it stands, people or teams.
#[derive(Debug, Clone)]
pub(crate) struct Standings {
    /// The board's name.
    pub(crate) board: String,
    /// The first entries.
    pub(crate) entries: Vec<EntryLine>,
    /// Entries in all.
    pub(crate) count: u64,
    /// Whose row is the reader's.
    pub(crate) own: Option<String>,
}

/// A competition.
#[derive(Debug, Clone)]
pub(crate) struct CompetitionPage {
    pub(crate) competition: CompetitionView,
    /// Teams are shown, not people.
    pub(crate) by_team: bool,
    pub(crate) standings: Standings,
    pub(crate) mine: Option<Mine>,
    /// What the reader did on its days so far, the last thirty of them.
    pub(crate) progress: Option<Chart>,
    /// How it ended, once that is final.
    pub(crate) results: Option<Results>,
    /// The name that was typed for a team.
    pub(crate) team: String,
    /// Why joining or leaving was refused; the pointer is `/team`.
    pub(crate) errors: FormErrors,
}

/// A competition as it stands. Posts to `…/join`, `…/leave` and `…/cancel`.
pub(crate) fn competition_page(shell: &Shell<'_>, view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    let live = it.phase != Phase::Cancelled && !it.settled;
    shell.page(
        &Head { title: &it.name, active: "competitions", ..Head::default() },
        &html! {
            (page_head_back(&it.name, "/competitions", "All competitions", &html! {
                @if live { span .mark.live-mark data-live-mark hidden { "Live" } }
                @if shell.is_admin() && it.phase == Phase::Upcoming {
                    a .button.small href=(format!("/competitions/{}/edit", it.id)) { (icon("pencil")) "Edit" }
                }
            }))
            (about(shell, view))
            (yours(shell, view))
            (outcome(shell, view))
            @if shell.is_admin() && live { (call_off(shell, it)) }
        },
    )
}

fn about(shell: &Shell<'_>, view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    let (what, at) = next_moment(it);
    let length = it.ends_at.micros_since(it.starts_at) / 1_000_000;
    let gone = (shell.now.micros_since(it.starts_at) / 1_000_000).clamp(0, length);
    html! {
        section .card.stack aria-label="About" {
            div .tile-head { p .tile-name dir="auto" { (it.name) } (phase_mark(it.phase)) }
            @if !it.description.is_empty() { p .prose dir="auto" { (it.description) } }
            @if it.phase == Phase::Active {
                div {
                    progress .meter max=(length) value=(gone) aria-label="Time that is over" {}
                    p .hint { "Began " (format::time_ago(it.starts_at, shell.now)) " · ends "
                        (format::time_ago(it.ends_at, shell.now)) }
                }
            }
            dl .facts {
                div { dt { "What counts" } dd { (metric_words(&it.metric)) } }
                @if it.phase != Phase::Active {
                    div { dt { (what) } dd { (format::time_ago(at, shell.now)) } }
                }
                div { dt { "Players" } dd { (players(it)) } }
                div { dt { "Fee" } dd {
                    (price(&it.fee))
                    @if it.convenience_fee.minor > 0 {
                        span .sub { "and " (sum(&it.convenience_fee)) " for convenience" }
                    }
                } }
                (pool(view))
                @if it.fee.minor > 0 || it.pool.minor > 0 {
                    div { dt { "Split" } dd { (split(&it.prize_split)) } }
                }
                @if let Some(teams) = &it.teams { div { dt { "Teams" } dd { (teams_words(teams)) } } }
                @if let Some(most) = it.attempts_max {
                    div { dt { "Attempts" } dd { (format::grouped(most)) } }
                }
                div .whole { dt { "From and to" } dd {
                    (format::exact_time(it.starts_at)) " – " (format::exact_time(it.ends_at))
                } }
            }
        }
    }
}

/// What can be won, or what was.
fn pool(view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    html! {
        @match view.results.as_ref().and_then(|all| all.prizes.as_ref()) {
            Some(prizes) => { div { dt { "Prizes paid" } dd { (sum(&prizes.total)) } } },
            None => div { dt { "Prize pool" } dd {
                (sum(&it.pool))
                @if it.fee.minor > 0 { span .sub { (it.pool_percent) " % of each fee" } }
            } },
        }
    }
}

/// `60 %, 30 %, 10 %`; the last of many places are summed up.
fn split(shares: &[u32]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = shares.iter().take(SHOWN).map(|share| format!("{share} %")).collect();
    let rest = shares.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

fn teams_words(teams: &Teams) -> String {
    let score = match (teams.score, teams.n) {
        (TeamScore::Sum, _) => "All members together".to_owned(),
        (TeamScore::Average, _) => "The members’ average".to_owned(),
        (TeamScore::BestN, n) => format!("The best {} of a team", n.unwrap_or(1)),
    };
    match teams.size_max {
        Some(size) => format!("{score}, at most {size} in one"),
        None => score,
    }
}

/// The reader's part: joining, leaving, how they stand.
fn yours(shell: &Shell<'_>, view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    let open = shell.now < it.join_until
        && matches!(it.phase, Phase::Upcoming | Phase::Active)
        && !it.settled;
    html! {
        @if it.phase == Phase::Cancelled {
            div .notice.danger { (icon("ban")) p { "It was called off. Whoever paid has the money back." } }
        } @else if it.joined {
            section .card.stack aria-labelledby="you" {
                div .card-head { h2 #you { "You" }
                    @if let Some(team) = &it.team { span .mark { (icon("users")) bdi { (team) } } } }
                (view.errors.summary(&[]))
                @match &view.mine {
                    Some(_) if it.phase == Phase::Upcoming => {
                        p { "You take part. It begins " (format::time_ago(it.starts_at, shell.now)) "." }
                    }
                    Some(mine) => (standing(shell, view, mine)),
                    None => p .sub { "You take part. You have no place: ask whoever runs this server why." },
                }
                @if let Some(days) = &view.progress { (chart(days)) }
                @if it.phase == Phase::Upcoming { (leave(shell, it)) }
            }
        } @else if open {
            section .card.stack aria-labelledby="join" {
                h2 #join { "Take part" }
                (join(shell, view))
            }
        } @else if it.phase == Phase::Active || it.phase == Phase::Upcoming {
            p .hint.ranking-facts { "The time to join is over." }
        }
    }
}

fn standing(shell: &Shell<'_>, view: &CompetitionPage, mine: &Mine) -> Markup {
    let it = &view.competition;
    let over = it.phase == Phase::Completed;
    html! {
        div .stand {
            p .standing-rank aria-live="polite" {
                (icon("trophy"))
                span .sr-only { "Rank " }
                span data-my-rank=(mine.rank) { (mine.rank) }
                span .handle { " of " (format::grouped(it.participant_count)) }
            }
            p { strong data-my-score=(mine.score) { (grouped(&mine.score)) } " "
                span .sub { (it.metric.replace('_', " ")) } }
            @if !over {
                p .sub data-my-gap {
                    @match mine.gap {
                        Some((rank, gap)) => { (format::grouped(gap)) " behind rank " (rank) }
                        None => "Nobody is ahead of you",
                    }
                }
            }
        }
        @if let Some(prize) = view.results.as_ref().and_then(|all| all.prize_of(shell)) {
            p { "You won " strong { (sum(prize)) } ". It is in your "
                a .inline-link href="/dashboard/transactions" { "transactions" } "." }
        }
    }
}

fn leave(shell: &Shell<'_>, it: &CompetitionView) -> Markup {
    let paid = it.fee.minor + it.convenience_fee.minor;
    let paid = Money { minor: paid, currency: it.fee.currency.clone() };
    html! {
        form .row method="post" action=(format!("/competitions/{}/leave", it.id)) data-swap {
            (shell.hidden())
            p .hint.grow {
                "You can leave until it begins"
                @if paid.minor > 0 { " and have your " (sum(&paid)) " back" } "."
            }
            button .button { "Leave" }
        }
    }
}

fn join(shell: &Shell<'_>, view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    let cost =
        Money { minor: it.fee.minor + it.convenience_fee.minor, currency: it.fee.currency.clone() };
    let full = it.capacity.is_some_and(|capacity| it.participant_count >= capacity);
    html! {
        @if shell.viewer.is_none() {
            div .row {
                p .sub.grow { "You need an account to take part. " (cost_words(it, &cost)) }
                a .button.primary href=(format!("/sign-in?return_to=/competitions/{}", it.id))
                    { "Sign in to join" }
            }
        } @else if full && view.errors.0.is_empty() {
            p { "It is full. " @if it.phase == Phase::Upcoming { "Somebody may still leave before it begins." } }
        } @else {
            form .stack method="post" action=(format!("/competitions/{}/join", it.id)) data-swap {
                (shell.hidden())
                input type="hidden" name="total_minor" value=(cost.minor);
                (view.errors.summary(&["/team"]))
                @if it.teams.is_some() {
                    (Field { label: "Your team", name: "team", value: &view.team, required: true,
                        hint: "The name of a team that is there already, or a new one.",
                        ..Field::default() }.render(&view.errors))
                }
                div .row {
                    p .hint.grow { (cost_words(it, &cost)) " You can join until "
                        (format::exact_time(it.join_until)) "." }
                    button .button.primary {
                        span { @if cost.minor > 0 { "Join for " (sum(&cost)) } @else { "Join" } }
                    }
                }
            }
        }
    }
}

fn cost_words(it: &CompetitionView, cost: &Money) -> Markup {
    html! {
        @if cost.minor == 0 { "It costs nothing." }
        @else if it.convenience_fee.minor == 0 { "It costs " (sum(cost)) "." }
        @else { "It costs " (sum(cost)) ": " (sum(&it.fee)) " to take part and "
            (sum(&it.convenience_fee)) " for the convenience of paying." }
    }
}

/// How it ended, or how it stands.
fn outcome(shell: &Shell<'_>, view: &CompetitionPage) -> Markup {
    let it = &view.competition;
    html! {
        @if it.teams.is_some() {
            @let here = format!("/competitions/{}", it.id);
            (tabs("Standings", &[
                Tab { label: "People", href: &here, current: !view.by_team },
                Tab { label: "Teams", href: &format!("{here}?show=teams"), current: view.by_team },
            ]))
        }
        @match &view.results {
            Some(all) if !view.by_team => (results(shell, it, all)),
            _ if it.phase == Phase::Cancelled => {},
            _ => {
                @if it.phase == Phase::Completed && !it.settled {
                    div .notice { (icon("clock")) p { "It is over. Results are final once late activity is counted." } }
                }
                (standings(view))
            }
        }
    }
}

fn standings(view: &CompetitionPage) -> Markup {
    let (it, shown) = (&view.competition, &view.standings);
    let begun = it.phase != Phase::Upcoming;
    let topic = (begun && !it.settled).then(|| format!("board:{}", shown.board));
    let columns = [it.metric.replace('_', " ")];
    let ranking = Ranking {
        title: &it.name,
        topic: topic.as_deref(),
        columns: &columns,
        ties: Ties::Shared,
        begun,
        own: shown.own.as_deref(),
        entries: &shown.entries,
    };
    html! {
        p .hint.ranking-facts hidden[shown.count == 0] {
            @if begun { (entry_count(shown.count)) } @else { (joined_words(view)) }
        }
        (ranking.list(&empty("medal", "Nobody takes part yet", "Who joins stands here.", None)))
        @let next = shown.entries.len() + 1;
        @if next as u64 <= shown.count {
            nav .row.end.onwards aria-label="More places" {
                a .button href=(format!("/boards/{}?from={next}", shown.board)) { "The next ones" (icon("chevron-right")) }
            }
        }
    }
}

/// How many wait for it to begin.
fn joined_words(view: &CompetitionPage) -> String {
    let count = i64::try_from(view.standings.count).unwrap_or(i64::MAX);
    match view.by_team {
        true => format::counted(count, "team takes part", "teams take part"),
        false => format::counted(count, "person has joined", "people have joined"),
    }
}

fn call_off(shell: &Shell<'_>, it: &CompetitionView) -> Markup {
    html! {
        section .card {
            details .fold-line.danger {
                summary { (icon("ban")) "Call this competition off" }
                form .row method="post" action=(format!("/competitions/{}/cancel", it.id)) data-swap {
                    (shell.hidden())
                    p .hint.grow { "Everybody gets their money back. This cannot be undone." }
                    button .button.danger { "Call it off" }
                }
            }
        }
    }
}
