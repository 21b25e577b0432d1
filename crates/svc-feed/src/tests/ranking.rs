//! Places that are computed again, step by step.

use super::*;
use crate::{model::rank::Weights, service::ranking::Walked};

impl Town {
    /// Feed as another program opens it, after the last one went away without a word.
    async fn reopen(&mut self, weights: Weights) {
        self.feed.log().db().close().await;
        let config = Config { weights, ..Config::default() };
        self.feed = Feed::open(&self.core, config).await.unwrap();
    }

    async fn order(&self) -> Vec<PostId> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = self.feed.explore(None, 100, cursor.as_deref()).await.unwrap().view();
            all.extend(page.items.iter().map(|post| post.id));
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_ends_half_way_leaves_the_rest_to_the_next() {
    for mut town in towns().await {
        let (ada, bob) = (town.person("ada").await, town.person("bob").await);
        let mut posts = Vec::new();
        for n in 0..100 {
            town.clock.advance_s(1);
            let post = town.post(&ada, &format!("{n}")).await.id;
            // One is liked twice, the next is talked about.
            if n % 2 == 0 {
                town.feed.like(ada.user, post, None).await.unwrap();
                town.feed.like(bob.user, post, None).await.unwrap();
            } else {
                town.comment(&bob, post, "hm").await;
            }
            posts.push(post);
        }
        town.feed.rank_again().await.unwrap();
        let (liked, talked): (Vec<PostId>, Vec<PostId>) = {
            let newest_first = posts.iter().rev().copied().enumerate();
            let (talked, liked): (Vec<_>, Vec<_>) = newest_first.partition(|(n, _)| n % 2 == 0);
            let posts =
                |some: Vec<(usize, PostId)>| some.into_iter().map(|(_, post)| post).collect();
            (posts(liked), posts(talked))
        };
        assert_eq!(town.order().await, [&*liked, &*talked].concat());

        let weights = Weights { like: 0.5, comment: 9.0, ..Weights::default() };
        town.reopen(weights).await;
        let first = town.feed.explore(None, 50, None).await.unwrap().view();
        assert_eq!(town.feed.rank_some_again().await.unwrap(), Walked::Some);
        // Whoever began to read before this step reads on in the order in which they began.
        let mut seen: Vec<PostId> = first.items.iter().map(|post| post.id).collect();
        let mut cursor = first.next_cursor;
        while let Some(at) = cursor {
            let page = town.feed.explore(None, 50, Some(&at)).await.unwrap().view();
            seen.extend(page.items.iter().map(|post| post.id));
            cursor = page.next_cursor;
        }
        assert_eq!(seen, [&*liked, &*talked].concat());
        // A post that is not walked over yet changes: it follows the new weights at once and is not set back.
        let newest_liked = liked[0];
        town.feed.unlike(ada.user, newest_liked, None).await.unwrap();

        town.reopen(weights).await;
        town.feed.rank_again().await.unwrap();
        let last = [&*talked, &liked[1..], &liked[..1]].concat();
        assert_eq!(town.order().await, last);
        assert_eq!(town.feed.post(None, newest_liked).await.unwrap().like_count, 1);
        assert_eq!(town.feed.rank_some_again().await.unwrap(), Walked::All);
    }
}
