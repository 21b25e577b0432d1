//! Reports, the moderators' queue, and what moderators do.
//!
//! An act, the resolution of the reports, what is kept of the decision and the entry in the audit log are one
//! transaction.

mod decided;
mod shown;

use std::collections::HashMap;

use mainstay_contract::{
    feed::PersonSuspendedV1,
    id::{CommentId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    audit::{self, Entry},
    auth::{Caller, Role},
    db::{Once, Tx},
    error::{Faults, Problem},
    ids, params,
};
use serde::{Deserialize, Serialize};

use self::shown::Targets;
use super::{Feed, comments::set_comment_state, likes::visible, posts::set_post_state, profiles};
use crate::{
    error::Error,
    model::{
        REASON_CHARS_MAX, comment_state, post_state,
        rank::Weights,
        target::{Act, Target, comment_status, person_status, post_status},
        text,
    },
    store::{
        self,
        moderation::{DecisionRow, NewReport, QueuePlace, QueuedRow},
    },
    view::{Page, ReportedView},
};

mainstay_contract::define_id!(
    /// A report.
    ReportKind => ReportId, "report"
);

/// Reasons of one target that the queue shows.
const REASONS_SHOWN: i64 = 5;

/// Something to be reported.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReportBody {
    /// The id of a post, a comment or a person.
    pub(crate) target: String,
    /// What is wrong with it, 1 to 500 characters.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) reason: String,
}

/// A report that waits for a moderator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct ReportView {
    /// The report.
    pub(crate) id: ReportId,
    /// What was reported.
    pub(crate) target: String,
    /// When.
    pub(crate) created_at: Ts,
}

/// What a moderator does.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActBody {
    /// The id of a post, a comment or a person.
    pub(crate) target: String,
    /// `hide`, `restore` and `remove` for posts and comments; `suspend`, `unsuspend` and `restore` for people.
    pub(crate) action: Act,
    /// Why, 1 to 500 characters; kept in the audit log.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) reason: String,
}

/// How a target stands after an act.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct ActedView {
    /// What was acted on.
    pub(crate) target: String,
    /// `visible`, `hidden`, `removed` or `suspended`.
    pub(crate) status: String,
}

/// An act with everything that its transaction needs.
#[derive(Clone)]
struct Acting {
    moderator: UserId,
    act: Act,
    reason: String,
    origin: String,
    weights: Weights,
}

impl Feed {
    /// Reports a post, a comment or a person that the caller can see. A repeat while the first waits is the same
    /// report.
    ///
    /// # Errors
    /// `NotFound` for what the caller cannot see; `Invalid` for the reason, or one's own things.
    pub(crate) async fn report(
        &self,
        caller: &Caller,
        new: NewReportBody,
        once: Option<Once>,
    ) -> Result<ReportView, Error> {
        let user = caller.user;
        let (target, reason) = checked(&new.target, &new.reason)?;
        self.db()
            .write_once(once, move |tx| {
                let reason = reason.clone();
                Box::pin(async move {
                    let person = seen_target(tx, target, user).await?;
                    if person == user {
                        let detail = "Report what others wrote; your own you can delete.";
                        return Err(Error::invalid("/target", "oneself", detail));
                    }
                    let now = tx.now();
                    let text = target.to_string();
                    let new = NewReport {
                        id: ids::new_id(now),
                        reporter: user,
                        target: &text,
                        person,
                        reason: &reason,
                    };
                    let row = store::moderation::report(tx, &new, now).await?;
                    Ok(ReportView { id: row.id, target: row.target, created_at: row.created_at })
                })
            })
            .await
    }

    /// What was reported and waits, the oldest first.
    ///
    /// # Errors
    /// A bad cursor.
    pub(crate) async fn moderation_queue(
        &self,
        moderator: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<ReportedView>, Error> {
        let list = "moderation queue";
        let from = match cursor {
            Some(cursor) => self.inner.cursors.open(list, cursor)?,
            None => QueuePlace::FIRST,
        };
        let mut tx = self.db().read().await?;
        let mut rows = store::moderation::queue(&mut tx, &from, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| {
            let place = QueuePlace { first_at: last.first_at, target: last.target.clone() };
            self.inner.cursors.seal(list, &place)
        });
        let texts: Vec<String> = rows.iter().map(|row| row.target.clone()).collect();
        let mut reasons: HashMap<String, Vec<String>> = HashMap::new();
        for (target, reason) in store::moderation::reasons(&mut tx, &texts, REASONS_SHOWN).await? {
            reasons.entry(target).or_default().push(reason);
        }
        let targets = Targets::load(&mut tx, &texts, &[], moderator).await?;
        let items = rows.into_iter().filter_map(|row| {
            let reasons = reasons.remove(&row.target).unwrap_or_default();
            reported(&targets, row, reasons)
        });
        Ok(Page { items: items.collect(), next_cursor })
    }

    /// Hides, restores or removes a post or comment, or suspends a person or lifts it; resolves the reports of it, and
    /// writes the audit log, in one transaction. An act that changes nothing resolves the reports and is audited too.
    ///
    /// # Errors
    /// `NotFound` if there is no such thing; `Invalid` for an act that is not for it; `Forbidden` towards oneself and
    /// administrators; `Conflict` for what its author deleted or never published.
    pub(crate) async fn moderate(
        &self,
        caller: &Caller,
        body: ActBody,
        origin: String,
        once: Option<Once>,
    ) -> Result<ActedView, Error> {
        let (target, reason) = checked(&body.target, &body.reason)?;
        let person = self.person_behind(target).await?;
        if person == caller.user {
            return Err(Error::Forbidden("Another moderator has to decide about you."));
        }
        let account = self.inner.auth.find(person).await.map_err(Problem::from)?;
        if account.is_some_and(|account| account.role == Role::Admin) {
            return Err(Error::Forbidden("Moderators cannot act on administrators."));
        }
        let weights = self.inner.config.weights;
        let acting = Acting { moderator: caller.user, act: body.action, reason, origin, weights };
        match target {
            Target::Post(post) => self.act_on_post(post, acting, once).await,
            Target::Comment(comment) => self.act_on_comment(comment, acting, once).await,
            Target::Person(person) => self.act_on_person(person, acting, once).await,
        }
    }

    /// The person, or who wrote the thing.
    async fn person_behind(&self, target: Target) -> Result<UserId, Error> {
        let mut tx = self.db().read().await?;
        let person = match target {
            Target::Post(post) => {
                store::posts::held(&mut tx, post, None).await?.map(|held| held.sight.author)
            }
            Target::Comment(comment) => {
                store::comments::get(&mut tx, comment).await?.map(|row| row.author)
            }
            Target::Person(person) => {
                store::profiles::get(&mut tx, person).await?.map(|row| row.id)
            }
        };
        person.ok_or(Error::NotFound)
    }

    async fn act_on_post(
        &self,
        post: PostId,
        acting: Acting,
        once: Option<Once>,
    ) -> Result<ActedView, Error> {
        let state = acting.act.post_state().ok_or_else(not_for_this)?;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                let acting = acting.clone();
                Box::pin(async move {
                    let held = store::posts::held(tx, post, None).await?.ok_or(Error::NotFound)?;
                    let was = held.sight.state;
                    if was < post_state::PUBLISHED {
                        return Err(Error::NotFound);
                    }
                    if was == post_state::DELETED && state == post_state::PUBLISHED {
                        return Err(Error::Conflict("Its author has deleted this post."));
                    }
                    let changes = was != state && was != post_state::DELETED;
                    if changes {
                        set_post_state(tx, &held, state, &acting.weights).await?;
                    }
                    let is = if changes { state } else { was };
                    let target = Target::Post(post);
                    let stands = post_state::may_return(is);
                    finish(tx, target, &acting, (post_status(was), post_status(is)), stands).await
                })
            })
            .await
    }

    async fn act_on_comment(
        &self,
        comment: CommentId,
        acting: Acting,
        once: Option<Once>,
    ) -> Result<ActedView, Error> {
        let state = acting.act.comment_state().ok_or_else(not_for_this)?;
        let post = self.post_of(comment).await?;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                let acting = acting.clone();
                Box::pin(async move {
                    let row = store::comments::get(tx, comment).await?.ok_or(Error::NotFound)?;
                    let held = store::posts::held(tx, post, None).await?.ok_or(Error::NotFound)?;
                    let was = row.state;
                    if was == comment_state::DELETED && state == comment_state::SHOWN {
                        return Err(Error::Conflict("This comment was deleted."));
                    }
                    let changes = was != state && was != comment_state::DELETED;
                    if changes {
                        set_comment_state(tx, &row, &held, state, &acting.weights).await?;
                    }
                    let is = if changes { state } else { was };
                    let target = Target::Comment(comment);
                    let stands = comment_state::may_return(is);
                    finish(tx, target, &acting, (comment_status(was), comment_status(is)), stands)
                        .await
                })
            })
            .await
    }

    async fn act_on_person(
        &self,
        person: UserId,
        acting: Acting,
        once: Option<Once>,
    ) -> Result<ActedView, Error> {
        let suspended = acting.act.suspends().ok_or_else(not_for_this)?;
        let locked = vec![person];
        self.db()
            .write_locking(&store::relations::LOCK, params![locked], once, move |tx| {
                let acting = acting.clone();
                Box::pin(async move {
                    let row = store::profiles::get(tx, person).await?.ok_or(Error::NotFound)?;
                    if profiles::set_suspended(tx, person, suspended).await? {
                        let version = store::profiles::acted(tx, person).await?;
                        let fact = PersonSuspendedV1 { user: person, suspended, version };
                        tx.emit(&fact, &[super::tags::profile(person)]).await?;
                    }
                    let change = (person_status(row.suspended), person_status(suspended));
                    finish(tx, Target::Person(person), &acting, change, suspended).await
                })
            })
            .await
    }
}

/// Resolves the reports of the target, keeps the decision while it `stands` and can be taken back, and writes the audit
/// log.
async fn finish(
    tx: &mut Tx,
    target: Target,
    acting: &Acting,
    (was, is): (&'static str, &'static str),
    stands: bool,
) -> Result<ActedView, Error> {
    let (now, target) = (tx.now(), target.to_string());
    let resolved = store::moderation::resolve(tx, &target, now).await?;
    if stands {
        let decision = DecisionRow {
            target: target.clone(),
            action: acting.act.name().to_owned(),
            moderator: acting.moderator,
            reason: acting.reason.clone(),
            decided_at: now,
        };
        store::moderation::decide(tx, &decision).await?;
    } else {
        store::moderation::undecide(tx, &target).await?;
    }
    let entry = Entry {
        actor: acting.moderator.to_string(),
        action: acting.act.audited(),
        target: target.clone(),
        detail: serde_json::json!({
            "reason": acting.reason, "was": was, "is": is, "reports_resolved": resolved,
        }),
        origin: acting.origin.clone(),
    };
    audit::append(tx, &entry).await?;
    Ok(ActedView { target, status: is.to_owned() })
}

fn not_for_this() -> Error {
    Error::invalid(
        "/action",
        "not_for_target",
        "Posts and comments are hidden, restored or removed; people are suspended or unsuspended.",
    )
}

/// The target and the reason of a report or an act.
fn checked(target: &str, reason: &str) -> Result<(Target, String), Error> {
    let mut faults = Faults::default();
    let target = target.parse::<Target>();
    faults.check(target.is_ok(), "/target", "malformed", || {
        "Send the id of a post, a comment or a person.".into()
    });
    let reason = text::tidy(reason);
    let chars = reason.chars().count();
    faults.check(chars > 0, "/reason", "required", || "Say why.".into());
    faults.check(chars <= REASON_CHARS_MAX, "/reason", "too_long", || {
        format!("A reason has at most {REASON_CHARS_MAX} characters; this has {chars}.")
    });
    match target {
        Ok(target) if faults.is_empty() => Ok((target, reason)),
        _ => Err(Error::Invalid(faults.into_vec())),
    }
}

/// The person behind a target that `viewer` sees.
async fn seen_target(tx: &mut Tx, target: Target, viewer: UserId) -> Result<UserId, Error> {
    match target {
        Target::Post(post) => Ok(visible(tx, post, Some(viewer)).await?.sight.author),
        Target::Comment(comment) => {
            let row = store::comments::get(tx, comment).await?.ok_or(Error::NotFound)?;
            visible(tx, row.post, Some(viewer)).await?;
            profiles::seen(tx, Some(viewer), row.author, false).await?;
            if row.state == comment_state::SHOWN { Ok(row.author) } else { Err(Error::NotFound) }
        }
        Target::Person(person) => Ok(profiles::seen(tx, Some(viewer), person, false).await?.0.id),
    }
}

fn reported(targets: &Targets, row: QueuedRow, reasons: Vec<String>) -> Option<ReportedView> {
    let shown = targets.shown(&row.target)?;
    Some(ReportedView {
        target: row.target,
        report_count: row.report_count,
        reasons,
        first_reported_at: row.first_at,
        post: shown.post,
        comment: shown.comment,
        person: shown.person,
        status: shown.status.to_owned(),
    })
}
