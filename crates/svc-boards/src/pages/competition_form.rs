//! The form in which an administrator makes or changes a competition.

use mainstay_console::{
    component::{icon, page_head_back},
    form::{Area, Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::{boards::CompetitionId, ts::Ts};
use maud::{Markup, html};

use super::metric::metrics;

/// How teams can score: value and words.
const TEAMS: [(&str, &str); 4] = [
    ("", "No teams: everybody for themselves"),
    ("sum", "Teams: all members together"),
    ("average", "Teams: the members’ average"),
    ("best_n", "Teams: the best members"),
];

/// What was typed; texts as they stand in the fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct CompetitionForm {
    /// The competition that is changed; absent for a new one.
    pub(crate) id: Option<CompetitionId>,
    /// Its version, so that nobody's change is lost.
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) metric: String,
    pub(crate) starts_at: Option<Ts>,
    pub(crate) ends_at: Option<Ts>,
    pub(crate) join_until: Option<Ts>,
    pub(crate) capacity: String,
    pub(crate) attempts_max: String,
    pub(crate) fee: String,
    pub(crate) convenience_fee: String,
    pub(crate) pool_percent: String,
    pub(crate) prize_split: String,
    pub(crate) teams: String,
    pub(crate) team_n: String,
    pub(crate) team_size_max: String,
    /// In what money is counted.
    pub(crate) currency: String,
    /// Somebody has joined: what they paid for stays.
    pub(crate) taken: bool,
    /// What was wrong; pointers as those of the API.
    pub(crate) errors: FormErrors,
}

const POINTERS: [&str; 15] = [
    "/name",
    "/description",
    "/metric",
    "/starts_at",
    "/ends_at",
    "/join_until",
    "/capacity",
    "/attempts_max",
    "/fee",
    "/convenience_fee",
    "/pool_percent",
    "/prize_split",
    "/teams",
    "/team_n",
    "/team_size_max",
];

/// The form. Posts to `/competitions/new`, or to `/competitions/ID/edit`.
pub(crate) fn competition_form(shell: &Shell<'_>, view: &CompetitionForm) -> Markup {
    let title = if view.id.is_some() { "Edit competition" } else { "New competition" };
    let (action, back) = match view.id {
        Some(id) => (format!("/competitions/{id}/edit"), format!("/competitions/{id}")),
        None => ("/competitions/new".to_owned(), "/competitions".to_owned()),
    };
    shell.page(
        &Head { title, active: "competitions", ..Head::default() },
        &html! {
            (page_head_back(title, &back, "Back", &html! {}))
            form .card.stack method="post" action=(action) data-swap {
                (shell.hidden())
                input type="hidden" name="version" value=(view.version);
                (view.errors.summary(&POINTERS))
                (words(view))
                (times(view))
                (money(view))
                @if view.id.is_none() { (teams(view)) }
                div .row.end {
                    a .button href=(back) { "Cancel" }
                    button .button.primary {
                        @if view.id.is_some() { "Save competition" } @else { "Make competition" }
                    }
                }
            }
        },
    )
}

fn words(view: &CompetitionForm) -> Markup {
    html! {
        (Field { label: "Name", name: "name", value: &view.name, required: true, ..Field::default() }
            .render(&view.errors))
        (Area { label: "Description", label_hidden: false, name: "description", id: "f-description",
            value: &view.description, placeholder: "", rows: 3, limit: Some(2_000) }
            .render(&view.errors))
        @if view.id.is_none() {
            @let error = view.errors.at("/metric");
            div .field .bad[error.is_some()] {
                label for="f-metric" { "What counts" }
                input .input #f-metric name="metric" value=(view.metric) list="metrics" required
                    autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-invalid=[error.map(|_| "true")]
                    aria-describedby=(described("metric", error.is_some()));
                (metrics())
                p .hint #f-metric-hint { "Activity as people sync it, such as steps or distance." }
                (error_line("f-metric", error))
            }
        }
    }
}

fn described(name: &str, wrong: bool) -> String {
    let hint = format!("f-{name}-hint");
    if wrong { format!("{hint} f-{name}-error") } else { hint }
}

fn times(view: &CompetitionForm) -> Markup {
    html! {
        div .fields-2 {
            (moment(view, "Begins", "starts_at", view.starts_at, true))
            (moment(view, "Ends", "ends_at", view.ends_at, true))
            (moment(view, "Join until", "join_until", view.join_until, false))
        }
        p .hint { "People join until it begins if you say nothing else." }
    }
}

fn moment(
    view: &CompetitionForm,
    label: &str,
    name: &str,
    value: Option<Ts>,
    required: bool,
) -> Markup {
    let error = view.errors.at(&format!("/{name}"));
    let id = format!("f-{name}");
    html! {
        div .field .bad[error.is_some()] {
            label for=(id) { (label) " (" span data-zone { "UTC" } ")" }
            input .input #(id) type="datetime-local" name=(name) data-instant required[required]
                value=[value.map(format::field_minute)] aria-invalid=[error.map(|_| "true")]
                aria-describedby=[error.map(|_| format!("{id}-error"))];
            (error_line(&id, error))
        }
    }
}

fn money(view: &CompetitionForm) -> Markup {
    let fee = format!("Fee ({})", view.currency);
    let convenience = format!("Convenience fee ({})", view.currency);
    let field = |label: &str, name: &str, value: &str, hint: &str| {
        Field { label, name, value, hint, ..Field::default() }.render(&view.errors)
    };
    html! {
        div .fields-2 {
            (field("Places", "capacity", &view.capacity, "As many as come if empty."))
            (field("Attempts", "attempts_max", &view.attempts_max,
                "How often somebody may send a day’s figures; any number if empty."))
        }
        @if view.taken {
            div .notice { (icon("info")) p {
                "People have joined for this fee and these prizes, so they stay as they are." } }
        } @else {
            div .fields-2 {
                (field(&fee, "fee", &view.fee, "What taking part costs; nothing if empty."))
                (field(&convenience, "convenience_fee", &view.convenience_fee,
                    "Charged besides; none of it goes to the pool."))
                (field("Of the fees to the pool (%)", "pool_percent", &view.pool_percent, "60 if empty."))
                (field("Prizes (% of the pool)", "prize_split", &view.prize_split,
                    "Best place first, 100 in all; 60, 30, 10 if empty."))
            }
        }
    }
}

fn teams(view: &CompetitionForm) -> Markup {
    let error = view.errors.at("/teams");
    html! {
        div .field .bad[error.is_some()] {
            label for="f-teams" { "Teams" }
            select .input #f-teams name="teams" aria-invalid=[error.map(|_| "true")]
                aria-describedby=[error.map(|_| "f-teams-error")] {
                @for (value, words) in TEAMS {
                    option value=(value) selected[value == view.teams] { (words) }
                }
            }
            (error_line("f-teams", error))
        }
        div .fields-2 {
            (Field { label: "How many of the best count", name: "team_n", value: &view.team_n,
                hint: "Only for the best members.", ..Field::default() }.render(&view.errors))
            (Field { label: "Members at most", name: "team_size_max", value: &view.team_size_max,
                hint: "Any number if empty.", ..Field::default() }.render(&view.errors))
        }
    }
}
