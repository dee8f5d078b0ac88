//! Durable submissions of 16 clients, against the bare loop with as many.

use std::time::Instant;

use super::{
    bare::{self, Loop, Write},
    desk::{Desk, task},
    lab::Lab,
    report::{Goal, Row},
    rounds::against,
};

const CLIENTS: usize = 16;

pub(crate) fn rows(lab: &Lab) -> Vec<Row> {
    let each = lab.of(4_096, 512);
    let desk = Desk::open(&lab.folder("submit-router"));
    let folder = lab.folder("submit-loop");
    lab.runtime.block_on(bare::prepare(&folder, 1));
    let group = Loop::start(&folder);
    let samples = against(
        lab.rounds(),
        &mut || {
            let start = Instant::now();
            lab.runtime.block_on(desk.submit_by(CLIENTS, each, ""));
            each as f64 / start.elapsed().as_secs_f64()
        },
        &mut || {
            let round = getrandom::u64().expect("the system gives randomness");
            let submit = move |client, number| Write::Submit {
                id: format!("{round}-{client}-{number}"),
                text: task(number as u64, ""),
            };
            let start = Instant::now();
            lab.runtime.block_on(group.write_by(CLIENTS, each, submit));
            each as f64 / start.elapsed().as_secs_f64()
        },
    );
    vec![Row {
        name: "submit-durable",
        measured: "durable submissions of 16 clients through the router, in this process",
        against: "a bare group-commit loop with 16 clients on the same schema",
        unit: "jobs/s",
        goal: Goal::Least(0.65),
        samples,
    }]
}
