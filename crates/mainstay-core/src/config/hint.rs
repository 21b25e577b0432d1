//! What was probably meant.

use super::Section;

/// The known key or table that is nearest to `path`; none if nothing is near.
pub(super) fn nearest(sections: &[Section], path: &str) -> Option<String> {
    let keys = sections.iter().flat_map(|s| s.keys().iter().map(|key| key.path.as_str()));
    let tables = sections.iter().flat_map(|s| s.tables().iter().map(|table| table.path.as_str()));
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |known: &str| {
        // The right name in the wrong section is nearer than any misspelling of four letters.
        let moved = if last(known) == last(path) { 3 } else { usize::MAX };
        distance(known, path).min(moved)
    };
    let best = keys.chain(tables).map(|known| (score(known), known)).min()?;
    (best.0 <= 3.max(path.len() / 4)).then(|| best.1.to_owned())
}

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let changed = row.get(j).copied().unwrap_or_default() + usize::from(from != *to);
            let taken = row.get(j + 1).copied().unwrap_or_default() + 1;
            let put = next.get(j).copied().unwrap_or_default() + 1;
            next.push(changed.min(taken).min(put));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("url", "uri"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
