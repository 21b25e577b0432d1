//! How competitions end: results that do not change any more, signed.

use mainstay_contract::{
    boards::{CompetitionEndedV1, CompetitionId},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{auth::Signer, blobs::BlobHash, db::Tx, error::Problem, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{say_changed, scoring, teams_board};
use crate::{
    engine::{Loader, Ranked},
    error::Error,
    model::competition::state,
    page::cut,
    service::Boards,
    store::{
        self,
        competitions::{CompetitionRow, ResultRow},
    },
};

/// Entries that are read at a time.
const BATCH: i64 = 5_000;
/// Results that a certificate names; all of them are in the list.
const CERTIFIED_MAX: usize = 100;
/// What a certificate says that it is.
const CERTIFICATE_TYPE: &str = "mainstay-results+jws";

/// How somebody ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ResultView {
    /// From 1; those who are tied share it.
    pub(crate) rank: i64,
    /// Who.
    pub(crate) user_id: UserId,
    /// Their score.
    pub(crate) score: i64,
}

/// A page of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ResultsView {
    /// Best first.
    pub(crate) items: Vec<ResultView>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// A compact JWS (EdDSA) by a key of the JWK set, over the competition, its first hundred results, the SHA-256 of
    /// them all, of a line `rank user_id score` for each, ended by `\n`; and its first hundred teams, where there are
    /// teams.
    pub(crate) certificate: String,
}

/// What is signed.
#[derive(Serialize)]
struct Certificate<'a> {
    competition: CompetitionId,
    name: &'a str,
    metric: &'a str,
    starts_at: Ts,
    ends_at: Ts,
    participant_count: i64,
    /// The first hundred.
    results: &'a [ResultView],
    result_count: usize,
    /// Of all of them, a line for each.
    results_sha256: String,
    /// The first hundred teams, where people play in teams.
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<TeamResult>>,
}

/// How a team ended.
#[derive(Serialize)]
struct TeamResult {
    /// From 1; those that are tied share it.
    rank: u64,
    /// Its name.
    team: String,
    /// Its score.
    score: i64,
}

impl Boards {
    /// Makes the results of every competition final that is over.
    ///
    /// # Errors
    /// Of one of them; the others were served.
    pub(crate) async fn settle_competitions(&self) -> Result<(), Error> {
        let grace_s = i64::from(self.inner.config.settle_after_s);
        let now = self.inner.clock.now();
        let before = now.plus_s(-grace_s);
        let due = store::competitions::due(&mut *self.db().read().await?, before).await?;
        let mut failed = None;
        for id in due {
            // The key is read before: nothing outside is awaited in a transaction.
            let signer = self.inner.auth.signer().await.map_err(Problem::from)?;
            let lock = params![id];
            let settled = self.db().write_queued(&store::competitions::LOCK, lock, move |tx| {
                let signer = signer.clone();
                Box::pin(async move {
                    let row = store::competitions::lock(tx, id).await?;
                    // Its end may have been moved meanwhile.
                    let is_due =
                        |row: &CompetitionRow| row.state == state::OPEN && row.ends_at <= before;
                    match row.filter(is_due) {
                        Some(row) => settle(tx, row, &signer).await,
                        None => Ok(()),
                    }
                })
            });
            failed = settled.await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Results behind a place.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` as long as they are not final.
    pub(crate) async fn results(
        &self,
        id: CompetitionId,
        after: i64,
        limit: usize,
    ) -> Result<ResultsView, Error> {
        let mut tx = self.db().read().await?;
        let row = store::competitions::one(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let certificate = match (row.state, row.certificate) {
            (state::SETTLED, certificate) => {
                let signer = self.inner.auth.signer().await.map_err(Problem::from)?;
                let certificate = certificate.unwrap_or_default();
                signer.renew(&certificate).map_err(Problem::from)?.unwrap_or(certificate)
            }
            (state::CANCELLED, _) => return Err(Error::conflict("It has been called off.")),
            _ => {
                let said = format!("The results are final soon after {}.", row.ends_at);
                return Err(Error::conflict(said));
            }
        };
        let mut rows = store::competitions::results(&mut tx, id, after, limit as i64 + 1).await?;
        let next_cursor = cut(&mut rows, limit)
            .map(|last| self.seal_cursor(&format!("results {id}"), &last.place));
        let items = rows.into_iter().map(ResultView::from).collect();
        Ok(ResultsView { items, next_cursor, certificate })
    }
}

impl From<ResultRow> for ResultView {
    fn from(row: ResultRow) -> Self {
        Self { rank: row.rank, user_id: row.user, score: row.score }
    }
}

/// Everybody on a board of the competition, best first. Nobody writes it any more: whoever does holds the competition,
/// too.
async fn standing(tx: &mut Tx, id: &str) -> Result<Vec<Ranked>, Error> {
    let board = scoring::board(tx, id).await?;
    let head = store::boards::lock_head(tx, board.no).await?.ok_or(Error::NotFound)?;
    let mut loader = Loader::new(board.settings.order());
    let mut after = String::new();
    loop {
        let mut last = String::new();
        let mut push = |entry: store::scores::StandingRow<'_>| {
            last.replace_range(.., entry.owner);
            loader.push(entry.owner, entry.scores, entry.seq.unsigned_abs());
        };
        let count =
            store::scores::entries_after(tx, board.place(head), &after, BATCH, &mut push).await?;
        if count < BATCH {
            break;
        }
        after = last;
    }
    Ok(loader.finish().range(0, usize::MAX))
}

/// The first teams, where people play in teams.
async fn teams(tx: &mut Tx, row: &CompetitionRow) -> Result<Option<Vec<TeamResult>>, Error> {
    if row.teams.is_none() {
        return Ok(None);
    }
    let first = standing(tx, &teams_board(row.id)).await?.into_iter().take(CERTIFIED_MAX);
    let teams = first.map(|entry| {
        let score = entry.scores.first().copied().unwrap_or_default();
        TeamResult { rank: entry.rank, team: entry.owner.to_string(), score }
    });
    Ok(Some(teams.collect()))
}

async fn settle(tx: &mut Tx, mut row: CompetitionRow, signer: &Signer) -> Result<(), Error> {
    let ranked = standing(tx, &row.id.to_string()).await?;
    let (mut results, mut lines) = (Vec::with_capacity(ranked.len()), String::new());
    for entry in ranked {
        // Owners of a competition's board are people.
        let Ok(user) = entry.owner.parse::<UserId>() else { continue };
        let rank = i64::try_from(entry.rank).unwrap_or(i64::MAX);
        let score = entry.scores.first().copied().unwrap_or_default();
        let place = results.len() as i64 + 1;
        results.push(ResultRow { place, rank, user, score });
        lines.push_str(&format!("{rank} {user} {score}\n"));
    }
    store::competitions::add_results(tx, row.id, &results).await?;
    let first: Vec<ResultView> =
        results.iter().take(CERTIFIED_MAX).copied().map(ResultView::from).collect();
    let certificate = Certificate {
        competition: row.id,
        name: &row.name,
        metric: &row.metric,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        participant_count: row.participant_count,
        results: &first,
        result_count: results.len(),
        results_sha256: BlobHash::of(lines.as_bytes()).to_string(),
        teams: teams(tx, &row).await?,
    };
    let certificate = signer.sign(CERTIFICATE_TYPE, &certificate).map_err(Problem::from)?;
    row.certificate = Some(certificate);
    row.state = state::SETTLED;
    row.version += 1;
    store::competitions::keep(tx, &row).await?;
    let fact = CompetitionEndedV1 {
        competition: row.id,
        winners: first
            .iter()
            .take_while(|result| result.rank == 1)
            .map(|one| one.user_id)
            .collect(),
        participant_count: row.participant_count,
    };
    tx.emit(&fact, &[]).await?;
    say_changed(tx, &row).await
}
