//! What a job may demand of a factory: `key`, `key:value`, `key<op>version` and `os:any`; and what a factory offers.
//!
//! - `gpu` is met by any offer of that key, with or without a value.
//! - `os:linux` is met by an offer of that key and exactly that value.
//! - `node>=20` is met by an offer of that key whose value is a version on the right side. Operators: `>=`, `>`, `=`, `<`,
//!   `<=`. A version is compared number by number, missing numbers are 0 (`20` equals `20.0.0`), and one that is marked as
//!   a pre-release (`20.0.0-rc.1`) comes before the same without the mark.
//! - `os:any` is met everywhere, even where nothing is offered.
//!
//! Letters are compared without regard to case. Several offers of one key may stand beside each other; one that meets the
//! requirement is enough.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A hard requirement of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    demand: Demand,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Demand {
    /// The key, whatever its value.
    Present,
    Value(String),
    Version(Operator, Version),
    /// `os:any`.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operator {
    AtLeast,
    Above,
    Equal,
    Below,
    AtMost,
}

/// Longer spellings first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::Equal),
];

/// Something that a factory has: `git`, `os:linux`, `node:20.1.0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Offer {
    key: String,
    value: Option<String>,
    /// The value once more, where it is a version.
    version: Option<Version>,
}

/// Text that is neither a requirement nor an offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a capability: {problem}")]
pub struct NotACapability {
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Requirement {
    /// Reads a requirement; spaces around the operator are allowed.
    pub fn parse(text: &str) -> Result<Self, NotACapability> {
        let wrong = |problem| NotACapability { text: text.to_owned(), problem };
        let end = text.find([':', '>', '<', '=']).unwrap_or(text.len());
        let key = key(&text[..end]).map_err(wrong)?;
        let rest = &text[end..];
        let demand = if rest.is_empty() {
            Demand::Present
        } else if let Some(value) = rest.strip_prefix(':') {
            let value = self::value(value).map_err(wrong)?;
            if key == "os" && value == "any" { Demand::Nothing } else { Demand::Value(value) }
        } else {
            let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)));
            let (operator, version) = found.expect("one of the signs was found above");
            Demand::Version(operator, version.trim().parse().map_err(|NotAVersion| wrong(VERSION))?)
        };
        Ok(Self { key, demand })
    }

    /// Whether one of the offers meets it.
    pub fn satisfied_by(&self, offers: &[Offer]) -> bool {
        self.demand == Demand::Nothing
            || offers.iter().any(|offer| offer.key == self.key && self.demand.is_met_by(offer))
    }
}

impl Demand {
    fn is_met_by(&self, offer: &Offer) -> bool {
        match self {
            Self::Present | Self::Nothing => true,
            Self::Value(value) => offer.value.as_ref() == Some(value),
            Self::Version(operator, version) => {
                offer.version.as_ref().is_some_and(|offered| operator.holds(offered.cmp(version)))
            }
        }
    }
}

impl Operator {
    fn holds(self, offered: Ordering) -> bool {
        match self {
            Self::AtLeast => offered.is_ge(),
            Self::Above => offered.is_gt(),
            Self::Equal => offered.is_eq(),
            Self::Below => offered.is_lt(),
            Self::AtMost => offered.is_le(),
        }
    }
}

impl Offer {
    /// Reads an offer: `key` or `key:value`, where the value may be a version.
    pub fn parse(text: &str) -> Result<Self, NotACapability> {
        let wrong = |problem| NotACapability { text: text.to_owned(), problem };
        let (key, value) = match text.split_once(':') {
            Some((key, value)) => (key, Some(self::value(value).map_err(wrong)?)),
            None => (text, None),
        };
        let version = value.as_deref().and_then(|value| value.parse().ok());
        Ok(Self { key: self::key(key).map_err(wrong)?, value, version })
    }
}

/// The demands that no offer meets, in the order of the demands. What is no capability at all is met by nothing.
pub fn unmet(requirements: &[String], offers: &[String]) -> Vec<String> {
    let offers: Vec<Offer> = offers.iter().filter_map(|offer| Offer::parse(offer).ok()).collect();
    let is_met = |demand: &String| Requirement::parse(demand).is_ok_and(|demand| demand.satisfied_by(&offers));
    requirements.iter().filter(|demand| !is_met(demand)).cloned().collect()
}

const KEY: &str = "a key is made of letters, digits and . _ - + /, and begins with a letter or digit";
const VALUE: &str = "a value follows `:` and holds no spaces, commas or comparisons";
const VERSION: &str = "a version such as 20 or 3.11.2 follows the comparison";

fn key(text: &str) -> Result<String, &'static str> {
    let key = text.trim();
    let letters = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/'));
    let right = letters && key.starts_with(|c: char| c.is_ascii_alphanumeric());
    if right { Ok(key.to_ascii_lowercase()) } else { Err(KEY) }
}

fn value(text: &str) -> Result<String, &'static str> {
    let value = text.trim();
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '<' | '>' | '=');
    if value.is_empty() || value.contains(odd) { Err(VALUE) } else { Ok(value.to_lowercase()) }
}

/// Numbers parted by dots, and a mark that makes it a pre-release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    /// Without zeros at the end.
    numbers: Vec<u64>,
    pre: Option<String>,
}

struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    /// `v` in front and everything from `+` on say nothing. Whatever follows the numbers after a `-` or a letter (`rc1`)
    /// marks a pre-release; after a dot (`2.43.0.windows.1`) it is the build's own and says nothing either.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split('+').next().unwrap_or_default();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let own = digits.ends_with('.') && !rest.is_empty();
        let digits = if own { &digits[..digits.len() - 1] } else { digits };
        let numbers: Result<Vec<u64>, _> = digits.split('.').map(str::parse).collect();
        let mut numbers = numbers.map_err(|_| NotAVersion)?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        let follows = rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic());
        if !rest.is_empty() && !follows {
            return Err(NotAVersion);
        }
        let pre = Some(rest.trim_start_matches('-')).filter(|mark| !mark.is_empty() && !own).map(str::to_lowercase);
        Ok(Self { numbers, pre })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zeros at the end are gone, so the longer of two that begin alike is the higher.
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre, &other.pre) {
            (None, None) => Ordering::Equal,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Requirement {
    type Err = NotACapability;
    fn from_str(text: &str) -> Result<Self, NotACapability> {
        Self::parse(text)
    }
}

impl FromStr for Offer {
    type Err = NotACapability;
    fn from_str(text: &str) -> Result<Self, NotACapability> {
        Self::parse(text)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match &self.demand {
            Demand::Present => f.write_str(key),
            Demand::Value(value) => write!(f, "{key}:{value}"),
            Demand::Nothing => write!(f, "{key}:any"),
            Demand::Version(operator, version) => {
                let sign = OPERATORS.iter().find(|(_, known)| known == operator).map_or("", |(sign, _)| sign);
                write!(f, "{key}{sign}{version}")
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(u64::to_string).collect();
        f.write_str(if numbers.is_empty() { "0" } else { "" })?;
        f.write_str(&numbers.join("."))?;
        self.pre.as_ref().map_or(Ok(()), |pre| write!(f, "-{pre}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(requirement: &str, offers: &str) -> bool {
        let offers: Vec<Offer> = offers.split_whitespace().map(|offer| Offer::parse(offer).expect(offer)).collect();
        Requirement::parse(requirement).expect(requirement).satisfied_by(&offers)
    }

    /// The documented verdicts.
    #[test]
    fn the_table_of_requirements_and_offers() {
        for (requirement, offers, met) in [
            ("git", "git", true),
            ("git", "git:2.43.0", true),
            ("git", "", false),
            ("gpu", "git os:linux", false),
            ("os:linux", "os:linux", true),
            ("os:linux", "os:macos", false),
            ("os:linux", "os", false),
            ("os:linux", "linux", false),
            ("os:any", "os:linux", true),
            ("os:any", "", true),
            ("arch:any", "arch:x86_64", false),
            ("OS:Linux", "os:linux", true),
            ("node>=20", "node:20.1", true),
            ("node>=20", "node:20.1.0", true),
            ("node>=20", "node:20", true),
            ("node>=20", "node:18.9", false),
            ("node>=20", "node:v22.3.1", true),
            ("node>=20", "node", false),
            ("node>=20", "node:lts", false),
            ("node>=20", "deno:20", false),
            ("node>=20", "node:18.9 node:20.1", true),
            ("node >= 20", "node:20.1", true),
            ("node>20", "node:20.0.0", false),
            ("node>20", "node:20.0.1", true),
            ("node<20", "node:18.9", true),
            ("node<20", "node:20.0", false),
            ("node<=20", "node:20.0", true),
            ("node<=20", "node:20.0.1", false),
            ("node=20", "node:20.0.0", true),
            ("node=20", "node:20.1.0", false),
            ("node=20.1.0", "node:20.1", true),
            ("node:20", "node:20.1.0", false),
            ("node:20.1.0", "node:20.1.0", true),
            ("python>=3.9", "python:3.11.2", true),
            ("python>=3.12", "python:3.12.0rc1", false),
            ("python>=3.12", "python:3.12.0-rc.1", false),
            ("git>=2.43", "git:2.43.0.windows.1", true),
            ("tool>=1.2.3", "tool:1.2.3+build.7", true),
        ] {
            assert_eq!(verdict(requirement, offers), met, "{requirement} against {offers}");
        }
    }

    #[test]
    fn what_is_no_requirement_is_refused_with_a_reason() {
        for (text, problem) in [
            ("", KEY),
            (" ", KEY),
            ("-x", KEY),
            (">=20", KEY),
            ("a b", KEY),
            ("node:", VALUE),
            ("node:>=20", VALUE),
            ("node:a b", VALUE),
            ("node>=", VERSION),
            ("node>=latest", VERSION),
            ("node==20", VERSION),
            ("node=>20", VERSION),
            ("node>=20..1", VERSION),
            ("node>=20 <22", VERSION),
            ("node>=99999999999999999999", VERSION),
        ] {
            assert_eq!(Requirement::parse(text).expect_err(text).problem, problem, "{text}");
        }
    }

    #[test]
    fn an_offer_with_a_comparison_is_refused() {
        for text in ["node>=20", "node:>=20", "", ":x", "a:"] {
            assert!(Offer::parse(text).is_err(), "{text}");
        }
    }

    fn version() -> impl Strategy<Value = String> {
        prop::collection::vec(0u64..30, 1..4)
            .prop_map(|numbers| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join("."))
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_display_reads_back(text in "\\PC{0,20}|[a-z]{1,4}(>=|<=|[<>=:])?[0-9a-z.+-]{0,6}") {
            let _ = Offer::parse(&text);
            if let Ok(requirement) = Requirement::parse(&text) {
                prop_assert_eq!(Requirement::parse(&requirement.to_string()), Ok(requirement));
            }
        }

        #[test]
        fn exactly_one_of_below_equal_above_holds(a in version(), b in version()) {
            let offer = format!("x:{a}");
            let holds = ["<", "=", ">"].map(|sign| verdict(&format!("x{sign}{b}"), &offer));
            prop_assert_eq!(holds.iter().filter(|held| **held).count(), 1);
            prop_assert_eq!(verdict(&format!("x>={b}"), &offer), holds[1] || holds[2]);
            prop_assert_eq!(verdict(&format!("x<={b}"), &offer), holds[0] || holds[1]);
        }
    }
}
