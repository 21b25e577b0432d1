//! What travels with a request without being passed along: the positions that it wrote, for its consistency token.

use std::{cell::RefCell, sync::Arc};

use crate::{
    db::{Emitted, Position},
    error::Tolerate as _,
};

tokio::task_local! {
    static WRITTEN: RefCell<Vec<(&'static str, Position)>>;
}

/// Runs `work` and returns with its result the last position that it wrote in each log.
pub async fn collect_writes<T>(
    work: impl Future<Output = T>,
) -> (T, Vec<(&'static str, Position)>) {
    WRITTEN
        .scope(RefCell::new(Vec::new()), async {
            let result = work.await;
            let written = WRITTEN.with(|written| std::mem::take(&mut *written.borrow_mut()));
            (result, written)
        })
        .await
}

/// Notes the facts of a commit; outside of a request it does nothing.
pub(crate) fn wrote(schema: &'static str, facts: &[Arc<Emitted>]) {
    let Some(last) = facts.iter().map(|fact| fact.position).max() else { return };
    note(&[(schema, last)]);
}

/// Notes what was written for this request elsewhere, as [`collect_writes`] has it there; outside of a request it does
/// nothing.
pub fn note(positions: &[(&'static str, Position)]) {
    let noted = WRITTEN.try_with(|written| {
        let mut written = written.borrow_mut();
        for (schema, last) in positions {
            match written.iter_mut().find(|(name, _)| name == schema) {
                Some((_, position)) => *position = (*position).max(*last),
                None => written.push((*schema, *last)),
            }
        }
    });
    noted.tolerate("jobs and consumers write without a request; nobody waits for their token");
}
