//! Rules: made, listed, deleted, tried out. `take` applies them to facts.

mod declared;
mod dry_run;
mod take;

use mainstay_contract::{id::FactId, ts::Ts};
use mainstay_core::db::{Json, Once, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use self::{
    declared::Declared,
    dry_run::{DryRun, DryRunItem, DryRunOutcome, DryRunView},
};
use super::{Acting, Boards};
use crate::{
    error::Error,
    model::rule::{RuleSettings, is_rule_id},
    page::cut,
    store::{
        self,
        rules::{RuleErrorRow, RuleRow},
    },
};

/// The most rules that are made over the API.
const RULES_MAX: usize = 100;
/// The most errors that are kept of each rule.
const ERRORS_MAX: i64 = 100;

/// A rule as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleView {
    /// Its name.
    pub(crate) id: String,
    /// What it says.
    #[serde(flatten)]
    pub(crate) settings: RuleSettings,
    /// It stands in the configuration, and is changed there.
    pub(crate) declared: bool,
    /// Facts that were told before do not count.
    pub(crate) since: Ts,
    /// When it was changed last; absent if it stands in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at: Option<Ts>,
    /// Facts that it could not be applied to, newest first, the last hundred.
    pub(crate) errors: Vec<RuleErrorView>,
}

/// A fact that a rule could not be applied to. Nothing was scored for it, and it is not tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleErrorView {
    /// The fact.
    pub(crate) fact: FactId,
    /// What it says happened.
    pub(crate) name: String,
    /// When the rule failed.
    pub(crate) at: Ts,
    /// Why.
    pub(crate) message: String,
}

impl From<RuleErrorRow> for RuleErrorView {
    fn from(row: RuleErrorRow) -> Self {
        Self { fact: row.fact_id, name: row.fact, at: row.at, message: row.message }
    }
}

/// Why a rule cannot be called so.
fn no_name() -> Error {
    Error::invalid("", "name", "Name a rule in 1 to 64 letters, digits, `-`, `_` and `.`.")
}

/// Checks that a rule which is made or changed can score: what it asks of the fact is there, and so is its board.
async fn may_score(tx: &mut Tx, settings: &RuleSettings) -> Result<(), Error> {
    let unknown = settings.unknown_fields("");
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown.into_vec()));
    }
    let said = match store::boards::board(tx, &settings.board).await? {
        None => "There is no board of this name; make it first.",
        Some(board) if board.competition.is_some() => "Only its competition scores on this board.",
        Some(_) => return Ok(()),
    };
    Err(Error::invalid("/board", "unknown", said))
}

/// A rule with the errors that are kept of it.
async fn view(tx: &mut Tx, row: RuleRow) -> Result<RuleView, Error> {
    let RuleRow { id, settings: Json(settings), since, updated_at, .. } = row;
    let errors = errors(tx, &id).await?;
    Ok(RuleView { id, settings, declared: false, since, updated_at: Some(updated_at), errors })
}

async fn errors(tx: &mut Tx, id: &str) -> Result<Vec<RuleErrorView>, Error> {
    let rows = store::rules::errors(tx, id, ERRORS_MAX).await?;
    Ok(rows.into_iter().map(RuleErrorView::from).collect())
}

impl Boards {
    /// Rules after the name `after`, by name, those of the configuration among them; and the name to go on from.
    pub(crate) async fn list_rules(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<RuleView>, Option<String>), Error> {
        let mut tx = self.db().read().await?;
        let rows = store::rules::rules(&mut tx).await?;
        let mut made: Vec<&RuleRow> = rows.iter().collect();
        made.retain(|row| self.inner.rules.find(&row.id).is_none());
        let mut ids: Vec<&str> = made.iter().map(|row| &*row.id).collect();
        ids.extend(self.inner.rules.iter().map(|rule| &*rule.id));
        ids.retain(|id| *id > after);
        ids.sort_unstable();
        let last = cut(&mut ids, limit).map(|id| (*id).to_owned());
        let mut views = Vec::with_capacity(ids.len());
        for id in &ids {
            let row = made.iter().find(|row| row.id == *id).copied();
            views.push(match (self.inner.rules.find(id), row) {
                (Some(declared), _) => declared.view(errors(&mut tx, id).await?),
                (None, Some(row)) => view(&mut tx, row.clone()).await?,
                (None, None) => continue,
            });
        }
        Ok((views, last))
    }

    /// One rule, with the facts that it could not be applied to.
    ///
    /// # Errors
    /// `NotFound` if there is none of this name.
    pub(crate) async fn rule(&self, id: &str) -> Result<RuleView, Error> {
        let mut tx = self.db().read().await?;
        if let Some(declared) = self.inner.rules.find(id) {
            return Ok(declared.view(errors(&mut tx, id).await?));
        }
        let row = store::rules::rule(&mut tx, id).await?.ok_or(Error::NotFound)?;
        view(&mut tx, row).await
    }

    /// Makes a rule, which counts what is told from now on; or changes one, for what it has not met yet. A repeat
    /// changes nothing.
    ///
    /// # Errors
    /// `Invalid` with every fault; `Conflict` for one of the configuration, and with one more than there may be.
    pub(crate) async fn put_rule(
        &self,
        by: Acting,
        id: &str,
        settings: RuleSettings,
        once: Option<Once>,
    ) -> Result<RuleView, Error> {
        if !is_rule_id(id) {
            return Err(no_name());
        }
        self.made_here(id)?;
        settings.compile("").map_err(|faults| Error::Invalid(faults.into_vec()))?;
        let id = id.to_owned();
        self.db()
            .write_locking(&store::rules::LOCK_RULES, &[], once, move |tx| {
                let (by, id, settings) = (by.clone(), id.clone(), settings.clone());
                Box::pin(async move {
                    let now = tx.now();
                    let old = store::rules::rule(tx, &id).await?;
                    if let Some(row) = old.as_ref().filter(|row| row.settings.0 == settings) {
                        return view(tx, row.clone()).await;
                    }
                    may_score(tx, &settings).await?;
                    match old {
                        Some(_) => {
                            store::rules::change(tx, &id, &settings, now).await?;
                            by.note(tx, "boards.change_rule", &id, json!(settings)).await?;
                        }
                        None if store::rules::rules(tx).await?.len() >= RULES_MAX => {
                            return Err(Error::Conflict(
                                format!("There are {RULES_MAX} rules, the most there may be. Delete one.").into(),
                            ));
                        }
                        None => {
                            store::rules::add(tx, &id, &settings, now).await?;
                            by.note(tx, "boards.make_rule", &id, json!(settings)).await?;
                        }
                    }
                    let row = store::rules::rule(tx, &id).await?.ok_or(Error::NotFound)?;
                    view(tx, row).await
                })
            })
            .await
    }

    /// Deletes a rule with its errors. What it scored stays.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for one of the configuration.
    pub(crate) async fn delete_rule(
        &self,
        by: Acting,
        id: &str,
        once: Option<Once>,
    ) -> Result<(), Error> {
        self.made_here(id)?;
        let id = id.to_owned();
        self.db()
            .write_locking(&store::rules::LOCK_RULES, &[], once, move |tx| {
                let (by, id) = (by.clone(), id.clone());
                Box::pin(async move {
                    match store::rules::delete(tx, &id).await? {
                        true => by.note(tx, "boards.delete_rule", &id, json!({})).await,
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }

    fn made_here(&self, id: &str) -> Result<(), Error> {
        match self.inner.rules.find(id) {
            None => Ok(()),
            Some(_) => Err(Error::conflict(
                "This rule stands in the configuration, at `boards.rules` or `boards.creators`: change it there.",
            )),
        }
    }
}
