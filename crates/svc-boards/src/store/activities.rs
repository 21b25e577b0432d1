//! People's activity.

use mainstay_core::statements;

statements! {}
