//! SQLite: one writer thread for each file, which commits in groups, and a pool of readers.

mod writer;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use mainstay_contract::ts::Ts;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, types::ValueRef};
use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use self::writer::{Close, Job, Write, write_loop};
use super::{
    BoxFuture, DbError, Emitted, Outbox, Param, ReadTx, Sql, Tx,
    cell::{Cell, Look},
    migrate::{self, Migration},
    tx::Conn,
    value::Value,
};
use crate::{clock::Clock, telemetry::CommitMetrics};

/// Writes that wait for the writer; a caller beyond it waits for room.
const QUEUE_LEN: usize = 4_096;
/// Most readers; each holds a file handle and a small page cache.
const READERS_MAX: usize = 32;
/// How long a read waits for a reader.
const READER_WAIT: Duration = Duration::from_secs(5);
/// Distinct statements that a connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;

pub(super) struct Sqlite {
    writer: mpsc::Sender<Box<dyn Job>>,
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

struct Shared {
    path: std::path::PathBuf,
    schema: &'static str,
    /// The last outbox position that was committed; a read begun after it sees it.
    committed: AtomicI64,
    commits: watch::Sender<u64>,
    measured: OnceLock<CommitMetrics>,
    idle: Mutex<Vec<SqliteConn>>,
    readers: Arc<Semaphore>,
    reading: AtomicUsize,
}

/// A connection and the schema whose qualifier it takes out of statements.
pub(super) struct SqliteConn {
    conn: Connection,
    schema: &'static str,
}

/// Where a reader goes back to when its transaction ends.
pub(super) struct Reader {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Sqlite {
    pub(super) async fn open(
        folder: &Path,
        schema: &'static str,
        migrations: &'static [Migration],
        durable: bool,
        now: Ts,
    ) -> Result<Self, DbError> {
        let path = folder.join(format!("{schema}.db"));
        let for_thread = path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let conn = connect(&for_thread, schema, OpenFlags::default())?;
            set_up_writer(&conn.conn, durable)?;
            migrate::sqlite(&conn.conn, schema, migrations, now)?;
            let last = last_position(&conn.conn)?;
            Ok::<_, DbError>((conn, last))
        });
        let (conn, last) =
            opened.await.map_err(|error| DbError::Unavailable(error.to_string()))??;
        let shared = Arc::new(Shared {
            path,
            schema,
            committed: AtomicI64::new(last),
            commits: watch::channel(0).0,
            measured: OnceLock::new(),
            idle: Mutex::new(Vec::new()),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            reading: AtomicUsize::new(0),
        });
        let (writer, queue) = mpsc::channel(QUEUE_LEN);
        let runtime = tokio::runtime::Handle::current();
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("write-{schema}"))
            .spawn(move || {
                // Timers and spawns inside a closure find the runtime instead of panicking.
                let _entered = runtime.enter();
                write_loop(conn, queue, &of_thread);
            })
            .map_err(|error| DbError::Unavailable(error.to_string()))?;
        Ok(Self { writer, shared, thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn write<T, E, F>(
        &self,
        outbox: &'static Outbox,
        clock: Clock,
        work: F,
    ) -> Result<(T, Vec<Arc<Emitted>>), E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let write = Write { work, outbox, clock, outcome: None, reply };
        if self.writer.send(Box::new(write)).await.is_err() {
            return Err(stopped().into());
        }
        answer.await.unwrap_or_else(|_gone| Err(stopped().into()))
    }

    pub(super) fn read(
        &self,
        outbox: &'static Outbox,
        clock: Clock,
    ) -> impl Future<Output = Result<ReadTx, DbError>> {
        let shared = self.shared.clone();
        async move {
            let permit = match shared.readers.clone().try_acquire_owned() {
                Ok(permit) => permit,
                Err(_) => tokio::time::timeout(READER_WAIT, shared.readers.clone().acquire_owned())
                    .await
                    .map_err(|_late| DbError::Unavailable("all readers are busy".into()))?
                    .map_err(|_closed| stopped())?,
            };
            let conn = match lock(&shared.idle).pop() {
                Some(conn) => conn,
                None => connect_reader(&shared.path, shared.schema)?,
            };
            // The stamp is taken before the snapshot: everything up to it is in the snapshot.
            let stamp = shared.committed.load(Ordering::Acquire) + 1;
            conn.control("begin")?;
            shared.reading.fetch_add(1, Ordering::Relaxed);
            let home = Reader { shared: shared.clone(), _permit: permit };
            let tx = Tx::new(Conn::Sqlite(conn), outbox, clock, Some(stamp));
            Ok(ReadTx { tx, home: Some(home) })
        }
    }

    pub(super) async fn changed(&self, at_most: Duration) {
        let mut commits = self.shared.commits.subscribe();
        // Both ends of the wait mean the same to the caller: look again.
        drop(tokio::time::timeout(at_most, commits.changed()).await);
    }

    pub(super) fn measured(&self) -> &OnceLock<CommitMetrics> {
        &self.shared.measured
    }

    pub(super) fn connections(&self) -> (usize, usize) {
        (self.shared.reading.load(Ordering::Relaxed) + 1, READERS_MAX + 1)
    }

    pub(super) async fn close(&self) {
        let (reply, ended) = oneshot::channel();
        if self.writer.send(Box::new(Close { reply })).await.is_ok() {
            drop(ended.await);
        }
        lock(&self.shared.idle).clear();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }
}

impl Reader {
    pub(super) fn give_back(self, conn: SqliteConn) {
        self.shared.reading.fetch_sub(1, Ordering::Relaxed);
        if conn.control("rollback").is_ok() {
            lock(&self.shared.idle).push(conn);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stopped() -> DbError {
    DbError::Unavailable("the writer has stopped; the program is ending".into())
}

fn connect(path: &Path, schema: &'static str, flags: OpenFlags) -> Result<SqliteConn, DbError> {
    let conn = Connection::open_with_flags(path, flags)
        .map_err(|error| DbError::Unavailable(format!("open {}: {error}", path.display())))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    conn.busy_timeout(Duration::from_secs(5)).map_err(|error| refused(&error, "busy_timeout"))?;
    // Otherwise SQLite plans a kept statement anew for each value that is bound to it: a third of a like's time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|error| refused(&error, "enable_qpsg"))?;
    Ok(SqliteConn { conn, schema })
}

fn connect_reader(path: &Path, schema: &'static str) -> Result<SqliteConn, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connect(path, schema, flags)?;
    let set_up = "pragma query_only=on; pragma cache_size=-4096; pragma mmap_size=1073741824; pragma temp_store=memory";
    conn.conn.execute_batch(set_up).map_err(|error| refused(&error, set_up))?;
    Ok(conn)
}

fn set_up_writer(conn: &Connection, durable: bool) -> Result<(), DbError> {
    // FULL in WAL mode: the log is synced before a commit is answered. The cache keeps hot index pages and no more: a
    // commit walks all of it once a page was split, and what is not in it is read from the mapped file. The log is long
    // because a page that changes often goes into the file once for all its changes.
    let synchronous = if durable { "full" } else { "off" };
    let text = format!(
        "pragma journal_mode=wal; pragma synchronous={synchronous}; pragma foreign_keys=on; \
         pragma cache_size=-16384; pragma mmap_size=1073741824; pragma temp_store=memory; \
         pragma wal_autocheckpoint=16000"
    );
    conn.execute_batch(&text).map_err(|error| refused(&error, &text))
}

fn last_position(conn: &Connection) -> Result<i64, DbError> {
    let text = "select coalesce((select seq from sqlite_sequence where name = 'outbox'), 0)";
    conn.query_row(text, [], |row| row.get(0)).map_err(|error| refused(&error, text))
}

impl SqliteConn {
    /// `begin`, `savepoint`, `commit` and their like.
    fn control(&self, text: &str) -> Result<(), DbError> {
        let run = || self.conn.prepare_cached(text)?.raw_execute();
        run().map(drop).map_err(|error| refused(&error, text))
    }

    pub(super) fn prepare(&self, sql: &'static Sql) -> Result<(), DbError> {
        let text = sql.sqlite(self.schema);
        self.conn.prepare(text).map(drop).map_err(|error| refused(&error, text))
    }

    pub(super) fn execute(&self, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64, DbError> {
        let text = sql.sqlite(self.schema);
        let run = || {
            let mut statement = self.conn.prepare_cached(text)?;
            for (place, param) in params.iter().enumerate() {
                statement.raw_bind_parameter(place + 1, param)?;
            }
            statement.raw_execute()
        };
        run().map(|changed| changed as u64).map_err(|error| refused(&error, text))
    }

    /// Inserts a row and returns its `rowid`.
    pub(super) fn insert(&self, sql: &'static Sql, params: &[Param<'_>]) -> Result<i64, DbError> {
        self.execute(sql, params)?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Lets `look` see each row in place.
    pub(super) fn each(
        &self,
        sql: &'static Sql,
        params: &[Param<'_>],
        look: &mut Look<'_>,
    ) -> Result<(), DbError> {
        let text = sql.sqlite(self.schema);
        let refused = |error: rusqlite::Error| refused(&error, text);
        let mut statement = self.conn.prepare_cached(text).map_err(refused)?;
        for (place, param) in params.iter().enumerate() {
            statement.raw_bind_parameter(place + 1, param).map_err(refused)?;
        }
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(refused)? {
            let mut cells: SmallVec<[Cell<'_>; 8]> = SmallVec::new();
            for column in 0..columns {
                cells.push(cell_of(row.get_ref(column).map_err(refused)?));
            }
            look(&cells)?;
        }
        Ok(())
    }

    pub(super) fn query(
        &self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, DbError> {
        let text = sql.sqlite(self.schema);
        let run = || {
            let mut statement = self.conn.prepare_cached(text)?;
            for (place, param) in params.iter().enumerate() {
                statement.raw_bind_parameter(place + 1, param)?;
            }
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..columns).map(|column| row.get_ref(column).map(value_of));
                all.push(values.collect::<Result<Vec<_>, _>>()?);
            }
            Ok(all)
        };
        run().map_err(|error| refused(&error, text))
    }
}

/// A column in place. A real number is none of those that are looked at so.
fn cell_of(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null | ValueRef::Real(_) => Cell::Null,
        ValueRef::Integer(number) => Cell::I64(number),
        ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text).unwrap_or_default()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
    }
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::I64(number),
        ValueRef::Real(number) => Value::F64(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::ToSqlOutput::{Borrowed, Owned};
        Ok(match self {
            Param::Null => Borrowed(ValueRef::Null),
            Param::Bool(value) => Borrowed(ValueRef::Integer(i64::from(*value))),
            Param::I64(value) => Borrowed(ValueRef::Integer(*value)),
            Param::F64(value) => Borrowed(ValueRef::Real(*value)),
            Param::Text(value) => Borrowed(ValueRef::Text(value.as_bytes())),
            Param::Bytes(value) => Borrowed(ValueRef::Blob(value)),
            Param::Id(value) => Borrowed(ValueRef::Blob(value)),
            Param::Ts(value) => Borrowed(ValueRef::Integer(value.as_micros())),
            Param::Json(value) => Borrowed(ValueRef::Text(value.as_bytes())),
            Param::Ids(values) => Owned(rusqlite::types::Value::Text(hex_array(values))),
            Param::Texts(values) => {
                let text = serde_json::to_string(values)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                Owned(rusqlite::types::Value::Text(text))
            }
            Param::List(_) => {
                let error = "SQLite takes rows one by one".into();
                return Err(rusqlite::Error::ToSqlConversionFailure(error));
            }
        })
    }
}

/// `["0188…", …]`: SQLite has no arrays; `unhex(value)` over `json_each` reads it back.
fn hex_array(ids: &[[u8; 16]]) -> String {
    let mut text = String::with_capacity(2 + ids.len() * 35);
    text.push('[');
    for (place, id) in ids.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push('"');
        text.push_str(&hex::encode(id));
        text.push('"');
    }
    text.push(']');
    text
}

fn refused(error: &rusqlite::Error, statement: &str) -> DbError {
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => DbError::Constraint(message),
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly,
        ) => DbError::Unavailable(message),
        _ => DbError::Statement { statement: statement.to_owned(), message },
    }
}
