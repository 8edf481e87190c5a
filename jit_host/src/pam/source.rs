//! Where the files of services are, and what is in them.

use std::io;
use std::path::{Path, PathBuf};

/// The module's file.
pub const MODULE: &str = "pam_jit.so";

/// Where libpam looks for the file of a service, below the root of a host: the site's folder, then that of the packages.
const FOLDERS: [&str; 2] = ["etc/pam.d", "usr/lib/pam.d"];

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Where it was found, as people name it.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// Where the files of services are.
pub trait Source {
    /// The file of this name, or of this absolute path; none where there is no such file.
    fn file(&self, name: &str) -> io::Result<Option<Text>>;
}

/// The folders of a host.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Where each of [`FOLDERS`] is for this process.
    at: [PathBuf; 2],
    /// Where absolute paths begin for it.
    root: PathBuf,
}

impl Folders {
    /// Those of the host that has its root folder here.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { at: FOLDERS.map(|folder| root.join(folder)), root: root.to_owned() }
    }

    /// Those of the host whose `/etc` this is.
    #[must_use]
    pub fn of_etc(etc: &Path) -> Self {
        let [_, packages] = FOLDERS;
        let root = etc.parent().unwrap_or(etc);
        Self { at: [etc.join("pam.d"), root.join(packages)], root: root.to_owned() }
    }

    /// Each as this process finds it, and as people name it.
    fn both(&self) -> impl Iterator<Item = (&Path, PathBuf)> {
        self.at.iter().map(PathBuf::as_path).zip(FOLDERS.map(|folder| Path::new("/").join(folder)))
    }

    /// The names of all files in them, each once, in their order; and the folders that could not be read.
    #[must_use]
    pub fn names(&self) -> (Vec<String>, Vec<PathBuf>) {
        let (mut names, mut unread) = (Vec::new(), Vec::new());
        for (folder, shown) in self.both() {
            match std::fs::read_dir(folder) {
                Ok(entries) => {
                    // libpam follows links; a folder is no file, and what packages leave beside theirs is none of a service.
                    let is_file = |entry: &std::fs::DirEntry| {
                        entry.path().metadata().is_ok_and(|facts| facts.is_file())
                    };
                    let found = entries.flatten().filter(is_file);
                    names.extend(found.filter_map(|entry| entry.file_name().into_string().ok()));
                }
                Err(why) if why.kind() == io::ErrorKind::NotFound => {}
                Err(_) => unread.push(shown),
            }
        }
        names.retain(|name| !is_left_over(name));
        names.sort_unstable();
        names.dedup();
        (names, unread)
    }
}

/// Whether a file is what dpkg, rpm or an editor has left beside another.
fn is_left_over(name: &str) -> bool {
    const ENDS: [&str; 9] =
        [".dpkg-new", ".dpkg-old", ".dpkg-dist", ".dpkg-tmp", ".rpmnew", ".rpmsave", ".bak", ".orig", "~"];
    name.starts_with('.') || ENDS.iter().any(|end| name.ends_with(end))
}

impl Source for Folders {
    fn file(&self, name: &str) -> io::Result<Option<Text>> {
        if let Some(below) = name.strip_prefix('/') {
            let path = self.root.join(below.trim_start_matches('/'));
            return Ok(read(&path)?.map(|text| Text { path: name.into(), text }));
        }
        if name.is_empty() || name.contains('/') || name.starts_with("..") {
            return Ok(None);
        }
        for (folder, shown) in self.both() {
            if let Some(text) = read(&folder.join(name))? {
                return Ok(Some(Text { path: shown.join(name), text }));
            }
        }
        Ok(None)
    }
}

/// What is in a file; none where there is none. What is no file, such as a device, is not waited for.
fn read(path: &Path) -> io::Result<Option<String>> {
    let is_absent = |why: &io::Error| why.kind() == io::ErrorKind::NotFound;
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_file() => {}
        Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
        Err(why) if is_absent(&why) => return Ok(None),
        Err(why) => return Err(why),
    }
    match std::fs::read(path) {
        // PAM reads bytes; a comment may be in any encoding.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(why) if is_absent(&why) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Whether a path of a PAM file is the module's.
#[must_use]
pub fn is_module(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(|name| name == MODULE)
}

/// Whether it is that of the module which begins a session with logind, and with it the person's own manager.
#[must_use]
pub fn is_logind(path: &str) -> bool {
    Path::new(path).file_name().is_some_and(|name| name == "pam_systemd.so" || name == "pam_elogind.so")
}

#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;

    use super::*;

    /// Files that are made up.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

    impl Files {
        pub(crate) fn new(files: &[(&str, &str)]) -> Self {
            Self(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
        }
    }

    impl Source for Files {
        fn file(&self, name: &str) -> io::Result<Option<Text>> {
            let of = |text: &String| Text { path: Path::new("/etc/pam.d").join(name), text: text.clone() };
            Ok(self.0.get(name).map(of))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_sites_file_comes_before_the_one_of_a_package_and_a_folder_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("etc/pam.d/sshd", "site"),
            ("usr/lib/pam.d/sshd", "package"),
            ("usr/lib/pam.d/polkit-1", "package"),
            ("etc/pam.d/sudo.dpkg-dist", "left"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(root.path().join("etc/pam.d/folder")).unwrap();
        let folders = Folders::below(root.path());
        assert_eq!(folders.names(), (vec!["polkit-1".to_owned(), "sshd".to_owned()], Vec::new()));
        let found = |name: &str| folders.file(name).unwrap().map(|found| (found.path, found.text));
        assert_eq!(found("sshd"), Some(("/etc/pam.d/sshd".into(), "site".to_owned())));
        assert_eq!(found("polkit-1"), Some(("/usr/lib/pam.d/polkit-1".into(), "package".to_owned())));
        assert_eq!(found("absent"), None);
        assert_eq!(found("../passwd"), None);
        assert!(folders.file("folder").is_err(), "one that cannot be read is not absent");
        // libpam opens a path that begins with a slash as it is.
        assert_eq!(found("/etc/pam.d/sshd"), Some(("/etc/pam.d/sshd".into(), "site".to_owned())));
        assert_eq!(found("/etc/pam.d/absent"), None);
        assert!(folders.file("/etc/pam.d").is_err());
        let of_etc = Folders::of_etc(&root.path().join("etc"));
        assert_eq!(of_etc.file("/usr/lib/pam.d/sshd").unwrap().unwrap().text, "package");
        assert!(of_etc.file("polkit-1").unwrap().is_some());
    }
}
