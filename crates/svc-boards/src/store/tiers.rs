//! Seasons, cohorts, and who has which seat in them.

use std::collections::BTreeMap;

use mainstay_core::{
    db::{DbError, Json, Param, ToParam as _, Tx},
    params, row, statements,
};

use crate::model::tier::{Filling, Tiers};

/// What a [`SeasonRow`] reads.
macro_rules! season_columns {
    () => {
        "period, no, tiers, state, placed_seq, settled_cohort"
    };
}

statements! {
    /// A season.
    SEASON = concat!("select ", season_columns!(), " from boards.season where board_no = $1 and period = $2");
    /// A season, locked for whoever settles it or gives out its seats.
    LOCK_SEASON = concat!("select ", season_columns!(), " from boards.season where board_no = $1 and period = $2 for update"),
        sqlite concat!("select ", season_columns!(), " from boards.season where board_no = $1 and period = $2");
    /// The newest season of a board.
    LAST_SEASON = concat!("select ", season_columns!(), " from boards.season where board_no = $1 order by period desc limit 1");
    /// The first season that is not over.
    FIRST_UNSETTLED = concat!("select ", season_columns!(), " from boards.season
                      where board_no = $1 and state <> 2 order by period limit 1");
    /// Adds a season.
    ADD_SEASON = "insert into boards.season (board_no, period, no, tiers, state, placed_seq, settled_cohort)
                  values ($1, $2, $3, $4, $5, $6, 0)";
    /// Moves a season on.
    MOVE_SEASON = "update boards.season set state = $3, placed_seq = $4, settled_cohort = $5
                   where board_no = $1 and period = $2";
    /// Gives a season other rules.
    SET_RULES = "update boards.season set tiers = $3 where board_no = $1 and period = $2";
    /// The period of the newest submission.
    LAST_PERIOD = "select period from boards.submission where board_no = $1 order by seq desc limit 1";
    /// The newest cohort of a season.
    NEWEST_COHORT = "select no from boards.cohort where board_no = $1 and period = $2 order by no desc limit 1";
    /// The cohort of a tier that is being filled.
    FILLING = "select tier, no, members from boards.cohort where board_no = $1 and period = $2 and tier = $3
               order by no desc limit 1";
    /// Cohorts in order, after one.
    COHORTS_AFTER = "select no, tier, members from boards.cohort where board_no = $1 and period = $2 and no > $3
                     order by no limit $4";
    /// Adds a cohort, or changes how many are in it.
    SET_COHORT = "insert into boards.cohort (board_no, period, no, tier, members) values ($1, $2, $3, $4, $5)
                  on conflict (board_no, period, no) do update set members = excluded.members";
    /// How many play a season.
    PLAYERS = "select cast(coalesce(sum(members), 0) as bigint) from boards.cohort where board_no = $1 and period = $2";
    /// How many play a season in each tier.
    PLAYERS_BY_TIER = "select tier, cast(sum(members) as bigint) from boards.cohort where board_no = $1 and period = $2
                       group by tier order by tier limit 100";
    /// Whether anybody ever had a seat.
    SEATED = "select period from boards.seat where board_no = $1 limit 1";
    /// Gives out a seat.
    ADD_SEAT = "insert into boards.seat (board_no, owner, period, tier, cohort) values ($1, $2, $3, $4, $5)";
    /// Seats of these owners in a season, each looked up by itself as entries are.
    SEATS_AMONG = "select s.* from unnest($3::text[]) as asked (owner) cross join lateral (
                       select owner, tier, cohort, next_tier from boards.seat
                       where board_no = $1 and period = $2 and owner = asked.owner limit 1) s",
        sqlite "select owner, tier, cohort, next_tier from boards.seat
                where board_no = $1 and period = $2 and owner in (select value from json_each($3))";
    /// The last seats of these owners before a period: what they have earned, and in which season.
    EARNED_AMONG = "select e.owner, e.tier, n.no from unnest($3::text[]) as asked (owner) cross join lateral (
                select owner, coalesce(next_tier, tier) as tier, period from boards.seat
                where board_no = $1 and owner = asked.owner and period < $2 order by period desc limit 1) e
            join boards.season n on n.board_no = $1 and n.period = e.period",
        sqlite "select s.owner, coalesce(s.next_tier, s.tier), n.no from boards.seat s
            join boards.season n on n.board_no = s.board_no and n.period = s.period
            where s.board_no = $1 and s.owner in (select value from json_each($3))
                and s.period = (select max(l.period) from boards.seat l
                where l.board_no = $1 and l.owner = s.owner and l.period < $2)";
    /// Owners of a cohort, by name.
    MEMBERS = "select owner from boards.seat where board_no = $1 and period = $2 and cohort = $3 order by owner limit 1000";
    /// Says what somebody has earned.
    END_SEAT = "update boards.seat set rank = $4, next_tier = $5 where board_no = $1 and owner = $2 and period = $3";
    /// Seasons that somebody has played, newest first, before one.
    HISTORY = "select period, tier, cohort, rank, next_tier from boards.seat
               where board_no = $1 and owner = $2 and period < $3 order by period desc limit $4";
}

/// How far a season is.
pub(crate) mod state {
    /// It waits for the one before and gives out no seats.
    pub(crate) const WAITING: i64 = 0;
    /// Whoever scores first takes a seat.
    pub(crate) const OPEN: i64 = 1;
    /// It is over, and what everybody has earned is known.
    pub(crate) const OVER: i64 = 2;
}

row! {
    /// A season.
    #[derive(Debug, Clone)]
    pub(crate) struct SeasonRow {
        pub(crate) period: i64,
        pub(crate) no: i64,
        pub(crate) tiers: Json<Tiers>,
        pub(crate) state: i64,
        pub(crate) placed_seq: i64,
        pub(crate) settled_cohort: i64,
    }
}

row! {
    /// A cohort.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct CohortRow {
        pub(crate) no: i64,
        pub(crate) tier: i64,
        pub(crate) members: i64,
    }
}

row! {
    /// Where somebody plays a season.
    #[derive(Debug, Clone)]
    pub(crate) struct SeatRow {
        pub(crate) owner: String,
        pub(crate) tier: i64,
        pub(crate) cohort: i64,
        /// What they have earned, once that is known.
        pub(crate) next_tier: Option<i64>,
    }
}

row! {
    /// What somebody has earned with the last season that they played, and which one of the board's that was.
    #[derive(Debug, Clone)]
    pub(crate) struct EarnedRow {
        pub(crate) owner: String,
        pub(crate) tier: i64,
        pub(crate) season: i64,
    }
}

row! {
    /// A season that somebody has played.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct PlayedRow {
        pub(crate) period: i64,
        pub(crate) tier: i64,
        pub(crate) cohort: i64,
        pub(crate) rank: Option<i64>,
        pub(crate) next_tier: Option<i64>,
    }
}

/// The season of a period, if it is played as one.
pub(crate) async fn season(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
) -> Result<Option<SeasonRow>, DbError> {
    tx.optional(&SEASON, params![board_no, period]).await
}

/// The same, locked.
pub(crate) async fn lock_season(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
) -> Result<Option<SeasonRow>, DbError> {
    tx.optional(&LOCK_SEASON, params![board_no, period]).await
}

/// The newest season of a board.
pub(crate) async fn last_season(tx: &mut Tx, board_no: i64) -> Result<Option<SeasonRow>, DbError> {
    tx.optional(&LAST_SEASON, params![board_no]).await
}

/// The first season of a board that is not over.
pub(crate) async fn first_unsettled(
    tx: &mut Tx,
    board_no: i64,
) -> Result<Option<SeasonRow>, DbError> {
    tx.optional(&FIRST_UNSETTLED, params![board_no]).await
}

/// Adds a season.
pub(crate) async fn add_season(
    tx: &mut Tx,
    board_no: i64,
    season: &SeasonRow,
) -> Result<(), DbError> {
    let SeasonRow { period, no, state, placed_seq, .. } = *season;
    let tiers = season.tiers.clone();
    tx.run(&ADD_SEASON, params![board_no, period, no, tiers, state, placed_seq]).await
}

/// Moves a season on: its state, its seats, its cohorts.
pub(crate) async fn move_season(
    tx: &mut Tx,
    board_no: i64,
    season: &SeasonRow,
) -> Result<(), DbError> {
    let SeasonRow { period, state, placed_seq, settled_cohort, .. } = *season;
    tx.run(&MOVE_SEASON, params![board_no, period, state, placed_seq, settled_cohort]).await
}

/// Gives a season other rules.
pub(crate) async fn set_rules(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    rules: &Tiers,
) -> Result<(), DbError> {
    tx.run(&SET_RULES, params![board_no, period, Json(rules.clone())]).await
}

/// The period of the newest submission; 0 if there is none.
pub(crate) async fn last_period(tx: &mut Tx, board_no: i64) -> Result<i64, DbError> {
    let row: Option<(i64,)> = tx.optional(&LAST_PERIOD, params![board_no]).await?;
    Ok(row.map_or(0, |(period,)| period))
}

/// The number of a season's newest cohort; 0 if it has none.
pub(crate) async fn newest_cohort(tx: &mut Tx, board_no: i64, period: i64) -> Result<i64, DbError> {
    let row: Option<(i64,)> = tx.optional(&NEWEST_COHORT, params![board_no, period]).await?;
    Ok(row.map_or(0, |(no,)| no))
}

/// The cohorts of these tiers that are being filled.
pub(crate) async fn filling(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    tiers: impl Iterator<Item = i64>,
) -> Result<BTreeMap<i64, Filling>, DbError> {
    let key = |tier| vec![Param::I64(board_no), Param::I64(period), Param::I64(tier)];
    let params: Vec<_> = tiers.map(key).collect();
    let rows: Vec<Option<(i64, i64, i64)>> = tx.optional_all(&FILLING, &params).await?;
    let of = |(tier, no, members)| (tier, Filling { no, members });
    Ok(rows.into_iter().flatten().map(of).collect())
}

/// Cohorts above `after`, in order.
pub(crate) async fn cohorts_after(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    (after, limit): (i64, i64),
) -> Result<Vec<CohortRow>, DbError> {
    tx.all(&COHORTS_AFTER, params![board_no, period, after, limit]).await
}

/// How many play a season.
pub(crate) async fn players(tx: &mut Tx, board_no: i64, period: i64) -> Result<i64, DbError> {
    let (players,): (i64,) = tx.one(&PLAYERS, params![board_no, period]).await?;
    Ok(players)
}

/// How many play a season in each tier that somebody plays in.
pub(crate) async fn players_by_tier(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
) -> Result<Vec<(i64, i64)>, DbError> {
    tx.all(&PLAYERS_BY_TIER, params![board_no, period]).await
}

/// Whether anybody ever had a seat on a board.
pub(crate) async fn is_seated(tx: &mut Tx, board_no: i64) -> Result<bool, DbError> {
    let row: Option<(i64,)> = tx.optional(&SEATED, params![board_no]).await?;
    Ok(row.is_some())
}

/// Keeps how many there are in cohorts (number, tier, members), and seats (owner, tier, cohort).
pub(crate) async fn give_out(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    cohorts: impl Iterator<Item = (i64, i64, i64)>,
    seats: &[(&str, i64, i64)],
) -> Result<(), DbError> {
    let cohorts = cohorts.map(|(no, tier, members)| {
        (&SET_COHORT, [board_no, period, no, tier, members].map(Param::I64).to_vec())
    });
    let seats = seats.iter().map(|(owner, tier, cohort)| {
        let [board_no, period, tier, cohort] = [board_no, period, *tier, *cohort].map(Param::I64);
        (&ADD_SEAT, vec![board_no, owner.to_param(), period, tier, cohort])
    });
    let all: Vec<_> = cohorts.chain(seats).collect();
    tx.execute_all(&all).await.map(drop)
}

/// Seats of `owners` in a season.
pub(crate) async fn seats_among(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    owners: &[String],
) -> Result<Vec<SeatRow>, DbError> {
    tx.all(&SEATS_AMONG, params![board_no, period, owners.to_vec()]).await
}

/// What `owners` have earned with the last season before `period` that they played.
pub(crate) async fn earned_among(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    owners: &[String],
) -> Result<Vec<EarnedRow>, DbError> {
    tx.all(&EARNED_AMONG, params![board_no, period, owners.to_vec()]).await
}

/// Owners of a cohort, by name.
pub(crate) async fn members(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    cohort: i64,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&MEMBERS, params![board_no, period, cohort]).await?;
    Ok(rows.into_iter().map(|(owner,)| owner).collect())
}

/// Says what owners have earned: their rank, if they had a score, and their tier.
pub(crate) async fn end_seats(
    tx: &mut Tx,
    board_no: i64,
    period: i64,
    ends: &[(&str, Option<i64>, i64)],
) -> Result<(), DbError> {
    let ends = ends.iter().map(|(owner, rank, tier)| {
        let [board_no, period, tier] = [board_no, period, *tier].map(Param::I64);
        (&END_SEAT, vec![board_no, owner.to_param(), period, rank.to_param(), tier])
    });
    tx.execute_all(&ends.collect::<Vec<_>>()).await.map(drop)
}

/// Seasons before `before` that `owner` has played, newest first.
pub(crate) async fn history(
    tx: &mut Tx,
    board_no: i64,
    owner: &str,
    (before, limit): (i64, i64),
) -> Result<Vec<PlayedRow>, DbError> {
    tx.all(&HISTORY, params![board_no, owner, before, limit]).await
}
