//! API keys: the list, the form for a new one, and the secret that is shown once.

use mainstay_core::auth::{ApiKeyView, NewApiKey, Scope};
use maud::{Markup, html};

use crate::{
    component::{icon, page_head_back},
    form::{Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};

/// The page of API keys.
#[derive(Clone, Default)]
pub struct Keys {
    /// The keys that live, oldest first.
    pub keys: Vec<ApiKeyView>,
    /// The scopes that the account's role may give.
    pub offered: Vec<Scope>,
    /// The key that was just made or given another secret.
    pub made: Option<NewApiKey>,
    /// The name that was typed for a new one.
    pub name: String,
    /// The scopes that were chosen for it.
    pub scopes: Vec<Scope>,
    /// What was wrong; the pointers are `/name` and `/scopes`.
    pub errors: FormErrors,
}

/// API keys. Posts `name` and the ticked scopes to `/settings/keys`, and to `/settings/keys/ID/revoke` and `…/rotate`.
pub fn keys(shell: &Shell<'_>, view: &Keys) -> Markup {
    shell.page(
        &Head { title: "API keys", active: "settings", ..Head::default() },
        &html! {
            (page_head_back("API keys", "/settings", "Back to settings", &html! {
                a .button.small href="/docs" data-plain { (icon("file-text")) "API" }
            }))
            @if let Some(made) = &view.made { (secret(made)) }
            @if !view.keys.is_empty() {
                section .card aria-labelledby="your-keys" {
                    h2 #your-keys { "Your keys" }
                    ul .plain-list.roomy { @for key in &view.keys { (key_line(shell, key)) } }
                }
            }
            (new_key(shell, view))
        },
    )
}

fn secret(made: &NewApiKey) -> Markup {
    html! {
        section .card.stack.secret aria-labelledby="secret-title" {
            h2 #secret-title tabindex="-1" { "The secret of “" span dir="auto" { (made.key.name) } "”" }
            p { "Copy it now: it is not kept and cannot be shown again. Send it as "
                code { "Authorization: Bearer …" } "." }
            div .row {
                input .input.grow type="text" readonly value=(made.secret) aria-label="Secret"
                    dir="ltr" spellcheck="false" autocomplete="off";
                button .button.with-script type="button" data-copy-text=(made.secret)
                    { (icon("copy")) "Copy" }
            }
        }
    }
}

fn key_line(shell: &Shell<'_>, key: &ApiKeyView) -> Markup {
    let path = format!("/settings/keys/{}", key.id);
    html! {
        li .device {
            span .tag-icon { (icon("key-round")) }
            div .who {
                span .name dir="auto" title=(key.name) { (key.name) }
                span .sub {
                    (key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "))
                    " · "
                    @match key.last_used_at {
                        Some(at) => { "last used " (format::time_ago(at, shell.now)) }
                        None => "never used",
                    }
                    " · made " (format::time_ago(key.created_at, shell.now))
                    @if let Some(ends) = key.old_secret_ends_at {
                        " · its old secret ends " (format::time_ago(ends, shell.now))
                    }
                }
            }
            div .row {
                form method="post" action=(format!("{path}/rotate")) data-swap {
                    (shell.hidden())
                    button .button.small title="A second secret; the present one works for another day"
                        { "New secret" span .sr-only { " for " (key.name) } }
                }
                form method="post" action=(format!("{path}/revoke")) data-swap {
                    (shell.hidden())
                    button .button.small.danger { "Revoke" span .sr-only { " " (key.name) } }
                }
            }
        }
    }
}

fn about(scope: Scope) -> (&'static str, &'static str) {
    match scope {
        Scope::Read => ("Read", "See what you may see."),
        Scope::Write => ("Write", "Post, like, comment and follow as you."),
        Scope::Moderate => ("Moderate", "Decide about what was reported."),
        Scope::Admin => ("Administer", "Everything else that you may do."),
        Scope::BoardsWrite => {
            ("Write boards", "Make boards, and write anybody's scores and activity.")
        }
    }
}

fn new_key(shell: &Shell<'_>, view: &Keys) -> Markup {
    let wrong = view.errors.at("/scopes");
    html! {
        section .card aria-labelledby="new-key" {
            h2 #new-key { "New key" }
            form .stack method="post" action="/settings/keys" data-swap {
                (shell.hidden())
                (view.errors.summary(&["/name", "/scopes"]))
                (Field { label: "Name", name: "name", value: &view.name, required: true,
                    hint: "For you, such as the program that uses it.", ..Field::default() }
                    .render(&view.errors))
                fieldset .choice aria-describedby=[wrong.map(|_| "scopes-error")] {
                    legend { "What it may do" }
                    @for &scope in &view.offered {
                        @let (title, text) = about(scope);
                        label .check {
                            input type="checkbox" name=(scope.as_str())
                                checked[view.scopes.contains(&scope)]
                                aria-invalid=[wrong.map(|_| "true")];
                            span { strong { (title) } span .sub { (text) } }
                        }
                    }
                    (error_line("scopes", wrong))
                }
                div .row.end { button .button.primary { "Make key" } }
            }
        }
    }
}
