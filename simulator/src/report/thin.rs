//! Long lines are thinned: each stretch keeps its least and its greatest value.

/// The values that stand for all, with their places, ascending: at most two
/// of each of `stretches` stretches, its least and its greatest.
pub(super) fn thin(values: &[u64], stretches: usize) -> Vec<(usize, u64)> {
    let stretch = values.len().div_ceil(stretches.max(1)).max(1);
    let mut kept = Vec::new();
    for (number, part) in values.chunks(stretch).enumerate() {
        let from = number * stretch;
        let places = || part.iter().enumerate().map(|(place, value)| (from + place, *value));
        let least = places().min_by_key(|(_, value)| *value);
        let greatest = places().max_by_key(|(_, value)| *value);
        if let (Some(least), Some(greatest)) = (least, greatest) {
            kept.push(least.min(greatest));
            kept.push(least.max(greatest));
        }
    }
    kept.dedup();
    kept
}

/// The greatest value of each stretch of `stretch` values.
pub(super) fn greatest(values: &[u64], stretch: usize) -> Vec<u64> {
    values
        .chunks(stretch.max(1))
        .filter_map(|part| part.iter().max().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_peak_and_the_one_dip_of_a_long_run_are_kept() {
        let mut values = vec![50; 100_000];
        values[77_777] = 1_000;
        values[33_333] = 0;
        let kept = thin(&values, 300);
        assert!(kept.len() <= 600);
        assert!(kept.contains(&(77_777, 1_000)));
        assert!(kept.contains(&(33_333, 0)));
        assert!(kept.is_sorted_by_key(|(place, _)| *place));
        assert_eq!(greatest(&values, 1_000).iter().max(), Some(&1_000));
    }

    #[test]
    fn short_lines_are_kept_whole() {
        let values = [3, 1, 4, 1, 5];
        let whole: Vec<_> = values.into_iter().enumerate().collect();
        assert_eq!(thin(&values, 5), whole);
        assert_eq!(thin(&[], 5), []);
    }
}
