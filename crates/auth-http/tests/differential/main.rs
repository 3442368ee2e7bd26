//! Every store does the same: random sequences of use cases run on the fake, SQLite and PostgreSQL side by side, and what is
//! answered, mailed and stored has to agree after every step.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

mod administrators;
mod people;
mod random;
mod side;
mod step;
#[path = "../trials/mod.rs"]
mod trials;

use std::time::Duration;

use auth_domain::{Limits, Policy, Rate};
use random::Random;
use side::Sides;
use step::Step;
use trials::short_or_long;

/// Names the sequence to run, in place of new ones.
const VARIABLE: &str = "AUTH_DIFFERENTIAL_SEED";
/// Steps of a sequence.
const STEPS: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn every_store_answers_mails_and_stores_the_same() {
    #[expect(clippy::disallowed_methods, reason = "whoever repeats a sequence says so")]
    let given = std::env::var(VARIABLE).ok().map(|seed| seed.parse().unwrap());
    let seeds = match given {
        Some(seed) => vec![seed],
        None => (0..short_or_long([24, 1000])).map(|_| Random::drawn()).collect(),
    };
    for seed in seeds {
        let mut random = Random::new(seed);
        let policy = policy(&mut random);
        let steps: Vec<_> = (0..STEPS).map(|_| Step::any(&mut random)).collect();
        if let Err(difference) = run(&policy, &steps).await {
            let (steps, difference) = shortest(&policy, steps, difference).await;
            let steps: Vec<_> = steps.iter().map(|step| format!("  {step:?}\n")).collect();
            panic!("{VARIABLE}={seed}: the stores disagree\n{}{difference}", steps.concat());
        }
    }
}

/// Runs the steps on every store; fails with the first difference.
async fn run(policy: &Policy, steps: &[Step]) -> Result<(), String> {
    let mut sides = Sides::new(policy).await;
    for step in steps {
        sides.take(step).await?;
    }
    sides.stored().await
}

/// The same difference, or another one, in fewer steps: those are left out without which there is still one.
async fn shortest(policy: &Policy, mut steps: Vec<Step>, mut difference: String) -> (Vec<Step>, String) {
    let mut part = steps.len() / 2;
    while part > 0 {
        let mut from = 0;
        while from < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + part).min(steps.len()));
            match run(policy, &fewer).await {
                Err(still) => (steps, difference) = (fewer, still),
                Ok(()) => from += part,
            }
        }
        part /= 2;
    }
    (steps, difference)
}

/// What the operator decides: mostly limits that are reached within a few steps.
fn policy(random: &mut Random) -> Policy {
    let hour = Duration::from_hours(1);
    let tight = Limits {
        failures_per_day: 6,
        failures_in_a_row: 12,
        mails_per_address: Rate::new(6, hour).unwrap(),
        mails_per_network: Rate::new(20, hour).unwrap(),
        sign_ups_per_network: Rate::new(6, hour).unwrap(),
        requests_per_network: Rate::new(30, Duration::from_mins(1)).unwrap(),
        ..Limits::default()
    };
    let limits = *random.choose(&[None, Some(Limits::default()), Some(tight), Some(tight)]);
    let fresh_for = *random.choose(&[None, Some(Duration::from_mins(10))]);
    Policy { limits, fresh_for, ..Policy::default() }
}
