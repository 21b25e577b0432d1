//! Programs on records that another program has written, or still writes.

use super::{Engine, Program, Setup};

impl Program {
    /// Another instance on the same database and blobs, with the same clock.
    ///
    /// # Panics
    /// On SQLite, whose files belong to one program.
    pub async fn twin(&self) -> Self {
        self.twin_as(&self.setup).await
    }

    /// Another instance of another setup, as while a fleet is brought to a new configuration.
    ///
    /// # Panics
    /// On SQLite, whose files belong to one program.
    pub async fn twin_as(&self, setup: &Setup) -> Self {
        assert_eq!(self.place.engine, Engine::Postgres, "SQLite files belong to one program");
        setup.start_at(self.place.clone()).await
    }

    /// Ends it as SIGTERM would and starts it again on what it has left, with the same clock.
    ///
    /// # Panics
    /// As [`Program::end`] and [`Setup::start`].
    pub async fn restart(self) -> Self {
        let setup = self.setup.clone();
        self.reopen(&setup).await
    }

    /// Ends it as SIGTERM would, and starts one of `setup` on what it leaves behind, with the same clock.
    ///
    /// # Panics
    /// If a request under way had to be cut, or the new one does not start.
    pub async fn reopen(self, setup: &Setup) -> Self {
        let place = self.place.clone();
        self.end().await;
        setup.start_at(place).await
    }
}
