//! Whether somebody still sees a post that they watch.

use std::sync::{Mutex, OnceLock, PoisonError};

use mainstay_contract::{
    feed::{PostEditedV1, PostVisibilityChangedV1, ProfileChangedV1, RelationChangedV1},
    id::UserId,
};

use crate::model::{Sight, post_state, visibility_number};

/// How a viewer stands to a post: as it was read when they began to watch, and what facts have changed since. Facts are
/// taken before the reading is known, so what changes in between is in the one or the other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    viewer: Option<UserId>,
    read: OnceLock<Sight>,
    changed: Mutex<Changed>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Changed {
    state: Option<i64>,
    visibility: Option<i64>,
    private: Option<bool>,
    suspended: Option<bool>,
    follows: Option<bool>,
    viewer_blocks: Option<bool>,
    author_blocks: Option<bool>,
}

impl Changed {
    fn over(self, read: Sight) -> Sight {
        let blocked = match (self.viewer_blocks, self.author_blocks) {
            (None, None) => read.blocked,
            (viewer, author) => viewer == Some(true) || author == Some(true),
        };
        Sight {
            state: self.state.unwrap_or(read.state),
            visibility: self.visibility.unwrap_or(read.visibility),
            author_private: self.private.unwrap_or(read.author_private),
            author_suspended: self.suspended.unwrap_or(read.author_suspended),
            follows: self.follows.unwrap_or(read.follows),
            blocked,
            ..read
        }
    }
}

impl Watch {
    /// A watch of `viewer`, who sees nothing until it is said what was read.
    pub(super) fn of(viewer: Option<UserId>) -> Self {
        Self { viewer, ..Self::default() }
    }

    /// Says what was read after the watch had begun to take facts.
    pub(super) fn begin(&self, read: Sight) {
        self.read.get_or_init(|| read);
    }

    /// Whether the viewer sees the post now.
    pub(super) fn sees(&self) -> bool {
        self.now().is_some_and(|sight| sight.visible_to(self.viewer))
    }

    /// Whether they would see it if it were published: then they may learn that it is not any more.
    pub(super) fn saw(&self) -> bool {
        let sight = self.now().map(|sight| Sight { state: post_state::PUBLISHED, ..sight });
        sight.is_some_and(|sight| sight.visible_to(self.viewer))
    }

    fn now(&self) -> Option<Sight> {
        let changed = *self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        self.read.get().map(|read| changed.over(*read))
    }

    fn change(&self, change: impl FnOnce(&mut Changed)) {
        change(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The post was changed.
    pub(super) fn edited(&self, fact: &PostEditedV1) {
        self.change(|changed| changed.visibility = Some(visibility_number(fact.visibility)));
    }

    /// The post was taken away or given back. Which of the ways it was taken makes no difference: there is nothing to
    /// tell of it then.
    pub(super) fn shown(&self, fact: &PostVisibilityChangedV1) {
        let state = if fact.shown { post_state::PUBLISHED } else { post_state::HIDDEN };
        self.change(|changed| {
            changed.state = Some(state);
            changed.visibility = Some(visibility_number(fact.visibility));
        });
    }

    /// The author's account was closed or opened.
    pub(super) fn author_changed(&self, fact: &ProfileChangedV1) {
        self.change(|changed| {
            changed.private = Some(fact.private);
            changed.suspended = Some(fact.suspended);
        });
    }

    /// The author of the post, or somebody, stands to the other in a new way.
    pub(super) fn related(&self, author: UserId, fact: &RelationChangedV1) {
        if fact.target == author && self.viewer == Some(fact.user) {
            self.change(|changed| {
                changed.follows = Some(fact.follows);
                changed.viewer_blocks = Some(fact.blocks);
            });
        } else if fact.user == author && self.viewer == Some(fact.target) {
            self.change(|changed| changed.author_blocks = Some(fact.blocks));
        }
    }
}
