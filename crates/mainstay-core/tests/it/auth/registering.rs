//! Accounts: made, refused, suspended, promoted, forgotten.

use mainstay_core::{
    auth::{Actor, Auth, AuthError, NewAccount, NewUser, Role, State},
    contract::{
        account::{AccountCreatedV1, AccountSuspensionChangedV1},
        feed::PersonSuspendedV1,
    },
    db::{DbError, EngineKind},
    error::{Code, Problem},
};

use super::{PASSWORD, engines, home, new, settings};

#[tokio::test(flavor = "multi_thread")]
async fn who_registers_is_signed_in_and_can_sign_in_again_by_either_name() {
    for house in engines().await {
        let bob = house.register("Bob_7").await;
        assert_eq!(bob.user.handle, "bob_7");
        assert_eq!(bob.user.role, Role::User);
        assert_eq!(bob.expires_in_s, 900);
        let caller = house.caller(&bob).await;
        assert_eq!((caller.user, &*caller.handle), (bob.user.id, "bob_7"));
        let me = house.auth.me(&caller).await.unwrap();
        assert_eq!(me.email.as_deref(), Some("Bob_7@example.org"));
        for login in ["bob_7", "BOB_7", "bob_7@example.org", "BOB_7@EXAMPLE.ORG", " bob_7 "] {
            assert_eq!(house.login(login).await.user.id, bob.user.id, "{login}");
        }
        let facts = house.facts().await;
        let created = facts.iter().find_map(|fact| fact.read::<AccountCreatedV1>()).unwrap();
        assert_eq!(created, AccountCreatedV1 { user: bob.user.id, handle: "bob_7".into() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_registration_is_named_at_once() {
    for house in engines().await {
        let bad = NewAccount { handle: "a!".into(), email: "a".into(), password: "1234".into() };
        let refused = house.auth.register(bad, &home()).await.err().unwrap();
        let problem = Problem::from(refused);
        assert_eq!(problem.code, Code::Invalid);
        let at: Vec<_> =
            problem.faults.iter().map(|fault| (&*fault.pointer, &*fault.code)).collect();
        let expected = [
            ("/handle", "too_short"),
            ("/handle", "characters"),
            ("/email", "not_an_address"),
            ("/password", "too_short"),
        ];
        assert_eq!(at, expected);
        assert!(house.facts().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_and_an_address_belong_to_one_account() {
    for house in engines().await {
        house.register("bob").await;
        let mut again = new("BOB");
        let problem = Problem::from(house.auth.register(again, &home()).await.err().unwrap());
        assert_eq!(problem.code, Code::Taken);
        let at: Vec<_> = problem.faults.iter().map(|fault| &*fault.pointer).collect();
        assert_eq!(at, ["/handle", "/email"]);
        again = new("robert");
        again.email = "Bob@Example.org".into();
        let problem = Problem::from(house.auth.register(again, &home()).await.err().unwrap());
        assert_eq!(problem.faults.len(), 1);
        assert_eq!(problem.faults[0].pointer, "/email");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_who_want_one_handle_at_the_same_moment_one_gets_it() {
    for house in engines().await {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..64 {
            let auth = house.auth.clone();
            tasks.spawn(async move {
                let email = format!("bob{n}@example.org");
                let new = NewAccount { handle: "bob".into(), email, password: PASSWORD.into() };
                auth.register(new, &home()).await.map(|_| ())
            });
        }
        let (mut got, mut taken) = (0, 0);
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(()) => got += 1,
                Err(AuthError::Taken(faults)) => {
                    assert_eq!(faults[0].pointer, "/handle");
                    taken += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!((got, taken), (1, 63));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_administrators_and_many_people() {
    for house in engines().await {
        let person = |handle: &str, password: Option<&str>, role| NewUser {
            handle: handle.into(),
            email: format!("{handle}@example.org"),
            password: password.map(Into::into),
            role,
        };
        let root = person("admin", Some(PASSWORD), Role::Admin);
        let made = house.auth.create_user(root, Actor::Operator, &home()).await.unwrap();
        assert_eq!(made.role, Role::Admin);
        assert!(house.caller(&house.login("admin").await).await.acts_as(Role::Admin));
        let many = (0..1_234).map(|n| person(&format!("p{n:04}"), None, Role::User)).collect();
        let made = house.auth.create_users(many).await.unwrap();
        assert_eq!(made.len(), 1_234);
        assert_eq!(made[1_233].handle, "p1233");
        let found = house.auth.find_by_handle("P1233").await.unwrap().unwrap();
        assert_eq!(found.id, made[1_233].id);
        // Without a password nobody signs in.
        let refused = house.auth.login("p0001", PASSWORD, &home()).await;
        assert!(matches!(refused, Err(AuthError::WrongCredentials)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_moderator_suspends_is_out_at_once_and_back_when_it_is_lifted() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let caller = house.caller(&bob).await;
        let here = home();
        let suspend = |on| house.auth.set_suspended(caller.user, on, Actor::Operator, &here);
        suspend(true).await.unwrap();
        suspend(true).await.unwrap();
        let refused = house.auth.authenticate_bearer(&bob.access_token).await;
        assert!(matches!(refused, Err(AuthError::Suspended)), "{refused:?}");
        let refused = house.auth.refresh(&bob.refresh_token, &home()).await.err().unwrap();
        assert_eq!(Problem::from(refused).code, Code::Suspended);
        let refused = house.auth.login("bob", PASSWORD, &home()).await.err().unwrap();
        assert!(matches!(refused, AuthError::Suspended));
        // Who does not know the password does not learn of it.
        let refused = house.auth.login("bob", "wrong password", &home()).await.err().unwrap();
        assert!(matches!(refused, AuthError::WrongCredentials));
        let facts = house.facts().await;
        let said: Vec<_> =
            facts.iter().filter_map(|fact| fact.read::<AccountSuspensionChangedV1>()).collect();
        assert_eq!(said.len(), 1, "said once: {said:?}");
        suspend(false).await.unwrap();
        let refused = house.auth.authenticate_bearer(&bob.access_token).await;
        assert!(matches!(refused, Err(AuthError::Unauthenticated)), "the old sign-in ended");
        house.login("bob").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_in_feed_reaches_the_account_but_never_an_administrator() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let eve = house.register("eve").await;
        let admin = (eve.user.id, Role::Admin);
        house.auth.set_role(admin.0, admin.1, Actor::Operator, &home()).await.unwrap();
        for user in [bob.user.id, eve.user.id] {
            // A repeat changes nothing, and neither does an older word that comes late.
            for (suspended, version) in [(true, 5), (true, 5), (false, 4)] {
                house
                    .db
                    .write::<_, DbError, _>(move |tx| {
                        Box::pin(async move {
                            let fact = PersonSuspendedV1 { user, suspended, version };
                            Auth::on_person_suspended(tx, &fact).await
                        })
                    })
                    .await
                    .unwrap();
            }
        }
        let state = async |user| house.auth.find(user).await.unwrap().unwrap().state;
        assert_eq!(state(bob.user.id).await, State::Suspended);
        assert_eq!(state(eve.user.id).await, State::Active);
        let facts = house.facts().await;
        let said = facts.iter().filter_map(|fact| fact.read::<AccountSuspensionChangedV1>());
        let said: Vec<_> =
            said.map(|fact| (fact.user, fact.suspended, fact.person_version)).collect();
        let both = [(bob.user.id, true, 5), (eve.user.id, false, 5)];
        assert_eq!(said, both, "Feed is told how each account stands, once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_changes_with_the_next_request() {
    for house in engines().await {
        let bob = house.register("bob").await;
        assert!(!house.caller(&bob).await.acts_as(Role::Moderator));
        let here = home();
        let set = |role| house.auth.set_role(bob.user.id, role, Actor::Operator, &here);
        set(Role::Moderator).await.unwrap();
        assert!(house.caller(&bob).await.acts_as(Role::Moderator));
        assert!(!house.caller(&bob).await.acts_as(Role::Admin));
        set(Role::User).await.unwrap();
        assert!(!house.caller(&bob).await.acts_as(Role::Moderator));
    }
}

/// The bytes of every file under a folder.
fn bytes_of(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes_of(&path));
        } else {
            all.extend(std::fs::read(path).unwrap());
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_address_nor_password_nor_token_is_ever_written_in_clear() {
    // The same is written on every engine; SQLite's files are where a test can look.
    for house in engines().await.into_iter().filter(|house| house.db.engine() == EngineKind::Sqlite)
    {
        let bob = house.register("bob").await;
        let again = house.auth.refresh(&bob.refresh_token, &home()).await.unwrap();
        house.login("bob@example.org").await;
        // A wrong attempt is audited, without the name that was tried.
        drop(house.auth.login("bob@example.org", "wrong password", &home()).await);
        drop(house.auth.login("nobody@example.org", "wrong password", &home()).await);
        let caller = house.caller(&bob).await;
        let console = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let scopes = [mainstay_core::auth::Scope::Read];
        let key = house.auth.create_api_key(&caller, "key", &scopes, &home()).await.unwrap();
        let bytes = bytes_of(house.folder.path());
        let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(holds("bob"), "the files are searched where the handle is");
        for secret in [
            "bob@example",
            "nobody@example",
            PASSWORD,
            "wrong password",
            "a browser",
            &bob.access_token,
            &bob.refresh_token,
            &again.refresh_token,
            &console.cookie,
            &key.secret,
        ] {
            assert!(!holds(secret), "{secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_person_cannot_be_read_or_found_or_signed_in() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let caller = house.caller(&bob).await;
        house.auth.forget(caller.user, Actor::Operator).await.unwrap();
        assert_eq!(house.auth.me(&caller).await.unwrap().email, None);
        assert!(house.auth.authenticate_bearer(&bob.access_token).await.is_err());
        for login in ["bob", "bob@example.org"] {
            let refused = house.auth.login(login, PASSWORD, &home()).await;
            assert!(matches!(refused, Err(AuthError::WrongCredentials)));
        }
        // The address is free again.
        let mut other = new("robert");
        other.email = "bob@example.org".into();
        house.auth.register(other, &home()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_is_noticed_at_start() {
    for house in engines().await {
        let other = mainstay_core::auth::Secrets { master: [8; 32] };
        let clock = house.clock.clone();
        let opened = Auth::open(house.db.clone(), &other, settings(), clock).await;
        assert!(matches!(opened.err().unwrap(), AuthError::Seal(_)));
    }
}
