//! Boards, where they stand, their periods, and who is banned.

use mainstay_contract::{boards::CompetitionId, id::UserId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::model::board::BoardSettings;

/// What a [`BoardRow`] reads.
macro_rules! board_columns {
    () => {
        "b.id, b.no, b.settings, b.competition_id, b.created_at, b.updated_at, b.version,
         coalesce((select h.edition from boards.head h where h.no = b.no), 1),
         (select u.shown from boards.build u where u.board_no = b.no)"
    };
}

statements! {
    /// A board.
    BOARD = concat!("select ", board_columns!(), " from boards.board b where b.id = $1 and b.deleted_at is null");
    /// Boards by name, after one; those of competitions are shown with their competitions.
    BOARDS = concat!("select ", board_columns!(), " from boards.board b
             where b.deleted_at is null and b.competition_id is null and b.id > $1 order by b.id limit $2");
    /// Whoever makes or deletes boards waits here, so that no number is given twice.
    LOCK_NUMBERS = "lock table boards.board in share row exclusive mode", sqlite "select 1";
    /// The number of the next board.
    NEXT_NO = "select coalesce(max(no), 0) + 1 from boards.board";
    /// Adds a board.
    ADD_BOARD = "insert into boards.board (id, no, settings, competition_id, created_at, updated_at, version)
                 values ($1, $2, $3, $4, $5, $5, 1)";
    /// Changes a board.
    CHANGE_BOARD = "update boards.board set settings = $2, updated_at = $3, version = $4 where no = $1";
    /// Frees a board's name; what it holds is erased later.
    DELETE_BOARD = "update boards.board set id = $2, deleted_at = $3, version = version + 1 where no = $1";
    /// Where a board stands; its writers queue up here.
    LOCK_HEAD = "select edition, period, last_seq, period_ends_at from boards.head where no = $1 for update",
        sqlite "select edition, period, last_seq, period_ends_at from boards.head where no = $1";
    /// Where a board stands.
    HEAD = "select edition, period, last_seq, period_ends_at from boards.head where no = $1";
    /// Where a board stands, with its present period.
    PRESENT = "select h.edition, h.period, h.last_seq, h.period_ends_at, p.starts_at, p.ends_at, p.closed_at
               from boards.head h join boards.period p on p.board_no = h.no and p.no = h.period where h.no = $1";
    /// Sets a board on its way.
    ADD_HEAD = "insert into boards.head (no, edition, period, last_seq, period_ends_at) values ($1, 1, 1, 0, $2)";
    /// Moves a board on.
    MOVE_HEAD = "update boards.head set edition = $2, period = $3, last_seq = $4, period_ends_at = $5 where no = $1";
    /// Begins a period.
    ADD_PERIOD = "insert into boards.period (board_no, no, starts_at, ends_at) values ($1, $2, $3, $4)";
    /// Ends a period.
    CLOSE_PERIOD = "update boards.period set closed_at = $3, ends_at = $4 where board_no = $1 and no = $2";
    /// Plans the end of a period anew.
    PLAN_PERIOD = "update boards.period set ends_at = $3 where board_no = $1 and no = $2";
    /// A period.
    PERIOD = "select no, starts_at, ends_at, closed_at from boards.period where board_no = $1 and no = $2";
    /// The period that an instant is in.
    PERIOD_AT = "select no, starts_at, ends_at, closed_at from boards.period
                 where board_no = $1 and starts_at <= $2 order by no desc limit 1";
    /// Periods, newest first, before one.
    PERIODS = "select no, starts_at, ends_at, closed_at from boards.period
               where board_no = $1 and no < $2 order by no desc limit $3";
    /// Periods that are over.
    DUE = "select b.id from boards.head h join boards.board b on b.no = h.no
           where h.period_ends_at <= $1 and b.deleted_at is null order by h.period_ends_at limit 100";
    /// Which of these owners are banned on a board.
    BANNED_AMONG = "select owner from boards.ban where owner = any($2) and board_no in (0, $1)",
        sqlite "select owner from boards.ban where owner in (select value from json_each($2)) and board_no in (0, $1)";
    /// Bans an owner, or gives the reason anew.
    BAN = "insert into boards.ban (owner, board_no, reason, banned_by, banned_at) values ($1, $2, $3, $4, $5)
           on conflict (owner, board_no) do update set reason = excluded.reason";
    /// Lifts a ban.
    UNBAN = "delete from boards.ban where owner = $1 and board_no = $2";
    /// A ban.
    BANNED = "select owner, board_no, reason, banned_by, banned_at from boards.ban where owner = $1 and board_no = $2";
    /// Bans, by owner, after one.
    BANS = "select owner, board_no, reason, banned_by, banned_at from boards.ban
            where board_no = $1 and owner > $2 order by owner limit $3";
}

row! {
    /// A board.
    #[derive(Debug, Clone)]
    pub(crate) struct BoardRow {
        pub(crate) id: String,
        pub(crate) no: i64,
        pub(crate) settings: Json<BoardSettings>,
        pub(crate) competition: Option<CompetitionId>,
        pub(crate) created_at: Ts,
        pub(crate) updated_at: Ts,
        pub(crate) version: i64,
        /// The build of its entries that is shown.
        pub(crate) edition: i64,
        /// The settings that this was made under, while another one is being made.
        pub(crate) shown: Option<Json<BoardSettings>>,
    }
}

row! {
    /// Where a board stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Head {
        pub(crate) edition: i64,
        pub(crate) period: i64,
        pub(crate) last_seq: i64,
        pub(crate) period_ends_at: Option<Ts>,
    }
}

row! {
    /// A period of a board.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct PeriodRow {
        pub(crate) no: i64,
        pub(crate) starts_at: Ts,
        pub(crate) ends_at: Option<Ts>,
        pub(crate) closed_at: Option<Ts>,
    }
}

row! {
    /// A ban.
    #[derive(Debug, Clone)]
    pub(crate) struct BanRow {
        pub(crate) owner: String,
        pub(crate) board_no: i64,
        pub(crate) reason: String,
        pub(crate) banned_by: UserId,
        pub(crate) banned_at: Ts,
    }
}

/// The board of this name, if there is one.
pub(crate) async fn board(tx: &mut Tx, id: &str) -> Result<Option<BoardRow>, DbError> {
    tx.optional(&BOARD, params![id]).await
}

/// Boards with names after `after`, at most `limit`.
pub(crate) async fn boards(tx: &mut Tx, after: &str, limit: i64) -> Result<Vec<BoardRow>, DbError> {
    tx.all(&BOARDS, params![after, limit]).await
}

/// The number of the next board; the caller holds [`LOCK_NUMBERS`].
pub(crate) async fn next_no(tx: &mut Tx) -> Result<i64, DbError> {
    let (no,): (i64,) = tx.one(&NEXT_NO, &[]).await?;
    Ok(no)
}

/// Adds a board with its head and first period.
pub(crate) async fn add(
    tx: &mut Tx,
    (id, no): (&str, i64),
    settings: &BoardSettings,
    competition: Option<CompetitionId>,
    (now, period_ends_at): (Ts, Option<Ts>),
) -> Result<(), DbError> {
    let settings = Json(settings.clone());
    tx.run(&ADD_BOARD, params![id, no, settings, competition, now]).await?;
    tx.run(&ADD_HEAD, params![no, period_ends_at]).await?;
    add_period(tx, no, 1, (now, period_ends_at)).await
}

/// Changes a board's settings.
pub(crate) async fn change(
    tx: &mut Tx,
    no: i64,
    settings: &BoardSettings,
    now: Ts,
    version: i64,
) -> Result<(), DbError> {
    tx.run(&CHANGE_BOARD, params![no, Json(settings.clone()), now, version]).await
}

/// Frees a board's name.
pub(crate) async fn delete(tx: &mut Tx, no: i64, now: Ts) -> Result<(), DbError> {
    // No name that anybody may give has a slash.
    tx.run(&DELETE_BOARD, params![no, format!("deleted/{no}"), now]).await
}

/// Where a board stands, locked for whoever writes it.
pub(crate) async fn lock_head(tx: &mut Tx, no: i64) -> Result<Option<Head>, DbError> {
    tx.optional(&LOCK_HEAD, params![no]).await
}

/// Where a board stands.
pub(crate) async fn head(tx: &mut Tx, no: i64) -> Result<Option<Head>, DbError> {
    tx.optional(&HEAD, params![no]).await
}

type PresentRow = (i64, i64, i64, Option<Ts>, Ts, Option<Ts>, Option<Ts>);

/// Where a board stands, with its present period.
pub(crate) async fn present(tx: &mut Tx, no: i64) -> Result<Option<(Head, PeriodRow)>, DbError> {
    let row: Option<PresentRow> = tx.optional(&PRESENT, params![no]).await?;
    Ok(row.map(|(edition, period, last_seq, period_ends_at, starts_at, ends_at, closed_at)| {
        let head = Head { edition, period, last_seq, period_ends_at };
        (head, PeriodRow { no: period, starts_at, ends_at, closed_at })
    }))
}

/// Moves a board on.
pub(crate) async fn move_head(tx: &mut Tx, no: i64, head: Head) -> Result<(), DbError> {
    let Head { edition, period, last_seq, period_ends_at } = head;
    tx.run(&MOVE_HEAD, params![no, edition, period, last_seq, period_ends_at]).await
}

/// Begins a period.
pub(crate) async fn add_period(
    tx: &mut Tx,
    board_no: i64,
    no: i64,
    (starts_at, ends_at): (Ts, Option<Ts>),
) -> Result<(), DbError> {
    tx.run(&ADD_PERIOD, params![board_no, no, starts_at, ends_at]).await
}

/// Ends a period.
pub(crate) async fn close_period(
    tx: &mut Tx,
    board_no: i64,
    no: i64,
    (now, ends_at): (Ts, Ts),
) -> Result<(), DbError> {
    tx.run(&CLOSE_PERIOD, params![board_no, no, now, ends_at]).await
}

/// Plans the end of a period anew.
pub(crate) async fn plan_period(
    tx: &mut Tx,
    board_no: i64,
    no: i64,
    ends_at: Option<Ts>,
) -> Result<(), DbError> {
    tx.run(&PLAN_PERIOD, params![board_no, no, ends_at]).await
}

/// A period.
pub(crate) async fn period(
    tx: &mut Tx,
    board_no: i64,
    no: i64,
) -> Result<Option<PeriodRow>, DbError> {
    tx.optional(&PERIOD, params![board_no, no]).await
}

/// The period that `at` is in, or the last one before it.
pub(crate) async fn period_at(
    tx: &mut Tx,
    board_no: i64,
    at: Ts,
) -> Result<Option<PeriodRow>, DbError> {
    tx.optional(&PERIOD_AT, params![board_no, at]).await
}

/// Periods below `before`, newest first.
pub(crate) async fn periods(
    tx: &mut Tx,
    board_no: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<PeriodRow>, DbError> {
    tx.all(&PERIODS, params![board_no, before, limit]).await
}

/// Boards whose period is over at `now`.
pub(crate) async fn due(tx: &mut Tx, now: Ts) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&DUE, params![now]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Which of `owners` are banned on a board.
pub(crate) async fn banned_among(
    tx: &mut Tx,
    board_no: i64,
    owners: &[String],
) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&BANNED_AMONG, params![board_no, owners.to_vec()]).await?;
    Ok(rows.into_iter().map(|(owner,)| owner).collect())
}

/// The ban of `owner` on this board, or everywhere if `board_no` is 0.
pub(crate) async fn ban_of(
    tx: &mut Tx,
    owner: &str,
    board_no: i64,
) -> Result<Option<BanRow>, DbError> {
    tx.optional(&BANNED, params![owner, board_no]).await
}

/// Bans an owner; a ban that is there gets the new reason and stays as it is else.
pub(crate) async fn ban(tx: &mut Tx, row: &BanRow) -> Result<(), DbError> {
    tx.run(&BAN, params![row.owner, row.board_no, row.reason, row.banned_by, row.banned_at]).await
}

/// Lifts a ban; `true` if there was one.
pub(crate) async fn unban(tx: &mut Tx, owner: &str, board_no: i64) -> Result<bool, DbError> {
    Ok(tx.execute(&UNBAN, params![owner, board_no]).await? == 1)
}

/// Bans on this board, or everywhere if `board_no` is 0, of owners after `after`.
pub(crate) async fn bans(
    tx: &mut Tx,
    board_no: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<BanRow>, DbError> {
    tx.all(&BANS, params![board_no, after, limit]).await
}
