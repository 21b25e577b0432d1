//! What can be set for an account: an overview, and the page for password and sign-ins.

use mainstay_core::{auth::SessionView, front::SettingsLink};
use maud::{Markup, html};

use super::device::Device;
use crate::{
    component::{icon, page_head, page_head_back},
    form::{Field, FormErrors},
    format,
    shell::{Head, Shell},
};

/// What the console itself offers to set, after what services do.
const OWN: [SettingsLink; 2] = [
    SettingsLink {
        icon: "lock",
        title: "Password and sign-ins",
        text: "Change your password, see where you are signed in, and sign out there.",
        href: "/settings/security",
    },
    SettingsLink {
        icon: "key-round",
        title: "API keys",
        text: "Let programs act for you, within what you allow them.",
        href: "/settings/keys",
    },
];

/// The account's settings; `services` are the links to settings of services.
pub fn overview(shell: &Shell<'_>, services: &[SettingsLink], email: Option<&str>) -> Markup {
    shell.page(
        &Head { title: "Settings", active: "settings", ..Head::default() },
        &html! {
            (page_head("Settings", &html! {}))
            nav .card.list aria-label="Settings" {
                @for link in services.iter().chain(&OWN) {
                    a .list-row href=(link.href) {
                        (icon(link.icon))
                        span .grow { strong { (link.title) } span .sub { (link.text) } }
                        (icon("chevron-right"))
                    }
                }
            }
            section .card.stack aria-labelledby="appearance" {
                h2 #appearance { "Appearance" }
                p .sub { "System follows your device and changes with it." }
                (shell.theme_choice())
            }
            @if let Some(viewer) = &shell.viewer {
                section .card.stack aria-labelledby="account" {
                    h2 #account { "Account" }
                    p { "You are signed in as " strong { "@" (viewer.handle) }
                        @if let Some(email) = email { ", " (email) } "." }
                    form method="post" action="/sign-out" data-plain {
                        (shell.hidden())
                        button .button { (icon("log-out")) "Sign out" }
                    }
                }
            }
        },
    )
}

/// The page for password and sign-ins.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// The sign-ins that live, the one used last first.
    pub sessions: Vec<SessionView>,
    /// What was wrong with the passwords; the pointers are `/current_password` and `/new_password`.
    pub errors: FormErrors,
}

/// Password and sign-ins. Posts `current_password` and `new_password` to `/settings/password`, to
/// `/settings/sessions/ID/end`, and to `/settings/sign-out-everywhere`.
pub fn security(shell: &Shell<'_>, view: &Security) -> Markup {
    shell.page(
        &Head { title: "Password and sign-ins", active: "settings", ..Head::default() },
        &html! {
            (page_head_back("Password and sign-ins", "/settings", "Back to settings", &html! {}))
            (password_form(shell, &view.errors))
            section .card aria-labelledby="sessions" {
                h2 #sessions { "Where you are signed in" }
                ul .plain-list.roomy {
                    @for session in &view.sessions { (session_line(shell, session)) }
                }
                form .row.end method="post" action="/settings/sign-out-everywhere" data-plain {
                    (shell.hidden())
                    p .hint.grow { "If you lost a device, end them all; you sign in again here as well." }
                    button .button.danger { (icon("log-out")) "Sign out everywhere" }
                }
            }
        },
    )
}

fn password_form(shell: &Shell<'_>, errors: &FormErrors) -> Markup {
    let password = Field { kind: "password", required: true, ..Field::default() };
    let handle = shell.viewer.as_ref().map_or("", |viewer| viewer.handle.as_str());
    html! {
        section .card aria-labelledby="password" {
            h2 #password { "Password" }
            form .stack method="post" action="/settings/password" data-swap {
                (shell.hidden())
                // For programs that keep passwords: whose it is.
                input type="text" name="username" value=(handle) autocomplete="username" hidden;
                (errors.summary(&["/current_password", "/new_password"]))
                (Field { label: "Present password", name: "current_password",
                    autocomplete: "current-password", ..password }.render(errors))
                (Field { label: "New password", name: "new_password", autocomplete: "new-password",
                    hint: "At least 8 characters; a sentence is better than a riddle.",
                    ..password }.render(errors))
                div .row.end {
                    p .hint.grow { "Every other sign-in ends; this one and your API keys stay." }
                    button .button.primary { "Change password" }
                }
            }
        }
    }
}

fn session_line(shell: &Shell<'_>, session: &SessionView) -> Markup {
    let device = Device::of(session.agent.as_deref());
    html! {
        li .device {
            span .tag-icon { (icon(device.icon)) }
            div .who {
                span .name title=[session.agent.as_deref()] {
                    (device.name)
                    @if session.kind == "token" { span .mark { "API" } }
                    @if session.current { span .mark.good { "This one" } }
                }
                span .sub {
                    @if !session.current {
                        "Last used: " (format::time_ago(session.last_used_at, shell.now)) " · "
                    }
                    "Signed in: " (format::time_ago(session.created_at, shell.now))
                    @if let Some(address) = &session.address { " · " (address) }
                }
            }
            @if !session.current {
                form method="post" action=(format!("/settings/sessions/{}/end", session.id)) data-swap {
                    (shell.hidden())
                    button .button.small { "Sign out" span .sr-only { ": " (device.name) } }
                }
            }
        }
    }
}
