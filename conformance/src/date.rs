//! The present in the two notations that the suites read: that of JavaScript's `toJSON`, and that of HTTP.

use std::time::SystemTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment as JavaScript's `Date` serializes: `2026-11-25T04:05:06.789Z`.
pub fn iso_date(at: SystemTime) -> String {
    let at = Civil::of(at);
    let (year, month, day) = at.date;
    let (hour, minute, second) = at.time;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", at.millis)
}

/// A moment as HTTP headers and cookies have it: `Wed, 25 Nov 2026 04:05:06 GMT`.
pub fn http_date(at: SystemTime) -> String {
    let at = Civil::of(at);
    let (year, month, day) = at.date;
    let (hour, minute, second) = at.time;
    let month = MONTHS[month as usize - 1];
    format!("{}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT", at.weekday)
}

/// A moment of UTC in parts.
struct Civil {
    date: (u64, u64, u64),
    time: (u64, u64, u64),
    millis: u32,
    weekday: &'static str,
}

impl Civil {
    /// What lies before 1970 is read as 1970.
    fn of(at: SystemTime) -> Self {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        Self {
            date: date_of_day(days),
            time: (seconds / 3_600, seconds / 60 % 60, seconds % 60),
            millis: since.subsec_millis(),
            weekday: WEEKDAYS[(days % 7) as usize],
        }
    }
}

/// Year, month and day of a day since 1970-01-01, counted in years that begin in March.
fn date_of_day(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let first = u64::from(month <= 2);
    (400 * era + year + first, month, day - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn moments_are_written_as_javascript_and_http_write_them() {
        assert_eq!(iso_date(at(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_date(at(951_782_400_123)), "2000-02-29T00:00:00.123Z");
        assert_eq!(iso_date(at(1_798_761_599_999)), "2026-12-31T23:59:59.999Z");
        assert_eq!(http_date(at(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
