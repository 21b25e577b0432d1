//! Pages that many read: until the ranking changes, what was shown to one is shown to the next.

use mainstay_contract::ts::Ts;

use super::FROZEN_S;
use crate::service::entries::EntriesPage;

/// Pages of one ranking that are kept.
const PAGES_MAX: usize = 4;
/// Bytes of a page's entries that is kept.
const PAGE_BYTES_MAX: usize = 64 << 10;

/// Which page of a ranking as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The list that its cursor goes on with: what names the same page in other words has another one.
    pub(crate) list: String,
    /// The first place, from 0.
    pub(crate) first: u64,
    /// The most entries.
    pub(crate) len: usize,
}

struct Page {
    asked: Asked,
    since: Ts,
    shown: EntriesPage,
}

/// Pages of one version of a ranking.
#[derive(Default)]
pub(super) struct ShownPages {
    version: u64,
    pages: Vec<Page>,
}

impl ShownPages {
    /// A page of this version that is young enough that its reader can go on with the next one.
    pub(super) fn get(&self, version: u64, asked: &Asked, now: Ts) -> Option<EntriesPage> {
        if self.version != version {
            return None;
        }
        let young = now.plus_s(-FROZEN_S / 2);
        let fits = |page: &&Page| page.asked == *asked && page.since >= young;
        self.pages.iter().find(fits).map(|page| page.shown.clone())
    }

    /// Keeps a page of this version. The oldest one goes if there are too many.
    pub(super) fn keep(&mut self, version: u64, asked: Asked, shown: &EntriesPage, now: Ts) {
        let small = shown.items.text().is_ok_and(|text| text.get().len() <= PAGE_BYTES_MAX);
        if !small {
            return;
        }
        if self.version != version {
            *self = Self { version, pages: Vec::new() };
        }
        self.pages.retain(|page| page.asked != asked);
        if self.pages.len() >= PAGES_MAX {
            self.pages.remove(0);
        }
        self.pages.push(Page { asked, since: now, shown: shown.clone() });
    }
}
