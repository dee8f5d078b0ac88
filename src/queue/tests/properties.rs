//! Any sequence of what people, verbs, workers and crashes do leaves each job's file in exactly one bucket, the right
//! one, and loses nothing that anybody wrote.

use std::{
    collections::HashSet,
    fs,
    future::Future,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

use fleet_protocol::{Bucket, Stage};
use proptest::prelude::*;

use super::store::{World, age};

#[derive(Debug, Clone)]
enum Step {
    /// A person writes a new file, under one of a few names.
    Write {
        name: usize,
        bucket: usize,
    },
    /// … moves one of the files that are there.
    Move {
        file: usize,
        bucket: usize,
    },
    Copy {
        file: usize,
        bucket: usize,
    },
    Delete {
        file: usize,
    },
    Edit {
        file: usize,
    },
    /// `fleet submit` with a file from elsewhere.
    Submit {
        name: usize,
    },
    /// A worker or a verb moves a job.
    Go {
        job: usize,
        stage: usize,
    },
    Reconcile,
    /// The keeper dies after so many steps.
    Crash {
        steps: usize,
    },
    LoseMemory,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any = || 0..1000_usize;
    let step = prop_oneof![
        4 => (any(), any()).prop_map(|(name, bucket)| Step::Write { name, bucket: if bucket % 3 == 0 { bucket } else { 0 } }),
        4 => (any(), any()).prop_map(|(file, bucket)| Step::Move { file, bucket }),
        1 => (any(), any()).prop_map(|(file, bucket)| Step::Copy { file, bucket }),
        1 => any().prop_map(|file| Step::Delete { file }),
        1 => any().prop_map(|file| Step::Edit { file }),
        1 => any().prop_map(|name| Step::Submit { name }),
        4 => (any(), any()).prop_map(|(job, stage)| Step::Go { job, stage }),
        4 => Just(Step::Reconcile),
        4 => (0..40_usize).prop_map(|steps| Step::Crash { steps }),
        1 => Just(Step::LoseMemory),
    ];
    prop::collection::vec(step, 1..25)
}

const NAMES: [&str; 3] = ["a.md", "b b.md", "größe.md"];

/// The world, and what was written into it and not thrown away.
struct Model {
    world: World,
    written: HashSet<String>,
    count: usize,
}

impl Model {
    fn new() -> Self {
        Self { world: World::new(), written: HashSet::new(), count: 0 }
    }

    fn token(&mut self) -> String {
        self.count += 1;
        let token = format!("<{}>", self.count);
        self.written.insert(token.clone());
        token
    }

    fn files(&self) -> Vec<PathBuf> {
        let tree =
            self.world.tree().into_iter().filter(|path| path.ends_with(".md") && !path.starts_with("quarantine"));
        tree.map(|path| self.world.home.path().join("tasks").join(path)).collect()
    }

    fn pick(&self, file: usize) -> Option<PathBuf> {
        let files = self.files();
        (!files.is_empty()).then(|| files[file % files.len()].clone())
    }

    /// What stands there is thrown away by the person.
    fn throw_away(&mut self, path: &PathBuf) {
        let text = fs::read_to_string(path).unwrap_or_default();
        self.written.retain(|token| !text.contains(token.as_str()));
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Write { name, bucket } => {
                let (name, bucket) = (NAMES[name % NAMES.len()], Bucket::ALL[bucket % 6]);
                self.throw_away(&self.world.path(bucket, name));
                let token = self.token();
                self.world.put(bucket, name, token);
            }
            Step::Move { file, bucket } | Step::Copy { file, bucket } => {
                let Some(from) = self.pick(file) else { return };
                let to = self.world.folder.bucket(Bucket::ALL[bucket % 6]).join(from.file_name().unwrap());
                if from == to {
                    return;
                }
                self.throw_away(&to);
                if matches!(step, Step::Move { .. }) {
                    fs::rename(from, &to).unwrap();
                } else {
                    fs::copy(from, &to).unwrap();
                }
                // A file that was drawn a moment ago and moved looks like one that is still being written.
                age(&to);
            }
            Step::Delete { file } => {
                let Some(path) = self.pick(file) else { return };
                self.throw_away(&path);
                fs::remove_file(path).unwrap();
            }
            Step::Edit { file } => {
                let Some(path) = self.pick(file) else { return };
                let text = fs::read_to_string(&path).unwrap() + &self.token();
                fs::write(&path, text).unwrap();
                age(&path);
            }
            Step::Submit { name } => {
                let token = self.token();
                self.world.store.submit(NAMES[name % NAMES.len()], &token);
            }
            Step::Go { job, stage } => {
                let jobs = self.world.store.jobs();
                if !jobs.is_empty() {
                    self.world.store.go(&jobs[job % jobs.len()].file, Stage::ALL[stage % Stage::ALL.len()]);
                }
            }
            Step::Reconcile => self.reconcile().await,
            Step::Crash { steps } => {
                let reconciliation = Box::pin(self.world.keeper.reconcile());
                if let Some(report) = (Mortal { life: reconciliation, steps }).await {
                    report.unwrap();
                }
                self.world.restart();
            }
            Step::LoseMemory => {
                let _ = fs::remove_file(self.world.folder.state_file("queue.jsonl"));
                self.world.restart();
            }
        }
    }

    async fn reconcile(&mut self) {
        self.world.reconcile().await;
        self.each_job_has_one_file_where_it_is();
        self.nothing_is_lost();
    }

    fn each_job_has_one_file_where_it_is(&self) {
        for job in self.world.store.jobs() {
            let found: Vec<&Bucket> =
                Bucket::ALL.iter().filter(|bucket| self.world.path(**bucket, &job.file).exists()).collect();
            assert_eq!(found, [&job.stage.bucket()], "{} in {}", job.file, job.stage);
        }
    }

    fn nothing_is_lost(&self) {
        let mut kept = self.world.store.sources();
        for path in self.world.tree() {
            kept.push(fs::read_to_string(self.world.home.path().join("tasks").join(path)).unwrap());
        }
        for token in &self.written {
            assert!(kept.iter().any(|text| text.contains(token.as_str())), "{token} is lost");
        }
    }
}

/// A future that dies after so many of its steps.
struct Mortal<F> {
    life: Pin<Box<F>>,
    steps: usize,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.steps == 0 {
            return Poll::Ready(None);
        }
        self.steps -= 1;
        self.life.as_mut().poll(context).map(Some)
    }
}

fn run<T>(scene: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scene)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_job_lies_in_one_bucket_whatever_happens(steps in steps()) {
        run(async {
            let mut model = Model::new();
            for step in &steps {
                model.take(step).await;
            }
            model.reconcile().await;
        });
    }

    #[test]
    fn crashes_neither_lose_nor_double_a_dropped_file(
        drops in prop::collection::vec((0..3_usize, prop::collection::vec(0..30_usize, 0..4)), 1..6),
    ) {
        run(async {
            let mut model = Model::new();
            for (name, crashes) in &drops {
                // A file that waits in the inbox is not written over, and its job leaves the inbox before the next.
                model.take(&Step::Write { name: *name, bucket: 0 }).await;
                for steps in crashes {
                    model.take(&Step::Crash { steps: *steps }).await;
                }
                model.reconcile().await;
                for job in model.world.store.jobs() {
                    model.world.store.go(&job.file, Stage::Review);
                }
                model.reconcile().await;
            }
            let mut expected: Vec<String> = (1..=drops.len()).map(|count| format!("<{count}>")).collect();
            let mut submitted = model.world.store.sources();
            expected.sort();
            submitted.sort();
            assert_eq!(submitted, expected);
        });
    }
}
