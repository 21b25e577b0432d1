//! What is kept no longer: periods that are over for long, and boards that were deleted. Some rows at a time.

use mainstay_contract::ts::Ts;
use mainstay_core::{
    db::{DbError, Sql, Tx},
    params, statements,
};

statements! {
    /// Boards whose oldest period need not be kept: of those that say how many past ones they keep, one more than that;
    /// of others, one that ended long ago. A competition keeps all of its own.
    WITH_OLD_PERIODS = "select b.no from boards.board b join boards.head h on h.no = b.no
            join boards.period p on p.board_no = b.no and p.no = (select min(o.no) from boards.period o where o.board_no = b.no)
            where b.deleted_at is null and b.competition_id is null and p.closed_at is not null and p.no < h.period
                and case when b.settings ->> 'periods_kept' is null then p.ends_at < $1
                    else p.no < h.period - cast(b.settings ->> 'periods_kept' as bigint) end
            order by b.no limit $2";
    /// The oldest period of a board.
    OLDEST_PERIOD = "select no from boards.period where board_no = $1 order by no limit 1";
    /// The first period of a board that has not ended before an instant.
    FIRST_SINCE = "select no from boards.period where board_no = $1 and (closed_at is null or ends_at >= $2)
                   order by no limit 1";
    /// Forgets periods before one: nobody finds them any more.
    FORGET_PERIODS = "delete from boards.period where board_no = $1 and no < $2";
    /// The period of a board's first submission.
    FIRST_SUBMITTED = "select period from boards.submission where board_no = $1 order by seq limit 1";
    /// Erases submissions of periods before one, from the first on. Numbers and periods ascend together.
    ERASE_SUBMISSIONS = "delete from boards.submission where board_no = $1 and period < $2 and seq <= (
            select max(s.seq) from (select f.seq from boards.submission f where f.board_no = $1 order by f.seq limit $3) s)";
    /// Erases entries of periods before one.
    ERASE_ENTRIES = "delete from boards.entry where (board_no, edition, period, owner) in
            (select e.board_no, e.edition, e.period, e.owner from boards.entry e join boards.head h on h.no = e.board_no
             where e.board_no = $1 and e.edition = h.edition and e.period < $2 limit $3)";
    /// Erases cohorts of periods before one.
    ERASE_COHORTS = "delete from boards.cohort where (board_no, period, no) in
            (select c.board_no, c.period, c.no from boards.cohort c
             where c.board_no = $1 and c.period < $2 limit $3)";
    /// Erases seats in periods before one, but of each owner the last: it says what they have earned.
    ERASE_SEATS = "delete from boards.seat where (board_no, owner, period) in
            (select s.board_no, s.owner, s.period from boards.seat s
             where s.board_no = $1 and s.period < $2 and exists (select 1 from boards.seat l
                where l.board_no = $1 and l.owner = s.owner and l.period > s.period) limit $3)";
    /// Deleted boards that still hold something.
    DELETED_BOARDS = "select b.no from boards.board b join boards.head h on h.no = b.no
                      where b.deleted_at is not null order by b.no limit $1";
    /// Erases entries of a board.
    BOARD_ENTRIES = "delete from boards.entry where (board_no, edition, period, owner) in
            (select e.board_no, e.edition, e.period, e.owner from boards.entry e where e.board_no = $1 limit $2)";
    /// Erases submissions of a board.
    BOARD_SUBMISSIONS = "delete from boards.submission where (board_no, seq) in
            (select s.board_no, s.seq from boards.submission s where s.board_no = $1 limit $2)";
    /// Erases seats of a board.
    BOARD_SEATS = "delete from boards.seat where (board_no, owner, period) in
            (select s.board_no, s.owner, s.period from boards.seat s where s.board_no = $1 limit $2)";
    /// Erases cohorts of a board.
    BOARD_COHORTS = "delete from boards.cohort where (board_no, period, no) in
            (select c.board_no, c.period, c.no from boards.cohort c where c.board_no = $1 limit $2)";
    /// Erases seasons of a board.
    BOARD_SEASONS = "delete from boards.season where (board_no, period) in
            (select s.board_no, s.period from boards.season s where s.board_no = $1 limit $2)";
    /// Erases bans on a board.
    BOARD_BANS = "delete from boards.ban where (owner, board_no) in
            (select b.owner, b.board_no from boards.ban b where b.board_no = $1 limit $2)";
    /// Erases marks of bans.
    BOARD_MARKS = "delete from boards.ban_mark where (owner, board_no) in
            (select m.owner, m.board_no from boards.ban_mark m where m.board_no = $1 limit $2)";
    /// Erases periods of a board.
    BOARD_PERIODS = "delete from boards.period where (board_no, no) in
            (select p.board_no, p.no from boards.period p where p.board_no = $1 limit $2)";
    /// Forgets the build of a deleted board.
    BOARD_BUILD = "delete from boards.build where board_no = $1";
    /// Forgets where a deleted board stood.
    BOARD_HEAD = "delete from boards.head where no = $1";
    /// Forgets deleted boards that hold nothing. The newest stays: its number is not given to another.
    FORGET_BOARDS = "delete from boards.board where deleted_at is not null
            and not exists (select 1 from boards.head h where h.no = board.no)
            and no < (select max(b.no) from boards.board b)";
}

/// What is erased of periods that are forgotten, each with a board's number, the first period that is kept, and how
/// many rows at most.
pub(crate) static OF_PERIODS: [&Sql; 4] =
    [&ERASE_SUBMISSIONS, &ERASE_ENTRIES, &ERASE_COHORTS, &ERASE_SEATS];

/// What is erased of a deleted board, each with its number and how many rows at most.
pub(crate) static OF_BOARD: [&Sql; 8] = [
    &BOARD_ENTRIES,
    &BOARD_SUBMISSIONS,
    &BOARD_SEATS,
    &BOARD_COHORTS,
    &BOARD_SEASONS,
    &BOARD_BANS,
    &BOARD_MARKS,
    &BOARD_PERIODS,
];

/// Boards with a period that need not be kept, of those that do not count theirs one that ended before `before`.
pub(crate) async fn with_old_periods(
    tx: &mut Tx,
    before: Ts,
    limit: i64,
) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&WITH_OLD_PERIODS, params![before, limit]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// The oldest period of a board.
pub(crate) async fn oldest_period(tx: &mut Tx, board_no: i64) -> Result<Option<i64>, DbError> {
    let row: Option<(i64,)> = tx.optional(&OLDEST_PERIOD, params![board_no]).await?;
    Ok(row.map(|(no,)| no))
}

/// The first period of a board that goes on or has ended at `since` or later.
pub(crate) async fn first_since(
    tx: &mut Tx,
    board_no: i64,
    since: Ts,
) -> Result<Option<i64>, DbError> {
    let row: Option<(i64,)> = tx.optional(&FIRST_SINCE, params![board_no, since]).await?;
    Ok(row.map(|(no,)| no))
}

/// Forgets periods before `first`.
pub(crate) async fn forget_periods(tx: &mut Tx, board_no: i64, first: i64) -> Result<(), DbError> {
    tx.run(&FORGET_PERIODS, params![board_no, first]).await
}

/// Erases some rows of periods before `first` by one of [`OF_PERIODS`]; whether there may be more.
pub(crate) async fn erase_of_periods(
    tx: &mut Tx,
    by: &'static Sql,
    (board_no, first): (i64, i64),
    limit: i64,
) -> Result<bool, DbError> {
    // Whoever looked for more of them would read every submission.
    if std::ptr::eq(by, &raw const ERASE_SUBMISSIONS) {
        let found: Option<(i64,)> = tx.optional(&FIRST_SUBMITTED, params![board_no]).await?;
        if found.is_none_or(|(period,)| period >= first) {
            return Ok(false);
        }
    }
    let erased = tx.execute(by, params![board_no, first, limit]).await?;
    Ok(erased >= limit.unsigned_abs())
}

/// Deleted boards that still hold something.
pub(crate) async fn deleted_boards(tx: &mut Tx, limit: i64) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&DELETED_BOARDS, params![limit]).await?;
    Ok(rows.into_iter().map(|(no,)| no).collect())
}

/// Erases some rows of a deleted board by one of [`OF_BOARD`]; whether there may be more.
pub(crate) async fn erase_of_board(
    tx: &mut Tx,
    by: &'static Sql,
    board_no: i64,
    limit: i64,
) -> Result<bool, DbError> {
    let erased = tx.execute(by, params![board_no, limit]).await?;
    Ok(erased >= limit.unsigned_abs())
}

/// Forgets where a deleted board stood, with which nothing is left of it but its row.
pub(crate) async fn forget_head(tx: &mut Tx, board_no: i64) -> Result<(), DbError> {
    tx.run(&BOARD_BUILD, params![board_no]).await?;
    tx.run(&BOARD_HEAD, params![board_no]).await
}

/// Forgets deleted boards that hold nothing.
pub(crate) async fn forget_boards(tx: &mut Tx) -> Result<(), DbError> {
    tx.run(&FORGET_BOARDS, &[]).await
}
