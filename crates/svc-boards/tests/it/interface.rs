//! What holds for every route and statement. The engines differ in what they refuse, such as a NUL in a text.

use mainstay_testkit::program::Engine;

use crate::setup;

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().start(engine).await;
        assert!(house.prepare_every_statement().await > 40);
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_sqlite() {
    let house = setup().start(Engine::Sqlite).await;
    house.examine().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_postgres() {
    let house = setup().start(Engine::Postgres).await;
    house.examine().await;
    house.end().await;
}
