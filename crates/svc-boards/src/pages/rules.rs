//! Rules: the list, one of them as a form, and what it would have made of facts that were told.

use mainstay_console::{
    component::{empty, icon, more, page_head_back, with_cursor},
    form::{Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::{
    keeping::{Kept, heading},
    ranking::grouped,
};
use crate::{
    model::rule::{Amount, Amounts, SOURCES, facts_of},
    service::{DryRunItem, DryRunOutcome, RuleErrorView, RuleView},
};

/// On how many facts a rule can be tried here.
pub(crate) const LAST: [u32; 3] = [10, 50, 200];
/// Errors that are kept of a rule.
const ERRORS_KEPT: usize = 100;

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct RulesPage {
    /// By name.
    pub(crate) rules: Vec<RuleView>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Rules. Posts to `/admin/boards/rules/{rule}/delete`.
pub(crate) fn rules_page(shell: &Shell<'_>, view: &RulesPage) -> Markup {
    let here = Kept::Rules.href();
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(here, cursor));
    shell.page(
        &Head { title: "Rules of boards", active: "boards-admin", ..Head::default() },
        &html! {
            (heading(shell, Kept::Rules, &html! {
                a .button.small href="/admin/boards/new-rule" { (icon("plus")) "New rule" }
            }))
            @if view.rules.is_empty() {
                (empty("scale", "No rules yet",
                    "A rule scores on a board when something happens: a like, a comment, a finished activity.",
                    Some(("Make a rule", "/admin/boards/new-rule"))))
            } @else {
                ul .card.plain-list.roomy data-list="rules" {
                    @for rule in &view.rules { (line(shell, rule)) }
                }
                (more(next.as_deref(), "Show more rules"))
            }
        },
    )
}

fn line(shell: &Shell<'_>, rule: &RuleView) -> Markup {
    let href = format!("{}/{}", Kept::Rules.href(), rule.id);
    let here = format!("rule-{}", rule.id);
    html! {
        li .entry-row id=(here) tabindex="-1" data-item data-open=(href) {
            a .tag-row.grow href=(href) {
                span .tag-icon { (icon("scale")) }
                span .who {
                    span .name { (rule.id) }
                    span .handle { (rule.settings.on) " to " (rule.settings.board) }
                }
                @if rule.declared { span .mark { "Configured" } }
                @if !rule.errors.is_empty() { span .mark.bad { (error_count(rule.errors.len())) } }
            }
            @if !rule.declared {
                form method="post" action=(format!("{href}/delete")) data-undo="Rule deleted"
                    data-api=(format!("DELETE /api/v1/boards/rules/{}", rule.id)) data-gone=(here) {
                    (shell.hidden())
                    button .icon-button title="What it has scored stays." aria-label=(format!("Delete the rule {}", rule.id)) {
                        (icon("trash-2"))
                    }
                }
            }
        }
    }
}

fn error_count(count: usize) -> String {
    match count {
        1 => "1 error".to_owned(),
        ERRORS_KEPT.. => format!("{ERRORS_KEPT} errors or more"),
        count => format!("{count} errors"),
    }
}

/// A rule as it stands in its form.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleForm {
    /// Its name.
    pub(crate) id: String,
    /// It is not made yet.
    pub(crate) new: bool,
    /// It stands in the configuration, and is changed there.
    pub(crate) declared: bool,
    pub(crate) on: String,
    pub(crate) when: String,
    pub(crate) owner: String,
    pub(crate) board: String,
    /// A line for each column.
    pub(crate) value: String,
    pub(crate) operator: String,
    pub(crate) by: String,
    /// On how many facts it is tried.
    pub(crate) last: u32,
    /// What was wrong; the pointers are the fields' names.
    pub(crate) errors: FormErrors,
}

/// What a value says, a line for each column.
pub(crate) fn value_lines(value: &Amounts) -> String {
    let one = |amount: &Amount| match amount {
        Amount::Whole(number) => number.to_string(),
        Amount::Text(text) => text.clone(),
    };
    match value {
        Amounts::One(amount) => one(amount),
        Amounts::Each(each) => each.iter().map(one).collect::<Vec<_>>().join("\n"),
    }
}

/// A fact that a rule was tried on.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) item: DryRunItem,
    /// What the owner and who made it happen are called.
    pub(crate) owner: String,
    pub(crate) by: String,
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct RulePage {
    pub(crate) form: RuleForm,
    /// What it could not be applied to, newest first.
    pub(crate) failed: Vec<RuleErrorView>,
    /// What it made of the last facts, newest first, if it was tried.
    pub(crate) tried: Option<Vec<Tried>>,
}

/// A rule. Posts to `/admin/boards/rules` with `act` `save` or `try`.
pub(crate) fn rule_page(shell: &Shell<'_>, view: &RulePage) -> Markup {
    let form = &view.form;
    let title = if form.new { "New rule" } else { &form.id };
    shell.page(
        &Head { title, active: "boards-admin", ..Head::default() },
        &html! {
            (page_head_back(title, Kept::Rules.href(), "All rules", &html! {
                @if form.declared { span .mark { "Configured" } }
            }))
            @if form.declared {
                div .notice { (icon("info")) p {
                    "This rule stands in the configuration and is changed there. Here it can be tried." } }
            }
            (editor(shell, form))
            @if let Some(tried) = &view.tried { (trial(shell, tried)) }
            @if !view.failed.is_empty() { (failures(shell, &view.failed)) }
        },
    )
}

fn editor(shell: &Shell<'_>, form: &RuleForm) -> Markup {
    let errors = &form.errors;
    let field = |label: &str, name: &str, value: &str, hint: &str, required| {
        Field { label, name, value, hint, required, ..Field::default() }.render(errors)
    };
    html! {
        form .card.stack method="post" action=(Kept::Rules.href()) data-swap {
            (shell.hidden())
            (errors.summary(&["/id", "/on", "/when", "/owner", "/board", "/value", "/operator", "/by"]))
            @if form.new {
                input type="hidden" name="new" value="yes";
                (field("Name", "id", &form.id, "Letters, digits, - _ and .", true))
            } @else { input type="hidden" name="id" value=(form.id); }
            (fact_field(form))
            (field("And if", "when", &form.when,
                "A condition over the fact’s fields, such as user != author. Always if empty.", false))
            div .fields-2 {
                (field("Score for", "owner", &form.owner, "An expression, such as author.", true))
                (field("On the board", "board", &form.board, "Its name.", true))
            }
            (value_field(form))
            div .fields-2 {
                (operator_field(form))
                (field("Made by", "by", &form.by,
                    "Whose ban takes it back; the fact’s user if empty.", false))
            }
            div .row {
                label for="f-last" { "Try it on the last" }
                select .input.narrow #f-last name="last" {
                    @for last in LAST { option value=(last) selected[last == form.last] { (last) } }
                }
                span { "facts" }
                button .button name="act" value="try" { (icon("play")) "Try" }
                @if !form.declared {
                    button .button.primary.push name="act" value="save" {
                        @if form.new { "Make rule" } @else { "Save rule" }
                    }
                }
            }
        }
    }
}

fn fact_field(form: &RuleForm) -> Markup {
    let error = form.errors.at("/on");
    html! {
        div .field .bad[error.is_some()] {
            label for="f-on" { "When this happens" }
            select .input #f-on name="on" aria-invalid=[error.map(|_| "true")]
                aria-describedby=[error.map(|_| "f-on-error")] {
                @for source in SOURCES {
                    optgroup label=(source) {
                        @for fact in facts_of(source) {
                            option value=(fact) selected[*fact == form.on] { (fact) }
                        }
                    }
                }
            }
            (error_line("f-on", error))
        }
    }
}

fn value_field(form: &RuleForm) -> Markup {
    let error = form.errors.at("/value");
    let described = if error.is_some() { "f-value-hint f-value-error" } else { "f-value-hint" };
    html! {
        div .field .bad[error.is_some()] {
            label for="f-value" { "How much" }
            textarea .input.code-input #f-value name="value" rows="1" required spellcheck="false"
                autocapitalize="none" aria-invalid=[error.map(|_| "true")] aria-describedby=(described)
                { (form.value) }
            p .hint #f-value-hint {
                "A whole number or an expression, such as min(like_count, 10); a line for each column." }
            (error_line("f-value", error))
        }
    }
}

fn operator_field(form: &RuleForm) -> Markup {
    let offered = [
        ("", "The board’s own"),
        ("incr", "Add it"),
        ("decr", "Take it off"),
        ("set", "Set it"),
        ("best", "Keep the better"),
    ];
    html! {
        div .field {
            label for="f-operator" { "How it counts" }
            select .input #f-operator name="operator" {
                @for (value, words) in offered {
                    option value=(value) selected[value == form.operator] { (words) }
                }
            }
        }
    }
}

fn outcome(item: &DryRunItem) -> (&'static str, &'static str) {
    match item.outcome {
        DryRunOutcome::Scored => ("mark good", "Scored"),
        DryRunOutcome::PassedOver => ("mark", "Passed over"),
        DryRunOutcome::Banned => ("mark wait", "Banned"),
        DryRunOutcome::Failed => ("mark bad", "Failed"),
    }
}

fn trial(shell: &Shell<'_>, tried: &[Tried]) -> Markup {
    let count = |wanted| {
        let of = tried.iter().filter(|one| one.item.outcome == wanted).count();
        format::grouped(i64::try_from(of).unwrap_or(i64::MAX))
    };
    html! {
        section .card #tried aria-labelledby="tried-title" tabindex="-1" {
            h2 #tried-title { "What it would have scored" }
            @if tried.is_empty() {
                p .sub { "No such fact has been told lately, so there is nothing to try it on." }
            } @else {
                p .sub {
                    (count(DryRunOutcome::Scored)) " scored, " (count(DryRunOutcome::PassedOver)) " passed over, "
                    (count(DryRunOutcome::Banned)) " of banned people, " (count(DryRunOutcome::Failed))
                    " failed. Nothing was written."
                }
                div .table-scroll tabindex="0" role="region" aria-label="What it would have scored" {
                    table .table {
                        thead { tr {
                            th scope="col" { "Told" } th scope="col" { "Outcome" } th scope="col" { "For" }
                            th scope="col" .number { "How much" } th scope="col" { "Made by" }
                        } }
                        tbody { @for one in tried { (trial_row(shell, one)) } }
                    }
                }
            }
        }
    }
}

fn trial_row(shell: &Shell<'_>, tried: &Tried) -> Markup {
    let item = &tried.item;
    let (class, words) = outcome(item);
    let values: Vec<String> =
        item.values.iter().flatten().map(|value| grouped(&value.to_string())).collect();
    html! {
        tr title=(item.fact) {
            td { (format::time(item.at, shell.now)) }
            td { span class=(class) { (words) } }
            @match &item.error {
                Some(error) => { td colspan="3" { (error) } }
                None => {
                    td { bdi { (tried.owner) } }
                    td .number { (values.join(", ")) }
                    td { bdi { (tried.by) } }
                }
            }
        }
    }
}

fn failures(shell: &Shell<'_>, failed: &[RuleErrorView]) -> Markup {
    html! {
        section .card aria-labelledby="failed" {
            h2 #failed { (error_count(failed.len())) }
            p .sub { "Nothing was scored for these facts, and they are not tried again." }
            ul .plain-list.roomy {
                @for one in failed {
                    li { p { (one.message) }
                        p .hint { (format::time_ago(one.at, shell.now)) " · " code { (one.fact) } } }
                }
            }
        }
    }
}
