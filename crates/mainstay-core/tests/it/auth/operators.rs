//! What whoever runs the program does to accounts: roles, passwords and lists.

use mainstay_core::{
    audit::{self, Record},
    auth::{Actor, Auth, AuthError, Listed, NewUser, Origin, Role, Scope, Standing, UserId},
    error::Problem,
};

use super::{House, PASSWORD, engines, home};

const NEXT: &str = "a staple and a battery";

impl House {
    async fn with_role(&self, handle: &str, role: Role) -> UserId {
        let new = NewUser {
            handle: handle.into(),
            email: format!("{handle}@example.org"),
            password: Some(PASSWORD.into()),
            role,
        };
        self.auth.create_user(new, Actor::Operator, &home()).await.unwrap().id
    }

    async fn role_of(&self, user: UserId) -> Role {
        self.auth.find(user).await.unwrap().unwrap().role
    }

    async fn log(&self, action: &str) -> Vec<Record> {
        let mut tx = self.db.read().await.unwrap();
        let log = audit::list(&mut tx, i64::MAX, 1_000).await.unwrap();
        log.into_iter().filter(|entry| entry.action == action).collect()
    }
}

async fn demote(auth: &Auth, user: UserId) -> Result<(), AuthError> {
    auth.set_role(user, Role::Moderator, Actor::Operator, &home()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_who_can_act_keeps_the_role() {
    for house in engines().await {
        let ada = house.with_role("ada", Role::Admin).await;
        let suspended = house.with_role("bea", Role::Admin).await;
        let forgotten = house.with_role("cid", Role::Admin).await;
        house.with_role("dan", Role::Moderator).await;
        let here = home();
        let suspend = |on| house.auth.set_suspended(suspended, on, Actor::Operator, &here);
        suspend(true).await.unwrap();
        house.auth.forget(forgotten, Actor::Operator).await.unwrap();

        let refused = demote(&house.auth, ada).await.unwrap_err();
        assert!(Problem::from(refused).detail.contains("last administrator"));
        assert_eq!(house.role_of(ada).await, Role::Admin);
        assert!(house.log("account.set_role").await.is_empty());
        // The same role again takes nothing away.
        house.auth.set_role(ada, Role::Admin, Actor::Operator, &home()).await.unwrap();

        suspend(false).await.unwrap();
        demote(&house.auth, ada).await.unwrap();
        assert_eq!(house.role_of(ada).await, Role::Moderator);
        assert!(demote(&house.auth, suspended).await.is_err(), "she is the last one now");
        // Who cannot act as one anyway may lose it.
        suspend(true).await.unwrap();
        demote(&house.auth, suspended).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_administrators_who_all_lose_the_role_at_once_one_keeps_it() {
    for house in engines().await {
        let other = house.other_instance().await;
        for round in 0..8 {
            let mut demotions = tokio::task::JoinSet::new();
            let mut all = Vec::new();
            for n in 0..4 {
                all.push(house.with_role(&format!("ada_{round}_{n}"), Role::Admin).await);
            }
            for (user, instance) in all.iter().zip([&house.auth, &other].into_iter().cycle()) {
                let (user, auth) = (*user, instance.clone());
                demotions.spawn(async move { demote(&auth, user).await.is_ok() });
            }
            let done = demotions.join_all().await;
            assert_eq!(done.iter().filter(|done| **done).count(), 3, "{done:?}");
            let left = house.auth.accounts(Some(Role::Admin), "", 10).await.unwrap().items;
            assert_eq!(left.len(), 1, "{left:?}");
            // The next round has none besides its own.
            house.auth.forget(left[0].id, Actor::Operator).await.unwrap();
            demote(&house.auth, left[0].id).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_from_an_operator_ends_every_sign_in_and_leaves_keys_and_others_alone() {
    for house in engines().await {
        let (bob, eve) = (house.register("bob").await, house.register("eve").await);
        let browser = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let caller = house.caller(&bob).await;
        let key = house.auth.create_api_key(&caller, "key", &[Scope::Read], &home()).await;
        let key = key.unwrap().secret;
        house.auth.authenticate_cookie(&browser.cookie).await.unwrap();

        let set = |password: &str| {
            let password = password.to_owned();
            let auth = house.auth.clone();
            async move {
                auth.set_password(caller.user, password, Actor::Operator, &Origin::default()).await
            }
        };
        for (weak, why) in [("short", "too_short"), ("Bob@Example.org", "too_common")] {
            let Err(AuthError::Invalid(faults)) = set(weak).await else { panic!("{weak}") };
            assert_eq!((&*faults[0].pointer, &*faults[0].code), ("/password", why));
        }
        house.caller(&bob).await;
        set(NEXT).await.unwrap();
        assert!(house.auth.authenticate_bearer(&bob.access_token).await.is_err());
        assert!(house.auth.refresh(&bob.refresh_token, &home()).await.is_err());
        assert!(house.auth.authenticate_cookie(&browser.cookie).await.is_err());
        house.auth.authenticate_bearer(&key).await.unwrap();
        house.caller(&eve).await;
        assert!(house.auth.login("bob", PASSWORD, &home()).await.is_err());
        house.auth.login("bob", NEXT, &home()).await.unwrap();
        let log = house.log("account.set_password").await;
        assert_eq!((log.len(), &*log[0].actor), (1, "operator"));
        assert_eq!(log[0].target, bob.user.id.to_string());
        assert!(!format!("{log:?}").contains(NEXT));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_locked_out_is_heard_again_with_the_password_that_an_operator_gave() {
    for house in engines().await {
        let bob = house.register("bob").await.user.id;
        for login in ["bob", "Bob@example.org"] {
            for _ in 0..6 {
                drop(house.auth.login(login, "wrong password", &home()).await);
            }
            let locked = house.auth.login(login, PASSWORD, &home()).await;
            assert!(matches!(locked, Err(AuthError::LockedOut { .. })));
        }
        house.auth.set_password(bob, NEXT.into(), Actor::Operator, &home()).await.unwrap();
        for login in ["bob", "Bob@example.org"] {
            house.auth.login(login, NEXT, &home()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_forgotten_or_never_was_gets_no_password() {
    for house in engines().await {
        let bob = house.register("bob").await.user.id;
        house.auth.forget(bob, Actor::Operator).await.unwrap();
        let here = home();
        let set = |user| house.auth.set_password(user, NEXT.into(), Actor::Operator, &here);
        assert!(matches!(set(bob).await, Err(AuthError::Conflict(_))));
        assert!(matches!(set(UserId::from_bits(1)).await, Err(AuthError::NotFound)));
        let refused = house.auth.login("bob", NEXT, &home()).await;
        assert!(matches!(refused, Err(AuthError::WrongCredentials)));
        assert!(house.log("account.set_password").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_listed_by_handle_a_page_at_a_time_and_described_one_by_one() {
    for house in engines().await {
        for handle in ["bob", "b.ob", "b_ob", "bob2", "zoe"] {
            house.register(handle).await;
        }
        let admin = house.with_role("ada", Role::Admin).await;
        house.auth.set_suspended(admin, true, Actor::Operator, &home()).await.unwrap();
        let zoe = house.auth.find_by_handle("zoe").await.unwrap().unwrap().id;
        house.auth.forget(zoe, Actor::Operator).await.unwrap();

        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = house.auth.accounts(None, &after, 2).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        let handles: Vec<&str> = seen.iter().map(|one| &*one.handle).collect();
        assert_eq!(handles, ["ada", "b.ob", "b_ob", "bob", "bob2", "zoe"]);
        let state = |one: &Listed| one.state;
        assert_eq!(state(&seen[0]), Standing::Suspended);
        assert_eq!((state(&seen[1]), state(&seen[5])), (Standing::Active, Standing::Forgotten));
        let admins = house.auth.accounts(Some(Role::Admin), "", 500).await.unwrap();
        assert_eq!((admins.items.len(), admins.next), (1, None));
        // The handle to go on after need not be there.
        let rest = house.auth.accounts(None, "BOB1", 500).await.unwrap().items;
        assert_eq!(rest.iter().map(|one| &*one.handle).collect::<Vec<_>>(), ["bob2", "zoe"]);

        let bob = house.auth.describe("BOB").await.unwrap().unwrap();
        assert_eq!((bob.email.as_deref(), bob.state), (Some("bob@example.org"), Standing::Active));
        let gone = house.auth.describe("zoe").await.unwrap().unwrap();
        assert_eq!((gone.email, gone.state), (None, Standing::Forgotten));
        assert_eq!(house.auth.describe("nobody").await.unwrap(), None);
    }
}
