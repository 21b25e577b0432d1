//! A person's own page: today, the last days, goals and streaks, achievements, competitions, money.

use mainstay_console::{
    component::{Tab, empty, icon, page_head, tabs},
    form::{Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::{
    chart::{Chart, chart},
    competitions::{next_moment, phase_mark},
    metric::{amount, figure, metric_name, metrics},
    transactions::{Transaction, balance, transaction},
};
use crate::{
    model::activity::ACHIEVEMENTS,
    service::{AchievementView, BalanceView, CompetitionView, GoalView},
};

/// The spans of the chart, in days.
pub(crate) const SPANS: [i64; 2] = [7, 30];

/// A person's own page.
#[derive(Debug, Clone)]
pub(crate) struct DashboardPage {
    /// Metrics and how much of them counts today.
    pub(crate) today: Vec<(String, i64)>,
    pub(crate) chart: Option<Chart>,
    /// Who has said what they did, whose word counts first ahead.
    pub(crate) sources: Vec<String>,
    pub(crate) goals: Vec<GoalView>,
    pub(crate) achievements: Vec<AchievementView>,
    pub(crate) competitions: Vec<CompetitionView>,
    pub(crate) balances: Vec<BalanceView>,
    pub(crate) transactions: Vec<Transaction>,
    /// What was typed for a goal.
    pub(crate) metric: String,
    pub(crate) per_day: String,
    /// What was wrong with that; the pointers are `/metric` and `/per_day`.
    pub(crate) errors: FormErrors,
}

/// A person's own page. Posts to `/dashboard/goals`, `/dashboard/goals/remove` and `/dashboard/sources`.
pub(crate) fn dashboard_page(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    shell.page(
        &Head { title: "Dashboard", active: "dashboard", ..Head::default() },
        &html! {
            (page_head("Dashboard", &html! {}))
            (today(view))
            @if let Some(days) = &view.chart { (last_days(view, days)) }
            (goals(shell, view))
            @if view.sources.len() > 1 { (sources(shell, view)) }
            (achievements(shell, view))
            (competitions(shell, view))
            (money(shell, view))
        },
    )
}

fn today(view: &DashboardPage) -> Markup {
    html! {
        section .card aria-labelledby="today" {
            @if view.today.is_empty() {
                (empty("footprints", "No activity yet",
                    "Steps, distance and whatever else you measure appear here once a watch or phone syncs them.",
                    Some(("Read how to sync", "/docs#Activity"))))
            } @else {
                h2 #today { "Today" }
                dl .facts {
                    @for (metric, value) in &view.today {
                        div {
                            dt { (metric_name(metric)) }
                            dd .today-value { (figure(metric, *value)) }
                        }
                    }
                }
            }
        }
    }
}

fn last_days(view: &DashboardPage, days: &Chart) -> Markup {
    let href = |metric: &str, span: i64| format!("/dashboard?metric={metric}&days={span}");
    let span = i64::try_from(days.days.len()).unwrap_or_default();
    let by_metric: Vec<(String, String)> =
        view.today.iter().map(|(metric, _)| (metric_name(metric), href(metric, span))).collect();
    let by_span = SPANS.map(|span| (format!("{span} days"), href(&days.metric, span), span));
    let total: i64 = days.days.iter().fold(0, |sum, (_, value)| sum.saturating_add(*value));
    html! {
        section .card aria-labelledby="days" {
            div .card-head {
                h2 #days { (metric_name(&days.metric)) }
                (tabs("Days", &by_span.each_ref().map(|(label, href, one)| Tab {
                    label, href, current: *one == span })))
            }
            @if by_metric.len() > 1 {
                (tabs("Activity", &by_metric.iter().zip(&view.today).map(|((label, href), (metric, _))|
                    Tab { label, href, current: *metric == days.metric }).collect::<Vec<_>>()))
            }
            (chart(days))
            p .hint {
                (amount(&days.metric, total)) " in " (span) " days, "
                (amount(&days.metric, total / span.max(1))) " a day"
                @if let Some(goal) = days.goal { " · the line is your goal of " (amount(&days.metric, goal)) }
            }
        }
    }
}

fn goals(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    let wrong = !view.errors.0.is_empty();
    html! {
        section .card.stack aria-labelledby="goals" {
            h2 #goals { "Goals and streaks" }
            @if view.goals.is_empty() {
                p .sub { "Set yourself something to reach each day. Days in a row on which you reach it make a streak." }
            } @else {
                ul .plain-list { @for goal in &view.goals { (goal_line(shell, goal)) } }
            }
            details .fold-line open[wrong || view.goals.is_empty()] {
                summary { (icon("target")) "Set a goal" }
                (goal_form(shell, view))
            }
        }
    }
}

fn goal_line(shell: &Shell<'_>, goal: &GoalView) -> Markup {
    let name = metric_name(&goal.metric);
    let done = goal.today >= goal.per_day;
    let id = format!("goal-{}", goal.metric);
    html! {
        li .stack-tight id=(id) tabindex="-1" {
            div .entry-row {
                div .who {
                    span .name { (name) }
                    span .handle {
                        (figure(&goal.metric, goal.today)) " of " (amount(&goal.metric, goal.per_day))
                        @if done { span .sr-only { ", reached" } }
                    }
                }
                @if goal.streak_days > 0 {
                    span .chip title=(format!("The longest of the last 400 days: {}", goal.longest_streak_days)) {
                        (icon("flame")) (format::counted(goal.streak_days, "day", "days"))
                        span .sr-only { " in a row" }
                    }
                }
                form method="post" action="/dashboard/goals/remove" data-undo="Goal removed"
                    data-api=(format!("DELETE /api/v1/activities/goals/{}", goal.metric)) data-gone=(id) {
                    (shell.hidden())
                    input type="hidden" name="metric" value=(goal.metric);
                    button .icon-button aria-label=(format!("Remove the goal for {name}")) { (icon("x")) }
                }
            }
            progress .meter .done[done] max=(goal.per_day) value=(goal.today.clamp(0, goal.per_day))
                aria-label=(format!("{name} of today")) {}
            @if goal.longest_streak_days > 0 {
                p .hint { "Longest streak: " (format::counted(goal.longest_streak_days, "day", "days")) }
            }
        }
    }
}

/// In which order sources count: each but the first can be moved up.
fn sources(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    html! {
        section .card.stack aria-labelledby="sources" {
            h2 #sources { "Sources" }
            p .sub { "Where several tell of the same time, it counts once: as the first of them says." }
            ol .plain-list {
                @for (place, source) in view.sources.iter().enumerate() {
                    li .device {
                        div .who { span .name { (source) } }
                        @if place > 0 {
                            form method="post" action="/dashboard/sources" data-swap {
                                (shell.hidden())
                                input type="hidden" name="source" value=(source);
                                button .icon-button aria-label=(format!("Let {source} count earlier")) {
                                    (icon("arrow-up"))
                                }
                            }
                        } @else { span .mark { "Counts first" } }
                    }
                }
            }
        }
    }
}

fn goal_form(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    let error = view.errors.at("/metric");
    html! {
        form .stack method="post" action="/dashboard/goals" data-swap {
            (shell.hidden())
            (view.errors.summary(&["/metric", "/per_day"]))
            div .fields-2 {
                div .field .bad[error.is_some()] {
                    label for="f-metric" { "Activity" }
                    input .input #f-metric name="metric" value=(view.metric) list="metrics" required
                        autocomplete="off" autocapitalize="none" spellcheck="false"
                        aria-invalid=[error.map(|_| "true")]
                        aria-describedby=[error.map(|_| "f-metric-error")];
                    (metrics())
                    (error_line("f-metric", error))
                }
                (Field { label: "Each day", name: "per_day", value: &view.per_day, required: true,
                    ..Field::default() }.render(&view.errors))
            }
            div .row.end { button .button.primary { "Set goal" } }
        }
    }
}

fn achievements(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    let earned = |code: &str| view.achievements.iter().any(|one| one.code == code);
    let later: Vec<&str> = ACHIEVEMENTS
        .iter()
        .filter(|(code, ..)| !earned(code))
        .map(|(_, title, _)| *title)
        .collect();
    html! {
        section .card aria-labelledby="achievements" {
            h2 #achievements { "Achievements" }
            @if !view.achievements.is_empty() {
                ul .chips {
                    @for one in &view.achievements {
                        li .chip { (icon("medal")) (one.title) span .sub { (format::time(one.earned_at, shell.now)) } }
                    }
                }
            }
            @if !later.is_empty() {
                details .fold-line open[view.achievements.is_empty()] {
                    summary { (later.len()) " still to come" }
                    ul .chips { @for title in &later { li .chip.later { (title) } } }
                }
            }
        }
    }
}

fn competitions(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    html! {
        section .card aria-labelledby="competitions" {
            div .card-head {
                h2 #competitions { "Your competitions" }
                @if !view.competitions.is_empty() { a .button.small href="/competitions?show=mine" { "All" } }
            }
            @if view.competitions.is_empty() {
                p .sub { "You are in none. "
                    a .inline-link href="/competitions" { "See what there is" } "." }
            } @else {
                ul .plain-list {
                    @for one in &view.competitions {
                        @let href = format!("/competitions/{}", one.id);
                        @let (what, at) = next_moment(one);
                        li tabindex="-1" data-item data-open=(href) {
                            a .tag-row href=(href) {
                                span .tag-icon { (icon("medal")) }
                                span .who {
                                    span .name dir="auto" { (one.name) }
                                    span .handle { (what) " " (format::time_ago(at, shell.now)) }
                                }
                                (phase_mark(one.phase))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn money(shell: &Shell<'_>, view: &DashboardPage) -> Markup {
    html! {
        section .card aria-labelledby="money" {
            div .card-head {
                h2 #money { "Transactions" }
                @if !view.transactions.is_empty() {
                    a .button.small href="/dashboard/transactions" { "All" }
                }
            }
            (balance(&view.balances))
            @if !view.transactions.is_empty() {
                ul .plain-list.roomy { @for item in &view.transactions { (transaction(shell, item)) } }
            }
        }
    }
}
