//! "Did you mean": the known word nearest to a misspelt one.

/// The nearest of `known`, if it is near enough to be what was meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = ((word.chars().count() + 1) / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, remove or replace (Levenshtein), kept one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().zip(std::iter::once(None).chain(b.chars().map(Some))) {
            let Some(to) = to else {
                *cell = left;
                continue;
            };
            let above = *cell;
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_letters() {
        for (a, b, expected) in
            [("", "abc", 3), ("key", "key", 0), ("kee", "key", 1), ("uniqe", "unique", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["key", "unique", "references"];
        assert_eq!(nearest("uniqe", known), Some("unique"));
        assert_eq!(nearest("reference", known), Some("references"));
        assert_eq!(nearest("banana", known), None);
    }
}
