//! How far the filling is: a bar on a terminal, lines elsewhere.

use std::{
    io::{self, IsTerminal as _},
    sync::{Mutex, PoisonError},
};

use svc_feed::demo::Progress;

use crate::output;

const WIDTH: usize = 30;
/// Steps of at least so many things also say each tenth of them when there is no terminal.
const LONG: u64 = 10_000;

/// Shows progress on standard error.
pub(super) struct Bar {
    terminal: bool,
    /// The step and the part of it that were shown last.
    shown: Mutex<Option<(&'static str, u64)>>,
}

impl Bar {
    pub(super) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: Mutex::new(None) }
    }

    /// Shows `at`, if it looks different from what was shown last.
    pub(super) fn show(&self, at: Progress) {
        let parts = match (self.terminal, at.total >= LONG) {
            (true, _) => 200,
            (false, true) => 10,
            (false, false) => 0,
        };
        let part = at.done * parts / at.total.max(1);
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown == Some((at.step, part)) {
            return;
        }
        *shown = Some((at.step, part));
        drop(shown);
        let Progress { step, done, total } = at;
        if self.terminal {
            let filled = (at.done as usize * WIDTH / at.total.max(1) as usize).min(WIDTH);
            let bar = format!("{}{}", "█".repeat(filled), "░".repeat(WIDTH - filled));
            output::overwrite(&format!("{bar} {step} {done} of {total}"));
        } else if parts == 0 {
            output::error(&format!("making {step} ({total})"));
        } else {
            output::error(&format!("making {step}: {done} of {total}"));
        }
    }

    /// Clears the bar.
    pub(super) fn end(&self) {
        if self.terminal {
            output::overwrite("");
        }
    }
}
