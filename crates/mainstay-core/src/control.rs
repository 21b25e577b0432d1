//! Orders from the command line to the program that owns the data folder, over a private socket in it.
//!
//! One request and one response, a line of JSON each. Whoever may use the socket (its owner, mode 0600) may do
//! everything, so there are no credentials.
//!
//! A socket's path may have at most 107 bytes, and a data folder's can be longer. On Linux a longer one is reached
//! through `/proc/self/fd/N`, where N is the opened folder: no file outside of the folder, and nothing to clean up.

use std::{
    fmt,
    fs::{self, File, Permissions},
    future::Future,
    io::{self, ErrorKind},
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use crate::{data_dir::DataDir, db::BoxFuture, error::Tolerate as _};

const NAME: &str = "control.sock";
/// What `sun_path` holds on Linux, without its final zero; other systems have 103.
const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
const LINE_BYTES_MAX: u64 = 1 << 20;
const CONNECTIONS_MAX: usize = 16;
/// The longest that one side waits for the other's line to arrive.
const LINE_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest that an order may take.
const ORDER_TIME_MAX: Duration = Duration::from_secs(60);

/// An order.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What to do, such as `user.create`.
    pub order: String,
    /// With what.
    #[serde(default)]
    pub arguments: Value,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The arguments may hold a password.
        f.debug_struct("Request").field("order", &self.order).finish_non_exhaustive()
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// It was done; this is what there is to show.
    Done(Value),
    /// It was not done; a sentence says why and what to do.
    Refused(String),
}

/// Why an order could not be passed on.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket cannot be made or reached.
    #[error("use the control socket in `{}`", folder.display())]
    Socket {
        /// The data folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The running program did not answer, or not with a response.
    #[error("get an answer from the running program: {0}")]
    NoAnswer(String),
}

/// The socket of the program that owns a data folder.
#[derive(Debug)]
pub struct ControlServer {
    listener: UnixListener,
    folder: PathBuf,
}

impl ControlServer {
    /// Makes the socket, in the place of one that a program left behind.
    ///
    /// # Errors
    /// `Socket` with what the system says.
    pub fn bind(data_dir: &DataDir) -> Result<Self, ControlError> {
        let folder = data_dir.path().to_owned();
        // It is made in the private folder and moved when its mode is right, so that it is never open to others.
        let bind = || -> io::Result<UnixListener> {
            let keys = data_dir.keys();
            let made = keys.join(NAME);
            match fs::remove_file(&made) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&short_path(&keys)?.path)?;
            fs::set_permissions(&made, Permissions::from_mode(0o600))?;
            fs::rename(&made, folder.join(NAME))?;
            Ok(listener)
        };
        match bind() {
            Ok(listener) => Ok(Self { listener, folder }),
            Err(source) => Err(ControlError::Socket { folder, source }),
        }
    }

    /// Answers orders until `shutdown`, then ends those under way and removes the socket.
    ///
    /// At most 16 at once; a line has at most 1 MiB and 5 s to arrive; an order has 60 s.
    pub async fn serve<H>(self, handler: H, shutdown: impl Future<Output = ()>)
    where
        H: Fn(Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        let mut under_way = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let room = under_way.len() < CONNECTIONS_MAX;
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = under_way.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an order from the command line was not finished");
                    }
                }
                accepted = self.listener.accept(), if room => match accepted {
                    Ok((stream, _)) => {
                        let handler = Arc::clone(&handler);
                        under_way.spawn(answer(stream, handler));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control socket did not accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        fs::remove_file(self.folder.join(NAME)).tolerate("the next owner replaces it");
        while under_way.join_next().await.is_some() {}
    }
}

async fn answer<H>(mut stream: UnixStream, handler: Arc<H>)
where
    H: Fn(Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
{
    let response = match read_line::<Request>(&mut stream, LINE_TIME_MAX).await {
        Ok(request) => {
            tracing::info!(order = request.order, "an order from the command line");
            match tokio::time::timeout(ORDER_TIME_MAX, handler(request)).await {
                Ok(response) => response,
                Err(_) => Response::Refused(format!(
                    "it was not done within {} s; look whether it is done before trying again",
                    ORDER_TIME_MAX.as_secs()
                )),
            }
        }
        Err(what) => Response::Refused(format!("the order cannot be read: {what}")),
    };
    let sent = write_line(&mut stream, &response).await;
    sent.tolerate("whoever asked has gone; the order was carried out all the same");
}

/// Passes `request` to the program that owns the data folder at `folder`; none if no program listens there.
///
/// # Errors
/// `Socket` if the socket is there but may not be used; `NoAnswer` if the program does not answer within 65 s.
pub async fn call(folder: &Path, request: &Request) -> Result<Option<Response>, ControlError> {
    let failed = |source| ControlError::Socket { folder: folder.to_owned(), source };
    let short = short_path(folder).map_err(failed)?;
    let mut stream = match UnixStream::connect(&short.path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    write_line(&mut stream, request).await.map_err(ControlError::NoAnswer)?;
    let response = read_line(&mut stream, ORDER_TIME_MAX + LINE_TIME_MAX).await;
    response.map(Some).map_err(ControlError::NoAnswer)
}

/// A path of the socket that is short enough for the system. It is good as long as the value lives.
struct ShortPath {
    path: PathBuf,
    _opened: Option<File>,
}

fn short_path(folder: &Path) -> io::Result<ShortPath> {
    let path = folder.join(NAME);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok(ShortPath { path, _opened: None });
    }
    if !cfg!(target_os = "linux") {
        let message =
            format!("a socket's path has at most {PATH_BYTES_MAX} bytes; use a shorter one");
        return Err(io::Error::new(ErrorKind::InvalidFilename, message));
    }
    let opened = File::open(folder)?;
    let path = Path::new("/proc/self/fd").join(opened.as_raw_fd().to_string()).join(NAME);
    Ok(ShortPath { path, _opened: Some(opened) })
}

async fn read_line<T: for<'de> Deserialize<'de>>(
    stream: &mut UnixStream,
    at_most: Duration,
) -> Result<T, String> {
    let mut line = Vec::new();
    let mut bounded = BufReader::new(stream.take(LINE_BYTES_MAX));
    let read = tokio::time::timeout(at_most, bounded.read_until(b'\n', &mut line)).await;
    match read {
        Err(_) => return Err(format!("nothing came within {} s", at_most.as_secs())),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(0)) => return Err("the connection was closed".to_owned()),
        Ok(Ok(_)) => {}
    }
    if line.last() != Some(&b'\n') {
        return Err(format!("the line does not end within {LINE_BYTES_MAX} bytes"));
    }
    serde_json::from_slice(&line).map_err(|error| error.to_string())
}

async fn write_line(stream: &mut UnixStream, value: &impl Serialize) -> Result<(), String> {
    let mut line = serde_json::to_vec(value).map_err(|error| error.to_string())?;
    line.push(b'\n');
    match tokio::time::timeout(LINE_TIME_MAX, stream.write_all(&line)).await {
        Err(_) => Err("it does not read".to_owned()),
        Ok(written) => written.map_err(|error| error.to_string()),
    }
}
