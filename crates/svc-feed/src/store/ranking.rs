//! Explore: places and how they changed.

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, FromRow, Json, Param, Row, Sql, Tx},
    params, row, statements,
};

use crate::model::{
    dry_run::Sampled,
    rank::{Counts, Weights},
};

statements! {
    /// The places below one, highest first.
    BELOW = "select s.rank_key, s.published_at, s.post_id, p.author_id
             from feed.post_stat s join feed.post p on p.id = s.post_id
             where s.rank_key is not null and (s.rank_key, s.published_at, s.post_id) < ($1, $2, $3)
             order by s.rank_key desc, s.published_at desc, s.post_id desc limit $4";
    /// Places that changed from a position on, oldest change first.
    MOVES_SINCE = "select m.xid, m.post_id, m.key_before, m.published_at, p.author_id
                   from feed.rank_move m join feed.post p on p.id = m.post_id
                   where m.xid >= $1 order by m.xid, m.seq limit $2";
    /// Which transactions a statement sees. SQLite sees all below the stamp, which is `$1`.
    SEEN = "select pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,
              coalesce((select jsonb_agg(x::text::bigint) from pg_snapshot_xip(s) x), '[]')
            from pg_current_snapshot() s where $1::bigint is not null",
        sqlite "select $1, $1, '[]'";
    /// Notes how a place was before it changed. Postgres knows by itself which transaction this is, and without a
    /// number takes that of the last fact.
    NOTE = "insert into feed.rank_move (xid, seq, post_id, key_before, published_at, at)
            values (coalesce($1, pg_current_xact_id()::text::bigint), coalesce($2, currval('feed.outbox_seq_seq')),
                $3, $4, $5, $6)",
        sqlite "insert into feed.rank_move (xid, seq, post_id, key_before, published_at, at)
            values ($1, $2, $3, $4, $5, $6)";
    /// Lets one at a time compute places again.
    LOCK = "select 1 from feed.ranking for update", sqlite "select 1 from feed.ranking";
    /// Which weights the keys follow, and how far.
    IN_FORCE = "select generation, like_weight, comment_weight, view_weight, decay_per_hour, walked_to from feed.ranking";
    /// Brings new weights; from now on no key follows them for sure.
    BEGIN = "insert into feed.ranking (one, generation, like_weight, comment_weight, view_weight, decay_per_hour, walked_to)
             values (1, $1, $2, $3, $4, $5, $6)
             on conflict (one) do update set generation = excluded.generation, like_weight = excluded.like_weight,
                 comment_weight = excluded.comment_weight, view_weight = excluded.view_weight,
                 decay_per_hour = excluded.decay_per_hour, walked_to = excluded.walked_to";
    /// Notes how far the keys follow the weights.
    WALKED = "update feed.ranking set walked_to = $1";
    /// Places after one, in the order of ids, whether in explore or not. Whoever changes one of them, or puts it back
    /// into explore, is waited for, so that its counts are not those of a moment before.
    PLACES_AFTER = "select post_id, like_count, comment_count, view_count, published_at, rank_key from feed.post_stat
                    where post_id > $1 order by post_id limit $2 for update",
        sqlite "select post_id, like_count, comment_count, view_count, published_at, rank_key from feed.post_stat
                where post_id > $1 order by post_id limit $2";
    /// Gives a post another key.
    SET_KEY = "update feed.post_stat set rank_key = $2 where post_id = $1";
    /// Public posts since a time, newest first.
    SAMPLE = "select p.id, s.like_count, s.comment_count, s.view_count, p.published_at
              from feed.post p join feed.post_stat s on s.post_id = p.id
                  join feed.profile a on a.user_id = p.author_id
              where p.state = 2 and p.visibility = 0 and p.published_at >= $1 and not a.private and not a.suspended
              order by p.published_at desc, p.id desc limit $2";
    /// Forgets the oldest changes, as far as no cursor can ask for them any more.
    FORGET = "delete from feed.rank_move where at < $1
              and (xid, seq) in (select xid, seq from feed.rank_move order by xid, seq limit $2)";
}

row! {
    /// A place in explore.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub(crate) struct Place {
        pub(crate) key: f64,
        pub(crate) published_at: Ts,
        pub(crate) post: PostId,
        pub(crate) author: UserId,
    }
}

/// Where a post stood; without a key it was not in explore.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceBefore {
    pub(crate) post: PostId,
    pub(crate) key: Option<f64>,
    pub(crate) published_at: Ts,
}

row! {
    /// A change of a place.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Move {
        pub(crate) xid: i64,
        pub(crate) post: PostId,
        pub(crate) key_before: Option<f64>,
        pub(crate) published_at: Ts,
        pub(crate) author: UserId,
    }
}

row! {
    /// The weights in force.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct InForce {
        pub(crate) generation: i64,
        like: f64,
        comment: f64,
        view: f64,
        decay_per_hour: f64,
        /// Keys up to this post follow the weights; `None`: all do.
        pub(crate) walked_to: Option<PostId>,
    }
}

impl InForce {
    /// What each thing weighs.
    pub(crate) fn weights(&self) -> Weights {
        let Self { like, comment, view, decay_per_hour, .. } = *self;
        Weights { like, comment, view, decay_per_hour }
    }
}

/// The weights in force, as a statement on a post reads them beside it: the four columns of the row, or four nulls.
/// Only Postgres is asked: of SQLite's one program the configured ones are in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ruling(Option<Weights>);

impl Ruling {
    /// What the post is ranked by if nobody has brought others than the `configured` ones.
    pub(crate) fn over(self, configured: &Weights) -> Weights {
        self.0.unwrap_or(*configured)
    }
}

impl FromRow for Ruling {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let four = (row.next()?, row.next()?, row.next()?, row.next()?);
        let (Some(like), Some(comment), Some(view), Some(decay_per_hour)) = four else {
            return Ok(Self(None));
        };
        Ok(Self(Some(Weights { like, comment, view, decay_per_hour })))
    }
}

row! {
    /// A post with what its key is computed from.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Keyed {
        pub(crate) post: PostId,
        likes: i64,
        comments: i64,
        views: i64,
        pub(crate) published_at: Option<Ts>,
        pub(crate) key: Option<f64>,
    }
}

impl Keyed {
    /// Its counters.
    pub(crate) fn counts(&self) -> Counts {
        Counts { likes: self.likes, comments: self.comments, views: self.views }
    }
}

/// The most unfinished transactions that a [`Seen`] names, so that a cursor stays short.
const RUNNING_MAX: usize = 128;

/// Which transactions are seen: those below `xmin`, and below `xmax` those that were not running.
///
/// On Postgres `xmin` alone would hide what was committed a moment ago for as long as anybody's older transaction runs
/// on that server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(crate) struct Seen {
    pub(crate) xmin: i64,
    xmax: i64,
    /// Ascending, as distances from `xmin`.
    running: Vec<i64>,
}

impl Seen {
    /// Whether what the transaction `xid` did is seen.
    pub(crate) fn sees(&self, xid: i64) -> bool {
        xid < self.xmax && self.running.binary_search(&(xid - self.xmin)).is_err()
    }
}

/// What a statement sees now; `stamp` is that of the transaction.
pub(crate) async fn seen(tx: &mut Tx, stamp: i64) -> Result<Seen, DbError> {
    let (xmin, mut xmax, running): (i64, i64, Json<Vec<i64>>) =
        tx.one(&SEEN, params![stamp]).await?;
    let mut running: Vec<i64> = running.0.into_iter().map(|xid| xid - xmin).collect();
    running.sort_unstable();
    if running.len() > RUNNING_MAX {
        // What came after the first of them counts as not seen, which is a ranking of a moment before.
        running.truncate(RUNNING_MAX);
        xmax = running.last().map_or(xmax, |distance| xmin + distance);
    }
    Ok(Seen { xmin, xmax, running })
}

/// The places below (`key`, `published_at`, `post`), highest first.
pub(crate) async fn below(
    tx: &mut Tx,
    (key, published_at, post): (f64, Ts, PostId),
    limit: usize,
) -> Result<Vec<Place>, DbError> {
    tx.all(&BELOW, params![key, published_at, post, limit as i64]).await
}

/// Changes from the transaction `since` on, oldest first, at most `limit`.
pub(crate) async fn moves_since(
    tx: &mut Tx,
    since: i64,
    limit: usize,
) -> Result<Vec<Move>, DbError> {
    tx.all(&MOVES_SINCE, params![since, limit as i64]).await
}

/// Notes that a post stood where `place` says until the fact that was emitted last.
pub(crate) async fn note(tx: &mut Tx, place: PlaceBefore) -> Result<(), DbError> {
    let (sql, params) = note_of(tx, place, None);
    tx.run(sql, &params).await
}

fn note_of(
    tx: &Tx,
    place: PlaceBefore,
    number: Option<i64>,
) -> (&'static Sql, Vec<Param<'static>>) {
    let fact = tx.last_position();
    let whole = |number: Option<i64>| number.map_or(Param::Null, Param::I64);
    let seq = number.or(fact.map(|fact| fact.seq));
    let (post, key) = (id(place.post), place.key.map_or(Param::Null, Param::F64));
    let (published_at, now) = (Param::Ts(place.published_at), Param::Ts(tx.now()));
    (&NOTE, vec![whole(fact.map(|fact| fact.xid)), whole(seq), post, key, published_at, now])
}

fn id(post: PostId) -> Param<'static> {
    Param::Id(post.bits().to_be_bytes())
}

/// Which weights the keys follow; `None` before the first.
pub(crate) async fn in_force(tx: &mut Tx) -> Result<Option<InForce>, DbError> {
    tx.optional(&IN_FORCE, &[]).await
}

/// Brings `weights` as that generation; no key follows them for sure.
pub(crate) async fn begin(tx: &mut Tx, generation: i64, weights: &Weights) -> Result<(), DbError> {
    let w = weights;
    let before_all = Some(PostId::from_bits(0));
    let params = params![generation, w.like, w.comment, w.view, w.decay_per_hour, before_all];
    tx.run(&BEGIN, params).await
}

/// Notes that keys up to `post` follow the weights; `None`: all do.
pub(crate) async fn walked(tx: &mut Tx, post: Option<PostId>) -> Result<(), DbError> {
    tx.run(&WALKED, params![post]).await
}

/// Posts after `post` in the order of ids, at most `limit`; nobody changes their counters until the transaction ends.
pub(crate) async fn places_after(
    tx: &mut Tx,
    post: PostId,
    limit: usize,
) -> Result<Vec<Keyed>, DbError> {
    tx.all(&PLACES_AFTER, params![post, limit as i64]).await
}

/// Gives posts other keys, with a note of where each stood until the fact that was emitted last, which they share.
pub(crate) async fn set_keys(tx: &mut Tx, moved: &[(PlaceBefore, f64)]) -> Result<(), DbError> {
    let mut statements = Vec::with_capacity(moved.len() * 2);
    // Which of them comes first says nothing, as each is of another post.
    for (number, (before, key)) in (0..).zip(moved) {
        statements.push(note_of(tx, *before, Some(number)));
        statements.push((&SET_KEY, vec![id(before.post), Param::F64(*key)]));
    }
    tx.execute_all(&statements).await.map(drop)
}

/// Forgets changes before `before`, at most `limit`; returns how many.
pub(crate) async fn forget(tx: &mut Tx, before: Ts, limit: u64) -> Result<u64, DbError> {
    tx.execute(&FORGET, params![before, limit.cast_signed()]).await
}

/// What everybody sees of what was published since `since`, newest first, at most `limit`.
pub(crate) async fn sample(tx: &mut Tx, since: Ts, limit: usize) -> Result<Vec<Sampled>, DbError> {
    let rows: Vec<(PostId, i64, i64, i64, Ts)> =
        tx.all(&SAMPLE, params![since, limit as i64]).await?;
    let sampled = rows.into_iter().map(|(post, likes, comments, views, published_at)| Sampled {
        post,
        counts: Counts { likes, comments, views },
        published_at,
    });
    Ok(sampled.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_or_had_not_begun_is_not_seen() {
        let seen = Seen { xmin: 100, xmax: 106, running: vec![0, 3] };
        let seeing = (98..109).filter(|xid| seen.sees(*xid)).collect::<Vec<_>>();
        assert_eq!(seeing, [98, 99, 101, 102, 104, 105]);
        let sqlite = Seen { xmin: 100, xmax: 100, running: Vec::new() };
        assert!(sqlite.sees(99) && !sqlite.sees(100));
    }
}
