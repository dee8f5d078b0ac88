//! Kills at random moments, again and again, and looks whether the promises held: runner, shim, agent, or everything at
//! once. One seed makes one plan; the seed is printed, and `FLEET_NEMESIS_SEED` plays it again.

mod arena;
mod plan;
mod promises;
mod victims;

use std::time::Duration;

use arena::Arena;
use plan::{Moment, Plan, Target};

/// So many kills when nobody asks for more.
const KILLS: u32 = 24;
/// Kills in one world; then it is drained, judged, and a new one is made.
const KILLS_A_WORLD: u32 = 12;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number: {text}")))
}

#[test]
fn whatever_is_killed_no_work_is_lost_and_no_process_is_left() {
    let kills = number("FLEET_NEMESIS_KILLS").map_or(KILLS, |kills| u32::try_from(kills).expect("a sane number"));
    let first = number("FLEET_NEMESIS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let worlds = kills.div_ceil(KILLS_A_WORLD);
    for world in 0..worlds {
        let seed = first + u64::from(world);
        println!("world {world}: FLEET_NEMESIS_SEED={seed} FLEET_NEMESIS_KILLS={KILLS_A_WORLD}");
        torment(Plan::of(seed, KILLS_A_WORLD.min(kills - world * KILLS_A_WORLD)));
    }
}

/// Plays one plan in a world of its own and judges what is left.
fn torment(plan: Plan) {
    let mut arena = Arena::new();
    for Moment { after, target, chance } in plan.moments {
        arena.keep_busy();
        arena.let_run(after);
        match target {
            Target::Runner => arena.kill_runner(),
            Target::Shim => arena.kill_one("shim.json", chance),
            Target::Agent => arena.kill_one("agent.json", chance),
            Target::Everything { and_the_clones } => arena.kill_everything(and_the_clones),
        }
    }
    arena.drain();
    promises::hold(&arena);
}

/// The interval between two checkpoints in these worlds.
const INTERVAL: Duration = Duration::from_secs(1);
