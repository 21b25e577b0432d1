//! Competitions.

use mainstay_core::statements;

statements! {}
