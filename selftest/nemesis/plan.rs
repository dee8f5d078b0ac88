//! What is killed, and when: a pure function of the seed.

use std::time::Duration;

/// A plan for one world.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) moments: Vec<Moment>,
}

/// One kill.
#[derive(Debug)]
pub(super) struct Moment {
    /// Since the one before.
    pub(super) after: Duration,
    pub(super) target: Target,
    /// Chooses among several victims.
    pub(super) chance: u64,
}

/// What is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Runner,
    Shim,
    Agent,
    /// Every process of the world. With the clones gone too, only refs can bring the work back.
    Everything {
        and_the_clones: bool,
    },
}

impl Plan {
    pub(super) fn of(seed: u64, kills: u32) -> Self {
        let mut dice = Dice(seed);
        Self { moments: (0..kills).map(|_| Moment::thrown(&mut dice)).collect() }
    }
}

impl Moment {
    fn thrown(dice: &mut Dice) -> Self {
        let target = match dice.roll(10) {
            0..=3 => Target::Runner,
            4 | 5 => Target::Shim,
            6 | 7 => Target::Agent,
            8 => Target::Everything { and_the_clones: false },
            _ => Target::Everything { and_the_clones: true },
        };
        let (least, most) = match target {
            // Long enough for work that has to be saved by then.
            Target::Everything { .. } => (3_500, 6_000),
            // A third of the others come while things start.
            _ if dice.roll(3) == 0 => (0, 400),
            _ => (0, 4_000),
        };
        let after = Duration::from_millis(least + dice.roll(most - least));
        Self { after, target, chance: dice.next() }
    }
}

/// A small generator (splitmix64): the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }
}
