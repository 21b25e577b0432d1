//! Who listens, by what they listen to. An entry goes with its last listener.

use std::{
    collections::HashMap,
    hash::Hash,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// What is known of each listener, to be changed by facts.
pub(super) struct Listeners<K, T>(Arc<Mutex<HashMap<K, Vec<Weak<T>>>>>);

/// A listener's place; held by the filter of its topic, and given back with it.
pub(super) struct Listening<K: Eq + Hash, T> {
    of: Listeners<K, T>,
    key: K,
    state: Arc<T>,
}

impl<K, T> Default for Listeners<K, T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash, T> Listeners<K, T> {
    /// From now on facts about `key` reach `state`.
    pub(super) fn add(&self, key: K, state: Arc<T>) -> Listening<K, T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_default().push(Arc::downgrade(&state));
        Listening { of: Self(self.0.clone()), key, state }
    }

    /// Those who listen to `key`.
    pub(super) fn of(&self, key: K) -> Vec<Arc<T>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&key).into_iter().flatten().filter_map(Weak::upgrade).collect()
    }

    /// How many keys somebody listens to.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<K: Eq + Hash, T> Deref for Listening<K, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<K: Eq + Hash, T> Drop for Listening<K, T> {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listeners) = all.get_mut(&self.key) {
            listeners.retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(&self.state)));
            if listeners.is_empty() {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_who_has_gone() {
        let listeners = Listeners::<u8, &str>::default();
        let (first, second) = (listeners.add(1, Arc::new("a")), listeners.add(1, Arc::new("b")));
        assert_eq!(listeners.of(1).len(), 2);
        drop(first);
        assert_eq!(listeners.of(1), [Arc::new("b")]);
        drop(second);
        assert_eq!((listeners.of(1).len(), listeners.len()), (0, 0));
    }
}
