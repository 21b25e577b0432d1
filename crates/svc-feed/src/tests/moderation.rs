//! Reports, the queue, and what moderators do.

use mainstay_contract::{account::AccountSuspensionChangedV1, feed::PersonSuspendedV1};
use mainstay_core::{
    audit::{self, Chain},
    auth::{Actor, Auth, Origin, State},
};

use super::*;
use crate::{
    model::target::Act,
    service::{ActBody, NewReportBody, profiles},
};

impl Town {
    async fn report(&self, caller: &Caller, target: impl ToString) -> Result<String, Error> {
        let new = NewReportBody { target: target.to_string(), reason: "It hurts.".into() };
        self.feed.report(caller, new, None).await.map(|report| report.id.to_string())
    }

    async fn act(
        &self,
        caller: &Caller,
        target: impl ToString,
        action: Act,
    ) -> Result<String, Error> {
        let body = ActBody { target: target.to_string(), action, reason: "Rule 3.".into() };
        let acted = self.feed.moderate(caller, body, "192.0.2.1".into(), None).await?;
        Ok(acted.status)
    }

    /// What moderators said of suspensions, the oldest first.
    async fn suspensions(&self) -> Vec<PersonSuspendedV1> {
        self.facts().await.iter().filter_map(|fact| fact.read()).collect()
    }

    /// Lets the core take one of them.
    async fn core_hears(&self, said: PersonSuspendedV1) {
        let db = self.core.auth.db();
        db.write::<_, DbError, _>(move |tx| {
            let said = said.clone();
            Box::pin(async move { Auth::on_person_suspended(tx, &said).await })
        })
        .await
        .unwrap();
    }

    /// Lets Feed take all that the core has said of suspensions since the beginning, again.
    async fn hear_the_core(&self) {
        let db = self.core.auth.db();
        let facts = {
            let mut tx = db.read().await.unwrap();
            db.outbox().after(&mut tx, Position::default(), 10_000).await.unwrap()
        };
        let said = facts.iter().filter_map(|fact| fact.read::<AccountSuspensionChangedV1>());
        for fact in said {
            self.write(move |tx| {
                let fact = fact.clone();
                Box::pin(async move { profiles::account_suspension(tx, &fact).await })
            })
            .await;
        }
    }

    async fn operator_suspends(&self, person: &Caller, on: bool) {
        let origin = Origin::default();
        self.core.auth.set_suspended(person.user, on, Actor::Operator, &origin).await.unwrap();
        self.hear_the_core().await;
    }

    /// Whether Feed has somebody suspended, and whether the core has.
    async fn is_out(&self, person: &Caller) -> (bool, bool) {
        let account = self.core.auth.find(person.user).await.unwrap().unwrap();
        (self.feed.profile(None, person.user).await.is_err(), account.state == State::Suspended)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_was_lifted_before_the_core_heard_of_it_does_not_come_back() {
    for town in towns().await {
        let ada = town.person("ada").await;
        let judge = town.with_role("judge", Role::Moderator).await;
        for act in [Act::Suspend, Act::Unsuspend, Act::Suspend, Act::Unsuspend] {
            town.act(&judge, ada.user, act).await.unwrap();
        }
        let said = town.suspensions().await;
        assert_eq!(said.len(), 4);
        for said in &said {
            town.core_hears(said.clone()).await;
            town.hear_the_core().await;
            assert_eq!(town.is_out(&ada).await, (false, said.suspended), "{said:?}");
        }
        town.core_hears(said[2].clone()).await;
        assert_eq!(town.is_out(&ada).await, (false, false), "an older word says nothing");
        town.operator_suspends(&ada, true).await;
        assert_eq!(town.is_out(&ada).await, (true, true), "what the core decides knowingly holds");
        town.operator_suspends(&ada, false).await;
        assert_eq!(town.is_out(&ada).await, (false, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_that_is_not_taken_over_or_is_lifted_elsewhere_ends_with_its_decision() {
    for town in towns().await {
        let (ada, eve) = (town.person("ada").await, town.person("eve").await);
        let judge = town.with_role("judge", Role::Moderator).await;
        town.act(&judge, ada.user, Act::Suspend).await.unwrap();
        town.act(&judge, eve.user, Act::Suspend).await.unwrap();
        let (admin, origin) = (Role::Admin, Origin::default());
        town.core.auth.set_role(eve.user, admin, Actor::Operator, &origin).await.unwrap();
        for said in town.suspensions().await {
            town.core_hears(said).await;
        }
        town.hear_the_core().await;
        assert_eq!(town.is_out(&ada).await, (true, true));
        assert_eq!(town.is_out(&eve).await, (false, false), "an administrator by now");
        let decided = async || {
            let page = town.feed.decided(judge.user, 10, None).await.unwrap();
            page.items.into_iter().map(|item| item.target).collect::<Vec<_>>()
        };
        assert_eq!(decided().await, [ada.user.to_string()]);
        town.operator_suspends(&ada, false).await;
        assert_eq!(town.is_out(&ada).await, (false, false));
        assert!(decided().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_waits_in_the_queue_until_somebody_acts_and_the_act_is_audited() {
    for town in towns().await {
        let (ada, bob, eve) =
            (town.person("ada").await, town.person("bob").await, town.person("eve").await);
        let judge = town.with_role("judge", Role::Moderator).await;
        let post = town.post(&ada, "a bad post").await.id;
        let comment = town.comment(&ada, post, "a bad comment").await.id;
        let first = town.report(&bob, post).await.unwrap();
        assert_eq!(town.report(&bob, post).await.unwrap(), first, "a repeat is the same report");
        town.clock.advance_s(1);
        town.report(&eve, post).await.unwrap();
        town.report(&eve, comment).await.unwrap();
        let queue = town.feed.moderation_queue(judge.user, 1, None).await.unwrap();
        let item = &queue.items[0];
        assert_eq!((item.report_count, item.reasons.len(), &*item.status), (2, 2, "visible"));
        assert_eq!(item.post.as_ref().unwrap().id, post);
        let next = queue.next_cursor.as_deref();
        let queue = town.feed.moderation_queue(judge.user, 1, next).await.unwrap();
        assert_eq!(queue.items[0].comment.as_ref().unwrap().id, comment);

        assert_eq!(town.act(&judge, post, Act::Hide).await.unwrap(), "hidden");
        assert!(matches!(town.feed.post(None, post).await, Err(Error::NotFound)));
        assert!(town.feed.post(Some(ada.user), post).await.is_ok(), "its author sees it");
        assert_eq!(town.act(&judge, post, Act::Restore).await.unwrap(), "visible");
        assert!(town.feed.post(None, post).await.is_ok());
        assert_eq!(town.act(&judge, comment, Act::Remove).await.unwrap(), "removed");
        assert_eq!(town.feed.post(None, post).await.unwrap().comment_count, 0);
        let queue = town.feed.moderation_queue(judge.user, 20, None).await.unwrap();
        assert!(queue.items.is_empty());

        let db = town.feed.log().db();
        assert_eq!(audit::verify(db).await.unwrap(), Chain::Whole(3));
        let mut tx = db.read().await.unwrap();
        let entries = audit::list(&mut tx, i64::MAX, 10).await.unwrap();
        let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["feed.remove", "feed.restore", "feed.hide"]);
        assert_eq!(entries[2].target, post.to_string());
        assert_eq!(entries[2].detail.0["reports_resolved"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_person_and_their_posts_are_gone_until_it_is_lifted() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let judge = town.with_role("judge", Role::Moderator).await;
        let post = town.post(&ada, "a post").await.id;
        assert_eq!(town.act(&judge, ada.user, Act::Suspend).await.unwrap(), "suspended");
        assert!(matches!(town.feed.post(Some(bob.user), post).await, Err(Error::NotFound)));
        let gone = town.feed.profile(Some(&bob), ada.user).await;
        assert!(matches!(gone, Err(Error::NotFound)));
        assert!(town.feed.profile(Some(&judge), ada.user).await.is_ok(), "moderators see them");
        // The core may not have heard of it, and their sign-ins still be good.
        let new = NewPost { caption: "another".into(), ..new_post() };
        let refused = town.feed.create_post(&ada, new, None).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        let names: Vec<String> =
            town.facts().await.iter().map(|fact| fact.name.to_string()).collect();
        assert!(names.contains(&"feed.person_suspended.v1".to_owned()), "{names:?}");
        assert_eq!(town.act(&judge, ada.user, Act::Unsuspend).await.unwrap(), "visible");
        assert!(town.feed.post(Some(bob.user), post).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_act_on_neither_administrators_nor_themselves_nor_in_ways_that_make_no_sense() {
    for town in towns().await {
        let (chief, judge) = (
            town.with_role("chief", Role::Admin).await,
            town.with_role("judge", Role::Moderator).await,
        );
        let ada = town.person("ada").await;
        let post = town.post(&ada, "a post").await.id;
        let chiefs = town.post(&chief, "a post").await.id;
        for target in [chief.user, judge.user] {
            let refused = town.act(&judge, target, Act::Suspend).await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        }
        assert!(matches!(town.act(&judge, chiefs, Act::Hide).await, Err(Error::Forbidden(_))));
        let refused = town.act(&judge, post, Act::Suspend).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        assert!(matches!(town.act(&judge, ada.user, Act::Hide).await, Err(Error::Invalid(_))));
        assert!(matches!(town.act(&judge, "nothing", Act::Hide).await, Err(Error::Invalid(_))));
        let chain = audit::verify(town.feed.log().db()).await.unwrap();
        assert_eq!(chain, Chain::Whole(0), "what is refused leaves no entry");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reports_what_they_cannot_see_or_their_own() {
    for town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let post = town.post(&ada, "a post").await.id;
        assert!(matches!(town.report(&ada, post).await, Err(Error::Invalid(_))));
        town.tie(&ada, &bob, Tie::Block, true).await.unwrap();
        assert!(matches!(town.report(&bob, post).await, Err(Error::NotFound)));
        assert!(matches!(town.report(&bob, ada.user).await, Err(Error::NotFound)));
    }
}
