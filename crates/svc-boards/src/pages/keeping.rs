//! What administrators and moderators of boards keep: the title of their pages, and the way between them.

use mainstay_console::{
    component::{Tab, page_head, tabs},
    shell::Shell,
};
use maud::{Markup, html};

/// One of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Rules,
    Prizes,
    Ledger,
    Bans,
    Evidence,
}

impl Kept {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Rules, "Rules"),
        (Self::Prizes, "Prizes"),
        (Self::Ledger, "Ledger"),
        (Self::Bans, "Bans"),
        (Self::Evidence, "Evidence"),
    ];

    /// Where it is.
    pub(crate) const fn href(self) -> &'static str {
        match self {
            Self::Rules => "/admin/boards/rules",
            Self::Prizes => "/admin/boards/prizes",
            Self::Ledger => "/admin/boards/ledger",
            Self::Bans => "/admin/boards/bans",
            Self::Evidence => "/admin/boards/evidence",
        }
    }
}

/// The title, and the way to the other pages that the reader may see.
pub(super) fn heading(shell: &Shell<'_>, kept: Kept, end: &Markup) -> Markup {
    let moderators = [Kept::Bans, Kept::Evidence];
    let seen = Kept::ALL.iter().filter(|(one, _)| shell.is_admin() || moderators.contains(one));
    let all: Vec<Tab<'_>> =
        seen.map(|(one, label)| Tab { label, href: one.href(), current: *one == kept }).collect();
    html! {
        (page_head("Boards admin", end))
        (tabs("Boards admin", &all))
    }
}
