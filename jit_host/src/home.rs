//! Where the caller's own files are.

use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

/// The caller's home, as the name service has it.
///
/// A program that is linked statically (packaging/static/build) asks none: it would load the modules of whatever machine it
/// runs on, which may be made for another C library. It reads `/etc/passwd` and nothing else.
#[must_use]
pub fn own_home() -> Option<PathBuf> {
    if cfg!(target_feature = "crt-static") {
        let bytes = std::fs::read(Path::new("/etc/passwd")).ok()?;
        return home_in(&String::from_utf8_lossy(&bytes), geteuid().as_raw());
    }
    User::from_uid(geteuid()).ok().flatten().map(|user| user.dir)
}

/// The home of a uid in a file of the form of passwd(5): that of the first line that has it.
fn home_in(passwd: &str, uid: u32) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_own = fields.nth(2)?.parse() == Ok(uid);
        let home = fields.nth(2).filter(|home| is_own && home.starts_with('/'))?;
        Some(PathBuf::from(home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# a comment\nshort:x:1001\nrelative:x:1002:1002::home:/bin/sh\n\
                          maria:x:1003:1003:Maria:/home/maria:/bin/sh\nmaria2:x:1003:1003::/home/other:/bin/sh\n";

    #[test]
    fn a_home_is_that_of_the_first_line_with_the_uid() {
        assert_eq!(home_in(PASSWD, 0), Some("/root".into()));
        assert_eq!(home_in(PASSWD, 1003), Some("/home/maria".into()));
        for none in [1001, 1002, 1004] {
            assert_eq!(home_in(PASSWD, none), None, "{none}");
        }
    }

    #[test]
    fn whoever_runs_this_has_the_home_that_the_name_service_says() {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let own = home_in(&passwd, geteuid().as_raw());
        assert!(own.is_none() || own == own_home(), "{own:?}");
    }
}
