//! Texts: as much of one as fits, and which of the words that there are was meant by a mistyped one.

/// The text, or as much of it as fits, with a mark that there was more.
#[must_use]
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mark = '…';
        text.truncate(text.floor_char_boundary(most - mark.len_utf8()));
        text.push(mark);
    }
    text
}

/// The one of the words that was meant, if the word is no more than a typing error away from it.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let allowed = |known: &str| (known.len() / 3).clamp(1, 3);
    let distances = known.map(|known| (distance(word, known), known));
    distances.filter(|(distance, known)| *distance <= allowed(known)).min().map(|(_, known)| known)
}

/// How many characters must be added, dropped, changed or swapped with their neighbour to make one word of the
/// other (optimal string alignment). Words of very different length are not compared.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 8 {
        return usize::MAX;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        above = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_neighbours_are_one_error() {
        assert_eq!(distance("stgae", "stage"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
