//! How long ago something was, in the few letters that people read in tables. Pure.

use jiff::Timestamp;

/// Time since a printed timestamp; `<unknown>` where there is none.
pub fn since(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        Ok(at) => short(now.as_second().saturating_sub(at.as_second())),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// Seconds in at most two units, as the server rounds them.
pub fn short(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: i64, letter: char, small: i64, next: char| match small {
        0 => format!("{large}{letter}"),
        small => format!("{large}{letter}{small}{next}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_rounded_as_kubectl_shows_them() {
        let table = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (601, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (30_000, "8h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (700_000, "8d"),
            (63_072_000, "2y"),
        ];
        for (seconds, expected) in table {
            assert_eq!(short(seconds), expected, "{seconds}");
        }
    }
}
