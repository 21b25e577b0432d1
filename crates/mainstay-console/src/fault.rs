//! The page for what went wrong: what happened, what to do, and the number to tell us.

use maud::{Markup, html};

use crate::{
    component::icon,
    shell::{Head, Shell},
};

/// What went wrong.
#[derive(Debug, Clone)]
pub struct Fault<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What happened, as a short title; empty for the words that fit the status.
    pub title: &'a str,
    /// What to do; empty for the words that fit the status.
    pub detail: &'a str,
    /// Where the list begins whose rest cannot be shown; empty for anything else.
    pub list_href: &'a str,
    /// The request's id, which finds it in the logs.
    pub request_id: &'a str,
}

/// The words for a status: icon, what happened, what to do, and the act that is offered.
fn words(status: u16) -> (&'static str, &'static str, &'static str, (&'static str, &'static str)) {
    let home = ("Go to the start page", "/");
    match status {
        401 => (
            "log-in",
            "Sign in to see this",
            "This page is for people with an account.",
            ("Sign in", "/sign-in"),
        ),
        403 => (
            "lock",
            "You may not see this",
            "Your account has no permission for this page. Ask who runs this server if it should.",
            home,
        ),
        404 => (
            "compass",
            "Nothing is here",
            "It may have been deleted, or it is only for some people. Check the address.",
            home,
        ),
        410 => {
            ("clock", "This list has moved on", "What you were shown before is still in it.", home)
        }
        413 => ("circle-x", "That was too large", "Send something smaller.", home),
        429 => ("clock", "Too many requests", "Wait a moment, then try again.", home),
        503 => (
            "clock",
            "We are busy right now",
            "Nothing of yours was lost. Try again in a moment.",
            home,
        ),
        400..500 => {
            ("circle-x", "That did not work", "Go back, check what you sent and try again.", home)
        }
        _ => (
            "triangle-alert",
            "Something broke on our side",
            "It is not your fault. Try again; if it happens twice, tell us the id below.",
            home,
        ),
    }
}

/// The page for a fault.
pub fn fault_page(shell: &Shell<'_>, fault: &Fault<'_>) -> Markup {
    let (symbol, title, detail, act) = words(fault.status);
    let title = if fault.title.is_empty() { title } else { fault.title };
    let detail = if fault.detail.is_empty() { detail } else { fault.detail };
    let act =
        if fault.list_href.is_empty() { act } else { ("Start from the top", fault.list_href) };
    shell.page(
        &Head { title, ..Head::default() },
        &html! {
            div .empty.fault {
                span .empty-icon { (icon(symbol)) }
                p .fault-status { (fault.status) }
                h1 { (title) }
                p { (detail) }
                div .row.centre {
                    a .button.primary href=(act.1) { (act.0) }
                    @if fault.status >= 500 || fault.status == 429
                        { a .button href=(shell.path) { "Try again" } }
                }
                @if !fault.request_id.is_empty() {
                    p .hint { "Request " code { (fault.request_id) } }
                }
            }
        },
    )
}
