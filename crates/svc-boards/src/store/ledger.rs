//! The ledger.

use mainstay_core::statements;

statements! {}
