//! Competitions, who takes part, results and pay-outs.

use mainstay_contract::{boards::CompetitionId, id::UserId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, ToParam as _, Tx},
    params, row, statements,
};

use crate::model::competition::Teams;

/// What a [`CompetitionRow`] reads.
macro_rules! columns {
    () => {
        "c.id, c.name, c.description, c.metric, c.starts_at, c.ends_at, c.join_until, c.capacity, c.attempts_max, c.fee, \
         c.convenience_fee, c.currency, c.pool_percent, c.prize_split, c.teams, c.state, c.participant_count, \
         c.certificate, c.refunded_to, c.created_at, c.version"
    };
}

/// Whether a competition is in phase `$4` at `$5`; in any if it is empty.
macro_rules! in_phase {
    () => {
        "($4 = '' or $4 = case when c.state = 1 then 'cancelled' when c.state = 2 or c.ends_at <= $5 then 'completed' \
         when c.starts_at <= $5 then 'active' else 'upcoming' end)"
    };
}

statements! {
    /// Adds a competition.
    ADD = "insert into boards.competition (id, name, description, metric, starts_at, ends_at, join_until, capacity,
             attempts_max, fee, convenience_fee, currency, pool_percent, prize_split, teams, state, participant_count,
             created_by, created_at, version)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, $16, $17, 1)";
    /// A competition.
    ONE = concat!("select ", columns!(), " from boards.competition c where c.id = $1");
    /// The same; whoever changes it waits here.
    LOCK = concat!("select ", columns!(), " from boards.competition c where c.id = $1 for update"),
        sqlite concat!("select ", columns!(), " from boards.competition c where c.id = $1");
    /// Competitions in a phase, or in any, the one that begins last first: before one, and not before a beginning.
    LIST = concat!("select ", columns!(), " from boards.competition c
            where (c.starts_at < $1 or c.starts_at = $1 and c.id < $2) and c.starts_at >= $3 and ", in_phase!(), "
            order by c.starts_at desc, c.id desc limit $6");
    /// The same of those that somebody is in.
    OF_USER = concat!("select ", columns!(), " from boards.participant p join boards.competition c on c.id = p.competition_id
            where p.user_id = $7 and (c.starts_at < $1 or c.starts_at = $1 and c.id < $2) and c.starts_at >= $3
              and ", in_phase!(), " order by c.starts_at desc, c.id desc limit $6");
    /// Competitions in a phase, the one that begins first first: behind one, and not before a beginning.
    SOONEST = concat!("select ", columns!(), " from boards.competition c
            where (c.starts_at > $1 or c.starts_at = $1 and c.id > $2) and c.starts_at >= $3 and ", in_phase!(), "
            order by c.starts_at, c.id limit $6");
    /// The same of those that somebody is in.
    SOONEST_OF_USER = concat!("select ", columns!(), " from boards.participant p
            join boards.competition c on c.id = p.competition_id
            where p.user_id = $7 and (c.starts_at > $1 or c.starts_at = $1 and c.id > $2) and c.starts_at >= $3
              and ", in_phase!(), " order by c.starts_at, c.id limit $6");
    /// Open competitions of a metric that somebody is in; they do not end meanwhile.
    RUNNING_OF_USER = concat!("select ", columns!(), " from boards.participant p
            join boards.competition c on c.id = p.competition_id
            where p.user_id = $1 and c.metric = $2 and c.state = 0 order by c.id limit 100 for share of c"),
        sqlite concat!("select ", columns!(), " from boards.participant p
            join boards.competition c on c.id = p.competition_id
            where p.user_id = $1 and c.metric = $2 and c.state = 0 order by c.id limit 100");
    /// How many of them there are.
    OPEN_OF_USER = "select count(*) from boards.participant p join boards.competition c on c.id = p.competition_id
                    where p.user_id = $1 and c.metric = $2 and c.state = 0";
    /// Open competitions that are over.
    DUE = "select id from boards.competition where state = 0 and ends_at <= $1 order by ends_at limit 20";
    /// Called off competitions with people who do not have their money back yet.
    OWING = "select id from boards.competition where refunded_to is not null order by id limit 20";
    /// Changes the state of a competition.
    MOVE = "update boards.competition set state = $2, certificate = $3, version = $4 where id = $1";
    /// Changes how many take part.
    COUNT = "update boards.competition set participant_count = $2 where id = $1";
    /// Says who has their money back.
    REFUND_TO = "update boards.competition set refunded_to = $2 where id = $1";
    /// Changes the settings of a competition.
    CHANGE = "update boards.competition set name = $2, description = $3, starts_at = $4, ends_at = $5, join_until = $6,
                capacity = $7, attempts_max = $8, fee = $9, convenience_fee = $10, pool_percent = $11, prize_split = $12,
                version = $13
              where id = $1";
    /// Adds somebody who takes part.
    JOIN = "insert into boards.participant (competition_id, user_id, team, attempts, joined_at) values ($1, $2, $3, 0, $4)";
    /// Takes somebody out.
    LEAVE = "delete from boards.participant where competition_id = $1 and user_id = $2";
    /// Somebody who takes part.
    PARTICIPANT = "select user_id, team, attempts, joined_at from boards.participant
                   where competition_id = $1 and user_id = $2";
    /// Everybody who takes part, after one.
    PARTICIPANTS = "select user_id, team, attempts, joined_at from boards.participant
                    where competition_id = $1 and user_id > $2 order by user_id limit $3";
    /// How many take part, after one.
    PARTICIPANTS_AFTER = "select count(*) from boards.participant where competition_id = $1 and user_id > $2";
    /// Members of a team.
    TEAM = "select user_id from boards.participant where competition_id = $1 and team = $2 order by user_id limit 1000";
    /// Counts an attempt.
    ATTEMPT = "update boards.participant set attempts = attempts + 1 where competition_id = $1 and user_id = $2";
    /// Keeps a result.
    ADD_RESULT = "insert into boards.result (competition_id, place, rank, user_id, score)
                  select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[])",
        sqlite "insert into boards.result (competition_id, place, rank, user_id, score) values ($1, $2, $3, $4, $5)";
    /// Results after a place.
    RESULTS = "select place, rank, user_id, score from boards.result
               where competition_id = $1 and place > $2 order by place limit $3";
    /// Proposes prizes.
    PROPOSE = "insert into boards.payout (competition_id, prizes, proposed_by, proposed_at, paid_count)
               values ($1, $2, $3, $4, 0)
               on conflict (competition_id) do update set prizes = excluded.prizes, proposed_by = excluded.proposed_by,
                 proposed_at = excluded.proposed_at";
    /// Prizes as they were proposed.
    PAYOUT = "select prizes, proposed_by, proposed_at, approved_by, approved_at, paid_count, paid_at from boards.payout
              where competition_id = $1";
    /// Notes who approved.
    APPROVE = "update boards.payout set approved_by = $2, approved_at = $3 where competition_id = $1 and approved_by is null";
    /// Notes how many are paid.
    PAID = "update boards.payout set paid_count = $2, paid_at = $3 where competition_id = $1";
    /// Competitions with prizes that are approved and not all paid.
    UNPAID = "select competition_id from boards.payout where approved_by is not null and paid_at is null
              order by competition_id limit 20";
}

row! {
    /// A competition.
    #[derive(Debug, Clone)]
    pub(crate) struct CompetitionRow {
        pub(crate) id: CompetitionId,
        pub(crate) name: String,
        pub(crate) description: String,
        pub(crate) metric: String,
        pub(crate) starts_at: Ts,
        pub(crate) ends_at: Ts,
        pub(crate) join_until: Ts,
        pub(crate) capacity: Option<i64>,
        pub(crate) attempts_max: Option<i64>,
        pub(crate) fee: i64,
        pub(crate) convenience_fee: i64,
        pub(crate) currency: String,
        pub(crate) pool_percent: i64,
        pub(crate) prize_split: Json<Vec<u32>>,
        pub(crate) teams: Option<Json<Teams>>,
        pub(crate) state: i64,
        pub(crate) participant_count: i64,
        pub(crate) certificate: Option<String>,
        pub(crate) refunded_to: Option<UserId>,
        pub(crate) created_at: Ts,
        pub(crate) version: i64,
    }
}

row! {
    /// Somebody who takes part.
    #[derive(Debug, Clone)]
    pub(crate) struct ParticipantRow {
        pub(crate) user: UserId,
        pub(crate) team: Option<String>,
        pub(crate) attempts: i64,
        pub(crate) joined_at: Ts,
    }
}

row! {
    /// How somebody ended.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct ResultRow {
        pub(crate) place: i64,
        pub(crate) rank: i64,
        pub(crate) user: UserId,
        pub(crate) score: i64,
    }
}

row! {
    /// Prizes as they were proposed, and whether they are paid.
    #[derive(Debug, Clone)]
    pub(crate) struct PayoutRow {
        pub(crate) prizes: Json<Vec<(UserId, i64)>>,
        pub(crate) proposed_by: UserId,
        pub(crate) proposed_at: Ts,
        pub(crate) approved_by: Option<UserId>,
        pub(crate) approved_at: Option<Ts>,
        pub(crate) paid_count: i64,
        pub(crate) paid_at: Option<Ts>,
    }
}

/// Adds a competition as it is; nobody is in it.
pub(crate) async fn add(
    tx: &mut Tx,
    new: &CompetitionRow,
    created_by: UserId,
) -> Result<(), DbError> {
    let CompetitionRow { id, name, description, metric, starts_at, ends_at, join_until, .. } = new;
    let params = params![
        *id,
        name,
        description,
        metric,
        *starts_at,
        *ends_at,
        *join_until,
        new.capacity,
        new.attempts_max,
        new.fee,
        new.convenience_fee,
        new.currency,
        new.pool_percent,
        new.prize_split,
        new.teams,
        created_by,
        new.created_at,
    ];
    tx.run(&ADD, params).await
}

/// A competition.
pub(crate) async fn one(tx: &mut Tx, id: CompetitionId) -> Result<Option<CompetitionRow>, DbError> {
    tx.optional(&ONE, params![id]).await
}

/// A competition, locked for whoever changes it.
pub(crate) async fn lock(
    tx: &mut Tx,
    id: CompetitionId,
) -> Result<Option<CompetitionRow>, DbError> {
    tx.optional(&LOCK, params![id]).await
}

/// Which competitions of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    /// The one that begins first comes first; else the one that begins last.
    pub(crate) soonest: bool,
    /// Those behind this beginning and id.
    pub(crate) after: (Ts, CompetitionId),
    /// Those that do not begin earlier.
    pub(crate) since: Ts,
    /// Those in this phase; in any if it is empty.
    pub(crate) phase: &'static str,
    /// The phase is the one of this instant.
    pub(crate) now: Ts,
    /// So many.
    pub(crate) limit: i64,
}

/// Competitions in the order of their beginnings; with `user` those that they are in.
pub(crate) async fn list(
    tx: &mut Tx,
    listed: Listed,
    user: Option<UserId>,
) -> Result<Vec<CompetitionRow>, DbError> {
    let Listed { soonest, after: (starts_at, id), since, phase, now, limit } = listed;
    match user {
        Some(user) => {
            let statement = if soonest { &SOONEST_OF_USER } else { &OF_USER };
            tx.all(statement, params![starts_at, id, since, phase, now, limit, user]).await
        }
        None => {
            let statement = if soonest { &SOONEST } else { &LIST };
            tx.all(statement, params![starts_at, id, since, phase, now, limit]).await
        }
    }
}

/// Open competitions of `metric` that `user` is in.
pub(crate) async fn running_of_user(
    tx: &mut Tx,
    user: UserId,
    metric: &str,
) -> Result<Vec<CompetitionRow>, DbError> {
    tx.all(&RUNNING_OF_USER, params![user, metric]).await
}

/// How many open competitions of `metric` `user` is in.
pub(crate) async fn open_of_user(tx: &mut Tx, user: UserId, metric: &str) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&OPEN_OF_USER, params![user, metric]).await?;
    Ok(count)
}

/// Open competitions that ended before `now`.
pub(crate) async fn due(tx: &mut Tx, now: Ts) -> Result<Vec<CompetitionId>, DbError> {
    let rows: Vec<(CompetitionId,)> = tx.all(&DUE, params![now]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Competitions that were called off and have not given all the money back.
pub(crate) async fn owing(tx: &mut Tx) -> Result<Vec<CompetitionId>, DbError> {
    let rows: Vec<(CompetitionId,)> = tx.all(&OWING, &[]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Keeps state, certificate and version of a competition.
pub(crate) async fn keep(tx: &mut Tx, row: &CompetitionRow) -> Result<(), DbError> {
    tx.run(&MOVE, params![row.id, row.state, row.certificate, row.version]).await
}

/// Keeps how many take part.
pub(crate) async fn count(tx: &mut Tx, row: &CompetitionRow) -> Result<(), DbError> {
    tx.run(&COUNT, params![row.id, row.participant_count]).await
}

/// Notes up to whom everybody has their money back; `None` if all have.
pub(crate) async fn refund_to(
    tx: &mut Tx,
    id: CompetitionId,
    user: Option<UserId>,
) -> Result<(), DbError> {
    tx.run(&REFUND_TO, params![id, user]).await
}

/// Keeps the settings of a competition; metric, currency and teams stay.
pub(crate) async fn change(tx: &mut Tx, row: &CompetitionRow) -> Result<(), DbError> {
    let params = params![
        row.id,
        row.name,
        row.description,
        row.starts_at,
        row.ends_at,
        row.join_until,
        row.capacity,
        row.attempts_max,
        row.fee,
        row.convenience_fee,
        row.pool_percent,
        row.prize_split,
        row.version,
    ];
    tx.run(&CHANGE, params).await
}

/// Adds somebody who takes part.
pub(crate) async fn join(
    tx: &mut Tx,
    id: CompetitionId,
    user: UserId,
    team: Option<&str>,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&JOIN, params![id, user, team, now]).await
}

/// Takes somebody out.
pub(crate) async fn leave(tx: &mut Tx, id: CompetitionId, user: UserId) -> Result<(), DbError> {
    tx.run(&LEAVE, params![id, user]).await
}

/// Somebody, if they take part.
pub(crate) async fn participant(
    tx: &mut Tx,
    id: CompetitionId,
    user: UserId,
) -> Result<Option<ParticipantRow>, DbError> {
    tx.optional(&PARTICIPANT, params![id, user]).await
}

/// Those who take part after `after`, by id.
pub(crate) async fn participants(
    tx: &mut Tx,
    id: CompetitionId,
    after: UserId,
    limit: i64,
) -> Result<Vec<ParticipantRow>, DbError> {
    tx.all(&PARTICIPANTS, params![id, after, limit]).await
}

/// How many take part after `after`, by id.
pub(crate) async fn participants_after(
    tx: &mut Tx,
    id: CompetitionId,
    after: UserId,
) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&PARTICIPANTS_AFTER, params![id, after]).await?;
    Ok(count)
}

/// Members of a team.
pub(crate) async fn team(
    tx: &mut Tx,
    id: CompetitionId,
    team: &str,
) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = tx.all(&TEAM, params![id, team]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Counts an attempt of somebody.
pub(crate) async fn attempt(tx: &mut Tx, id: CompetitionId, user: UserId) -> Result<(), DbError> {
    tx.run(&ATTEMPT, params![id, user]).await
}

/// Keeps how everybody ended.
pub(crate) async fn add_results(
    tx: &mut Tx,
    id: CompetitionId,
    results: &[ResultRow],
) -> Result<(), DbError> {
    let rows = results.iter().map(|one| {
        let ResultRow { place, rank, user, score } = one;
        vec![id.to_param(), place.to_param(), rank.to_param(), user.to_param(), score.to_param()]
    });
    tx.run_rows(&ADD_RESULT, rows.collect()).await
}

/// Results behind `place`, in order.
pub(crate) async fn results(
    tx: &mut Tx,
    id: CompetitionId,
    place: i64,
    limit: i64,
) -> Result<Vec<ResultRow>, DbError> {
    tx.all(&RESULTS, params![id, place, limit]).await
}

/// Somebody in several competitions, in the order of `ids`.
pub(crate) async fn participations(
    tx: &mut Tx,
    ids: &[CompetitionId],
    user: UserId,
) -> Result<Vec<Option<ParticipantRow>>, DbError> {
    let params: Vec<_> = ids.iter().map(|id| vec![id.to_param(), user.to_param()]).collect();
    tx.optional_all(&PARTICIPANT, &params).await
}

/// Proposes prizes, in the place of what was proposed before.
pub(crate) async fn propose(
    tx: &mut Tx,
    id: CompetitionId,
    prizes: &[(UserId, i64)],
    by: UserId,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&PROPOSE, params![id, Json(prizes.to_vec()), by, now]).await
}

/// Prizes as they were proposed.
pub(crate) async fn payout(tx: &mut Tx, id: CompetitionId) -> Result<Option<PayoutRow>, DbError> {
    tx.optional(&PAYOUT, params![id]).await
}

/// Notes who approved; `false` if somebody has before.
pub(crate) async fn approve(
    tx: &mut Tx,
    id: CompetitionId,
    by: UserId,
    now: Ts,
) -> Result<bool, DbError> {
    Ok(tx.execute(&APPROVE, params![id, by, now]).await? == 1)
}

/// Notes how many prizes are paid, and when all were.
pub(crate) async fn paid(
    tx: &mut Tx,
    id: CompetitionId,
    count: i64,
    all_at: Option<Ts>,
) -> Result<(), DbError> {
    tx.run(&PAID, params![id, count, all_at]).await
}

/// Competitions with prizes that are approved and not all paid.
pub(crate) async fn unpaid(tx: &mut Tx) -> Result<Vec<CompetitionId>, DbError> {
    let rows: Vec<(CompetitionId,)> = tx.all(&UNPAID, &[]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
