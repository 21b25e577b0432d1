//! Rules.

use mainstay_core::statements;

statements! {}
