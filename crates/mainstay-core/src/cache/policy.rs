//! What a class promises about age and size.

/// How far behind the log an instance may be and still answer from memory, and what happens beyond that.
///
/// The bound is the time since the last complete poll of the log. Within it a value that no applied fact has
/// outdated is served by all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staleness {
    /// Beyond the bound the database is asked; if it does not answer, the caller gets the error. For rights.
    Strict {
        /// The bound in milliseconds.
        within_ms: u32,
    },
    /// Beyond the bound the database is asked; if it does not answer, a value that could merely not be confirmed is
    /// served and marked stale. One that is known to be outdated never is.
    Bounded {
        /// The bound in milliseconds.
        within_ms: u32,
    },
    /// Beyond the bound the value is served and marked stale without asking. If the database does not answer, even a
    /// value known to be outdated is, until its hard lifetime ends. For what is better old than missing.
    FailSafe {
        /// The bound in milliseconds.
        within_ms: u32,
    },
}

impl Staleness {
    pub(super) fn within_us(self) -> i64 {
        let (Self::Strict { within_ms }
        | Self::Bounded { within_ms }
        | Self::FailSafe { within_ms }) = self;
        i64::from(within_ms) * 1_000
    }
}

/// The settings of one class of entries.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Stable lower-case name: metric label and part of second-level keys. A value's shape is part of its meaning,
    /// so a class whose encoding changes takes a new name (`post_2`).
    pub name: &'static str,
    /// Memory for entries, in bytes as the class's weigher counts them. An entry that outweighs one shard of it is
    /// not kept.
    pub capacity_bytes: u64,
    /// Entries expected when full; sizes the tables, limits nothing.
    pub items: usize,
    /// After 90–100 % of this age one caller loads anew while the others are still served from memory.
    pub soft_ttl_ms: u32,
    /// After this age an entry is never served.
    pub hard_ttl_ms: u32,
    /// Hard lifetime of the knowledge that something does not exist.
    pub negative_ttl_ms: u32,
    /// What the class does when the log cannot be followed.
    pub staleness: Staleness,
    /// How long another instance's load is waited for before this one loads too. Only with a second level.
    pub lease_ms: u32,
}

impl Policy {
    /// Settings that suit records shown to people: 16 MiB, refreshed after a minute, gone after ten, two seconds
    /// behind the log at most.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            capacity_bytes: 16 << 20,
            items: 16_384,
            soft_ttl_ms: 60_000,
            hard_ttl_ms: 600_000,
            negative_ttl_ms: 10_000,
            staleness: Staleness::Bounded { within_ms: 2_000 },
            lease_ms: 1_000,
        }
    }
}
