//! Rules that score from facts: kept, tried on what was, and applied to what happens.

use std::{collections::BTreeMap, sync::Arc};

use mainstay_contract::{Fact as _, account, boards, feed, id::FactId, ts::Ts};
use mainstay_core::{
    db::{DbError, Emitted, Json, Once, Tx},
    error::Problem,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Boards,
    boards::Board,
    scores::{Outcome, Submission, record},
};
use crate::{
    error::Error,
    model::rule::{Rule, RuleSettings, Scored, is_rule_id},
    store::{self, rules::RuleRow},
};

/// The most rules.
const RULES_MAX: i64 = 1_000;
/// The most facts that a rule is tried on.
const DRY_RUN_MAX: u32 = 1_000;

/// Facts of Feed that rules can take.
pub(crate) const FEED_FACTS: &[&str] = &[
    feed::PostPublishedV1::NAME,
    feed::PostLikedV1::NAME,
    feed::PostUnlikedV1::NAME,
    feed::PostViewedV1::NAME,
    feed::CommentAddedV1::NAME,
    feed::CommentLikedV1::NAME,
    feed::RelationChangedV1::NAME,
];
/// Facts of accounts that rules can take.
pub(crate) const CORE_FACTS: &[&str] = &[account::AccountCreatedV1::NAME];
/// Facts of Boards itself that rules can take.
pub(crate) const BOARDS_FACTS: &[&str] = &[
    boards::ActivityRecordedV1::NAME,
    boards::ActivityRecountedV1::NAME,
    boards::GoalReachedV1::NAME,
    boards::AchievementEarnedV1::NAME,
    boards::PrizePaidV1::NAME,
];

/// The logs whose facts rules take, by the service that has them.
const SOURCES: [(&str, &[&str]); 3] =
    [("feed", FEED_FACTS), ("core", CORE_FACTS), ("boards", BOARDS_FACTS)];

fn known_facts() -> Vec<&'static str> {
    SOURCES.iter().flat_map(|(_, facts)| facts.iter().copied()).collect()
}

/// A rule as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleView {
    /// Its name.
    pub(crate) id: String,
    /// What it says.
    #[serde(flatten)]
    pub(crate) settings: RuleSettings,
    /// Facts that it could not score, newest first; the last hundred. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) errors: Option<Vec<RuleErrorView>>,
    /// When it was made.
    pub(crate) created_at: Ts,
    /// When it was changed last.
    pub(crate) updated_at: Ts,
    /// Its version.
    pub(crate) version: i64,
}

/// A fact that a rule could not score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleErrorView {
    /// Which.
    pub(crate) fact_id: FactId,
    /// Why.
    pub(crate) message: String,
    /// When.
    pub(crate) met_at: Ts,
}

/// What a rule would make of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct TriedView {
    /// Which fact.
    pub(crate) fact_id: FactId,
    /// When it happened.
    pub(crate) at: Ts,
    /// Whose score; absent where the condition does not hold, or there is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// What would be submitted, one for each column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Vec<i64>>,
    /// Why it could not be scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Boards {
    /// Makes a rule or gives the one of this name other words. It takes what happens from now on.
    ///
    /// # Errors
    /// `NotFound` for a name that no rule can have; `Invalid` with every fault and its place; `Conflict` if there are too
    /// many.
    pub(crate) async fn put_rule(
        &self,
        id: &str,
        settings: RuleSettings,
        once: Option<Once>,
    ) -> Result<RuleView, Error> {
        if !is_rule_id(id) {
            return Err(Error::NotFound);
        }
        settings.understand(&known_facts()).map_err(Error::Invalid)?;
        let id = id.to_owned();
        self.db()
            .write_locking(&store::rules::LOCK, &[], once, move |tx| {
                let (id, settings) = (id.clone(), settings.clone());
                Box::pin(async move {
                    let known = store::rules::one(tx, &id).await?;
                    if known.is_none() && store::rules::count(tx).await? >= RULES_MAX {
                        return Err(Error::conflict(format!(
                            "There are {RULES_MAX} rules already."
                        )));
                    }
                    let now = tx.now();
                    store::rules::set(tx, &id, &settings, now).await?;
                    let row = store::rules::one(tx, &id).await?.ok_or(Error::NotFound)?;
                    Ok(view(row, None))
                })
            })
            .await
    }

    /// Forgets a rule. What it has scored stays.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn delete_rule(&self, id: &str, once: Option<Once>) -> Result<(), Error> {
        let id = id.to_owned();
        self.db()
            .write_locking(&store::rules::LOCK, &[], once, move |tx| {
                let id = id.clone();
                Box::pin(async move {
                    match store::rules::delete(tx, &id).await? {
                        true => Ok(()),
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }

    /// A rule, with what it could not score.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn rule(&self, id: &str) -> Result<RuleView, Error> {
        let mut tx = self.db().read().await?;
        let row = store::rules::one(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let errors = store::rules::errors(&mut tx, id).await?;
        let error = |row: store::rules::RuleErrorRow| RuleErrorView {
            fact_id: row.fact,
            message: row.message,
            met_at: row.met_at,
        };
        Ok(view(row, Some(errors.into_iter().map(error).collect())))
    }

    /// Every rule, by name.
    pub(crate) async fn rules(&self) -> Result<Vec<RuleView>, Error> {
        let rows = store::rules::all(&mut *self.db().read().await?).await?;
        Ok(rows.into_iter().map(|row| view(row, None)).collect())
    }

    /// Tries a rule on the last facts of its kind, newest first. Nothing is written.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Invalid` for more than 1,000 facts; `Conflict` if the service that tells of such facts
    /// does not run here.
    pub(crate) async fn dry_run(&self, id: &str, last: u32) -> Result<Vec<TriedView>, Error> {
        if !(1..=DRY_RUN_MAX).contains(&last) {
            let detail = format!("Try it on 1 to {DRY_RUN_MAX} facts.");
            return Err(Error::invalid("/last", "out_of_range", detail));
        }
        let row = store::rules::one(&mut *self.db().read().await?, id).await?;
        let settings = row.ok_or(Error::NotFound)?.settings.0;
        let rule = settings.understand(&known_facts()).map_err(Error::Invalid)?;
        let source = SOURCES.iter().find(|(_, facts)| facts.contains(&&*settings.on));
        let log = source.and_then(|(service, _)| self.inner.logs.find(service));
        let log =
            log.ok_or(Error::conflict("The service that tells of such facts does not run here."))?;
        let mut tx = log.db().read().await?;
        let facts = log.db().outbox().latest(&mut tx, &settings.on, last.into()).await?;
        Ok(facts.iter().map(|fact| tried(&rule, fact)).collect())
    }
}

fn tried(rule: &Rule, fact: &Emitted) -> TriedView {
    let (scored, error) = match score(rule, fact) {
        Ok(scored) => (scored, None),
        Err(error) => (None, Some(error)),
    };
    let (owner, values) = scored.map(|scored| (scored.owner, scored.values)).unzip();
    TriedView { fact_id: fact.id, at: fact.at, owner, values, error }
}

fn score(rule: &Rule, fact: &Emitted) -> Result<Option<Scored>, String> {
    let payload: Value = serde_json::from_str(&fact.payload)
        .map_err(|error| format!("the fact cannot be read: {error}"))?;
    rule.score(&payload)
}

fn view(row: RuleRow, errors: Option<Vec<RuleErrorView>>) -> RuleView {
    let RuleRow { id, settings: Json(settings), created_at, updated_at, version } = row;
    RuleView { id, settings, errors, created_at, updated_at, version }
}

/// A submission that a rule has made of a fact.
struct Made {
    rule: String,
    fact: FactId,
    submission: Submission,
}

/// Applies every rule to these facts, in the transaction that notes that they were taken: each scores once. What a rule
/// cannot score is noted with the rule, and keeps nothing else.
pub(crate) async fn take(tx: &mut Tx, facts: &[Arc<Emitted>]) -> Result<(), DbError> {
    apply(tx, facts).await.map_err(|error| match error {
        Error::Db(error) => error,
        other => DbError::Statement {
            statement: "apply rules".into(),
            message: Problem::from(other).detail.into_owned(),
        },
    })
}

async fn apply(tx: &mut Tx, facts: &[Arc<Emitted>]) -> Result<(), Error> {
    let rules = store::rules::all(tx).await?;
    if rules.is_empty() {
        return Ok(());
    }
    let known = known_facts();
    let mut made: BTreeMap<String, Vec<Made>> = BTreeMap::new();
    let mut failed: Vec<(String, FactId, String)> = Vec::new();
    for row in &rules {
        let Json(settings) = &row.settings;
        let wanted: Vec<&Arc<Emitted>> =
            facts.iter().filter(|fact| *fact.name == *settings.on).collect();
        if wanted.is_empty() {
            continue;
        }
        let rule = settings.understand(&known).map_err(Error::Invalid)?;
        for fact in wanted {
            match score(&rule, fact) {
                Ok(None) => {}
                Ok(Some(scored)) => {
                    let mut submission = Submission::of(scored.owner, scored.values);
                    (submission.cause, submission.operator) = (scored.by, settings.operator);
                    let one = Made { rule: row.id.clone(), fact: fact.id, submission };
                    made.entry(settings.board.clone()).or_default().push(one);
                }
                Err(error) => failed.push((row.id.clone(), fact.id, error)),
            }
        }
    }
    // Boards in the order of their names: two consumers never wait for each other in a circle.
    for (board, mut list) in made {
        // In the order of the facts, whichever rule made what.
        list.sort_by_key(|one| one.fact);
        submit(tx, &board, list, &mut failed).await?;
    }
    let now = tx.now();
    for (rule, fact, message) in failed {
        store::rules::add_error(tx, &rule, fact, &message, now).await?;
    }
    Ok(())
}

async fn submit(
    tx: &mut Tx,
    board: &str,
    list: Vec<Made>,
    failed: &mut Vec<(String, FactId, String)>,
) -> Result<(), Error> {
    let mut fail = |one: &Made, why: String| failed.push((one.rule.clone(), one.fact, why));
    let Some(row) = store::boards::board(tx, board).await? else {
        list.iter().for_each(|one| fail(one, format!("there is no board `{board}`")));
        return Ok(());
    };
    let board = Board::from(row);
    if board.competition.is_some() {
        list.iter()
            .for_each(|one| fail(one, format!("only its competition writes `{}`", board.id)));
        return Ok(());
    }
    let columns = board.settings.columns.len();
    let (sound, odd): (Vec<Made>, Vec<Made>) =
        list.into_iter().partition(|one| one.submission.scores.len() == columns);
    odd.iter()
        .for_each(|one| fail(one, format!("the board has {columns} columns: give as many values")));
    let submissions: Vec<Submission> = sound.iter().map(|one| one.submission.clone()).collect();
    let (_, outcomes) = record(tx, &board, &submissions).await?;
    for (one, outcome) in sound.iter().zip(outcomes) {
        if let Outcome::Overflow { column } = outcome {
            fail(one, format!("the sum of column {column} leaves the numbers of 64 bits"));
        }
    }
    Ok(())
}
