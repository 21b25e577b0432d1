//! The OpenAPI document against the program that serves it, tried from outside.
//!
//! The engines differ in what they refuse, such as a NUL in a text, which nobody but a fuzzer sends.

use mainstay_testkit::program::Engine;

use crate::feed;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_sqlite() {
    let house = feed().start(Engine::Sqlite).await;
    house.examine().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_postgres() {
    let house = feed().start(Engine::Postgres).await;
    house.examine().await;
    house.end().await;
}
