//! API keys.

use mainstay_core::{
    auth::{Actor, AuthError, Caller, Credential, Role, Scope, SignOut},
    error::{Code, Problem},
};

use super::{House, engines, home};

async fn bob(house: &House) -> Caller {
    house.caller(&house.register("bob").await).await
}

async fn by(house: &House, secret: &str) -> Result<Caller, AuthError> {
    house.auth.authenticate_bearer(secret).await
}

fn code<T>(result: Result<T, AuthError>) -> Code {
    Problem::from(result.err().unwrap()).code
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_acts_for_its_owner_within_its_scopes() {
    for house in engines().await {
        let bob = bob(&house).await;
        let made =
            house.auth.create_api_key(&bob, " sync ", &[Scope::Read], &home()).await.unwrap();
        assert!(made.secret.starts_with("mk_"));
        assert_eq!((&*made.key.name, &*made.key.scopes), ("sync", &[Scope::Read][..]));
        for _cold_then_warm in 0..2 {
            let caller = by(&house, &made.secret).await.unwrap();
            assert_eq!(caller.user, bob.user);
            assert!(matches!(caller.credential, Credential::ApiKey(id, _) if id == made.key.id));
            assert!(caller.has(Scope::Read));
            assert!(!caller.has(Scope::Write));
            assert!(!caller.acts_as(Role::Moderator));
        }
        assert!(bob.has(Scope::Write), "a person may do all that the role allows");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_has_more_than_its_owner_has_at_that_moment() {
    for house in engines().await {
        let bob = bob(&house).await;
        let scopes = [Scope::Read, Scope::Moderate, Scope::Admin];
        let beyond = house.auth.create_api_key(&bob, "key", &scopes, &home()).await;
        let problem = Problem::from(beyond.err().unwrap());
        let at: Vec<_> = problem.faults.iter().map(|fault| &*fault.pointer).collect();
        assert_eq!(at, ["/scopes/1", "/scopes/2"]);
        let here = home();
        let set = |role| house.auth.set_role(bob.user, role, Actor::Operator, &here);
        set(Role::Moderator).await.unwrap();
        let bob = Caller { role: Role::Moderator, ..bob.clone() };
        let key = house.auth.create_api_key(&bob, "key", &scopes[..2], &home()).await.unwrap();
        assert!(by(&house, &key.secret).await.unwrap().acts_as(Role::Moderator));
        set(Role::User).await.unwrap();
        assert!(!by(&house, &key.secret).await.unwrap().acts_as(Role::Moderator));
        house.auth.set_suspended(bob.user, true, Actor::Operator, &home()).await.unwrap();
        assert_eq!(code(by(&house, &key.secret).await), Code::Suspended);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_key_is_rotated_both_secrets_work_and_then_the_new_one() {
    for house in engines().await {
        let bob = bob(&house).await;
        let first = house.auth.create_api_key(&bob, "key", &[Scope::Read], &home()).await.unwrap();
        by(&house, &first.secret).await.unwrap();
        let id = first.key.id;
        let second = house.auth.rotate_api_key(&bob, id, 600, &home()).await.unwrap();
        assert_eq!(second.key.secret_count, 2);
        assert_eq!(second.key.old_secret_ends_at, Some(house.clock.now().plus_s(600)));
        house.clock.advance_s(599);
        by(&house, &first.secret).await.unwrap();
        by(&house, &second.secret).await.unwrap();
        house.clock.advance_s(1);
        assert_eq!(code(by(&house, &first.secret).await), Code::Unauthenticated);
        by(&house, &second.secret).await.unwrap();
        // There are never three: the oldest ends when the third is made.
        let third = house.auth.rotate_api_key(&bob, id, 600, &home()).await.unwrap();
        let fourth = house.auth.rotate_api_key(&bob, id, 0, &home()).await.unwrap();
        assert_eq!(code(by(&house, &second.secret).await), Code::Unauthenticated);
        assert_eq!(code(by(&house, &third.secret).await), Code::Unauthenticated);
        by(&house, &fourth.secret).await.unwrap();
        let outside = house.auth.rotate_api_key(&bob, id, -1, &home()).await;
        assert_eq!(code(outside), Code::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_at_once_and_only_its_owner_revokes_it() {
    for house in engines().await {
        let bob = bob(&house).await;
        let eve = house.caller(&house.register("eve").await).await;
        let key = house.auth.create_api_key(&bob, "key", &[Scope::Read], &home()).await.unwrap();
        by(&house, &key.secret).await.unwrap();
        for stranger in [
            house.auth.revoke_api_key(&eve, key.key.id, &home()).await.err(),
            house.auth.rotate_api_key(&eve, key.key.id, 0, &home()).await.err(),
        ] {
            assert!(matches!(stranger, Some(AuthError::NotFound)));
        }
        house.auth.revoke_api_key(&bob, key.key.id, &home()).await.unwrap();
        assert_eq!(code(by(&house, &key.secret).await), Code::Unauthenticated);
        assert!(house.auth.api_keys(&bob).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_neither_make_keys_nor_sign_its_owner_out() {
    for house in engines().await {
        let bob = bob(&house).await;
        let scopes = [Scope::Read, Scope::Write];
        let made = house.auth.create_api_key(&bob, "key", &scopes, &home()).await.unwrap();
        let key = by(&house, &made.secret).await.unwrap();
        let auth = &house.auth;
        assert_eq!(code(auth.create_api_key(&key, "x", &scopes, &home()).await), Code::Forbidden);
        assert_eq!(code(auth.api_keys(&key).await), Code::Forbidden);
        assert_eq!(code(auth.sessions(&key).await), Code::Forbidden);
        assert_eq!(code(auth.logout(&key, SignOut::Everywhere, &home()).await), Code::Forbidden);
        assert_eq!(code(auth.revoke_api_key(&key, made.key.id, &home()).await), Code::Forbidden);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_at_most_50_keys_even_when_64_are_made_at_once() {
    for house in engines().await {
        let bob = bob(&house).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (auth, bob) = (house.auth.clone(), bob.clone());
            tasks.spawn(async move {
                auth.create_api_key(&bob, "key", &[Scope::Read], &home()).await.is_ok()
            });
        }
        let made = tasks.join_all().await.into_iter().filter(|made| *made).count();
        assert_eq!(made, 50);
        assert_eq!(house.auth.api_keys(&bob).await.unwrap().len(), 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_noted() {
    for house in engines().await {
        let bob = bob(&house).await;
        let key = house.auth.create_api_key(&bob, "key", &[Scope::Read], &home()).await.unwrap();
        assert_eq!(house.auth.api_keys(&bob).await.unwrap()[0].last_used_at, None);
        by(&house, &key.secret).await.unwrap();
        let used_at = house.clock.now();
        // It is noted behind the answer: wait for the write, not for a time.
        let noted = async {
            while house.auth.api_keys(&bob).await.unwrap()[0].last_used_at.is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), noted).await.unwrap();
        assert_eq!(house.auth.api_keys(&bob).await.unwrap()[0].last_used_at, Some(used_at));
    }
}
