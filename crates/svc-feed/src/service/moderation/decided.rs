//! What moderators decided and can take back.

use mainstay_contract::id::UserId;

use super::shown::Targets;
use crate::{
    error::Error,
    service::Feed,
    store::{
        self,
        moderation::{DecidedPlace, DecisionRow},
    },
    view::{DecidedView, Page},
};

const LIST: &str = "moderation decided";

impl Feed {
    /// What was hidden or removed and who was suspended, the newest decision first; what was taken back is not there.
    ///
    /// # Errors
    /// A bad cursor.
    pub(crate) async fn decided(
        &self,
        moderator: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<DecidedView>, Error> {
        let from = match cursor {
            Some(cursor) => self.inner.cursors.open(LIST, cursor)?,
            None => DecidedPlace::FIRST,
        };
        let mut tx = self.db().read().await?;
        let mut rows = store::moderation::decided(&mut tx, &from, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| {
            let place = DecidedPlace { decided_at: last.decided_at, target: last.target.clone() };
            self.inner.cursors.seal(LIST, &place)
        });
        let texts: Vec<String> = rows.iter().map(|row| row.target.clone()).collect();
        let moderators: Vec<UserId> = rows.iter().map(|row| row.moderator).collect();
        let targets = Targets::load(&mut tx, &texts, &moderators, moderator).await?;
        let items = rows.into_iter().filter_map(|row| view(&targets, row)).collect();
        Ok(Page { items, next_cursor })
    }
}

fn view(targets: &Targets, row: DecisionRow) -> Option<DecidedView> {
    let shown = targets.shown(&row.target)?;
    Some(DecidedView {
        target: row.target,
        action: row.action,
        reason: row.reason,
        moderator_id: row.moderator,
        moderator: targets.person(row.moderator),
        decided_at: row.decided_at,
        post: shown.post,
        comment: shown.comment,
        person: shown.person,
        status: shown.status.to_owned(),
        restorable: shown.restorable,
    })
}
