//! Signing in, registering and the account's settings: the same for every service.

use maud::{Markup, html};

use crate::{
    assets,
    component::{icon, page_head},
    form::{Field, FormErrors},
    shell::{Head, Shell},
};

/// What was typed into the form for signing in, and what was wrong.
#[derive(Debug, Clone, Default)]
pub struct SignIn<'a> {
    /// Handle or e-mail address.
    pub login: &'a str,
    /// Where to go afterwards; `/` if nothing was asked for. Must be a path of this server.
    pub return_to: &'a str,
    /// What was wrong; the pointers are `/login`, `/password` and the empty one.
    pub errors: FormErrors,
}

/// The page for signing in; posts `login` and `password` to `/sign-in`.
pub fn sign_in(shell: &Shell<'_>, view: &SignIn<'_>) -> Markup {
    let fields = html! {
        (view.errors.summary(&["/login", "/password"]))
        (Field { label: "Handle or e-mail", name: "login", value: view.login, autocomplete:
            "username",
            required: true, ..Field::default() }.render(&view.errors))
        (Field { label: "Password", name: "password", kind: "password", autocomplete:
            "current-password",
            required: true, ..Field::default() }.render(&view.errors))
        button .button.primary.block { "Sign in" }
    };
    let after = html! {
        p { "New here? " a href="/register" { "Create an account" } }
        p { a href="/explore" { "Look around first" } }
    };
    gate(shell, "Sign in", "/sign-in", view.return_to, &fields, &after)
}

/// What was typed into the form for registering, and what was wrong.
#[derive(Debug, Clone, Default)]
pub struct Register<'a> {
    /// The handle that was asked for.
    pub handle: &'a str,
    /// The e-mail address.
    pub email: &'a str,
    /// Where to go afterwards.
    pub return_to: &'a str,
    /// What was wrong; the pointers are `/handle`, `/email`, `/password` and the empty one.
    pub errors: FormErrors,
}

/// The page for registering; posts `handle`, `email` and `password` to `/register`.
pub fn register(shell: &Shell<'_>, view: &Register<'_>) -> Markup {
    let fields = html! {
        (view.errors.summary(&["/handle", "/email", "/password"]))
        (Field { label: "Handle", name: "handle", value: view.handle, autocomplete: "username",
            required: true,
            hint: "Letters, digits, _ and dots; people find and mention you by it.", ..Field::default() }
            .render(&view.errors))
        (Field { label: "E-mail", name: "email", kind: "email", value: view.email, autocomplete:
            "email",
            required: true, hint: "Only you see it." }.render(&view.errors))
        (Field { label: "Password", name: "password", kind: "password", autocomplete:
            "new-password",
            required: true, hint: "A long sentence is better than a short riddle.",
                ..Field::default() }
            .render(&view.errors))
        button .button.primary.block { "Create account" }
    };
    let after = html! { p { "You have an account? " a href="/sign-in" { "Sign in" } } };
    gate(shell, "Create an account", "/register", view.return_to, &fields, &after)
}

fn gate(
    shell: &Shell<'_>,
    title: &str,
    action: &str,
    to: &str,
    fields: &Markup,
    after: &Markup,
) -> Markup {
    shell.page(
        &Head { title, plain: true, ..Head::default() },
        &html! {
            div .gate {
                a .brand href="/" aria-label="Mainstay, start page" {
                    img src=(assets::url("logo.svg")) width="40" height="40" alt="";
                }
                h1 { (title) }
                form .card.stack method="post" action=(action) data-plain {
                    input type="hidden" name="csrf" value=(shell.csrf);
                    input type="hidden" name="return_to"
                        value=(if to.is_empty() { "/" } else { to });
                    (fields)
                }
                div .gate-after { (after) }
            }
        },
    )
}

/// What the settings show.
#[derive(Debug, Clone, Default)]
pub struct Settings<'a> {
    /// The account's address.
    pub email: &'a str,
    /// Sessions that are open, this one included.
    pub session_count: i64,
}

/// The account's settings; `more` are the sections of services, each a link to its own page: (icon, title, text, href).
pub fn settings(
    shell: &Shell<'_>,
    view: &Settings<'_>,
    more: &[(&str, &str, &str, &str)],
) -> Markup {
    shell.page(
        &Head { title: "Settings", active: "settings", ..Head::default() },
        &html! {
            (page_head("Settings", &html! {}))
            div .card.list {
                @for (symbol, title, text, href) in more {
                    a .list-row href=(href) {
                        (icon(symbol))
                        span .grow { strong { (title) } span .sub { (text) } }
                        (icon("chevron-right"))
                    }
                }
            }
            section .card.stack aria-labelledby="appearance" {
                h2 #appearance { "Appearance" }
                p .sub { "System follows your device and changes with it." }
                (shell.theme_choice())
            }
            section .card.stack aria-labelledby="sessions" {
                h2 #sessions { "Signed in" }
                @if let Some(viewer) = &shell.viewer {
                    p { "As " strong { "@" (viewer.handle) } @if !view.email.is_empty()
                        { ", " (view.email) } }
                }
                p .sub {
                    (crate::format::counted(view.session_count, "session is", "sessions are"))
                    " open. If you lost a device, end all of them; you sign in again here as well."
                }
                form method="post" action="/settings/sign-out-everywhere" data-plain {
                    (shell.hidden())
                    button .button.danger { (icon("log-out")) "Sign out everywhere" }
                }
            }
        },
    )
}
