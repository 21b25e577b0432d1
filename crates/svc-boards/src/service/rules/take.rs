//! Rules applied to facts, in the transaction that moves the consumer's position: a fact scores once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mainstay_contract::id::FactId;
use mainstay_core::{
    db::{Emitted, Json, Tx},
    error::Fault,
};
use serde_json::Value;

use super::ERRORS_MAX;
use crate::{
    error::Error,
    model::{
        operate::Operator,
        rule::{Decided, Rule, RuleSettings},
        score::Written,
    },
    service::{
        Boards,
        boards::Board,
        periods::hold,
        scores::{Outcome, Submission, record},
    },
    store,
};

/// A rule that applies to some of the facts.
struct Applied {
    id: String,
    settings: RuleSettings,
    /// Or why what is kept cannot be read any more.
    rule: Result<Rule, String>,
    since: mainstay_contract::ts::Ts,
}

/// A score that a rule made of a fact.
struct Pending {
    /// The rule's place among those that apply.
    rule: usize,
    fact: FactId,
    decided: Decided,
}

/// What failed: for each rule, by its place, which facts and why.
#[derive(Default)]
struct Failed(BTreeMap<usize, Vec<(FactId, String)>>);

impl Failed {
    fn push(&mut self, rule: usize, fact: FactId, why: impl Into<String>) {
        self.0.entry(rule).or_default().push((fact, why.into()));
    }
}

impl Boards {
    /// Applies every rule to `facts`, in this transaction. What a rule cannot be applied to is noted and keeps neither
    /// other rules nor other facts.
    ///
    /// # Errors
    /// What the records say.
    pub(crate) async fn take_facts(
        &self,
        tx: &mut Tx,
        facts: &[Arc<Emitted>],
    ) -> Result<(), Error> {
        let rules = self.rules_on(tx, facts).await?;
        if rules.is_empty() {
            return Ok(());
        }
        let mut failed = Failed::default();
        let mut by_board: BTreeMap<String, Vec<Pending>> = BTreeMap::new();
        for fact in facts {
            let payload: Result<Value, _> = serde_json::from_str(&fact.payload);
            let applies = |rule: &Applied| *rule.settings.on == *fact.name && fact.at >= rule.since;
            for (place, applied) in rules.iter().enumerate().filter(|(_, rule)| applies(rule)) {
                let decided = match (&applied.rule, &payload) {
                    (Ok(rule), Ok(payload)) => rule.decide(payload),
                    (Err(why), _) => Err(why.clone()),
                    (_, Err(odd)) => Err(format!("the fact cannot be read: {odd}")),
                };
                match decided {
                    Ok(Some(decided)) => {
                        let pending = Pending { rule: place, fact: fact.id, decided };
                        by_board.entry(applied.settings.board.clone()).or_default().push(pending);
                    }
                    Ok(None) => {}
                    Err(why) => failed.push(place, fact.id, why),
                }
            }
        }
        // Boards are locked in the order of their numbers, as by everybody.
        let mut found: BTreeMap<i64, (String, Vec<Pending>)> = BTreeMap::new();
        for (name, pending) in by_board {
            match store::boards::board(tx, &name).await? {
                Some(row) => drop(found.insert(row.no, (name, pending))),
                None => gone(&mut failed, &name, &pending),
            }
        }
        for (no, (name, pending)) in found {
            score(tx, (no, &name), &rules, pending, &mut failed).await?;
        }
        self.note(tx, facts, &rules, failed).await
    }

    /// The rules about these facts, by name; those of the configuration come before one of the same name.
    async fn rules_on(&self, tx: &mut Tx, facts: &[Arc<Emitted>]) -> Result<Vec<Applied>, Error> {
        let mut names: Vec<String> = facts.iter().map(|fact| fact.name.to_string()).collect();
        names.sort_unstable();
        names.dedup();
        let here = self.inner.rules.iter().filter(|rule| names.contains(&rule.settings.on));
        let mut rules: Vec<Applied> = here
            .map(|here| Applied {
                id: here.id.clone(),
                settings: here.settings.clone(),
                rule: Ok(here.rule.clone()),
                since: here.since,
            })
            .collect();
        for row in store::rules::rules_on(tx, names.clone()).await? {
            if self.inner.rules.find(&row.id).is_some() {
                continue;
            }
            let Json(settings) = row.settings;
            let rule = settings.compile("").map_err(|odd| worded(&odd.into_vec()));
            rules.push(Applied { id: row.id, settings, rule, since: row.since });
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(rules)
    }

    async fn note(
        &self,
        tx: &mut Tx,
        facts: &[Arc<Emitted>],
        rules: &[Applied],
        failed: Failed,
    ) -> Result<(), Error> {
        let names: HashMap<FactId, Arc<str>> =
            facts.iter().map(|fact| (fact.id, fact.name.clone())).collect();
        let now = tx.now();
        for (place, errors) in failed.0 {
            let Some(rule) = rules.get(place) else { continue };
            // A transaction that is tried again counts again; errors are rare and so is that.
            (self.inner.count_rule_errors)(&rule.id, errors.len() as u64);
            let newest = errors.iter().rev().take(ERRORS_MAX.unsigned_abs() as usize);
            let newest: Vec<(FactId, Arc<str>, String)> = newest
                .map(|(id, why)| (*id, names.get(id).cloned().unwrap_or_default(), why.clone()))
                .collect();
            tracing::warn!(rule = rule.id, count = errors.len(), "apply a rule to facts");
            store::rules::add_errors(tx, &rule.id, &newest, (now, ERRORS_MAX)).await?;
        }
        Ok(())
    }
}

/// Scores on one board what rules made of facts.
async fn score(
    tx: &mut Tx,
    (no, name): (i64, &str),
    rules: &[Applied],
    pending: Vec<Pending>,
    failed: &mut Failed,
) -> Result<(), Error> {
    // What was read before the lock may have changed since.
    match hold(tx, no).await {
        Ok(_) => {}
        Err(Error::NotFound) => {
            gone(failed, name, &pending);
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let row = store::boards::board(tx, name).await?.filter(|row| row.no == no);
    let Some(board) = row.map(Board::from) else {
        gone(failed, name, &pending);
        return Ok(());
    };
    let (mut from, mut list) = (Vec::new(), Vec::new());
    for Pending { rule, fact, decided } in pending {
        let operator = rules.get(rule).and_then(|rule| rule.settings.operator);
        match submission(&board, operator, decided) {
            Ok(submission) => {
                from.push((rule, fact));
                list.push(submission);
            }
            Err(why) => failed.push(rule, fact, why),
        }
    }
    let (_, outcomes) = record(tx, &board, &list).await?;
    for ((rule, fact), outcome) in from.into_iter().zip(outcomes) {
        if let Outcome::Overflow { column } = outcome {
            let why = format!("the sum in column {} leaves the numbers of 64 bits", column + 1);
            failed.push(rule, fact, why);
        }
    }
    Ok(())
}

fn gone(failed: &mut Failed, board: &str, pending: &[Pending]) {
    for one in pending {
        failed.push(one.rule, one.fact, no_board(board));
    }
}

/// What is said where a rule scores on a board that is not there.
pub(super) fn no_board(board: &str) -> String {
    format!("there is no board `{board}`: make it, or change the rule")
}

/// What was decided, as this board takes it.
///
/// # Errors
/// Why it does not.
pub(super) fn submission(
    board: &Board,
    operator: Option<Operator>,
    decided: Decided,
) -> Result<Submission, String> {
    if board.competition.is_some() {
        return Err(format!("only its competition scores on the board `{}`", board.id));
    }
    let settings = &board.settings;
    let by = operator.unwrap_or(settings.operator);
    let written: Vec<Written> = decided.values.into_iter().map(Written::Whole).collect();
    let scores = settings.read_scores(&written, by, "").map_err(|faults| worded(&faults))?;
    let mut submission = Submission::of(decided.owner, scores);
    submission.operator = operator;
    submission.cause = Some(decided.cause);
    Ok(submission)
}

fn worded(faults: &[Fault]) -> String {
    let one = |fault: &Fault| format!("{}: {}", fault.pointer, fault.detail);
    faults.iter().map(one).collect::<Vec<_>>().join(" ")
}
