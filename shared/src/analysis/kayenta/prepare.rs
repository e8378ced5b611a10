//! What happens to a side's values before they are tested: missing values, then outliers.

use super::NanStrategy;

/// Returns the values that are tested.
pub fn prepare(values: &[f64], nan: NanStrategy, outlier_factor: Option<f64>) -> Vec<f64> {
    let known = match nan {
        NanStrategy::Remove => values.iter().copied().filter(|value| !value.is_nan()).collect(),
        NanStrategy::Replace => values.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect(),
    };
    match outlier_factor {
        None => known,
        Some(factor) => without_outliers(known, factor),
    }
}

/// Drops what lies beyond the quartiles by the factor times their distance, but nothing within the 1st and the 99th
/// percentile.
fn without_outliers(values: Vec<f64>, factor: f64) -> Vec<f64> {
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |p| percentile(&sorted, p);
    let (Some(first), Some(last), Some(low), Some(high)) = (at(0.01), at(0.99), at(0.25), at(0.75)) else {
        return values;
    };
    let reach = factor * (high - low);
    let (from, to) = (first.min(low - reach), last.max(high + reach));
    values.into_iter().filter(|value| *value >= from && *value <= to).collect()
}

/// The percentile by linear interpolation between the two values around it (R's type 7); `None` of no values.
pub fn percentile(sorted: &[f64], p: f64) -> Option<f64> {
    let at = (sorted.len().checked_sub(1)? as f64) * p;
    let below = at.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (at - at.floor()) * (high - low))
}

/// The mean in two passes, as Apache Commons takes it: whether it is exactly 0 decides something.
pub fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let first = values.iter().sum::<f64>() / n;
    first + values.iter().map(|value| value - first).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_their_neighbours() {
        let sorted = [1.0, 2.0, 3.0, 10.0];
        assert_eq!(
            [0.0, 0.25, 0.5, 1.0].map(|p| percentile(&sorted, p)),
            [Some(1.0), Some(1.75), Some(2.5), Some(10.0)]
        );
        assert_eq!((percentile(&[], 0.5), percentile(&[7.0], 0.99)), (None, Some(7.0)));
    }

    #[test]
    fn missing_values_go_or_count_as_zero() {
        let values = [1.0, f64::NAN, 3.0];
        assert_eq!(prepare(&values, NanStrategy::Remove, None), [1.0, 3.0]);
        assert_eq!(prepare(&values, NanStrategy::Replace, None), [1.0, 0.0, 3.0]);
        assert_eq!(prepare(&[f64::NAN], NanStrategy::Remove, Some(3.0)), Vec::<f64>::new());
    }

    #[test]
    fn an_outlier_goes_only_beyond_the_fence_and_the_percentile() {
        let mut values: Vec<f64> = (0..200).map(|i| f64::from(i % 10)).collect();
        values.push(1000.0);
        assert_eq!(prepare(&values, NanStrategy::Remove, Some(3.0)).len(), 200);
        // Of few values the largest is so near to the 99th percentile of all that it is the fence's end.
        assert_eq!(prepare(&[1.0, 1.0, 1.0, 1.0], NanStrategy::Remove, Some(3.0)).len(), 4);
    }
}
