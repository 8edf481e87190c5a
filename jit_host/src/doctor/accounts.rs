//! The accounts of a host's own files, as far as it matters who gets in while jitd is dead.

use std::collections::BTreeMap;
use std::path::Path;

use super::reading::{Unseen, text};

/// The accounts of passwd(5) and shadow(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Each by its name; none where passwd could not be read.
    pub known: Option<BTreeMap<String, Account>>,
}

/// What is known of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its user ID.
    pub uid: u32,
    /// The shell that it has.
    pub shell: String,
    /// Whether a password opens it; none where that could not be seen.
    pub has_password: Option<bool>,
}

impl Accounts {
    pub(super) fn read(root: &Path, unseen: &mut Vec<Unseen>) -> Self {
        let Some(passwd) = text(root, "/etc/passwd", unseen) else { return Self::default() };
        let shadow = text(root, "/etc/shadow", unseen);
        Self { known: Some(parse(&passwd, shadow.as_deref())) }
    }
}

fn parse(passwd: &str, shadow: Option<&str>) -> BTreeMap<String, Account> {
    let passwords: BTreeMap<&str, bool> = shadow
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| {
            let mut fields = line.split(':');
            let (name, hash) = (fields.next()?, fields.next()?);
            // What no password can hash to locks it (shadow(5)); an empty one opens it, where PAM lets that be.
            Some((name, !hash.starts_with(['!', '*'])))
        })
        .collect();
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, _, shell] = fields[..] else { return None };
        let has_password = shadow.map(|_| passwords.get(name).copied().unwrap_or(false));
        Some((name.to_owned(), Account { uid: uid.parse().ok()?, shell: shell.to_owned(), has_password }))
    };
    passwd.lines().filter_map(account).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_locked_by_a_hash_that_nothing_hashes_to() {
        let passwd = "root:x:0:0::/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/sh\nsvc:x:5:5::/:/usr/sbin/nologin\n\
                      +\nshort:x:1\n";
        let shadow = "root:*:1::::::\nana:$y$x:1::::::\nsvc:!:1::::::\n";
        let known = parse(passwd, Some(shadow));
        assert_eq!(known.len(), 3);
        let has = |name: &str| known[name].has_password;
        assert_eq!((has("root"), has("ana"), has("svc")), (Some(false), Some(true), Some(false)));
        assert_eq!(parse(passwd, None)["ana"].has_password, None, "whoever may not read shadow cannot tell");
    }
}
