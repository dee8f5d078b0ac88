//! Times and durations for people.

use jiff::Timestamp;

use super::output::Audience;

/// A moment: how long ago for a person at a terminal, RFC 3339 for everyone else.
pub(super) fn shown(at: Timestamp, now: Timestamp, audience: Audience) -> String {
    match audience {
        Audience::Program => at.to_string(),
        Audience::Terminal => {
            let seconds = now.as_second() - at.as_second();
            match seconds {
                1.. => format!("{} ago", rough(seconds.unsigned_abs())),
                0 => "now".to_owned(),
                _ => format!("in {}", rough(seconds.unsigned_abs())),
            }
        }
    }
}

/// A duration with its two largest units: `1m05s`, `2h07m`, `3d04h`.
pub(super) fn lasted(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_how_long_ago_and_programs_the_moment() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a moment");
        for (at, expected) in [
            ("2026-11-20T12:00:00Z", "now"),
            ("2026-11-20T11:59:01Z", "59s ago"),
            ("2026-11-20T11:01:00Z", "59m ago"),
            ("2026-11-19T12:00:01Z", "23h ago"),
            ("2026-11-10T12:00:00Z", "10d ago"),
            ("2026-11-20T12:01:30Z", "in 1m"),
        ] {
            let at: Timestamp = at.parse().expect("a moment");
            assert_eq!(shown(at, now, Audience::Terminal), expected);
            assert_eq!(shown(at, now, Audience::Program), at.to_string());
        }
    }

    #[test]
    fn durations_show_two_units() {
        for (millis, expected) in
            [(0, "0ms"), (999, "999ms"), (1_000, "1s"), (65_000, "1m05s"), (7_620_000, "2h07m"), (273_600_000, "3d04h")]
        {
            assert_eq!(lasted(millis), expected);
        }
    }
}
