//! What was reported or decided about, as moderators see it: whatever its state.

use std::collections::HashMap;

use mainstay_contract::id::{CommentId, PostId, UserId};
use mainstay_core::db::Tx;

use crate::{
    error::Error,
    model::{
        comment_state, post_state,
        target::{Target, comment_status, person_status, post_status},
    },
    service::{cards, comments},
    store,
    view::{CommentView, PersonView, PostView},
};

/// Posts, comments and people with their states.
pub(super) struct Targets {
    posts: HashMap<PostId, (PostView, i64)>,
    comments: HashMap<CommentId, (CommentView, i64)>,
    people: HashMap<UserId, (PersonView, bool)>,
}

/// One of them.
pub(super) struct Shown {
    pub(super) post: Option<Box<PostView>>,
    pub(super) comment: Option<CommentView>,
    /// The person, or who wrote it.
    pub(super) person: PersonView,
    /// `visible`, `hidden`, `removed` or `suspended`.
    pub(super) status: &'static str,
    /// Whether a moderator can take a decision about it back.
    pub(super) restorable: bool,
}

impl Targets {
    /// Reads `targets`, TypeIDs of posts, comments and people, and `people` besides.
    pub(super) async fn load(
        tx: &mut Tx,
        targets: &[String],
        people: &[UserId],
        moderator: UserId,
    ) -> Result<Self, Error> {
        let (mut posts, mut ids, mut people) = (Vec::new(), Vec::new(), people.to_vec());
        for target in targets.iter().filter_map(|text| text.parse().ok()) {
            match target {
                Target::Post(post) => posts.push(post),
                Target::Comment(comment) => ids.push(comment),
                Target::Person(person) => people.push(person),
            }
        }
        people.sort_unstable();
        people.dedup();
        // From here also where others fetch them elsewhere: what is about to be hidden is looked at as it is kept.
        let posts = cards::load(tx, &posts, "").await?.into_iter();
        let rows = store::moderation::comments(tx, &ids).await?;
        let states: HashMap<CommentId, i64> = rows.iter().map(|row| (row.id, row.state)).collect();
        let comments = comments::views(tx, &rows, Some(moderator)).await?.into_iter();
        let suspended: HashMap<UserId, bool> = store::people::persons(tx, &people)
            .await?
            .into_iter()
            .map(|row| (row.id, row.suspended))
            .collect();
        let people = cards::people(tx, &people).await?.into_iter();
        Ok(Self {
            posts: posts.map(|card| (card.id(), (card.view(false), card.sight.state))).collect(),
            comments: comments
                .filter_map(|view| states.get(&view.id).map(|state| (view.id, (view, *state))))
                .collect(),
            people: people
                .map(|(id, view)| (id, (view, suspended.get(&id).copied().unwrap_or_default())))
                .collect(),
        })
    }

    /// The person, if they were read.
    pub(super) fn person(&self, user: UserId) -> Option<PersonView> {
        self.people.get(&user).map(|(view, _)| view.clone())
    }

    /// The target; `None` if it is gone for good.
    pub(super) fn shown(&self, target: &str) -> Option<Shown> {
        Some(match target.parse().ok()? {
            Target::Post(post) => {
                let (view, state) = self.posts.get(&post)?.clone();
                Shown {
                    person: view.author.clone(),
                    post: Some(Box::new(view)),
                    comment: None,
                    status: post_status(state),
                    restorable: post_state::may_return(state),
                }
            }
            Target::Comment(comment) => {
                let (view, state) = self.comments.get(&comment)?.clone();
                Shown {
                    person: view.author.clone(),
                    post: None,
                    comment: Some(view),
                    status: comment_status(state),
                    restorable: comment_state::may_return(state),
                }
            }
            Target::Person(person) => {
                let (view, suspended) = self.people.get(&person)?.clone();
                Shown {
                    person: view,
                    post: None,
                    comment: None,
                    status: person_status(suspended),
                    restorable: suspended,
                }
            }
        })
    }
}
