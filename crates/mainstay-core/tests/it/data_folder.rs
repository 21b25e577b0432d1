//! One owner of a data folder, and orders to it.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
};

use mainstay_core::{
    control::{self, ControlError, ControlServer, Request, Response},
    data_dir::{DataDir, DataDirError},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::oneshot,
    task::JoinHandle,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn request(order: &str) -> Request {
    Request { order: order.to_owned(), arguments: json!({ "n": 1 }) }
}

/// A server that repeats what it is told, refuses `no`, and panics at `panic`.
fn repeat(folder: &DataDir) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let server = ControlServer::bind(folder).unwrap();
    let (stop, stopped) = oneshot::channel();
    let handler = |request: Request| -> mainstay_core::db::BoxFuture<'static, Response> {
        Box::pin(async move {
            match request.order.as_str() {
                "no" => Response::Refused("it may not be".to_owned()),
                "panic" => panic!("as told"),
                order => Response::Done(json!({ "order": order, "with": request.arguments })),
            }
        })
    };
    let served = tokio::spawn(server.serve(handler, async { stopped.await.unwrap_or(()) }));
    (stop, served)
}

#[test]
fn a_data_folder_has_one_owner_at_a_time() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("new/data");
    let first = DataDir::open(&path).unwrap();
    let refused = DataDir::open(&path).unwrap_err();
    let DataDirError::InUse { pid, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*pid, Some(std::process::id()));
    let said = refused.to_string();
    assert!(said.contains(&format!("process id {}", std::process::id())), "{said}");
    assert!(said.contains("stop that program"), "{said}");
    drop(first);
    DataDir::open(&path).unwrap();
}

#[test]
fn a_new_folder_and_its_keys_are_private_also_if_they_were_not() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let folder = DataDir::open(&path).unwrap();
    assert_eq!((mode(&path), mode(&folder.keys())), (0o700, 0o700));
    assert!(folder.db().is_dir() && folder.blobs().is_dir());
    fs::set_permissions(folder.keys(), fs::Permissions::from_mode(0o755)).unwrap();
    drop(folder);
    let folder = DataDir::open(&path).unwrap();
    assert_eq!(mode(&folder.keys()), 0o700);
}

#[test]
fn a_folder_that_cannot_be_made_says_which() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let said = DataDir::open(&file.join("data")).unwrap_err().to_string();
    assert!(said.contains(&file.join("data").display().to_string()), "{said}");
    assert!(said.contains("--data"), "{said}");
}

#[tokio::test]
async fn an_order_reaches_the_owner_and_its_answer_comes_back() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataDir::open(parent.path()).unwrap();
    let (stop, served) = repeat(&folder);
    assert_eq!(mode(&parent.path().join("control.sock")), 0o600);
    let call = async |order| control::call(parent.path(), &request(order)).await;

    let done = Response::Done(json!({ "order": "yes", "with": { "n": 1 } }));
    assert_eq!(call("yes").await.unwrap(), Some(done));
    let refused = Response::Refused("it may not be".to_owned());
    assert_eq!(call("no").await.unwrap(), Some(refused));
    // A fault in one order is told to its caller and ends nothing else.
    assert!(matches!(call("panic").await, Err(ControlError::NoAnswer(_))));
    assert!(matches!(call("yes").await, Ok(Some(Response::Done(_)))));

    stop.send(()).unwrap();
    served.await.unwrap();
    assert_eq!(call("yes").await.unwrap(), None);
    assert!(!parent.path().join("control.sock").exists());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let socket = parent.path().join("control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert_eq!(control::call(parent.path(), &request("yes")).await.unwrap(), None);
    let folder = DataDir::open(parent.path()).unwrap();
    // A program that was killed between making and moving it leaves another one.
    drop(UnixListener::bind(folder.keys().join("control.sock")).unwrap());
    let (_stop, _served) = repeat(&folder);
    assert!(control::call(parent.path(), &request("yes")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_folder_with_a_path_longer_than_a_socket_may_have_works() {
    let parent = tempfile::tempdir().unwrap();
    let path: PathBuf = parent.path().join("a".repeat(100)).join("b".repeat(100));
    let folder = DataDir::open(&path).unwrap();
    let (_stop, _served) = repeat(&folder);
    assert!(path.join("control.sock").exists());
    assert!(control::call(&path, &request("yes")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_order_is_refused_and_bounded() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataDir::open(parent.path()).unwrap();
    let (_stop, _served) = repeat(&folder);
    for (sent, part) in [
        (b"hello\n".to_vec(), "cannot be read"),
        (b"{\"order\":\"yes\",\"more\":1}\n".to_vec(), "unknown field"),
        (vec![b' '; 1 << 20], "does not end within"),
    ] {
        let mut stream = UnixStream::connect(parent.path().join("control.sock")).await.unwrap();
        stream.write_all(&sent).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let said = answer["refused"].as_str().unwrap();
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_sent_away_and_keeps_nobody_waiting() {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataDir::open(parent.path()).unwrap();
    let (_stop, _served) = repeat(&folder);
    let socket = parent.path().join("control.sock");
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(UnixStream::connect(&socket).await.unwrap());
    }
    let answered = control::call(parent.path(), &request("yes")).await.unwrap();
    assert!(matches!(answered, Some(Response::Done(_))));
    for mut stream in silent {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("nothing came within 5 s"), "{answer}");
    }
}
