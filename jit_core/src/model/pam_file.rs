//! The files that say who is asked before somebody is let in (pam.d(5)), as they were found.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::UserName;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A file of `/etc/pam.d`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PamFileSeen {
    /// Its name, which is that of its service.
    pub name: String,
    /// Of its exact bytes; absent where they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Whether its account stage asks jitd, by itself or by a file that it takes in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub account: bool,
    /// The same of its session stage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session: bool,
    /// Whether its account stage only watches: PAM hears no refusal of jitd's there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watches: bool,
    /// The accounts that it lets in while jitd does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<UserName>,
}

/// All of them at one time, and what became of them since the time before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PamFiles {
    /// The files, in the order of their names.
    pub files: Vec<PamFileSeen>,
    /// The names of those that are new, gone, other than they were, or were other and are as they were again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<String>,
    /// Services that policy has roles for, and that asked jitd before and do not any more: whoever comes by them is let in
    /// unasked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What sudoers says of PAM, as sudo reads it; absent where there is no such file, or nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudoers: Option<Vec<String>>,
}

impl PamFiles {
    /// What sudoers is called among those that were touched: no file of PAM's has such a name.
    pub const SUDOERS: &str = "/etc/sudoers";

    /// With what sudoers says of PAM now. It is touched where that is other than before, and was looked at then.
    #[must_use]
    pub fn with_sudoers(mut self, before: Option<&Self>, sudoers: Option<Vec<String>>) -> Self {
        if before.is_some_and(|before| before.sudoers.is_some() && before.sudoers != sudoers) {
            self.touched.push(Self::SUDOERS.to_owned());
        }
        self.sudoers = sudoers;
        self
    }

    /// What these files are after those. `written` are the names that something was done to meanwhile, whatever they are
    /// now; `is_managed` says of a service whether policy has a role for it: any other file may come and go.
    #[must_use]
    pub fn after(
        before: Option<&Self>,
        files: Vec<PamFileSeen>,
        written: &BTreeSet<String>,
        is_managed: impl Fn(&str) -> bool,
    ) -> Self {
        let Some(before) = before else { return Self { files, ..Self::default() } };
        let by_name = |files: &[PamFileSeen]| -> BTreeMap<String, PamFileSeen> {
            files.iter().map(|file| (file.name.clone(), file.clone())).collect()
        };
        let (then, now) = (by_name(&before.files), by_name(&files));
        let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        let is_touched = |name: &&&String| {
            // What comes and goes in between, as editors' copies do, is no file of a service.
            let is_known = then.contains_key(**name) || now.contains_key(**name);
            then.get(**name) != now.get(**name) || (is_known && written.contains(**name))
        };
        let asked = then.values().filter(|file| file.account).map(|file| &file.name);
        let asked: BTreeSet<&String> = asked.chain(&before.lost).collect();
        let asks = |name: &&&String| now.get(**name).is_some_and(|file| file.account);
        Self {
            touched: names.iter().filter(is_touched).map(|name| (*name).clone()).collect(),
            lost: asked
                .iter()
                .filter(|name| !asks(name) && is_managed(name))
                .map(|name| (*name).clone())
                .collect(),
            files,
            sudoers: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> PamFileSeen {
        let account = text.contains("account");
        PamFileSeen {
            name: name.to_owned(),
            digest: Some(Digest::of(text.as_bytes())),
            account,
            session: false,
            watches: false,
            recovery: Vec::new(),
        }
    }

    fn after(before: Option<&PamFiles>, files: Vec<PamFileSeen>, written: &BTreeSet<String>) -> PamFiles {
        PamFiles::after(before, files, written, |name| name == "sshd")
    }

    fn written(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_sudoers_says_of_pam_is_touched_once_it_is_other_and_not_when_it_is_first_looked_at() {
        let says = |settings: &[&str]| Some(settings.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>());
        let at = |before: Option<&PamFiles>, says| {
            after(before, vec![file("sudo", "account")], &written(&[])).with_sudoers(before, says)
        };
        let old = after(None, vec![file("sudo", "account")], &written(&[]));
        let first = at(Some(&old), says(&["Defaults !pam_session"]));
        assert!(first.touched.is_empty(), "an earlier jitd did not look");
        assert!(at(Some(&first), first.sudoers.clone()).touched.is_empty());
        for other in [says(&[]), says(&["Defaults pam_session"]), None] {
            let now = at(Some(&first), other.clone());
            assert_eq!((now.touched, now.sudoers), (vec![PamFiles::SUDOERS.to_owned()], other));
        }
    }

    #[test]
    fn a_service_that_no_longer_asks_is_lost_until_it_does_again() {
        let guarded = after(None, vec![file("login", "x"), file("sshd", "account")], &written(&[]));
        assert!(guarded.touched.is_empty() && guarded.lost.is_empty(), "login never asked");
        let open = after(Some(&guarded), vec![file("login", "x"), file("sshd", "#")], &written(&[]));
        assert_eq!((&open.touched[..], &open.lost[..]), (&["sshd".to_owned()][..], &["sshd".to_owned()][..]));
        // Another look, or another jitd, does not forget it.
        let still = after(Some(&open), vec![file("login", "y"), file("sshd", "#")], &written(&[]));
        assert_eq!(
            (&still.touched[..], &still.lost[..]),
            (&["login".to_owned()][..], &["sshd".to_owned()][..])
        );
        // Nor does a file that is gone: PAM then takes /etc/pam.d/other.
        let gone = after(Some(&still), vec![file("login", "y")], &written(&[]));
        assert_eq!(gone.lost, ["sshd"]);
        let back = after(Some(&gone), vec![file("login", "y"), file("sshd", "account")], &written(&[]));
        assert_eq!((&back.touched[..], back.lost.len()), (&["sshd".to_owned()][..], 0));
    }

    #[test]
    fn a_file_that_was_other_and_is_as_it_was_has_been_touched() {
        let all = || vec![file("sshd", "account"), file("su", "x")];
        let before = after(None, all(), &written(&[]));
        let now = after(Some(&before), all(), &written(&["sshd", ".sshd.swp"]));
        assert_eq!((&now.touched[..], now.lost.len()), (&["sshd".to_owned()][..], 0));
        assert!(after(Some(&before), all(), &written(&[])).touched.is_empty());
    }

    #[test]
    fn a_file_that_is_no_service_of_policy_comes_and_goes_without_an_alarm() {
        let before = after(None, vec![file("sshd", "account"), file("sshd.bak", "account")], &written(&[]));
        let now = after(Some(&before), vec![file("sshd", "account")], &written(&[]));
        assert_eq!((&now.touched[..], now.lost.len()), (&["sshd.bak".to_owned()][..], 0));
    }
}
