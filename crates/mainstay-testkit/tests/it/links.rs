//! The breakable connection.

use std::time::Duration;

use mainstay_testkit::Link;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// Long enough that a byte which could pass would have.
const QUIET: Duration = Duration::from_millis(150);

/// A server that returns each byte, and a link to it.
async fn echo() -> (Link, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            });
        }
    });
    (Link::to(target).await.unwrap(), server)
}

async fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
    stream.write_all(&[byte]).await?;
    stream.read_u8().await
}

#[tokio::test]
async fn a_whole_link_passes_bytes() {
    let (link, _server) = echo().await;
    let mut stream = TcpStream::connect(link.addr()).await.unwrap();
    assert_eq!(ask(&mut stream, 7).await.unwrap(), 7);
}

#[tokio::test]
async fn a_cut_link_ends_old_and_new_connections_until_it_heals() {
    let (link, _server) = echo().await;
    let mut old = TcpStream::connect(link.addr()).await.unwrap();
    assert_eq!(ask(&mut old, 1).await.unwrap(), 1);
    link.cut();
    assert!(ask(&mut old, 2).await.is_err(), "a cut connection answered");
    let mut new = TcpStream::connect(link.addr()).await.unwrap();
    assert!(ask(&mut new, 3).await.is_err(), "a new connection passed a cut link");
    link.heal();
    let mut healed = TcpStream::connect(link.addr()).await.unwrap();
    assert_eq!(ask(&mut healed, 4).await.unwrap(), 4);
}

#[tokio::test]
async fn a_half_open_link_is_silent_and_loses_nothing() {
    let (link, _server) = echo().await;
    let mut stream = TcpStream::connect(link.addr()).await.unwrap();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
    link.half_open();
    stream.write_all(&[2]).await.unwrap();
    assert!(timeout(QUIET, stream.read_u8()).await.is_err(), "a half-open link answered");
    link.heal();
    assert_eq!(stream.read_u8().await.unwrap(), 2);
}

#[tokio::test]
async fn a_slow_link_delays_each_direction() {
    let (link, _server) = echo().await;
    let mut stream = TcpStream::connect(link.addr()).await.unwrap();
    link.delay(Duration::from_millis(40));
    let start = Instant::now();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
    assert!(start.elapsed() >= Duration::from_millis(80), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn a_dropped_link_ends_its_connections() {
    let (link, _server) = echo().await;
    let mut stream = TcpStream::connect(link.addr()).await.unwrap();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 1);
    drop(link);
    assert!(ask(&mut stream, 2).await.is_err(), "a connection outlived its link");
}
