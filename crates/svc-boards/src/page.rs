//! Lists in pages. Whoever makes a page asks for one entry more than it has, which says whether there is another one.

/// Takes away what is beyond `limit`; the last entry of the page then, if something was.
pub(crate) fn cut<T>(found: &mut Vec<T>, limit: usize) -> Option<&T> {
    let more = found.len() > limit;
    found.truncate(limit);
    found.last().filter(|_| more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_of_a_page_is_told_if_there_is_another_one() {
        let page = |count: u32, limit| {
            let mut found: Vec<u32> = (0..count).collect();
            let last = cut(&mut found, limit).copied();
            (last, found.len())
        };
        assert_eq!((page(3, 2), page(2, 2), page(0, 2)), ((Some(1), 2), (None, 2), (None, 0)));
    }
}
