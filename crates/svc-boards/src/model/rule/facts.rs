//! The facts that rules can be about, and what stands in them.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use mainstay_contract::{Fact, Visit, boards::ScoresRecordedV1};
use serde::{
    Deserializer,
    de::{self, Visitor},
    forward_to_deserialize_any,
};

/// The services whose facts rules can be about.
pub const SOURCES: [&str; 3] = ["feed", "boards", "core"];

/// The service that tells the facts of this name.
pub fn source_of(fact: &str) -> &str {
    fact.split('.').next().unwrap_or_default()
}

/// The facts of a service that a rule can be about; none of a service that rules do not know.
pub fn facts_of(source: &str) -> &'static [&'static str] {
    static BY_SOURCE: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let of = |source| FACTS.keys().copied().filter(|fact| source_of(fact) == source).collect();
        SOURCES.into_iter().map(|source| (source, of(source))).collect()
    });
    BY_SOURCE.get(source).map_or(&[], Vec::as_slice)
}

/// The fields of a fact that a rule can be about.
pub(super) fn fields_of(fact: &str) -> Option<&'static [&'static str]> {
    FACTS.get(fact).copied()
}

/// Every fact with its fields. The scores themselves are not among them: a rule would hear its own.
static FACTS: LazyLock<BTreeMap<&'static str, &'static [&'static str]>> = LazyLock::new(|| {
    let mut facts = Facts::default();
    mainstay_contract::visit_facts(&mut facts);
    facts.0.remove(ScoresRecordedV1::NAME);
    facts.0
});

#[derive(Default)]
struct Facts(BTreeMap<&'static str, &'static [&'static str]>);

impl Visit for Facts {
    fn fact<F: Fact>(&mut self) {
        let mut fields: &'static [&'static str] = &[];
        // Reading ends at once, with the names of what would have been read.
        drop(F::deserialize(Names(&mut fields)));
        self.0.insert(F::NAME, fields);
    }
}

/// Holds nothing that could be read; notes which fields a type looks for.
struct Names<'a>(&'a mut &'static [&'static str]);

#[derive(Debug)]
struct Nothing;

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to read")
    }
}

impl std::error::Error for Nothing {}

impl de::Error for Nothing {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Nothing;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use super::*;

    #[test]
    fn the_fields_of_every_fact_are_known() {
        for (fact, fields) in FACTS.iter() {
            assert!(!fields.is_empty(), "{fact}");
        }
        let liked = fields_of("feed.post_liked.v1").unwrap();
        assert!(liked.contains(&"author") && liked.contains(&"user"), "{liked:?}");
        assert_eq!(fields_of(ScoresRecordedV1::NAME), None);
    }
}
