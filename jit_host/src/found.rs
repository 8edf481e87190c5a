//! What this host says of a name that an admin is about to lock: whether it is there, and which names are like it.
//!
//! The lists are those of the host's own files; what a directory holds besides is asked by name alone.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use jit_core::orders::lock::Found;
use jit_proto::words::{GroupName, ServiceName};
use nix::unistd::Group;

/// Where PAM looks for the file of a service (pam.d(5)): the site's folder and that of the packages.
const PAM: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// The accounts of /etc/passwd; whether one is there, the name service says.
#[must_use]
pub fn accounts() -> BTreeSet<String> {
    first_fields("/etc/passwd")
}

/// A group. Asks the name service, which can hang for as long as a directory server does.
#[must_use]
pub fn group(name: &GroupName) -> Found {
    let is_there = match Group::from_name(name.as_str()) {
        // An answer under another name is not this group.
        Ok(found) => Some(found.is_some_and(|found| found.name == name.as_str())),
        Err(_) => None,
    };
    Found { is_there, others: first_fields("/etc/group") }
}

/// A service: whether it, or another of its family, has a file.
#[must_use]
pub fn service(name: &ServiceName) -> Found {
    service_in(&PAM.map(Path::new), name)
}

fn service_in(folders: &[&Path], name: &ServiceName) -> Found {
    let mut others = BTreeSet::new();
    let mut all_read = true;
    for folder in folders {
        match fs::read_dir(folder) {
            Ok(entries) => {
                let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
                others.extend(names);
            }
            Err(why) => all_read &= why.kind() == ErrorKind::NotFound,
        }
    }
    let is_meant =
        |other: &String| other.parse().is_ok_and(|other: ServiceName| other.family() == name.family());
    let is_there = others.iter().any(is_meant);
    Found { is_there: (is_there || all_read).then_some(is_there), others }
}

/// The names of passwd(5) or group(5).
fn first_fields(path: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_there_if_any_of_its_family_has_a_file_in_either_folder() {
        let (site, vendor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(site.path().join("sudo"), "").unwrap();
        fs::write(vendor.path().join("polkit-1"), "").unwrap();
        let folders = [site.path(), vendor.path(), Path::new("/nonexistent")];
        for (name, is_there) in [("sudo-i", true), ("polkit-1", true), ("ssh", false), ("su", false)] {
            let found = service_in(&folders, &name.parse().unwrap());
            assert_eq!(found.is_there, Some(is_there), "{name}");
            assert!(found.others.contains("polkit-1"));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_read_proves_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(service_in(&[file.path()], &"sshd".parse().unwrap()).is_there, None);
    }

    #[test]
    fn groups_are_known_by_their_own_names() {
        assert_eq!(group(&"root".parse().unwrap()).is_there, Some(true));
        assert_ne!(group(&"no-such-group-here".parse().unwrap()).is_there, Some(true));
        assert!(accounts().contains("root"));
    }
}
