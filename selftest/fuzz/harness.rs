//! Feeds a target with what others may write: kept inputs first, then a corpus, bent and broken at random.
//!
//! `FLEET_FUZZ=100000` sets how many inputs each target gets (else a few hundred), `FLEET_FUZZ_SEED` where randomness
//! begins (else the same place each time). An input that fails is written to `target/fuzz/` and named; moved to
//! `selftest/fuzz/kept/TARGET/` it is tried first ever after.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// What a target gets and how its name is.
pub(crate) struct Fuzz<'a> {
    /// The name of its folder below `kept`.
    pub(crate) target: &'a str,
    /// What inputs are made of.
    pub(crate) corpus: Vec<String>,
    /// Pieces that mean something to the target.
    pub(crate) words: &'a [&'a str],
}

/// Inputs for each target where nobody asks for more.
const USUAL: u64 = 300;
/// Longest input, bytes.
const LONGEST: usize = 8 * 1024;

impl Fuzz<'_> {
    /// Tries `target` on every input; it panics where one breaks a promise.
    pub(crate) fn run(&self, target: impl Fn(&str)) {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
        let (count, seed) = (number("FLEET_FUZZ").unwrap_or(USUAL), number("FLEET_FUZZ_SEED").unwrap_or(1));
        for (path, text) in self.kept() {
            self.try_one(&text, &format!("the kept input {}", path.display()), &target);
        }
        self.corpus.iter().for_each(|text| self.try_one(text, "an input of the corpus as it is", &target));
        for nth in 0..count {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(nth));
            let text = self.input(&mut random);
            self.try_one(&text, &format!("input {nth} of seed {seed}"), &target);
        }
    }

    fn try_one(&self, text: &str, what: &str, target: &impl Fn(&str)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(text))) {
            let folder = root().join("target/fuzz");
            fs::create_dir_all(&folder).expect("a folder");
            let file = folder.join(format!("{}-{:016x}", self.target, Random::of(text).next()));
            fs::write(&file, text).expect("the input is written down");
            let said =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            panic!(
                "`{}` broke on {what}: {}\nthe input is in {}; mend the code, then move it to selftest/fuzz/kept/{}/",
                self.target,
                said.unwrap_or_default(),
                file.display(),
                self.target,
            );
        }
    }

    fn kept(&self) -> Vec<(PathBuf, String)> {
        let folder = root().join("selftest/fuzz/kept").join(self.target);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut kept: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        kept.sort();
        kept.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a kept input is text"))).collect()
    }

    fn input(&self, random: &mut Random) -> String {
        let mut bytes = self.sample(random).as_bytes().to_vec();
        for _ in 0..=random.below(6) {
            self.bend(&mut bytes, random);
            bytes.truncate(LONGEST);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn sample(&self, random: &mut Random) -> &str {
        &self.corpus[random.below(self.corpus.len())]
    }

    fn bend(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(bytes.len() + 1);
        let to = at + random.below((bytes.len() - at).min(64) + 1);
        match random.below(9) {
            0 => drop(bytes.drain(at..to)),
            1 => {
                let piece = bytes[at..to].to_vec();
                insert(bytes, at, &piece.repeat(1 + random.below(50)));
            }
            2 => bytes.truncate(at),
            3 => insert(bytes, at, self.word(random).as_bytes()),
            4 => insert(bytes, at, self.word(random).repeat(1 + random.below(400)).as_bytes()),
            5 => {
                let other = self.sample(random).as_bytes();
                let from = random.below(other.len() + 1);
                let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                insert(bytes, at, &piece);
            }
            6 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).expect("a byte");
                }
            }
            7 => {
                let word = self.word(random).as_bytes().to_vec();
                bytes.splice(at..to, word);
            }
            _ => {
                let (from, piece) = (random.below(bytes.len() + 1), bytes[at..to].to_vec());
                insert(bytes, from, &piece);
            }
        }
    }

    fn word(&self, random: &mut Random) -> &str {
        const ANYWHERE: &[&str] = &[
            "\n",
            "\r\n",
            "\r",
            "\t",
            "\0",
            "\u{feff}",
            "\u{202e}",
            "\u{2028}",
            "é",
            "日本",
            "🦀",
            "\u{1b}[2J",
            " ",
            "\"",
            "'",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "-",
            "…",
            "0",
            "-1",
            "1e999",
            "18446744073709551616",
            "null",
            "true",
            "NaN",
        ];
        let nth = random.below(self.words.len() + ANYWHERE.len());
        self.words.get(nth).or_else(|| ANYWHERE.get(nth - self.words.len())).expect("one of both")
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn root() -> &'static Path {
    // The package that this is compiled into lies at the root, or one folder below it.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if package.join("selftest").is_dir() { package } else { package.parent().expect("a package lies in a folder") }
}

/// A little randomness that is the same everywhere.
struct Random(u64);

impl Random {
    fn of(text: &str) -> Self {
        Self(
            text.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `most`, which is at least 1.
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).expect("below a length")
    }
}
