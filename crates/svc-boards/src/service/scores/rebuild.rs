//! Entries made anew from what was submitted: in one transaction where a board is small, else in steps, into an edition
//! that nobody sees before it is whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mainstay_core::{
    db::{Json, Tx},
    jobs, params,
};

use super::record::{Given, Held};
use crate::{
    error::Error,
    model::board::BoardSettings,
    service::{
        Boards,
        boards::{Board, say_changed},
        checkpoints::FILL_JOB,
        periods::hold,
    },
    store::{
        self,
        bans::Build,
        boards::Head,
        scores::{Place, SubmissionKind, SubmissionRow},
    },
};

/// Goes on with the build of a board's entries; its key is the board's number.
pub(crate) const BUILD_JOB: &str = "boards.build";
/// Erases entries that are not shown any more; its key is the board's number.
pub(crate) const ERASE_JOB: &str = "boards.erase_editions";

/// The most submissions that are worked through while somebody waits; a larger board is built by a job.
pub(crate) const AT_ONCE_MAX: i64 = 20_000;
/// Submissions that are worked through at a time.
const BATCH: i64 = 5_000;
/// Entries that are erased at a time.
const ERASE_BATCH: i64 = 5_000;
/// How long the entries before a build are kept, for whoever began to read them.
const ERASE_AFTER_S: i64 = 60;

/// Whether the same submissions may make other entries under `new`.
pub(crate) fn differ(old: &BoardSettings, new: &BoardSettings) -> bool {
    let directions = |settings: &BoardSettings| settings.directions().collect::<Vec<_>>();
    old.operator != new.operator
        || directions(old) != directions(new)
        || old.slices != new.slices
        || old.ties != new.ties
}

/// Builds the entries of every kept period anew, from what was submitted, under the settings that `board` has now and
/// the bans that there are: the next edition. The caller keeps the head that is returned, and says that the board has
/// changed. A build that was under way has ended with it.
async fn rebuild(tx: &mut Tx, board: &Board, head: Head) -> Result<Head, Error> {
    let edition = next_edition(tx, board, head).await?;
    store::bans::end_build(tx, board.no).await?;
    let mut fold = Fold::new(board, edition);
    let mut after = 0;
    loop {
        let rows = store::scores::submissions_after(tx, board.no, after, BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        fold.take(tx, rows).await?;
    }
    let built = fold.built.iter().filter_map(|((period, owner), entry)| {
        Some((fold.place(*period), entry.as_ref()?.kept(owner)))
    });
    store::scores::set_entries(tx, &built.collect::<Vec<_>>()).await?;
    clear_up_later(tx, board.no).await?;
    Ok(Head { edition, ..head })
}

/// Builds the entries of a board anew: at once if it has at most `most` submissions, else by a job, until which the
/// ones before are shown. Returns the head that is to be kept, and how many submissions were worked through.
pub(crate) async fn rebuild_within(
    tx: &mut Tx,
    board: &Board,
    head: Head,
    most: i64,
) -> Result<(Head, i64), Error> {
    let count = store::bans::count(tx, board.no, most + 1).await?;
    if count > most {
        build_later(tx, board, head).await?;
        return Ok((head, 0));
    }
    Ok((rebuild(tx, board, head).await?, count))
}

/// Has the entries of a board built anew by a job, from the beginning; one that was under way is left.
async fn build_later(tx: &mut Tx, board: &Board, head: Head) -> Result<(), Error> {
    let edition = next_edition(tx, board, head).await?;
    store::bans::begin_build(tx, board.no, edition, &board.ranked).await?;
    let now = tx.now();
    Ok(jobs::add(tx, BUILD_JOB, &board.no.to_string(), "{}", now).await?)
}

/// An edition that nothing was written to, also not by a build that was left.
async fn next_edition(tx: &mut Tx, board: &Board, head: Head) -> Result<i64, Error> {
    let build = store::bans::lock_build(tx, board.no).await?.map_or(0, |build| build.edition);
    let newest = store::bans::newest_edition(tx, board.no).await?;
    Ok(head.edition.max(build).max(newest) + 1)
}

/// After a build: the periods that are over need checkpoints again, and the entries before it nobody.
async fn clear_up_later(tx: &mut Tx, board_no: i64) -> Result<(), Error> {
    let (now, key) = (tx.now(), board_no.to_string());
    jobs::add(tx, FILL_JOB, &key, "{}", now).await?;
    Ok(jobs::add(tx, ERASE_JOB, &key, "{}", now.plus_s(ERASE_AFTER_S)).await?)
}

/// Submissions worked through, in their order.
struct Fold<'a> {
    board: &'a Board,
    edition: i64,
    /// How owners stand; `None` for those whose entry was removed.
    built: BTreeMap<(i64, String), Option<Held>>,
    /// Names that were looked up, and whether they are banned.
    banned: HashMap<String, bool>,
}

impl<'a> Fold<'a> {
    fn new(board: &'a Board, edition: i64) -> Self {
        Self { board, edition, built: BTreeMap::new(), banned: HashMap::new() }
    }

    fn place(&self, period: i64) -> Place {
        Place { board_no: self.board.no, edition: self.edition, period }
    }

    /// Works through `rows`, which come after those before.
    async fn take(&mut self, tx: &mut Tx, rows: Vec<SubmissionRow>) -> Result<(), Error> {
        self.learn_bans(tx, &rows).await?;
        let settings = &self.board.settings;
        for row in rows {
            let is_banned = |name: &String| self.banned.get(name).copied().unwrap_or_default();
            let key = (row.period, row.owner.clone());
            if row.kind() == SubmissionKind::Removal {
                self.built.insert(key, None);
                continue;
            }
            let scores = row.scores()?;
            let fits = scores.len() == settings.columns.len();
            if !fits || is_banned(&row.owner) || row.cause.as_ref().is_some_and(is_banned) {
                continue;
            }
            let given = Given {
                seq: row.seq,
                scores: &scores,
                operator: row.operator().unwrap_or(settings.operator),
                metadata: row.metadata.as_ref().map(|Json(value)| value),
                slices: row.slices.as_ref().map(|Json(value)| value),
                at: row.submitted_at,
            };
            // What does not fit now was not taken then either.
            let old = self.built.get(&key).cloned().flatten();
            if let Ok(entry) = Held::after(settings, old, &given) {
                self.built.insert(key, Some(entry));
            }
        }
        Ok(())
    }

    /// Looks up owners and causes that were not met before.
    async fn learn_bans(&mut self, tx: &mut Tx, rows: &[SubmissionRow]) -> Result<(), Error> {
        let names = rows.iter().flat_map(|row| [Some(&row.owner), row.cause.as_ref()]).flatten();
        let new: BTreeSet<&String> =
            names.filter(|name| !self.banned.contains_key(*name)).collect();
        let new: Vec<String> = new.into_iter().cloned().collect();
        let banned = store::boards::banned_among(tx, self.board.no, &new).await?;
        self.banned.extend(new.into_iter().map(|name| {
            let is = banned.contains(&name);
            (name, is)
        }));
        Ok(())
    }
}

/// Works `rows` into the entries of the edition that is being built.
async fn build_on(
    tx: &mut Tx,
    board: &Board,
    edition: i64,
    rows: Vec<SubmissionRow>,
) -> Result<(), Error> {
    let mut fold = Fold::new(board, edition);
    let mut owners: BTreeMap<i64, BTreeSet<&String>> = BTreeMap::new();
    for row in &rows {
        owners.entry(row.period).or_default().insert(&row.owner);
    }
    for (period, owners) in owners {
        let owners: Vec<String> = owners.into_iter().cloned().collect();
        for row in store::scores::entries_among(tx, fold.place(period), &owners).await? {
            fold.built.insert((period, row.owner.clone()), Some(row.try_into()?));
        }
    }
    fold.take(tx, rows).await?;
    let mut entries = Vec::with_capacity(fold.built.len());
    for ((period, owner), entry) in &fold.built {
        let place = fold.place(*period);
        match entry {
            Some(entry) => entries.push((place, entry.kept(owner))),
            None => drop(store::scores::remove_entry(tx, place, owner).await?),
        }
    }
    Ok(store::scores::set_entries(tx, &entries).await?)
}

/// The board of this number and its build, if both are there still. Its build ends with a board.
async fn under_way(tx: &mut Tx, board_no: i64) -> Result<Option<(Board, Build)>, Error> {
    let Some(build) = store::bans::lock_build(tx, board_no).await? else { return Ok(None) };
    let row = match store::bans::board_by_no(tx, board_no).await? {
        Some(id) => store::boards::board(tx, &id).await?,
        None => None,
    };
    match row {
        Some(row) => Ok(Some((row.into(), build))),
        None => {
            store::bans::end_build(tx, board_no).await?;
            Ok(None)
        }
    }
}

impl Boards {
    /// Builds the entries of a board until they are shown. Each step is kept, so that a job that is cut short, or a
    /// program that ends, goes on from there; a step after another has begun anew, or has ended the build, finds that.
    pub(crate) async fn build(&self, board_no: i64) -> Result<(), Error> {
        loop {
            while self.build_some(board_no).await? {}
            if self.show_build(board_no).await? {
                return Ok(());
            }
        }
    }

    /// Works through some submissions without keeping writers from the board; `false` once there are few left.
    async fn build_some(&self, board_no: i64) -> Result<bool, Error> {
        self.db()
            .write_queued(&store::bans::LOCK_BUILD, params![board_no], move |tx| {
                Box::pin(async move {
                    let Some((board, build)) = under_way(tx, board_no).await? else {
                        return Ok::<_, Error>(false);
                    };
                    let rows =
                        store::scores::submissions_after(tx, board_no, build.seq, BATCH).await?;
                    let full = rows.len() as i64 == BATCH;
                    let Some(last) = rows.last() else { return Ok(false) };
                    let seq = last.seq;
                    build_on(tx, &board, build.edition, rows).await?;
                    store::bans::move_build(tx, board_no, seq).await?;
                    Ok(full)
                })
            })
            .await
    }

    /// Works through what is left while writers wait, and shows the new entries; `false` if too much is left.
    async fn show_build(&self, board_no: i64) -> Result<bool, Error> {
        self.db()
            .write_queued(&store::boards::LOCK_HEAD, params![board_no], move |tx| {
                Box::pin(async move {
                    let head = match hold(tx, board_no).await {
                        Ok(head) => head,
                        Err(Error::NotFound) => return Ok(true),
                        Err(error) => return Err(error),
                    };
                    let Some((board, build)) = under_way(tx, board_no).await? else {
                        return Ok(true);
                    };
                    let rows =
                        store::scores::submissions_after(tx, board_no, build.seq, BATCH).await?;
                    if rows.len() as i64 == BATCH {
                        return Ok(false);
                    }
                    build_on(tx, &board, build.edition, rows).await?;
                    store::bans::end_build(tx, board_no).await?;
                    let head = Head { edition: build.edition, ..head };
                    store::boards::move_head(tx, board_no, head).await?;
                    say_changed(tx, &board, head, board.version, false).await?;
                    clear_up_later(tx, board_no).await?;
                    Ok(true)
                })
            })
            .await
    }

    /// Erases a board's entries of editions before the one that is shown. One that is being built is a later one.
    pub(crate) async fn erase_editions(&self, board_no: i64) -> Result<(), Error> {
        loop {
            let mut tx = self.db().read().await?;
            let head = store::boards::head(&mut tx, board_no).await?;
            drop(tx);
            let Some(Head { edition, .. }) = head else { return Ok(()) };
            let work = self.db().write(move |tx| {
                Box::pin(async move {
                    Ok::<_, Error>(
                        store::bans::erase_editions(tx, board_no, edition, ERASE_BATCH).await?,
                    )
                })
            });
            if work.await? < ERASE_BATCH.unsigned_abs() {
                return Ok(());
            }
        }
    }
}
