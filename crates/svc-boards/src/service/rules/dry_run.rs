//! A rule tried out on facts that were told already: what it would have scored. Nothing is written.

use std::collections::HashSet;

use mainstay_contract::{id::FactId, ts::Ts};
use mainstay_core::db::Emitted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::take::{no_board, submission};
use crate::{
    error::Error,
    model::{
        rule::{Rule, RuleSettings, is_rule_id, source_of},
        score::Written,
    },
    service::{Boards, boards::Board, scores::Submission},
    store,
};

/// The most facts that a rule is tried out on.
const LAST_MAX: u32 = 1_000;
/// Facts of the log, of any kind, among which they are looked for.
const AMONG_MAX: i64 = 100_000;

/// What to try out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DryRun {
    /// On how many of the last facts of its kind, 1 to 1,000.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) last: u32,
    /// What the rule would say, if it is to be tried before it is made or changed.
    #[serde(default)]
    pub(crate) rule: Option<RuleSettings>,
}

/// What a rule would have scored.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DryRunView {
    /// One for each fact, oldest first.
    pub(crate) items: Vec<DryRunItem>,
}

/// What becomes of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DryRunOutcome {
    /// The score would be taken.
    Scored,
    /// The condition does not hold.
    PassedOver,
    /// The owner, or who made it happen, is banned: it would be kept and not count.
    Banned,
    /// The rule cannot be applied to it.
    Failed,
}

/// What a rule makes of a fact.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DryRunItem {
    /// The fact.
    pub(crate) fact: FactId,
    /// When it was told.
    pub(crate) at: Ts,
    /// What becomes of it.
    pub(crate) outcome: DryRunOutcome,
    /// Whose score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// What would be submitted, one for each column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<Vec<Written>>,
    /// Who made it happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// Why the rule cannot be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Boards {
    /// What the rule `id`, or what it is to say, makes of the last facts of its kind that its log still has.
    ///
    /// # Errors
    /// `NotFound` if there is no such rule and none is sent; `Invalid` with every fault.
    pub(crate) async fn dry_run(&self, id: &str, asked: DryRun) -> Result<DryRunView, Error> {
        if !(1..=LAST_MAX).contains(&asked.last) {
            let detail = format!("Try it on 1 to {LAST_MAX} facts.");
            return Err(Error::invalid("/last", "out_of_range", detail));
        }
        let settings = match asked.rule {
            Some(settings) if is_rule_id(id) => settings,
            Some(_) => return Err(super::no_name()),
            None => self.rule(id).await?.settings,
        };
        let compiled = settings.compile("/rule");
        let rule = compiled.map_err(|faults| Error::Invalid(faults.into_vec()))?;
        let unknown = settings.unknown_fields("/rule");
        if !unknown.is_empty() {
            return Err(Error::Invalid(unknown.into_vec()));
        }
        let facts = self.last_facts(&settings.on, asked.last.into()).await?;
        let mut tx = self.db().read().await?;
        let row = store::boards::board(&mut tx, &settings.board).await?;
        let board = row.map(Board::from);
        let tried: Vec<_> = facts
            .iter()
            .map(|fact| (fact, try_on(&settings, &rule, board.as_ref(), fact)))
            .collect();
        let submissions = tried.iter().filter_map(|(_, one)| one.as_ref().ok()?.as_ref());
        let names = submissions.flat_map(|new| [Some(&new.owner), new.cause.as_ref()]).flatten();
        let names: HashSet<String> = names.cloned().collect();
        let names: Vec<String> = names.into_iter().collect();
        let banned = match &board {
            Some(board) => store::boards::banned_among(&mut tx, board.no, &names).await?,
            None => Vec::new(),
        };
        let items = tried.into_iter().map(|(fact, one)| item(board.as_ref(), fact, one, &banned));
        Ok(DryRunView { items: items.collect() })
    }

    /// The last facts of this name, oldest first; none if the service that tells them is not here.
    async fn last_facts(&self, name: &str, limit: i64) -> Result<Vec<Emitted>, Error> {
        let Some(log) = self.inner.logs.find(source_of(name)) else { return Ok(Vec::new()) };
        let mut tx = log.db().read().await?;
        let mut facts = log.db().outbox().newest(&mut tx, name, limit, AMONG_MAX).await?;
        facts.reverse();
        Ok(facts)
    }
}

fn try_on(
    settings: &RuleSettings,
    rule: &Rule,
    board: Option<&Board>,
    fact: &Emitted,
) -> Result<Option<Submission>, String> {
    let payload = serde_json::from_str(&fact.payload);
    let payload = payload.map_err(|odd| format!("the fact cannot be read: {odd}"))?;
    let Some(decided) = rule.decide(&payload)? else { return Ok(None) };
    let board = board.ok_or_else(|| no_board(&settings.board))?;
    submission(board, settings.operator, decided).map(Some)
}

fn item(
    board: Option<&Board>,
    fact: &Emitted,
    tried: Result<Option<Submission>, String>,
    banned: &[String],
) -> DryRunItem {
    let none = DryRunItem {
        fact: fact.id,
        at: fact.at,
        outcome: DryRunOutcome::PassedOver,
        owner: None,
        values: None,
        by: None,
        error: None,
    };
    match tried {
        Ok(None) => none,
        Ok(Some(new)) => {
            let out = [Some(&new.owner), new.cause.as_ref()];
            let out = out.into_iter().flatten().any(|name| banned.contains(name));
            let outcome = if out { DryRunOutcome::Banned } else { DryRunOutcome::Scored };
            let values = board.map(|board| board.settings.show_scores(&new.scores));
            DryRunItem { outcome, owner: Some(new.owner), values, by: new.cause, ..none }
        }
        Err(error) => DryRunItem { outcome: DryRunOutcome::Failed, error: Some(error), ..none },
    }
}
