//! What was read of a host, and what could not be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use jit_core::services;
use jit_proto::words::ServiceName;

use super::accounts::Accounts;
use super::reading::Unseen;
use super::sshd::Sshd;
use crate::pam::{Folders, Stack, Stage};
use crate::sudoers::{Found, Setting, read};

/// What a host's files say.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The stack of each service that has a file.
    pub stacks: BTreeMap<String, Stack>,
    /// sshd's settings; none where there is no sshd.
    pub sshd: Option<Sshd>,
    /// What sudoers(5) sets that is about PAM.
    pub sudoers: Vec<Setting>,
    /// The accounts of the host's own files.
    pub accounts: Accounts,
    /// Consoles that log somebody in by themselves: the files that say so.
    pub autologin: Vec<PathBuf>,
    /// Whether the module is in a folder of PAM's modules.
    pub has_module: bool,
    /// Whether there is a run0(1), which becomes root without sudo.
    pub has_run0: bool,
    /// What could not be read.
    pub unseen: Vec<Unseen>,
}

impl Seen {
    /// Reads what there is of the host that has its root folder here.
    #[must_use]
    pub fn gather(root: &Path) -> Self {
        let mut seen = Self::default();
        seen.read_stacks(&Folders::below(root));
        let sshd = Sshd::read(root, &mut seen.unseen);
        let sudoers = sudoers(root, &mut seen.unseen);
        let accounts = Accounts::read(root, &mut seen.unseen);
        Self {
            sshd,
            sudoers,
            accounts,
            autologin: autologin(root),
            has_module: has_module(root),
            has_run0: root.join("usr/bin/run0").exists(),
            ..seen
        }
    }

    fn read_stacks(&mut self, folders: &Folders) {
        let (names, unread) = folders.names();
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        self.unseen.extend(unread.iter().map(|folder| Unseen::new(folder, &denied)));
        for name in names {
            match Stack::read(folders, &name) {
                Ok(Some(stack)) => {
                    self.stacks.insert(name, stack);
                }
                Ok(None) => {}
                Err(why) => self.unseen.push(Unseen::new(&Path::new("/etc/pam.d").join(name), &why)),
            }
        }
    }

    /// The services that ask jitd before they let somebody in.
    pub fn asking(&self) -> impl Iterator<Item = (&str, &Stack)> {
        let asks = |(_, stack): &(&String, &Stack)| stack.asks_at(Stage::Account);
        self.stacks
            .iter()
            .filter(|(name, _)| !is_shared(name))
            .filter(asks)
            .map(|(name, stack)| (name.as_str(), stack))
    }

    /// Whether a service asks jitd before it lets somebody in.
    #[must_use]
    pub fn asks(&self, service: &str) -> bool {
        self.stacks.get(service).is_some_and(|stack| stack.asks_at(Stage::Account))
    }
}

/// Whether a PAM file is no service's, and is taken in by many.
#[must_use]
pub fn is_shared(name: &str) -> bool {
    const OF_OTHERS: [&str; 8] = [
        "system-auth",
        "password-auth",
        "system-login",
        "system-local-login",
        "system-remote-login",
        "postlogin",
        "smartcard-auth",
        "fingerprint-auth",
    ];
    name.starts_with("common-") || OF_OTHERS.contains(&name.trim_end_matches("-ac"))
}

/// Whether people log in by a service of this name who are not in yet.
#[must_use]
pub fn is_login(name: &str) -> bool {
    name.parse::<ServiceName>().is_ok_and(|service| services::is_login(&service))
}

/// Whether the module is where libpam looks for modules: a folder `security` of a folder for libraries, or of one of an
/// architecture's in it.
fn has_module(root: &Path) -> bool {
    let libraries = ["lib", "lib64", "usr/lib", "usr/lib64"].map(|folder| root.join(folder));
    let is_in = |folder: &Path| folder.join("security").join(crate::pam::MODULE).exists();
    libraries.iter().any(|folder| {
        let mut inside = fs::read_dir(folder).into_iter().flatten().flatten();
        is_in(folder)
            || inside
                .any(|entry| entry.file_name().to_string_lossy().contains("-linux-") && is_in(&entry.path()))
    })
}

/// What sudoers sets by which sudo passes a stage of PAM over, or asks another service, each without blanks.
fn sudoers(root: &Path, unseen: &mut Vec<Unseen>) -> Vec<Setting> {
    let mut settings = Vec::new();
    for found in read(root).unwrap_or_default() {
        match found {
            Found::Setting(one) => {
                settings.push(Setting { text: one.text.split_whitespace().collect(), ..one });
            }
            Found::Unread { file, why } => {
                unseen.push(Unseen { what: file.display().to_string(), why: why.to_owned() });
            }
        }
    }
    let is_meant = |text: &str| {
        matches!(text, "!pam_acct_mgmt" | "!pam_session")
            || ["pam_service=", "pam_login_service="].iter().any(|name| text.starts_with(name))
    };
    settings.retain(|one| is_meant(&one.text));
    settings
}

/// The units by which a getty logs somebody in by itself (agetty(8)).
fn autologin(root: &Path) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    for folder in ["etc/systemd/system", "run/systemd/system"] {
        let units = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let of_getty = units.filter(|entry| entry.file_name().to_string_lossy().contains("getty"));
        for entry in of_getty {
            let inside = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let files = inside.map(|file| file.path()).chain([entry.path()]);
            for file in files.filter(|file| file.is_file()) {
                let text = fs::read_to_string(&file).unwrap_or_default();
                let starts = text.lines().filter(|line| line.trim_start().starts_with("ExecStart="));
                if starts.into_iter().any(|line| line.contains("--autologin") || line.contains(" -a "))
                    && let Ok(path) = file.strip_prefix(root)
                {
                    found.insert(Path::new("/").join(path));
                }
            }
        }
    }
    found.into_iter().collect()
}
