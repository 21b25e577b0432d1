//! What services tell each other: facts, and the plain values that facts are made of.
//!
//! Reading order: [`id`] (typed identifiers), [`ts`] (instants), then one module for each service's facts.
//!
//! **Invariant:** data only. No clock, file, socket or async here, so that any program may read a fact.
//! A fact that was released is never changed; a new shape is a new `…V2` type, and golden files keep the old one
//! readable.

pub mod id;
pub mod ts;

pub mod account;
pub mod feed;

/// A fact's payload: what happened, in the past tense, with a name that never changes meaning.
///
/// `NAME` is `service.what_happened.vN`; consumers subscribe by it and dead letters show it.
pub trait Fact: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The stable name, such as `feed.post_liked.v1`.
    const NAME: &'static str;
}
