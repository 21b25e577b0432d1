//! Sign-ins: refreshed, copied, ended, locked out; browsers.

use mainstay_core::{
    auth::{
        AuthError, Credential, Origin, SessionId, Settings, SignOut, Transport, UserId, cookie_in,
        store,
    },
    db::DbError,
    error::{Code, Problem},
    ids, params,
};

use super::{House, PASSWORD, engines, home, settings};

fn refused<T>(result: Result<T, AuthError>) -> Code {
    Problem::from(result.err().unwrap()).code
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_refreshes_with_one_token_all_get_the_same_successor() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (auth, token) = (house.auth.clone(), bob.refresh_token.clone());
            tasks.spawn(async move { auth.refresh(&token, &home()).await.unwrap().refresh_token });
        }
        let successors: std::collections::HashSet<_> = tasks.join_all().await.into_iter().collect();
        assert_eq!(successors.len(), 1);
        let next = successors.into_iter().next().unwrap();
        assert_ne!(next, bob.refresh_token);
        house.auth.refresh(&next, &home()).await.unwrap();
        assert_eq!(house.auth.sessions(&house.caller(&bob).await).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_that_comes_back_ends_its_session_and_no_other() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let elsewhere = house.login("bob").await;
        let second = house.auth.refresh(&bob.refresh_token, &home()).await.unwrap();
        let third = house.auth.refresh(&second.refresh_token, &home()).await.unwrap();
        house.caller(&third).await;
        // Within the grace, but the successor was used: somebody holds a copy.
        let again = house.auth.refresh(&bob.refresh_token, &home()).await;
        assert_eq!(refused(again), Code::Unauthenticated);
        assert_eq!(
            refused(house.auth.refresh(&third.refresh_token, &home()).await),
            Code::Unauthenticated
        );
        let dead = house.auth.authenticate_bearer(&third.access_token).await;
        assert_eq!(refused(dead), Code::Unauthenticated);
        house.caller(&elsewhere).await;
        house.auth.refresh(&elsewhere.refresh_token, &home()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_may_be_asked_for_again_for_ten_seconds() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let lost = house.auth.refresh(&bob.refresh_token, &home()).await.unwrap();
        house.clock.advance_s(10);
        let again = house.auth.refresh(&bob.refresh_token, &home()).await.unwrap();
        assert_eq!(again.refresh_token, lost.refresh_token);
        house.clock.advance_s(1);
        let late = house.auth.refresh(&bob.refresh_token, &home()).await;
        assert_eq!(refused(late), Code::Unauthenticated);
        let family = house.auth.refresh(&lost.refresh_token, &home()).await;
        assert_eq!(refused(family), Code::Unauthenticated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_lives_for_thirty_days_after_its_last_refresh() {
    const DAY_S: i64 = 24 * 3_600;
    for house in engines().await {
        let mut bob = house.register("bob").await;
        for _ in 0..3 {
            house.clock.advance_s(29 * DAY_S);
            bob = house.auth.refresh(&bob.refresh_token, &home()).await.unwrap();
        }
        house.clock.advance_s(30 * DAY_S);
        let late = house.auth.refresh(&bob.refresh_token, &home()).await;
        assert_eq!(refused(late), Code::Unauthenticated);
        assert_eq!(house.auth.prune_sessions(house.clock.now().plus_s(1)).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_this_session_and_signing_out_everywhere_all() {
    for house in engines().await {
        let (laptop, phone, tablet) =
            (house.register("bob").await, house.login("bob").await, house.login("bob").await);
        let eve = house.register("eve").await;
        for session in [&laptop, &phone, &tablet] {
            house.caller(session).await;
        }
        let caller = house.caller(&laptop).await;
        house.auth.logout(&caller, SignOut::Here, &home()).await.unwrap();
        let dead = house.auth.authenticate_bearer(&laptop.access_token).await;
        assert_eq!(refused(dead), Code::Unauthenticated);
        let dead = house.auth.refresh(&laptop.refresh_token, &home()).await;
        assert_eq!(refused(dead), Code::Unauthenticated);
        let caller = house.caller(&phone).await;
        house.auth.logout(&caller, SignOut::Everywhere, &home()).await.unwrap();
        for session in [&phone, &tablet] {
            assert_eq!(house.auth.bearer_known(&session.access_token), None);
            let dead = house.auth.authenticate_bearer(&session.access_token).await;
            assert_eq!(refused(dead), Code::Unauthenticated);
        }
        house.caller(&eve).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_their_sessions_and_end_them_but_nobody_elses() {
    for house in engines().await {
        let bob = house.register("bob").await;
        house.clock.advance_s(1);
        let phone = house.login("bob").await;
        let eve = house.register("eve").await;
        let (caller, stranger) = (house.caller(&phone).await, house.caller(&eve).await);
        let sessions = house.auth.sessions(&caller).await.unwrap();
        assert_eq!(sessions.len(), 2);
        assert!(sessions[0].current && !sessions[1].current);
        assert_eq!(sessions[1].address.as_deref(), Some("192.0.2.1"));
        assert_eq!(sessions[1].agent.as_deref(), Some("a browser"));
        let first = sessions[1].id;
        let other = house.auth.end_session(&stranger, first, &home()).await;
        assert_eq!(refused(other), Code::NotFound);
        house.caller(&bob).await;
        house.auth.end_session(&caller, first, &home()).await.unwrap();
        assert!(house.auth.authenticate_bearer(&bob.access_token).await.is_err());
        let again = house.auth.end_session(&caller, first, &home()).await;
        assert_eq!(refused(again), Code::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_at_most_500_sign_ins_and_the_oldest_make_room() {
    for house in engines().await {
        let first = house.register("bob").await;
        house.clock.advance_s(1);
        sign_in_often(&house, first.user.id, 491).await;
        house.clock.advance_s(1);
        // As many at once as there are connections, so that none waits for one.
        for round in 0..3 {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let auth = house.auth.clone();
                tasks.spawn(async move { auth.login("bob", PASSWORD, &home()).await.unwrap() });
            }
            let signed_in = tasks.join_all().await;
            let oldest = house.auth.authenticate_bearer(&first.access_token).await;
            match round {
                0 => drop(oldest.unwrap()),
                _ => assert_eq!(refused(oldest), Code::Unauthenticated),
            }
            let caller = house.caller(&signed_in[0]).await;
            assert_eq!(house.auth.sessions(&caller).await.unwrap().len(), 500, "round {round}");
        }
    }
}

/// So many sign-ins of the past, without their passwords.
async fn sign_in_often(house: &House, user: UserId, count: usize) {
    let now = house.clock.now();
    let written = house.db.write::<_, DbError, _>(move |tx| {
        Box::pin(async move {
            for _ in 0..count {
                let id: SessionId = ids::new_id(now);
                let none = None::<Vec<u8>>;
                let ends = now.plus_s(24 * 3_600);
                let values = params![id, user, "token", none, none, now, ends];
                tx.execute(&store::ADD_SESSION, values).await?;
            }
            Ok(())
        })
    });
    written.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_and_wrong_passwords_get_one_answer_and_then_a_wait() {
    for house in engines().await {
        house.register("bob").await;
        for login in ["bob", "nobody", "nobody@example.org"] {
            for _ in 0..5 {
                let wrong = house.auth.login(login, "wrong password", &home()).await;
                assert!(matches!(wrong, Err(AuthError::WrongCredentials)), "{login}");
            }
            let wait = house.auth.login(login, PASSWORD, &home()).await.err().unwrap();
            let problem = Problem::from(wait);
            assert_eq!(problem.code, Code::RateLimited, "{login}");
            assert_eq!(problem.retry_after_s, Some(1));
        }
        // The owner elsewhere is not locked out, and here only for a while.
        let elsewhere = Origin { address: Some([198, 51, 100, 1].into()), agent: None };
        house.auth.login("bob", PASSWORD, &elsewhere).await.unwrap();
        house.clock.advance_s(1);
        house.login("bob").await;
        let wrong = house.auth.login("bob", "wrong password", &home()).await;
        assert!(matches!(wrong, Err(AuthError::WrongCredentials)), "the count begins anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_another_cost_is_renewed_at_sign_in() {
    for house in engines().await {
        house.register("bob").await;
        let mut dearer: Settings = settings();
        dearer.password_cost.passes = 2;
        let (db, clock) = (house.db.clone(), house.clock.clone());
        let auth = mainstay_core::auth::Auth::open(db, &house.secrets, dearer, clock);
        let auth = auth.await.unwrap();
        auth.login("bob", PASSWORD, &home()).await.unwrap();
        let mut tx = house.db.read().await.unwrap();
        let sql = &mainstay_core::auth::store::ACCOUNT_BY_HANDLE;
        let row: (mainstay_core::auth::UserId, String, Option<Vec<u8>>, Option<String>) =
            tx.one(sql, mainstay_core::params!["bob"]).await.unwrap();
        assert!(row.3.unwrap().contains("t=2"));
        drop(tx);
        house.login("bob").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_with_a_cookie_and_proves_its_forms() {
    for house in engines().await {
        house.register("bob").await;
        let signed_in = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let header = house.auth.session_cookie(&signed_in.cookie, Transport::Tls);
        assert!(header.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure"));
        let sent = format!("a=b; {}", header.split(';').next().unwrap());
        let value = cookie_in(&sent).unwrap();
        for _cold_then_warm in 0..2 {
            let caller = house.auth.authenticate_cookie(value).await.unwrap();
            assert_eq!(caller.credential, Credential::Console(signed_in.session));
            // A cookie is no bearer token, so that a page cannot skip its CSRF token.
            let bearer = house.auth.authenticate_bearer(value).await;
            assert_eq!(refused(bearer), Code::Unauthenticated);
        }
        let token = house.auth.csrf_token(signed_in.session);
        assert!(house.auth.csrf_matches(signed_in.session, &token));
        assert!(!house.auth.csrf_matches(signed_in.session, "another"));
        let caller = house.auth.authenticate_cookie(value).await.unwrap();
        house.auth.logout(&caller, SignOut::Here, &home()).await.unwrap();
        assert!(house.auth.authenticate_cookie(value).await.is_err());
        assert!(house.auth.ended_cookie(Transport::Plain).ends_with("Max-Age=0"));
        assert_eq!(cookie_in("mainstay_sessions=x"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_believes_a_token_no_longer_than_the_fact_takes_or_a_minute() {
    for house in engines().await {
        let there = house.other_instance().await;
        for with_facts in [true, false] {
            let name = format!("bob_{with_facts}");
            let bob = house.register(&name).await;
            there.authenticate_bearer(&bob.access_token).await.unwrap();
            let caller = house.caller(&bob).await;
            house.auth.logout(&caller, SignOut::Here, &home()).await.unwrap();
            assert!(there.bearer_known(&bob.access_token).is_some(), "it has not heard of it");
            if with_facts {
                house.facts().await.iter().for_each(|fact| there.apply(fact));
            } else {
                house.clock.advance_s(60);
            }
            assert!(there.authenticate_bearer(&bob.access_token).await.is_err(), "{with_facts}");
        }
    }
}
