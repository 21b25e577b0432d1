//! The console's shell: one layout, one set of components and the files that a browser needs.
//!
//! Reading order: [`shell`] (the page around a service's content), [`component`] and [`form`] (its parts),
//! [`mod@format`] (numbers and times in words), [`account`], [`audit`] and [`fault`] (pages that belong to no service),
//! [`assets`]; then [`visit`] (from a request to its shell, and from markup to a response) and [`web`] (the console's
//! own routes).
//!
//! **Invariants:** the shell knows no service by name: a service hands in its [`shell::NavItem`]s and its markup, and
//! the script acts on `data-…` attributes. No inline script, style or handler anywhere: the content security
//! policy is `default-src 'self'`. Every act is a link or a form first.

pub mod shell;

pub mod component;
pub mod form;
pub mod format;

pub mod account;
pub mod audit;
pub mod fault;

pub mod assets;

pub mod visit;
pub mod web;
