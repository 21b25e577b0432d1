//! The engine against a sorted list, under random records, removals and looks back.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::collections::HashMap;

use mainstay_testkit::{Dice, soak};

use super::*;

type Entry = (Vec<i64>, u64, String);

/// The same rules in the simplest form.
struct Model {
    order: Order,
    entries: HashMap<String, (Vec<i64>, u64)>,
    removed: HashMap<String, u64>,
}

impl Model {
    fn put(&mut self, owner: &str, scores: &[i64], seq: u64) -> bool {
        let newest = self.removed.get(owner).copied();
        let newest = self.entries.get(owner).map(|(_, seq)| *seq).max(newest);
        if newest.is_some_and(|newest| newest >= seq) {
            return false;
        }
        self.removed.remove(owner);
        self.entries.insert(owner.to_owned(), (scores.to_vec(), seq));
        true
    }

    fn remove(&mut self, owner: &str, seq: u64) -> bool {
        let newer = self.entries.get(owner).is_some_and(|(_, known)| *known >= seq);
        if newer {
            return false;
        }
        let known = self.removed.get(owner).copied().unwrap_or_default();
        self.removed.insert(owner.to_owned(), known.max(seq));
        self.entries.remove(owner).is_some()
    }

    fn sorted(&self) -> Vec<Entry> {
        let entries = self.entries.iter();
        let mut all: Vec<Entry> =
            entries.map(|(owner, (scores, seq))| (scores.clone(), *seq, owner.clone())).collect();
        all.sort_by(|a, b| {
            let columns = a.0.iter().zip(&b.0).zip(self.order.directions());
            let scores = columns
                .map(|((a, b), direction)| match direction {
                    Direction::Asc => a.cmp(b),
                    Direction::Desc => b.cmp(a),
                })
                .find(|order| order.is_ne());
            scores.unwrap_or_else(|| match self.order.ties() {
                Ties::Owner => a.2.cmp(&b.2),
                _ => a.1.cmp(&b.1),
            })
        });
        all
    }

    fn ranked(&self) -> Vec<Ranked> {
        let mut all: Vec<Ranked> = Vec::new();
        for (place, (scores, seq, owner)) in (0..).zip(self.sorted()) {
            let rank = match (self.order.ties(), all.last()) {
                (Ties::Shared | Ties::Dense, Some(last)) if last.scores == scores => last.rank,
                (Ties::Dense, Some(last)) => last.rank + 1,
                _ => place + 1,
            };
            all.push(Ranked { rank, place, owner, scores, seq });
        }
        all
    }
}

/// Looks at everything that can be asked.
fn compare(ranking: &Ranking, model: &Model, dice: &mut Dice, seed: u64) {
    let expected = model.ranked();
    assert_eq!(ranking.len(), expected.len() as u64, "seed {seed}");
    assert!(ranking.range(0, usize::MAX) == expected, "seed {seed}");
    for _ in 0..20 {
        let first = dice.below(expected.len() + 3) as u64;
        let len = dice.below(30);
        let part: Vec<Ranked> = expected.iter().skip(first as usize).take(len).cloned().collect();
        assert_eq!(ranking.range(first, len), part, "seed {seed}: {len} from {first}");
        if let Some(one) = expected.get(first as usize) {
            let standing = Standing { rank: one.rank, place: one.place };
            assert_eq!(ranking.standing(&one.owner), Some(standing), "seed {seed}");
            let before = expected.iter().take_while(|other| other.scores != one.scores).count();
            assert_eq!(ranking.count_before(&one.scores), before as u64, "seed {seed}");
        }
    }
    assert_eq!(ranking.standing("nobody"), None);
}

/// So many random records in `order`, compared now and then; snapshots are compared with what they were taken of.
pub(crate) fn drive(seed: u64, operations: usize, owners: usize, order: &Order) {
    let mut dice = Dice::of(seed);
    let mut ranking = Ranking::new(order.clone());
    let mut model =
        Model { order: order.clone(), entries: HashMap::new(), removed: HashMap::new() };
    let mut snapshots: Vec<(Snapshot, Vec<Ranked>)> = Vec::new();
    // Few scores make many ties; some runs only grow.
    let spread = [5, 300, i64::MAX as usize][dice.below(3)];
    let grows = dice.once_in(4);
    for seq in 1..=operations as u64 {
        let owner = format!("owner{}", dice.below(owners));
        // Some arrive late; no two have the same number.
        let late = if dice.once_in(8) { (dice.below(50) as u64).min(seq) } else { 0 };
        let number = (seq - late) * 1_000_000 + seq;
        if dice.once_in(12) {
            assert_eq!(ranking.remove(&owner, number), model.remove(&owner, number));
        } else {
            let score = |dice: &mut Dice| {
                let score = if grows { seq / 2 } else { dice.below(spread) as u64 };
                score.cast_signed() - if dice.once_in(2) { 0 } else { 3 }
            };
            let scores: Vec<i64> = (0..order.columns()).map(|_| score(&mut dice)).collect();
            let before = ranking.standing(&owner).map(|standing| standing.place);
            ranking.prefetch([&*owner].into_iter(), [&*scores].into_iter());
            let put = ranking.put(&owner, &scores, number);
            assert_eq!(put.applied, model.put(&owner, &scores, number), "seed {seed} at {seq}");
            if put.applied {
                assert_eq!(put.before, before, "seed {seed} at {seq}");
                assert_eq!(
                    ranking.standing(&owner).unwrap().place,
                    put.after,
                    "seed {seed} at {seq}"
                );
            }
        }
        if dice.once_in(operations / 8 + 1) {
            // Nothing comes later than by 50.
            ranking.forget_removed(seq.saturating_sub(51) * 1_000_000);
            compare(&ranking, &model, &mut dice, seed);
            snapshots.push((ranking.snapshot(), model.ranked()));
            if snapshots.len() > 3 {
                snapshots.remove(dice.below(3));
            }
        }
        if dice.once_in(operations / 4 + 1) {
            for (snapshot, expected) in &snapshots {
                assert!(
                    ranking.range_of(snapshot, 0, usize::MAX).as_ref() == Some(expected),
                    "seed {seed} at {seq}"
                );
                let from = dice.below(expected.len() + 1);
                let part: Vec<Ranked> = expected.iter().skip(from).take(9).cloned().collect();
                assert_eq!(
                    ranking.range_of(snapshot, from as u64, 9).unwrap_or_default(),
                    part,
                    "seed {seed} at {seq}"
                );
            }
        }
    }
    compare(&ranking, &model, &mut dice, seed);
    // Loaded from its entries it is the same again.
    let entries = model.entries.iter().map(|(owner, (scores, seq))| (&**owner, &**scores, *seq));
    let loaded = Ranking::load(order.clone(), entries);
    compare(&loaded, &model, &mut dice, seed);
}

/// Every rule for ties, with one to five columns of either direction.
pub(crate) fn orders() -> Vec<Order> {
    use Direction::{Asc, Desc};
    let ties = [Ties::Earliest, Ties::Owner, Ties::Shared, Ties::Dense];
    let directions: [&[Direction]; 6] = [
        &[Desc],
        &[Asc],
        &[Desc, Asc],
        &[Asc, Asc, Desc],
        &[Desc, Desc, Asc, Desc],
        &[Asc, Desc, Asc, Desc, Asc],
    ];
    let each = |ties| directions.iter().map(move |one| Order::new(one.to_vec(), ties));
    ties.into_iter().flat_map(each).collect()
}

#[test]
fn it_is_a_sorted_list_under_any_records() {
    let rounds = soak::rounds(1);
    let seed = soak::seed(0);
    // `cargo xtask soak ranking` goes ten rounds. A round has 24 orders and four sizes: 100,000 records in all.
    for round in 0..rounds {
        for (number, order) in (0..).zip(orders()) {
            for (place, owners) in (0..).zip([3, 40, 600, 4_000]) {
                drive((seed + round) * 1_000 + number * 10 + place, 1_050, owners, &order);
            }
        }
    }
}

#[test]
fn it_stays_right_when_blocks_and_groups_are_many() {
    for (seed, ties) in [(1, Ties::Earliest), (2, Ties::Shared), (3, Ties::Dense), (4, Ties::Owner)]
    {
        let order = Order::new(vec![Direction::Desc], ties);
        drive(seed, 60_000, 30_000, &order);
    }
}

/// Random entries in `order`, some of whose owners carry notes.
fn noted(seed: u64, order: &Order, count: u64) -> (Ranking, HashMap<String, Vec<u8>>) {
    let mut dice = Dice::of(seed);
    let mut notes = HashMap::new();
    let mut ranking = Ranking::new(order.clone());
    for seq in 1..=count {
        let owner = format!("owner {}", dice.below(count as usize));
        if dice.once_in(9) {
            ranking.remove(&owner, seq);
            continue;
        }
        let spread = [3, 1_000, usize::MAX][dice.below(3)];
        let score = |dice: &mut Dice| dice.below(spread).cast_signed() as i64 - 1;
        let scores: Vec<i64> = (0..order.columns()).map(|_| score(&mut dice)).collect();
        ranking.put(&owner, &scores, seq);
        match dice.below(3) {
            0 => drop(notes.remove(&owner)),
            _ => drop(notes.insert(owner, format!("note {}", dice.below(5)).into_bytes())),
        }
    }
    (ranking, notes)
}

#[test]
fn a_ranking_that_was_written_is_read_as_it_was() {
    for (seed, order) in (0..).zip(orders()) {
        for count in [0, 1, 2, 300, 3_000] {
            let (ranking, notes) = noted(seed * 10 + count, &order, count);
            let label = [1, -2, count.cast_signed(), i64::MAX];
            let bytes = ranking.encode(label, None);
            let mut read = Ranking::decode(&order, label, &bytes).unwrap();
            assert_eq!(read.range(0, usize::MAX), ranking.range(0, usize::MAX), "seed {seed}");
            assert_eq!(
                read.as_of(),
                ranking.range(0, usize::MAX).iter().map(|it| it.seq).max().unwrap_or(0)
            );
            for owner in ranking.range(0, 50) {
                assert_eq!(read.standing(&owner.owner), ranking.standing(&owner.owner));
                assert_eq!(read.entry(&owner.owner), Some((owner.scores, owner.seq)));
            }
            // It goes on like any other.
            let scores = vec![7; order.columns()];
            let put = read.put("owner 1", &scores, 1_000_000);
            assert_eq!(read.standing("owner 1").map(|it| it.place), Some(put.after));
            let mut say = |owner: &str| notes.get(owner).cloned();
            let bytes = ranking.encode(label, Some(&mut say));
            let mut reader = encoded::Reader::open(&order, label, &bytes).unwrap();
            let mut met = 0;
            while let Some(entry) = reader.next().unwrap() {
                let note = entry.note.map(|note| reader.note(note).to_vec());
                assert_eq!(note.as_ref(), notes.get(entry.owner));
                met += 1;
            }
            assert_eq!((met, reader.count()), (ranking.len(), ranking.len()));
        }
    }
}

#[test]
fn very_many_owners_are_found_after_they_were_put_in_together() {
    let order = Order::new(vec![Direction::Desc], Ties::Earliest);
    let owners: Vec<String> = (0..150_000).map(|number| format!("owner {number}")).collect();
    let entries = owners.iter().zip(1..);
    let mut loader = Loader::new(order.clone());
    entries.clone().for_each(|(owner, seq)| loader.push_new(owner, &[0], seq));
    // One who is known already is found among those who wait.
    loader.push("owner 7", &[5], 1_000_000);
    let loaded = loader.finish();
    let read = Ranking::decode(&order, [0; 4], &loaded.encode([0; 4], None)).unwrap();
    for ranking in [&loaded, &read] {
        assert_eq!(ranking.len(), 150_000);
        for (owner, seq) in entries.clone() {
            let standing = Standing { rank: seq, place: seq - 1 };
            assert_eq!(ranking.standing(owner), Some(standing), "{owner}");
        }
        assert_eq!(ranking.standing("owner 150000"), None);
    }
}

#[test]
fn bytes_that_were_cut_or_changed_are_refused() {
    let order = Order::new(vec![Direction::Desc, Direction::Asc], Ties::Earliest);
    let (ranking, notes) = noted(3, &order, 400);
    let label = [5, 6, 7, 8];
    let mut say = |owner: &str| notes.get(owner).cloned();
    let bytes = ranking.encode(label, Some(&mut say));
    let read = |bytes: &[u8]| Ranking::decode(&order, label, bytes).map(|it| it.len());
    assert_eq!(read(&bytes), Ok(ranking.len()));
    for len in 0..bytes.len() {
        read(&bytes[..len]).unwrap_err();
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut odd = bytes.clone();
            odd[at] ^= 1 << bit;
            read(&odd).unwrap_err();
        }
    }
    let mut dice = Dice::of(9);
    for _ in 0..4_000 {
        let mut odd = bytes.clone();
        for _ in 0..=dice.below(6) {
            let at = dice.below(odd.len());
            match dice.below(3) {
                0 => drop(odd.remove(at)),
                1 => odd.insert(at, dice.below(256) as u8),
                _ => odd[at] = dice.below(256) as u8,
            }
        }
        if odd != bytes {
            read(&odd).unwrap_err();
        }
    }
}

#[test]
fn entries_that_pass_for_sound_and_are_not_are_refused_or_in_order() {
    let order = Order::new(vec![Direction::Desc], Ties::Shared);
    let (ranking, notes) = noted(4, &order, 300);
    let mut say = |owner: &str| notes.get(owner).cloned();
    let bytes = ranking.encode([0; 4], Some(&mut say));
    let mut dice = Dice::of(10);
    for _ in 0..4_000 {
        let mut odd = bytes[..bytes.len() - 8].to_vec();
        let at = 12 + dice.below(odd.len() - 12);
        odd[at] = dice.below(256) as u8;
        // Whoever changes the bytes and their sum gets no panic and no list out of order.
        encoded::seal(&mut odd);
        if let Ok(read) = Ranking::decode(&order, [0; 4], &odd) {
            let all = read.range(0, usize::MAX);
            assert!(all.windows(2).all(|two| two[0].scores >= two[1].scores));
        }
    }
}

#[test]
fn another_order_label_or_version_is_told_from_damage() {
    let order = Order::new(vec![Direction::Desc], Ties::Earliest);
    let (ranking, _) = noted(5, &order, 50);
    let bytes = ranking.encode([1, 2, 3, 4], None);
    let refused = |order: &Order, label, bytes: &[u8]| {
        Ranking::decode(order, label, bytes).map(|it| it.len()).unwrap_err()
    };
    let others = [
        Order::new(vec![Direction::Asc], Ties::Earliest),
        Order::new(vec![Direction::Desc], Ties::Dense),
        Order::new(vec![Direction::Desc; 2], Ties::Earliest),
    ];
    for other in &others {
        assert_eq!(refused(other, [1, 2, 3, 4], &bytes), Refused::Other);
    }
    assert_eq!(refused(&order, [1, 2, 3, 5], &bytes), Refused::Other);
    let mut next = bytes;
    next[7] = b'2';
    assert_eq!(refused(&order, [1, 2, 3, 4], &next), Refused::Unknown);
    assert_eq!(refused(&order, [1, 2, 3, 4], b"{}"), Refused::Unknown);
}
