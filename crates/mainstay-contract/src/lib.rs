//! What services tell each other: facts, and the plain values that facts are made of.
//!
//! Reading order: [`id`] (typed identifiers), [`ts`] (instants), then one module for each service's facts.
//!
//! **Invariant:** data only. No clock, file, socket or async here, so that any program may read a fact.
//! A fact that was released is never changed; a new shape is a new `…V2` type, and golden files keep the old one
//! readable.

/// Declares the facts of a service: each struct, its name and its serde form; and a way to visit all of them.
macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident = $fact:literal { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            pub struct $name { $($(#[$fdoc])* pub $field: $ty),* }
            impl $crate::Fact for $name { const NAME: &'static str = $fact; }
        )*

        /// Visits each fact of this module.
        pub fn visit_facts(visit: &mut impl $crate::Visit) { $(visit.fact::<$name>();)* }
    };
}

pub mod id;
pub mod ts;

pub mod account;
pub mod boards;
pub mod feed;

/// A fact's payload: what happened, in the past tense, with a name that never changes meaning.
///
/// `NAME` is `service.what_happened.vN`; consumers subscribe by it and dead letters show it.
pub trait Fact: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The stable name, such as `feed.post_liked.v1`.
    const NAME: &'static str;
}

/// Something that is done with each fact.
pub trait Visit {
    /// Does it with this one.
    fn fact<F: Fact>(&mut self);
}

/// Visits each fact of every service once.
pub fn visit_facts(visit: &mut impl Visit) {
    account::visit_facts(visit);
    boards::visit_facts(visit);
    feed::visit_facts(visit);
}
