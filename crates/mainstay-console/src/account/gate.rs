//! Where a stranger signs in or registers.

use maud::{Markup, html};

use crate::{
    assets,
    form::{Field, FormErrors},
    shell::{Head, Shell},
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Posts `name` (handle or e-mail address) and `password` to `/sign-in`.
    SignIn,
    /// Posts `handle`, `email` and `password` to `/register`.
    Register,
}

/// What was typed, and what was wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Typed<'a> {
    /// The handle, or the address to sign in with.
    pub name: &'a str,
    /// The e-mail address; only to register.
    pub email: &'a str,
    /// Where to go afterwards. Must be a path of this site.
    pub return_to: &'a str,
    /// What was wrong; the pointers are those of the fields, and the empty one.
    pub errors: FormErrors,
}

impl Gate {
    /// Where its form is, and where it is sent.
    pub const fn path(self) -> &'static str {
        match self {
            Gate::SignIn => "/sign-in",
            Gate::Register => "/register",
        }
    }

    /// The title, and the verb on the button.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Gate::SignIn => ("Sign in", "Sign in"),
            Gate::Register => ("Create an account", "Create account"),
        }
    }

    fn fields<'a>(self, typed: &Typed<'a>) -> Vec<Field<'a>> {
        let name = Field {
            value: typed.name,
            autocomplete: "username",
            required: true,
            ..Field::default()
        };
        let password = Field {
            label: "Password",
            name: "password",
            kind: "password",
            required: true,
            ..Field::default()
        };
        match self {
            Gate::SignIn => vec![
                Field { label: "Handle or e-mail", name: "login", ..name },
                Field { autocomplete: "current-password", ..password },
            ],
            Gate::Register => vec![
                Field {
                    label: "Handle",
                    name: "handle",
                    hint: "Letters, digits, _ and dots; people find and mention you by it.",
                    ..name
                },
                Field {
                    label: "E-mail",
                    name: "email",
                    kind: "email",
                    value: typed.email,
                    autocomplete: "email",
                    required: true,
                    hint: "Only you see it.",
                },
                Field {
                    autocomplete: "new-password",
                    hint: "At least 8 characters; a sentence is better than a riddle.",
                    ..password
                },
            ],
        }
    }

    /// The page.
    pub fn page(self, shell: &Shell<'_>, typed: &Typed<'_>) -> Markup {
        let ((title, verb), fields) = (self.words(), self.fields(typed));
        let pointers: Vec<String> = fields.iter().map(Field::pointer).collect();
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        shell.page(
            &Head { title, plain: true, ..Head::default() },
            &html! {
                div .gate {
                    a .brand href="/" aria-label="Mainstay, start page" {
                        img src=(assets::url("logo.svg")) width="40" height="40" alt="";
                    }
                    h1 { (title) }
                    form .card.stack method="post" action=(self.path()) data-plain {
                        input type="hidden" name="csrf" value=(shell.csrf);
                        input type="hidden" name="return_to"
                            value=(if typed.return_to.is_empty() { "/" } else { typed.return_to });
                        (typed.errors.summary(&pointers))
                        @for field in &fields { (field.render(&typed.errors)) }
                        button .button.primary.block { (verb) }
                    }
                    div .gate-after { (self.elsewhere(typed.return_to)) }
                }
            },
        )
    }

    /// The ways on for whoever is in the wrong place.
    fn elsewhere(self, return_to: &str) -> Markup {
        let other = |gate: Gate| match return_to {
            "" | "/" => gate.path().to_owned(),
            to => format!("{}?return_to={}", gate.path(), crate::component::query_text(to)),
        };
        html! {
            @match self {
                Gate::SignIn => {
                    p { "New here? " a href=(other(Gate::Register)) { "Create an account" } }
                    p { a href="/explore" { "Look around first" } }
                }
                Gate::Register => {
                    p { "You have an account? " a href=(other(Gate::SignIn)) { "Sign in" } }
                }
            }
        }
    }
}
