//! Interim.
#![expect(missing_docs, reason = "it is replaced")]

use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    Earliest,
    Owner,
    Shared,
    Dense,
}
#[derive(Debug, Clone)]
pub struct Order {
    directions: Vec<Direction>,
    ties: Ties,
}
impl Order {
    pub fn new(directions: Vec<Direction>, ties: Ties) -> Self {
        Self { directions, ties }
    }
}
#[derive(Debug, Clone)]
pub struct Ranked {
    pub rank: u64,
    pub place: u64,
    pub owner: String,
    pub scores: Vec<i64>,
    pub seq: u64,
}
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub rank: u64,
    pub place: u64,
}
pub struct Put {
    pub applied: bool,
    pub before: Option<u64>,
    pub after: u64,
}
type Entry = (Vec<i64>, String, u64);
#[derive(Clone)]
pub struct Ranking {
    order: Order,
    sorted: Vec<Entry>,
    removed: HashMap<String, u64>,
}
pub struct Snapshot(Ranking);
impl Snapshot {
    pub fn len(&self) -> u64 {
        self.0.len()
    }
    pub fn range(&self, first: u64, len: usize) -> Vec<Ranked> {
        self.0.range(first, len)
    }
}
impl Ranking {
    pub fn new(order: Order) -> Self {
        Self { order, sorted: vec![], removed: HashMap::new() }
    }
    pub fn load<'a>(
        order: Order,
        entries: impl Iterator<Item = (&'a str, &'a [i64], u64)>,
    ) -> Self {
        let mut new = Self::new(order);
        for (owner, scores, seq) in entries {
            new.put(owner, scores, seq);
        }
        new
    }
    fn turned(&self, scores: &[i64]) -> Vec<i64> {
        scores
            .iter()
            .zip(&self.order.directions)
            .map(|(s, d)| if *d == Direction::Desc { !*s } else { *s })
            .collect()
    }
    pub fn put(&mut self, owner: &str, scores: &[i64], seq: u64) -> Put {
        if self.removed.get(owner).is_some_and(|at| *at >= seq) {
            return Put { applied: false, before: None, after: 0 };
        }
        let mut before = None;
        if let Some(at) = self.sorted.iter().position(|e| e.1 == owner) {
            if self.sorted[at].2 >= seq {
                return Put { applied: false, before: None, after: 0 };
            }
            before = Some(at as u64);
            self.sorted.remove(at);
        }
        let new = (self.turned(scores), owner.to_owned(), seq);
        let key = |e: &Entry| match self.order.ties {
            Ties::Owner => (e.0.clone(), e.1.clone(), 0),
            _ => (e.0.clone(), String::new(), e.2),
        };
        let at = self.sorted.partition_point(|e| key(e) < key(&new));
        self.sorted.insert(at, new);
        Put { applied: true, before, after: at as u64 }
    }
    pub fn remove(&mut self, owner: &str, seq: u64) -> bool {
        self.removed.insert(owner.to_owned(), seq);
        match self.sorted.iter().position(|e| e.1 == owner && e.2 < seq) {
            Some(at) => {
                self.sorted.remove(at);
                true
            }
            None => false,
        }
    }
    pub fn len(&self) -> u64 {
        self.sorted.len() as u64
    }
    pub fn standing(&self, owner: &str) -> Option<Standing> {
        let at = self.sorted.iter().position(|e| e.1 == owner)?;
        Some(Standing { rank: self.rank(at), place: at as u64 })
    }
    fn rank(&self, at: usize) -> u64 {
        let me = &self.sorted[at].0;
        match self.order.ties {
            Ties::Earliest | Ties::Owner => at as u64 + 1,
            Ties::Shared => self.sorted.partition_point(|e| e.0 < *me) as u64 + 1,
            Ties::Dense => {
                let mut n = 1;
                for w in self.sorted[..=at].windows(2) {
                    if w[0].0 != w[1].0 {
                        n += 1;
                    }
                }
                n
            }
        }
    }
    pub fn range(&self, first: u64, len: usize) -> Vec<Ranked> {
        (first as usize..self.sorted.len())
            .take(len)
            .map(|at| {
                let e = &self.sorted[at];
                Ranked {
                    rank: self.rank(at),
                    place: at as u64,
                    owner: e.1.clone(),
                    scores: self.turned(&e.0),
                    seq: e.2,
                }
            })
            .collect()
    }
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.clone())
    }
}
