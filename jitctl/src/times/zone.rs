//! The zone in which times are shown and typed: that of TZ or of this host, as date(1) and systemctl(1) have it.
//!
//! TZ is the caller's to set, and so decides about nothing but this: each time that is shown has its offset with it, and
//! what is sent is UTC. No other file is read for it than those of the host's zones. Where a host has none, as a machine
//! with nothing but a static jitctl, the zones that come with jitctl are taken.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The zone of this host, localtime(5).
const HOST: &str = "/etc/localtime";

/// Where the host's zones are, tzset(3).
const ZONES: &str = "/usr/share/zoneinfo/";

thread_local! {
    /// As in libc, the zone is the process's: it is set before anything is shown. By thread, for the sake of tests.
    static ZONE: RefCell<TimeZone> = const { RefCell::new(TimeZone::UTC) };
}

/// From now on, times are those of this zone.
pub(crate) fn set(zone: TimeZone) {
    ZONE.with(|set| *set.borrow_mut() = zone);
}

/// The zone that was set; UTC before that.
pub(crate) fn zone() -> TimeZone {
    ZONE.with(|set| set.borrow().clone())
}

/// The zone of whoever runs jitctl: that of TZ, which an empty one sets to UTC, or else that of this host. An error if TZ
/// names none.
pub(crate) fn of_caller(tz: Option<&OsStr>) -> Result<TimeZone, String> {
    let Some(tz) = tz else { return Ok(of_host().unwrap_or(TimeZone::UTC)) };
    let text = tz.to_str().map(|text| text.strip_prefix(':').unwrap_or(text));
    let zone = text.and_then(|text| match text {
        "" | "UTC0" => Some(TimeZone::UTC),
        HOST => of_host(),
        text => named(text.strip_prefix(ZONES).unwrap_or(text)).or_else(|| TimeZone::posix(text).ok()),
    });
    zone.ok_or_else(|| format!("TZ={} is no time zone", tz.display()))
}

fn of_host() -> Option<TimeZone> {
    let link = fs::read_link(HOST).ok();
    let name = link.as_deref().and_then(Path::to_str).and_then(|link| link.split_once("/zoneinfo/"));
    let name = name.map_or("Local", |(_, name)| name);
    if is_utc(name) {
        return Some(TimeZone::UTC);
    }
    let read = fs::read(HOST).ok().and_then(|bytes| TimeZone::tzif(name, &bytes).ok());
    read.or_else(|| named(name))
}

/// A zone by its name: the host's knows of changes that came after this jitctl.
fn named(name: &str) -> Option<TimeZone> {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
    };
    if !name.split('/').all(part) {
        return None;
    }
    if is_utc(name) {
        return Some(TimeZone::UTC);
    }
    let path = Path::new(ZONES).join(name);
    let file = fs::read(path).ok().and_then(|bytes| TimeZone::tzif(name, &bytes).ok());
    file.or_else(|| TimeZoneDatabase::bundled().get(name).ok())
}

/// The names of UTC, under all of which it is written with a `Z`.
fn is_utc(name: &str) -> bool {
    matches!(name.strip_prefix("Etc/").unwrap_or(name), "UTC" | "UCT" | "Universal" | "Zulu")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(tz: &str) -> Result<String, String> {
        let summer = "2026-07-01T12:00:00Z".parse().unwrap();
        of_caller(Some(OsStr::new(tz))).map(|zone| zone.to_offset(summer).to_string())
    }

    #[test]
    fn tz_is_a_zone_by_name_or_by_rule_and_an_empty_one_is_utc() {
        for (tz, at) in [
            ("Europe/Berlin", "+02"),
            (":Europe/Berlin", "+02"),
            ("/usr/share/zoneinfo/Europe/Berlin", "+02"),
            ("America/New_York", "-04"),
            ("Asia/Kathmandu", "+05:45"),
            ("EST5EDT,M3.2.0,M11.1.0", "-04"),
            ("Etc/GMT+5", "-05"),
            ("UTC", "+00"),
            ("", "+00"),
        ] {
            assert_eq!(offset(tz).as_deref(), Ok(at), "{tz}");
        }
    }

    #[test]
    fn no_other_file_is_a_zone_and_what_is_none_is_said() {
        for tz in [
            "Mars/Base",
            "/etc/passwd",
            ":/etc/passwd",
            "../../../etc/localtime",
            "/usr/share/zoneinfo/../../../etc/localtime",
            "Europe",
            "Europe/",
            "a b",
            "\u{1b}",
        ] {
            assert_eq!(offset(tz), Err(format!("TZ={tz} is no time zone")));
        }
    }

    #[test]
    fn without_tz_it_is_the_zone_of_the_host() {
        assert!(of_caller(None).is_ok());
    }
}
