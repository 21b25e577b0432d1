//! Values that never appear in logs.

use std::fmt;

const STARS: &str = "***";

/// Something personal that may be passed on but not written to a log: `Debug` and `Display` print stars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masked<T>(T);

impl<T> Masked<T> {
    /// Masks a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for its use; never for a log.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

impl<T> fmt::Display for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_personal_prints_as_stars() {
        let masked = Masked::new("ann@example.org");
        assert_eq!(format!("{masked} {masked:?} {:?}", Some(&masked)), "*** *** Some(***)");
        assert_eq!(*masked.reveal(), "ann@example.org");
    }
}
