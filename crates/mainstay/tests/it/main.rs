//! The program as people and scripts use it: the built executable.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod accounts_changed;
mod accounts_found;
mod audit_command;
mod board_command;
mod boards;
mod boards_admin;
mod browser;
mod command_line;
mod competitions;
mod console;
mod dashboard;
mod demo;
mod facts;
mod forms;
mod kill;
mod kill_money;
mod kill_scores;
mod pages;
mod program;
mod rules;
mod serving;
mod signing_key;
