//! A transaction as a use case holds it.

use std::ops::{Deref, DerefMut};

use mainstay_contract::{Fact, id::FactId, ts::Ts};

use super::{
    DbError, FromRow, Outbox, Param, Position, Row, Sql,
    cell::Look,
    outbox::Emitted,
    postgres::PgConn,
    sqlite::{Reader, SqliteConn},
    value::Value,
};
use crate::{cache::Tag, clock::Clock, ids};

/// The most rows of [`Tx::run_rows`] that travel as one statement.
const ROWS_MAX: usize = 1_000;

/// A transaction. Statement functions of a `store.rs` take it as `&mut Tx`; they never begin or commit.
pub struct Tx {
    pub(super) conn: Conn,
    outbox: &'static Outbox,
    clock: Clock,
    emitted: Vec<Emitted>,
    stamp: Option<i64>,
}

pub(super) enum Conn {
    Sqlite(SqliteConn),
    Postgres(PgConn),
    /// The connection was taken back.
    Ended,
}

impl Tx {
    pub(super) fn new(
        conn: Conn,
        outbox: &'static Outbox,
        clock: Clock,
        stamp: Option<i64>,
    ) -> Self {
        Self { conn, outbox, clock, emitted: Vec::new(), stamp }
    }

    /// The time, for what is written in this transaction.
    pub fn now(&self) -> Ts {
        self.clock.now()
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// What the engine says; `Constraint` if a rule of the schema was broken.
    pub async fn execute(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<u64, DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => conn.execute(sql, params),
            Conn::Postgres(conn) => conn.execute(sql, params).await,
            Conn::Ended => Err(ended()),
        }
    }

    /// The one row of a statement.
    ///
    /// # Errors
    /// `NoRow` if there is none.
    pub async fn one<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<T, DbError> {
        self.optional(sql, params).await?.ok_or(DbError::NoRow(sql.text()))
    }

    /// The first row of a statement, if there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn optional<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Option<T>, DbError> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// All rows of a statement; the statement carries its own `limit`.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn all<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Vec<T>, DbError> {
        let rows = match &mut self.conn {
            Conn::Sqlite(conn) => conn.query(sql, params)?,
            Conn::Postgres(conn) => conn.query(sql, params).await?,
            Conn::Ended => return Err(ended()),
        };
        rows.into_iter().map(|values| T::from_row(&mut Row::new(values))).collect()
    }

    /// Lets `look` see all rows of a statement, one after the other, in place; the statement carries its own `limit`.
    /// Columns are whole numbers, texts, documents and bytes.
    ///
    /// # Errors
    /// What the engine says, or `look`, after which no more rows are looked at.
    pub async fn each(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        look: &mut Look<'_>,
    ) -> Result<(), DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => conn.each(sql, params, look),
            Conn::Postgres(conn) => conn.each(sql, params, look).await,
            Conn::Ended => Err(ended()),
        }
    }

    /// Runs statements of which none needs what another does, and returns how many rows each changed. On Postgres they
    /// travel together, and which of them runs first is open.
    ///
    /// # Errors
    /// What the engine says of one of them; others may have run.
    pub async fn execute_all(
        &mut self,
        statements: &[(&'static Sql, Vec<Param<'_>>)],
    ) -> Result<Vec<u64>, DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                statements.iter().map(|(sql, params)| conn.execute(sql, params)).collect()
            }
            Conn::Postgres(conn) => conn.execute_all(statements).await,
            Conn::Ended => Err(ended()),
        }
    }

    /// The first row of a statement for each of several sets of parameters, if there is one; together, as
    /// [`Tx::execute_all`].
    ///
    /// # Errors
    /// What the engine says of one of them.
    pub async fn optional_all<T: FromRow>(
        &mut self,
        sql: &'static Sql,
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<Option<T>>, DbError> {
        let answers = match &mut self.conn {
            Conn::Sqlite(conn) => {
                params.iter().map(|params| conn.query(sql, params)).collect::<Result<_, _>>()?
            }
            Conn::Postgres(conn) => conn.query_all(sql, params).await?,
            Conn::Ended => return Err(ended()),
        };
        let first = |rows: Vec<Vec<Value>>| rows.into_iter().next();
        let rows = answers.into_iter().map(first);
        rows.map(|row| row.map(|values| T::from_row(&mut Row::new(values))).transpose()).collect()
    }

    /// Runs a statement whose answer this transaction does not need. On Postgres it is sent with the next statement
    /// that is waited for, or with the commit.
    ///
    /// # Errors
    /// What the engine says of it, or, on Postgres, of one before it. An error that comes later fails what was sent
    /// with it, and the transaction with that.
    pub async fn run(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<(), DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => conn.execute(sql, params).map(drop),
            Conn::Postgres(conn) => conn.run(sql, params).await,
            Conn::Ended => Err(ended()),
        }
    }

    /// Runs a statement for each of these rows, which have as many values each, in their order; as [`Tx::run`], without
    /// an answer. On SQLite it runs once for each; the text for Postgres takes a thousand at a time, and in place of a
    /// row's value an array with that value of each: `… select * from unnest($1::bigint[], $2::text[])`.
    ///
    /// # Errors
    /// As [`Tx::run`].
    pub async fn run_rows(
        &mut self,
        sql: &'static Sql,
        rows: Vec<Vec<Param<'_>>>,
    ) -> Result<(), DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => rows.iter().try_for_each(|row| conn.execute(sql, row).map(drop)),
            Conn::Postgres(conn) => {
                let mut rows = rows.into_iter().peekable();
                while let Some(first) = rows.peek() {
                    let mut columns = vec![Vec::new(); first.len()];
                    for row in rows.by_ref().take(ROWS_MAX) {
                        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
                    }
                    let lists: Vec<Param<'_>> = columns.into_iter().map(Param::List).collect();
                    conn.run(sql, &lists).await?;
                }
                Ok(())
            }
            Conn::Ended => Err(ended()),
        }
    }

    /// Appends a row to the outbox and returns where it stands, if that is known before the commit.
    pub(super) async fn append(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Option<Position>, DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => {
                // `returning` would make a table in memory for each fact.
                let seq = conn.insert(sql, params)?;
                Ok(Some(Position { xid: seq, seq }))
            }
            Conn::Postgres(conn) => conn.append(sql, params).await.map(|()| None),
            Conn::Ended => Err(ended()),
        }
    }

    /// Prepares a statement without running it.
    ///
    /// # Errors
    /// `Statement` with what the engine says.
    pub async fn prepare(&mut self, sql: &'static Sql) -> Result<(), DbError> {
        match &mut self.conn {
            Conn::Sqlite(conn) => conn.prepare(sql),
            Conn::Postgres(conn) => conn.prepare(sql).await,
            Conn::Ended => Err(ended()),
        }
    }

    /// Writes a fact into the outbox, in this transaction: it becomes true with the change or not at all.
    ///
    /// `tags` name the cache entries that it outdates; `subject` is whom or what it is about, for live topics.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn emit<F: Fact>(&mut self, fact: &F, tags: &[Tag]) -> Result<(), DbError> {
        let at = self.now();
        let payload = serde_json::to_string(fact).map_err(|error| DbError::Statement {
            statement: F::NAME.to_owned(),
            message: error.to_string(),
        })?;
        let id: FactId = ids::new_id(at);
        let outbox = self.outbox;
        let position = outbox.insert(self, id, F::NAME, &payload, tags, at).await?;
        self.emitted.push(Emitted {
            position: position.unwrap_or_default(),
            id,
            name: F::NAME.into(),
            payload,
            tags: tags.into(),
            at,
        });
        Ok(())
    }

    /// The cache stamp of what this transaction reads: everything committed below it is seen.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn stamp(&mut self) -> Result<i64, DbError> {
        if let Some(stamp) = self.stamp {
            return Ok(stamp);
        }
        let (stamp,): (i64,) = self.one(&super::outbox::SNAPSHOT_XMIN, &[]).await?;
        self.stamp = Some(stamp);
        Ok(stamp)
    }

    /// The statements on this service's base tables.
    pub fn outbox(&self) -> &'static Outbox {
        self.outbox
    }

    pub(super) fn take_emitted(&mut self) -> Vec<Emitted> {
        std::mem::take(&mut self.emitted)
    }

    pub(super) fn take_conn(&mut self) -> Conn {
        std::mem::replace(&mut self.conn, Conn::Ended)
    }

    /// Where the fact stands that this transaction emitted last; `None` on Postgres, which says so at the commit.
    pub fn last_position(&self) -> Option<Position> {
        let known = matches!(self.conn, Conn::Sqlite(_));
        self.emitted.last().filter(|_| known).map(|fact| fact.position)
    }
}

fn ended() -> DbError {
    DbError::Unavailable("the transaction has ended".into())
}

/// A transaction to read with; it ends when it is dropped.
pub struct ReadTx {
    pub(super) tx: Tx,
    pub(super) home: Option<Reader>,
}

impl Deref for ReadTx {
    type Target = Tx;
    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for ReadTx {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl Drop for ReadTx {
    fn drop(&mut self) {
        if let (Some(home), Conn::Sqlite(conn)) = (self.home.take(), self.tx.take_conn()) {
            home.give_back(conn);
        }
    }
}
