//! The two-sample Kolmogorov–Smirnov test: whether two samples may come from one distribution, whatever that is.

/// How far the empirical distributions of two samples are apart at most, from 0 to 1. Both are sorted.
pub(crate) fn distance<T: PartialOrd>(one: &[T], other: &[T]) -> f64 {
    let (mut below_one, mut below_other, mut farthest) = (0, 0, 0.0_f64);
    while let (Some(next_of_one), Some(next_of_other)) = (one.get(below_one), other.get(below_other)) {
        let at = if next_of_one <= next_of_other { next_of_one } else { next_of_other };
        // All that are equal at once: between them there is no distance to be seen.
        below_one += one[below_one..].iter().take_while(|value| *value <= at).count();
        below_other += other[below_other..].iter().take_while(|value| *value <= at).count();
        farthest = farthest.max((share(below_one, one.len()) - share(below_other, other.len())).abs());
    }
    farthest
}

/// How probable it is that samples of these sizes from one distribution are at least as far apart: by Kolmogorov's asymptotic
/// distribution, with Stephens's correction for finite samples.
pub(crate) fn probability(distance: f64, one: usize, other: usize) -> f64 {
    let root = (share(one, one + other) * as_float(other)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * distance;
    // The series converges badly where the probability is 1 to five digits anyway.
    if lambda < 0.4 {
        return 1.0;
    }
    let term = |j: f64| (-2.0 * j * j * lambda * lambda).exp();
    let sum: f64 = (1..=50).map(|j| if j % 2 == 1 { term(f64::from(j)) } else { -term(f64::from(j)) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

fn share(part: usize, whole: usize) -> f64 {
    as_float(part) / as_float(whole)
}

#[expect(clippy::cast_precision_loss, reason = "samples have thousands of values")]
fn as_float(count: usize) -> f64 {
    count as f64
}

#[test]
fn the_distance_is_the_widest_gap_between_the_two_steps() {
    for (one, other, expected) in [
        ([1, 2, 3, 4], vec![1, 2, 3, 4], 0.0),
        ([1, 2, 3, 4], vec![5, 6, 7], 1.0),
        ([1, 2, 3, 4], vec![3, 4, 5, 6], 0.5),
        ([3, 4, 5, 6], vec![1, 2, 3, 4], 0.5),
        // Equal values are one step, however often they come.
        ([1, 1, 1, 1], vec![1, 1], 0.0),
        ([1, 1, 2, 2], vec![1, 2, 2, 2], 0.25),
    ] {
        assert!((distance(&one, &other) - expected).abs() < 1e-12, "{one:?} and {other:?}");
    }
}

#[test]
fn the_probability_is_that_of_the_tables() {
    // Critical values of Kolmogorov's distribution: 1.358 at 5 %, 1.628 at 1 %, 1.949 at 0.1 %.
    for (lambda, expected) in [(1.358, 0.05), (1.628, 0.01), (1.949, 0.001)] {
        let size = 1_000_000;
        let found = probability(lambda / (as_float(size) / 2.0).sqrt(), size, size);
        assert!((found / expected - 1.0).abs() < 0.01, "{lambda}: {found}");
    }
    assert!(probability(0.0, 2000, 2000) > 0.999_999);
    assert!(probability(1.0, 2000, 2000) < 1e-300);
    // 2,000 of each are separated at 0.001 from a distance of about 0.0615 on.
    assert!(probability(0.060, 2000, 2000) > 0.001 && probability(0.063, 2000, 2000) < 0.001);
}

#[test]
fn a_shift_is_found_and_chance_is_not() {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 44
    };
    let mut sample = |shift: u64| {
        let mut values: Vec<u64> = (0..2000).map(|_| next() + shift).collect();
        values.sort_unstable();
        values
    };
    let (one, other, shifted) = (sample(0), sample(0), sample(1 << 17));
    assert!(probability(distance(&one, &other), 2000, 2000) > 0.001);
    // By an eighth of the width.
    assert!(probability(distance(&one, &shifted), 2000, 2000) < 0.001);
}
