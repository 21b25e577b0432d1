//! What was sent with scores to show that they are real, for those who judge it.

use mainstay_contract::ts::Ts;
use mainstay_core::{auth::Caller, db::Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    error::Error,
    model::{operate::Operator, score::Written},
    page::cut,
    service::Boards,
    store,
};

/// A score with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct EvidenceView {
    /// The submission.
    pub(crate) seq: i64,
    /// The period.
    pub(crate) period: i64,
    /// One for each column.
    pub(crate) scores: Vec<Written>,
    /// Another operator than the board's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<Operator>,
    /// What was sent with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Value>,
    /// What shows that the score is real.
    pub(crate) evidence: Value,
    /// When.
    pub(crate) submitted_at: Ts,
}

impl Boards {
    /// What `owner` has sent with evidence before the submission `before`, newest first, whether it moved their entry
    /// or not; and the submission to go on from. Of a period that was erased nothing is left.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see.
    pub(crate) async fn evidence(
        &self,
        caller: &Caller,
        id: &str,
        owner: &str,
        (before, limit): (i64, usize),
    ) -> Result<(Vec<EvidenceView>, Option<i64>), Error> {
        let board = self.board(Some(caller), id).await?;
        let mut tx = self.db().read().await?;
        let most = limit as i64 + 1;
        let mut rows = store::scores::evidence(&mut tx, board.no, owner, before, most).await?;
        let last = cut(&mut rows, limit).map(|row| row.seq);
        let view = |row: store::scores::EvidenceRow| {
            Ok(EvidenceView {
                scores: board.settings.show_scores(&row.scores()?),
                operator: row.operator(),
                seq: row.seq,
                period: row.period,
                metadata: row.metadata.map(|Json(value)| value),
                evidence: row.evidence.0,
                submitted_at: row.submitted_at,
            })
        };
        let views: Result<Vec<_>, Error> = rows.into_iter().map(view).collect();
        Ok((views?, last))
    }
}
