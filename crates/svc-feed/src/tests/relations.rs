//! Follows, requests, blocks and mutes.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn many_people_who_follow_and_leave_one_at_once_keep_the_counters_equal_to_the_rows() {
    for town in towns().await {
        let star = town.person("star").await;
        let mut fans = Vec::new();
        for number in 0..64 {
            fans.push(town.person(&format!("fan_{number}")).await);
        }
        let all = |on: bool, every: usize| {
            let some: Vec<Caller> = fans.iter().step_by(every).cloned().collect();
            let (feed, star) = (town.feed.clone(), star.user);
            async move {
                let tasks: Vec<_> = some
                    .into_iter()
                    .map(|fan| {
                        let feed = feed.clone();
                        tokio::spawn(async move {
                            feed.set_tie(&fan, star, Tie::Follow, on, None).await.unwrap();
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        };
        all(true, 1).await;
        assert_eq!(town.feed.profile(None, star.user).await.unwrap().follower_count, 64);
        // Half of them leave while the others follow again, which changes nothing.
        tokio::join!(all(false, 2), all(true, 64));
        let count = town.feed.profile(None, star.user).await.unwrap().follower_count;
        assert!((32..=33).contains(&count), "{count}");
        assert_eq!(town.miscounted().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_follow_and_block_each_other_at_once_never_wait_for_ever() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let mut tasks = Vec::new();
        for number in 0..32 {
            let (from, to) = if number % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
            let (feed, from, to) = (town.feed.clone(), from.clone(), to.user);
            let tie = if number % 8 == 7 { Tie::Block } else { Tie::Follow };
            tasks.push(tokio::spawn(async move {
                // Once one blocks, the other's follow is refused; that is the point, not a failure.
                let result = feed.set_tie(&from, to, tie, number % 16 < 12, None).await;
                assert!(!matches!(result, Err(Error::Db(_))), "{result:?}");
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(town.miscounted().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_finds_nobody_and_no_follow_is_left() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        town.tie(&ada, &bob, Tie::Follow, true).await.unwrap();
        town.tie(&bob, &ada, Tie::Follow, true).await.unwrap();
        let post = town.post(&ada, "hello").await;
        let relation = town.tie(&ada, &bob, Tie::Block, true).await.unwrap();
        assert_eq!(relation, RelationView { blocking: true, ..Default::default() });
        assert_eq!(town.miscounted().await, 0);
        let not_found = |error: Error| matches!(error, Error::NotFound);
        assert!(not_found(town.tie(&bob, &ada, Tie::Follow, true).await.unwrap_err()));
        assert!(not_found(town.feed.profile(Some(&bob), ada.user).await.unwrap_err()));
        assert!(not_found(town.feed.post(Some(bob.user), post.id).await.unwrap_err()));
        assert!(matches!(
            town.tie(&ada, &bob, Tie::Follow, true).await.unwrap_err(),
            Error::Conflict(_)
        ));
        let relation = town.tie(&ada, &bob, Tie::Block, false).await.unwrap();
        assert_eq!(relation, RelationView::default());
        assert!(town.feed.post(Some(bob.user), post.id).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_account_is_asked_and_decides() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        town.make_private(&ada).await;
        for asker in [&bob, &eve] {
            let relation = town.tie(asker, &ada, Tie::Follow, true).await.unwrap();
            assert!(relation.requested && !relation.following);
            town.clock.advance_s(1);
        }
        let first = town.feed.follow_requests(ada.user, 1, None).await.unwrap();
        let cursor = first.next_cursor.as_deref();
        let second = town.feed.follow_requests(ada.user, 1, cursor).await.unwrap();
        let asked: Vec<UserId> =
            first.items.iter().chain(&second.items).map(|asker| asker.person.id).collect();
        assert_eq!(asked, [eve.user, bob.user], "newest first");
        assert_eq!(second.next_cursor, None);
        town.feed.answer_request(ada.user, bob.user, true, None).await.unwrap();
        town.feed.answer_request(ada.user, eve.user, false, None).await.unwrap();
        let again = town.feed.answer_request(ada.user, eve.user, true, None).await;
        assert!(matches!(again, Err(Error::NotFound)));
        assert_eq!(town.miscounted().await, 0);
        let circle = crate::service::Circle::Followers;
        let seen = town.feed.circle(Some(bob.user), ada.user, circle, 20, None).await.unwrap();
        assert_eq!(seen.items.len(), 1);
        let hidden = town.feed.circle(Some(eve.user), ada.user, circle, 20, None).await;
        assert!(matches!(hidden, Err(Error::NotFound)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_follows_themselves_or_somebody_who_is_not_there() {
    for town in towns().await {
        let ada = town.person("ada").await;
        let oneself = town.tie(&ada, &ada, Tie::Follow, true).await;
        assert!(matches!(oneself, Err(Error::Invalid(_))));
        let nobody = town.feed.set_tie(&ada, UserId::from_bits(5), Tie::Mute, true, None).await;
        assert!(matches!(nobody, Err(Error::NotFound)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_person_is_left_out_of_lists_and_shown_when_asked_for() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let post = town.post(&bob, "noise").await;
        town.tie(&ada, &bob, Tie::Mute, true).await.unwrap();
        let latest = town.feed.latest(Some(ada.user), 20, None).await.unwrap().view();
        assert!(latest.items.is_empty());
        assert!(town.feed.post(Some(ada.user), post.id).await.is_ok());
        town.tie(&ada, &bob, Tie::Mute, false).await.unwrap();
        assert_eq!(town.feed.latest(Some(ada.user), 20, None).await.unwrap().view().items.len(), 1);
    }
}
