//! The known word that is nearest to an unknown one, for messages such as "unknown field `cpuss`, did you mean `cpu`".
//! It only suggests: nothing may accept a word because it is near.

/// Returns the known word that `unknown` was probably meant to be, if one is near enough.
///
/// Near is at most one edit for up to three letters, two for up to eight, three beyond. An edit is a letter added, left
/// out, replaced, or swapped with its neighbour; another case costs nothing. Among equally near words the first wins.
pub fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let wanted = folded(unknown);
    let candidates = known.iter().map(|word| (distance(&wanted, &folded(word)), *word));
    let near = candidates.filter_map(|(edits, word)| Some((edits.filter(|e| *e <= tolerated(&wanted, word))?, word)));
    near.min_by_key(|(edits, _)| *edits).map(|(_, word)| word)
}

const MOST_EDITS: usize = 3;

fn folded(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).take(128).collect()
}

/// The edits that the longer of two words may need; never so many that nothing of the shorter is left.
fn tolerated(unknown: &[char], word: &str) -> usize {
    let length = word.chars().count();
    let by_length = match unknown.len().max(length) {
        0..=3 => 1,
        4..=8 => 2,
        _ => MOST_EDITS,
    };
    by_length.min(unknown.len().min(length).saturating_sub(1))
}

/// The number of edits between two words, with swaps of neighbours as one; `None` where the lengths alone differ too much.
fn distance(left: &[char], right: &[char]) -> Option<usize> {
    if left.len().abs_diff(right.len()) > MOST_EDITS {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let swapped = index.checked_sub(1).and_then(|previous| left.get(previous));
        let row = next_row(index, *letter, swapped, right, [&before_last, &last])?;
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied()
}

/// One row of the table of edits, from the two rows before it.
fn next_row(
    index: usize,
    letter: char,
    previous: Option<&char>,
    right: &[char],
    [before_last, last]: [&[usize]; 2],
) -> Option<Vec<usize>> {
    let mut row = vec![index.checked_add(1)?];
    for (column, other) in right.iter().enumerate() {
        let replaced = last.get(column)?.checked_add(usize::from(letter != *other))?;
        let added = row.get(column)?.checked_add(1)?;
        let left_out = last.get(column.checked_add(1)?)?.checked_add(1)?;
        let mut edits = replaced.min(added).min(left_out);
        let earlier = column.checked_sub(1).and_then(|at| Some((right.get(at)?, before_last.get(at)?)));
        if let Some((neighbour, cost)) = earlier
            && previous == Some(other)
            && letter == *neighbour
        {
            edits = edits.min(cost.checked_add(1)?);
        }
        row.push(edits);
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIELDS: [&str; 7] = ["cpu", "memory", "sockets", "coresPerSocket", "min", "max", "hugepages"];

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let table = [
            ("cpuss", Some("cpu")),
            ("cpus", Some("cpu")),
            ("cup", Some("cpu")),
            ("CPU", Some("cpu")),
            ("memroy", Some("memory")),
            ("memmory", Some("memory")),
            ("socket", Some("sockets")),
            ("cores_per_socket", Some("coresPerSocket")),
            ("corespersockets", Some("coresPerSocket")),
            ("mni", Some("min")),
            ("hugePages", Some("hugepages")),
            ("disk", None),
            ("x", None),
            ("", None),
        ];
        for (unknown, expected) in table {
            assert_eq!(nearest(unknown, &FIELDS), expected, "{unknown:?}");
        }
    }

    #[test]
    fn the_first_of_equally_near_words_wins() {
        assert_eq!(nearest("mix", &["min", "max"]), Some("min"));
        assert_eq!(nearest("mix", &["max", "min"]), Some("max"));
        assert_eq!(nearest("mix", &[]), None);
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_the_same_word(left in "[a-c]{0,6}", right in "[a-c]{0,6}") {
            let (left, right) = (folded(&left), folded(&right));
            prop_assert_eq!(distance(&left, &right), distance(&right, &left));
            prop_assert_eq!(distance(&left, &right) == Some(0), left == right);
        }

        #[test]
        fn any_text_is_answered(unknown in "\\PC{0,300}") {
            let _ = nearest(&unknown, &FIELDS);
        }
    }
}
