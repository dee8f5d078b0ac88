//! Measuring in turns, so that a machine that grows slower does so for everyone: A B A B, the first round not counted.

/// What was seen, round by round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    pub(crate) measured: Vec<f64>,
    pub(crate) denominator: Vec<f64>,
}

impl Samples {
    pub(crate) fn of(measured: &[f64], denominator: &[f64]) -> Self {
        Self { measured: measured.to_vec(), denominator: denominator.to_vec() }
    }

    /// Each round's ratio: both of its numbers come from the same moment.
    pub(crate) fn ratios(&self) -> Vec<f64> {
        self.measured.iter().zip(&self.denominator).map(|(a, b)| a / b).collect()
    }
}

/// Measures all of `turns` in order, `rounds` times after one that warms up; the samples of each.
pub(crate) fn in_turns(rounds: usize, turns: &mut [&mut dyn FnMut() -> f64]) -> Vec<Vec<f64>> {
    let mut seen = vec![Vec::with_capacity(rounds); turns.len()];
    for round in 0..=rounds {
        for (turn, seen) in turns.iter_mut().zip(&mut seen) {
            let sample = turn();
            if round > 0 {
                seen.push(sample);
            }
        }
    }
    seen
}

/// Two in turns.
pub(crate) fn against(rounds: usize, ours: &mut dyn FnMut() -> f64, theirs: &mut dyn FnMut() -> f64) -> Samples {
    let mut seen = in_turns(rounds, &mut [ours, theirs]).into_iter();
    let mut next = || seen.next().expect("one list for each turn");
    Samples { measured: next(), denominator: next() }
}

/// The middle one; the mean of the two middle ones of an even number.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}
