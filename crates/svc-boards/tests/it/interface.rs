//! What holds for every route and statement.

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
