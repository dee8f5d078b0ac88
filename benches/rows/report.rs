//! What is printed: each row with both of its figures, their ratio, the goal, and whether it is met.

use std::{fmt::Write, fs, io::Write as _, time::Instant};

use serde_json::{Value, json};

use super::{
    lab::{Lab, Size},
    rounds::{Samples, median},
};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What is measured.
    pub(crate) measured: &'static str,
    /// What it is measured against.
    pub(crate) against: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) samples: Samples,
}

/// What the ratio of measured to denominator should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// This or more.
    Least(f64),
    /// This or less.
    Most(f64),
    /// Not a ratio: measured may be so much above its denominator, in the row's unit.
    Above(f64),
}

impl Row {
    fn ratio(&self) -> f64 {
        median(&self.samples.ratios())
    }

    /// The lowest and the highest ratio of a round.
    fn spread(&self) -> (f64, f64) {
        let ratios = self.samples.ratios();
        (ratios.iter().copied().fold(f64::INFINITY, f64::min), ratios.iter().copied().fold(0.0, f64::max))
    }

    fn is_met(&self) -> bool {
        match self.goal {
            Goal::Least(least) => self.ratio() >= least,
            Goal::Most(most) => self.ratio() <= most,
            Goal::Above(most) => median(&self.samples.measured) - median(&self.samples.denominator) <= most,
        }
    }

    fn json(&self) -> Value {
        let (least, most) = self.spread();
        let goal = match self.goal {
            Goal::Least(least) => json!({ "atLeast": least }),
            Goal::Most(most) => json!({ "atMost": most }),
            Goal::Above(most) => json!({ "atMostAbove": most }),
        };
        json!({
            "name": self.name, "measured": self.measured, "against": self.against, "unit": self.unit,
            "value": median(&self.samples.measured), "denominator": median(&self.samples.denominator),
            "ratio": self.ratio(), "spread": [least, most], "rounds": self.samples.measured.len(),
            "goal": goal, "met": self.is_met(),
        })
    }
}

/// The rows as text.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<24} {:>24} {:>12} {:>7} {:>15} {:>12}  met\n",
        "row", "measured", "against", "ratio", "spread", "goal"
    );
    for row in rows {
        let goal = match row.goal {
            Goal::Least(least) => format!(">= {least}"),
            Goal::Most(most) => format!("<= {most}"),
            Goal::Above(most) => format!("<= +{} {}", short(most), row.unit),
        };
        let measured = format!("{} {}", short(median(&row.samples.measured)), row.unit);
        let against = short(median(&row.samples.denominator));
        let (least, most) = row.spread();
        let spread = format!("{}-{}", short(least), short(most));
        let met = if row.is_met() { "yes" } else { "NO" };
        writeln!(
            text,
            "{:<24} {measured:>24} {against:>12} {:>7} {spread:>15} {goal:>12}  {met}",
            row.name,
            short(row.ratio())
        )
        .expect("a string can always be written to");
    }
    for row in rows {
        writeln!(text, "  {}: {}, against {}", row.name, row.measured, row.against)
            .expect("a string can always be written to");
    }
    text
}

/// All of it as one JSON document.
pub(crate) fn json(machine: &Machine, lab: &Lab, rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let size = if lab.size == Size::Full { "full" } else { "smoke" };
    let document = json!({ "size": size, "machine": machine.json(), "rows": rows });
    serde_json::to_string_pretty(&document).expect("plain data is JSON")
}

/// Three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.2e}"),
    }
}

/// What the figures depend on.
pub(crate) struct Machine {
    cores: usize,
    governor: String,
    /// Of the last minute, before anything was measured.
    load: String,
    /// 4 KiB written and flushed, times a second.
    flushes: f64,
}

impl Machine {
    pub(crate) fn look(lab: &Lab) -> Self {
        let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
        Self {
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            governor: read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .unwrap_or_else(|| "not told".to_owned()),
            load: read("/proc/loadavg")
                .and_then(|text| text.split(' ').next().map(str::to_owned))
                .unwrap_or_else(|| "not told".to_owned()),
            flushes: flushes(lab),
        }
    }

    pub(crate) fn line(&self, lab: &Lab) -> String {
        format!(
            "release build, {} rounds; {} cores, governor {}, load {} before, {:.0} flushes of 4 KiB a second",
            lab.rounds(),
            self.cores,
            self.governor,
            self.load,
            self.flushes
        )
    }

    fn json(&self) -> Value {
        json!({
            "cores": self.cores, "governor": self.governor, "loadBefore": self.load, "flushesPerSecond": self.flushes
        })
    }
}

fn flushes(lab: &Lab) -> f64 {
    const COUNT: u32 = 300;
    let mut file = fs::File::create(lab.root().join("flushed")).expect("a file can be made");
    let start = Instant::now();
    for _ in 0..COUNT {
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("the disk takes it");
    }
    f64::from(COUNT) / start.elapsed().as_secs_f64()
}
