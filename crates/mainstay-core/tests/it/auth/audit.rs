//! The audit log: what is in it, and that it cannot be changed unnoticed.

use mainstay_core::{
    audit::{self, Chain, Link, Stretch},
    auth::{Actor, NewUser, Role, Scope, SignOut},
};

use super::{FORGE, REMOVE, engines, home};

#[tokio::test(flavor = "multi_thread")]
async fn every_act_that_lets_in_or_out_is_in_the_log() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let caller = house.caller(&house.login("bob").await).await;
        drop(house.auth.login("bob", "wrong password", &home()).await);
        let id = bob.user.id;
        house.auth.create_api_key(&caller, "key", &[Scope::Read], &home()).await.unwrap();
        house.auth.set_role(id, Role::Moderator, Actor::Operator, &home()).await.unwrap();
        house.auth.logout(&caller, SignOut::Here, &home()).await.unwrap();
        house.auth.set_suspended(id, true, Actor::User(id), &home()).await.unwrap();
        let mut tx = house.db.read().await.unwrap();
        let mut log = audit::list(&mut tx, i64::MAX, 100).await.unwrap();
        drop(tx);
        log.reverse();
        let acts: Vec<_> = log.iter().map(|entry| (&*entry.action, &*entry.actor)).collect();
        let bob = id.to_string();
        let expected = [
            ("account.create", &*bob),
            ("session.create", &bob),
            ("session.refuse", ""),
            ("api_key.create", &bob),
            ("account.set_role", "operator"),
            ("session.end", &bob),
            ("account.suspend", &bob),
        ];
        assert_eq!(acts, expected);
        assert!(log.iter().all(|entry| entry.origin == "192.0.2.1"));
        assert_eq!(log[2].target, bob);
        assert_eq!(audit::verify(&house.db).await.unwrap(), Chain::Whole(7));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_removed_entry_is_found() {
    for house in engines().await {
        for name in ["bob", "eve", "ida", "tom"] {
            house.register(name).await;
        }
        assert_eq!(audit::verify(&house.db).await.unwrap(), Chain::Whole(4));
        house.run(&FORGE, 3).await;
        assert_eq!(audit::verify(&house.db).await.unwrap(), Chain::BrokenAt(3));
        house.run(&REMOVE, 2).await;
        assert_eq!(audit::verify(&house.db).await.unwrap(), Chain::BrokenAt(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_verified_a_stretch_at_a_time() {
    for house in engines().await {
        let new = (0..1_234).map(|n| NewUser {
            handle: format!("p{n:04}"),
            email: format!("p{n:04}@example.org"),
            password: None,
            role: Role::User,
        });
        house.auth.create_users(new.collect()).await.unwrap();
        let on = async |from| audit::verify_after(&house.db, from).await.unwrap();
        let Stretch::Sound(middle) = on(Link::default()).await else { panic!("it goes on") };
        assert_eq!(middle.seq, 1_000);
        let Stretch::Sound(last) = on(middle.clone()).await else { panic!("it goes on") };
        assert_eq!(last.seq, 1_234);
        assert_eq!(on(last.clone()).await, Stretch::Ended(last));
        house.run(&FORGE, 1_002).await;
        let Stretch::Broken(sound) = on(middle.clone()).await else { panic!("it was changed") };
        assert_eq!(sound.seq, 1_001);
        let elsewhere = Link { hash: vec![0; 32], ..middle.clone() };
        assert_eq!(on(elsewhere.clone()).await, Stretch::Broken(elsewhere));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_64_concurrent_acts_is_one_chain() {
    for house in engines().await {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..64 {
            let auth = house.auth.clone();
            tasks.spawn(async move {
                auth.register(super::new(&format!("bob{n}")), &home()).await.unwrap()
            });
        }
        tasks.join_all().await;
        assert_eq!(audit::verify(&house.db).await.unwrap(), Chain::Whole(64));
    }
}
