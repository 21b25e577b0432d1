//! Fields with their errors beside them, from the same JSON pointers as the API's.

use mainstay_core::error::Problem;
use maud::{Markup, html};

use crate::component::icon;

/// What was wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Which: a JSON pointer into the API's body, such as `/caption`; empty for the form as a whole.
    pub pointer: String,
    /// A sentence that says what to do.
    pub detail: String,
}

/// The errors of one form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormErrors(pub Vec<FieldError>);

impl FormErrors {
    /// What a problem says of a form: its faults, or its detail for the form as a whole.
    pub fn of(problem: &Problem) -> Self {
        if problem.faults.is_empty() {
            let detail = problem.detail.to_string();
            return Self(vec![FieldError { pointer: String::new(), detail }]);
        }
        let faults = problem.faults.iter();
        let errors = faults.map(|fault| FieldError {
            pointer: fault.pointer.to_string(),
            detail: fault.detail.clone(),
        });
        Self(errors.collect())
    }

    /// The first error of the field at `pointer`.
    pub fn at(&self, pointer: &str) -> Option<&str> {
        self.0.iter().find(|error| error.pointer == pointer).map(|error| error.detail.as_str())
    }

    /// A box with the errors that no field of the form shows; `shown` are the pointers that have a field.
    pub fn summary(&self, shown: &[&str]) -> Markup {
        let rest: Vec<_> =
            self.0.iter().filter(|error| !shown.contains(&error.pointer.as_str())).collect();
        html! {
            @if !rest.is_empty() {
                div .notice.danger role="alert" {
                    (icon("triangle-alert"))
                    div { @for error in rest { p { (error.detail) } } }
                }
            }
        }
    }
}

/// A one-line field.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// What it is called; shown above.
    pub label: &'a str,
    /// The name in the form.
    pub name: &'a str,
    /// `text`, `email`, `password`…
    pub kind: &'a str,
    /// What was typed; never given back for passwords.
    pub value: &'a str,
    /// A short help under the field.
    pub hint: &'a str,
    /// For the browser's help, such as `username`; empty for none.
    pub autocomplete: &'a str,
    /// Whether it must be filled.
    pub required: bool,
}

impl Default for Field<'_> {
    fn default() -> Self {
        Self {
            label: "",
            name: "",
            kind: "text",
            value: "",
            hint: "",
            autocomplete: "off",
            required: false,
        }
    }
}

impl Field<'_> {
    /// The pointer of its errors: `/name`.
    pub fn pointer(&self) -> String {
        format!("/{}", self.name)
    }

    /// The label, the field, its hint and its error (of the pointer `/name`).
    pub fn render(&self, errors: &FormErrors) -> Markup {
        let error = errors.at(&self.pointer());
        let described = described_by(self.name, !self.hint.is_empty(), error.is_some());
        html! {
            div .field .bad[error.is_some()] {
                label for=(format!("f-{}", self.name)) { (self.label) }
                @if self.kind == "password" {
                    div .reveal {
                        (self.input(error, described))
                        button .icon-button.with-script type="button" aria-pressed="false" data-reveal
                            aria-label=(format!("Show: {}", self.label)) { (icon("eye")) }
                    }
                } @else { (self.input(error, described)) }
                (hint_and_error(self.name, self.hint, error))
            }
        }
    }

    fn input(&self, error: Option<&str>, described: Option<String>) -> Markup {
        let value = (!self.value.is_empty() && self.kind != "password").then_some(self.value);
        html! {
            input .input id=(format!("f-{}", self.name)) name=(self.name) type=(self.kind)
                value=[value] autocomplete=(self.autocomplete) required[self.required]
                dir=[(self.kind == "text").then_some("auto")]
                autocapitalize=[(self.autocomplete == "username").then_some("none")]
                spellcheck=[(self.kind == "password").then_some("false")]
                aria-invalid=[error.map(|_| "true")] aria-describedby=[described];
        }
    }
}

/// A field of several lines, with a counter when `limit` is given (Unicode scalar values).
#[derive(Debug, Clone, Copy)]
pub struct Area<'a> {
    /// What it is called.
    pub label: &'a str,
    /// Whether only readers without sight are told the label.
    pub label_hidden: bool,
    /// The name in the form.
    pub name: &'a str,
    /// The field's id, unique on the page.
    pub id: &'a str,
    /// What was typed.
    pub value: &'a str,
    /// Shown while it is empty.
    pub placeholder: &'a str,
    /// Lines shown at first; it grows.
    pub rows: u8,
    /// The most characters.
    pub limit: Option<u32>,
}

impl Area<'_> {
    /// The label, the field, its counter and its error (of the pointer `/name`).
    pub fn render(&self, errors: &FormErrors) -> Markup {
        let error = errors.at(&format!("/{}", self.name));
        let count = self.limit.map(|limit| (self.value.chars().count(), limit));
        html! {
            div .field .bad[error.is_some()] {
                label .sr-only[self.label_hidden] for=(self.id) { (self.label) }
                textarea .input.area id=(self.id) name=(self.name) rows=(self.rows) dir="auto"
                    placeholder=(self.placeholder) data-grow data-count=[self.limit]
                    aria-invalid=[error.map(|_| "true")]
                    aria-describedby=[described_by(self.id, self.limit.is_some(), error.is_some())]
                    { (self.value) }
                @if let Some((typed, limit)) = count {
                    p .hint.counter #(format!("{}-hint", self.id)) {
                        span data-counter {
                            (crate::format::grouped(i64::try_from(typed).unwrap_or(i64::MAX)))
                        }
                        " of " (crate::format::grouped(i64::from(limit))) " characters"
                    }
                }
                (error_line(self.id, error))
            }
        }
    }
}

fn described_by(id: &str, hint: bool, error: bool) -> Option<String> {
    match (hint, error) {
        (false, false) => None,
        (true, false) => Some(format!("{id}-hint")),
        (false, true) => Some(format!("{id}-error")),
        (true, true) => Some(format!("{id}-hint {id}-error")),
    }
}

fn hint_and_error(id: &str, hint: &str, error: Option<&str>) -> Markup {
    html! {
        @if !hint.is_empty() { p .hint #(format!("{id}-hint")) { (hint) } }
        (error_line(id, error))
    }
}

/// The line under a field that says what to do.
pub fn error_line(id: &str, error: Option<&str>) -> Markup {
    html! {
        @if let Some(error) = error {
            p .field-error #(format!("{id}-error")) {
                (icon("triangle-alert")) (error)
            }
        }
    }
}
