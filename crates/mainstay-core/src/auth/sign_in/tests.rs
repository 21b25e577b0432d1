//! Guesses that are under way together, held where only the inside can hold them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics on failure")]

use mainstay_testkit::{Postgres, program::eventually};
use tokio::task::JoinSet;

use super::*;
use crate::{
    auth::{self, NewAccount, PasswordCost, Secrets, Settings},
    clock::Clock,
    db::{Db, Location, PgSettings},
};

/// 2026-11-21, noon.
const NOON: Ts = Ts::from_micros(1_795_262_400_000_000);
const PASSWORD: &str = "correct horse battery";

fn home() -> Origin {
    Origin { address: Some([192, 0, 2, 1].into()), agent: None }
}

/// Accounts on an empty place, where one password is hashed at a time.
async fn accounts(location: &Location) -> Auth {
    let clock = Clock::manual(NOON);
    let db = Db::open(location, "core", auth::MIGRATIONS, clock.clone()).await.unwrap();
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    let settings = Settings { password_cost, passwords_at_once: 1, ..Settings::default() };
    Auth::open(db, &Secrets { master: [7; 32] }, settings, clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_sent_all_at_once_gain_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = PgSettings {
        url: Postgres::shared().create_database().await.unwrap(),
        connections_max: 8,
        statement_timeout_ms: 10_000,
    };
    let sqlite = Location::Sqlite { folder: folder.path().to_owned(), durable: true };
    for location in [sqlite, Location::Postgres(postgres)] {
        let auth = accounts(&location).await;
        let bob = NewAccount {
            handle: "bob".into(),
            email: "bob@example.org".into(),
            password: PASSWORD.into(),
        };
        auth.register(bob, &home()).await.unwrap();
        // All of them are past the first look before the first is answered, and the right one is the 41st.
        let passwords = &auth.inner.passwords;
        let held = passwords.hold(1).await;
        let mut guesses = JoinSet::new();
        for n in 0..64 {
            let auth = auth.clone();
            let guess = if n == 40 { PASSWORD.to_owned() } else { format!("wrong password {n}") };
            guesses.spawn(async move { auth.login("bob", &guess, &home()).await.map(drop) });
            eventually("the guess waits", async || passwords.waiting() == n + 1).await;
        }
        drop(held);
        let (mut wrong, mut locked_out) = (0, 0);
        for answer in guesses.join_all().await {
            match answer {
                Err(AuthError::WrongCredentials) => wrong += 1,
                Err(AuthError::LockedOut { .. }) => locked_out += 1,
                other => panic!("{other:?}"),
            }
        }
        // As many are heard as of guesses made in turn; what became of the others does not tell which was right.
        assert_eq!((wrong, locked_out), (5, 59));
        let right = auth.login("bob", PASSWORD, &home()).await.map(drop);
        assert!(
            matches!(right, Err(AuthError::LockedOut { retry_after_s }) if retry_after_s > 60),
            "{right:?}"
        );
    }
}
