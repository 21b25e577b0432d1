//! What bans took from which board, and builds that are under way.

use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use super::scores::Place;
use crate::model::board::BoardSettings;

statements! {
    /// Where every board stands, locked in the order of numbers.
    LOCK_HEADS = "select no from boards.head order by no for update", sqlite "select no from boards.head order by no";
    /// A board by its number.
    BOARD_BY_NO = "select id from boards.board where no = $1 and deleted_at is null";
    /// Boards on which somebody has an entry.
    BOARDS_OF = "select distinct p.board_no from boards.period p join boards.head h on h.no = p.board_no
            cross join lateral (select 1 from boards.entry
                where board_no = p.board_no and edition = h.edition and period = p.no and owner = $1 limit 1) e",
        sqlite "select distinct p.board_no from boards.period p join boards.head h on h.no = p.board_no
            join boards.entry e on e.board_no = p.board_no and e.edition = h.edition and e.period = p.no
            where e.owner = $1";
    /// Boards on which somebody brought scores to others.
    BOARDS_CAUSED = "select distinct board_no from boards.submission where cause = $1 and owner <> $1";
    /// Whether somebody brought scores to others on a board.
    CAUSED = "select seq from boards.submission where cause = $1 and board_no = $2 and owner <> $1 limit 1";
    /// Periods of a board in which somebody has an entry.
    PERIODS_OF = "select p.no from boards.period p
            cross join lateral (select 1 from boards.entry
                where board_no = $1 and edition = $2 and period = p.no and owner = $3 limit 1) e
            where p.board_no = $1 order by p.no",
        sqlite "select p.no from boards.period p
            join boards.entry e on e.board_no = p.board_no and e.edition = $2 and e.period = p.no
            where p.board_no = $1 and e.owner = $3 order by p.no";
    /// Marks a board.
    MARK = "insert into boards.ban_mark (owner, board_no) values ($1, $2) on conflict do nothing";
    /// Takes a mark away.
    UNMARK = "delete from boards.ban_mark where owner = $1 and board_no = $2";
    /// Whether a board is marked.
    MARKED = "select board_no from boards.ban_mark where owner = $1 and board_no = $2";
    /// Boards that are marked.
    MARKS = "select board_no from boards.ban_mark where owner = $1 order by board_no";
    /// A build that is under way, locked for whoever goes on with it.
    LOCK_BUILD = "select edition, seq from boards.build where board_no = $1 for update",
        sqlite "select edition, seq from boards.build where board_no = $1";
    /// Boards whose entries are being built.
    BUILDS = "select board_no from boards.build order by board_no";
    /// Begins a build, or begins it anew; what is shown meanwhile stays what it was.
    BEGIN_BUILD = "insert into boards.build (board_no, edition, seq, shown) values ($1, $2, 0, $3)
                   on conflict (board_no) do update set edition = excluded.edition, seq = 0";
    /// Moves a build on.
    MOVE_BUILD = "update boards.build set seq = $2 where board_no = $1";
    /// Ends a build.
    END_BUILD = "delete from boards.build where board_no = $1";
    /// The newest edition that has entries.
    NEWEST_EDITION = "select edition from boards.entry where board_no = $1 order by edition desc limit 1";
    /// How many submissions a board has, up to a bound.
    COUNT = "select count(*) from (select 1 from boards.submission where board_no = $1 limit $2) as counted";
    /// Erases entries of editions that are not shown and not being built, some at a time.
    ERASE_EDITIONS = "delete from boards.entry where (board_no, edition, period, owner) in
        (select e.board_no, e.edition, e.period, e.owner from boards.entry e
         where e.board_no = $1 and e.edition < $2 limit $3)";
}

row! {
    /// A build that is under way.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Build {
        /// What it writes.
        pub(crate) edition: i64,
        /// The last submission that it has.
        pub(crate) seq: i64,
    }
}

/// Locks every board, for what all of them have in common.
pub(crate) async fn lock_heads(tx: &mut Tx) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&LOCK_HEADS, &[]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// The name of a board, unless it is deleted.
pub(crate) async fn board_by_no(tx: &mut Tx, no: i64) -> Result<Option<String>, DbError> {
    let row: Option<(String,)> = tx.optional(&BOARD_BY_NO, params![no]).await?;
    Ok(row.map(|(id,)| id))
}

/// Boards on which `owner` has an entry or brought scores to others, by number.
pub(crate) async fn boards_of(tx: &mut Tx, owner: &str) -> Result<Vec<i64>, DbError> {
    let mut all: Vec<(i64,)> = tx.all(&BOARDS_OF, params![owner]).await?;
    all.extend(tx.all::<(i64,)>(&BOARDS_CAUSED, params![owner]).await?);
    all.sort_unstable();
    all.dedup();
    Ok(all.into_iter().map(|(no,)| no).collect())
}

/// Whether `owner` brought scores to others on a board.
pub(crate) async fn caused(tx: &mut Tx, board_no: i64, owner: &str) -> Result<bool, DbError> {
    let row: Option<(i64,)> = tx.optional(&CAUSED, params![owner, board_no]).await?;
    Ok(row.is_some())
}

/// Periods in which `owner` has an entry of `edition`.
pub(crate) async fn periods_of(
    tx: &mut Tx,
    board_no: i64,
    edition: i64,
    owner: &str,
) -> Result<Vec<Place>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&PERIODS_OF, params![board_no, edition, owner]).await?;
    Ok(rows.into_iter().map(|(period,)| Place { board_no, edition, period }).collect())
}

/// Marks a board: it is built anew when the ban of `owner` is lifted.
pub(crate) async fn mark(tx: &mut Tx, owner: &str, board_no: i64) -> Result<(), DbError> {
    tx.run(&MARK, params![owner, board_no]).await
}

/// Takes the mark away.
pub(crate) async fn unmark(tx: &mut Tx, owner: &str, board_no: i64) -> Result<(), DbError> {
    tx.run(&UNMARK, params![owner, board_no]).await
}

/// Whether a board is marked.
pub(crate) async fn is_marked(tx: &mut Tx, owner: &str, board_no: i64) -> Result<bool, DbError> {
    let row: Option<(i64,)> = tx.optional(&MARKED, params![owner, board_no]).await?;
    Ok(row.is_some())
}

/// Boards that are marked, by number.
pub(crate) async fn marks(tx: &mut Tx, owner: &str) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&MARKS, params![owner]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// The build of a board that is under way, locked.
pub(crate) async fn lock_build(tx: &mut Tx, board_no: i64) -> Result<Option<Build>, DbError> {
    tx.optional(&LOCK_BUILD, params![board_no]).await
}

/// Begins a build of `edition`, or begins it anew; until it is shown, entries are of the settings `shown`.
pub(crate) async fn begin_build(
    tx: &mut Tx,
    board_no: i64,
    edition: i64,
    shown: &BoardSettings,
) -> Result<(), DbError> {
    tx.run(&BEGIN_BUILD, params![board_no, edition, Json(shown)]).await
}

/// Notes up to which submission the build of a board has come.
pub(crate) async fn move_build(tx: &mut Tx, board_no: i64, seq: i64) -> Result<(), DbError> {
    tx.run(&MOVE_BUILD, params![board_no, seq]).await
}

/// Ends the build that is under way, if there is one.
pub(crate) async fn end_build(tx: &mut Tx, board_no: i64) -> Result<(), DbError> {
    tx.run(&END_BUILD, params![board_no]).await
}

/// The newest edition that has entries; 0 if none has.
pub(crate) async fn newest_edition(tx: &mut Tx, board_no: i64) -> Result<i64, DbError> {
    let row: Option<(i64,)> = tx.optional(&NEWEST_EDITION, params![board_no]).await?;
    Ok(row.map_or(0, |(edition,)| edition))
}

/// How many submissions a board has, counted up to `most`.
pub(crate) async fn count(tx: &mut Tx, board_no: i64, most: i64) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&COUNT, params![board_no, most]).await?;
    Ok(count)
}

/// Boards whose entries are being built.
pub(crate) async fn builds(tx: &mut Tx) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&BUILDS, &[]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// Erases entries of editions before `edition`, at most `limit`; how many.
pub(crate) async fn erase_editions(
    tx: &mut Tx,
    board_no: i64,
    edition: i64,
    limit: i64,
) -> Result<u64, DbError> {
    tx.execute(&ERASE_EDITIONS, params![board_no, edition, limit]).await
}
