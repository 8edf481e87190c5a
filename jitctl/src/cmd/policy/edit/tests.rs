use std::collections::VecDeque;
use std::os::unix::fs::symlink;

use super::*;

const BASE: &str = "version = 1\nadmins = { users = [\"root\"] }\n\
                    exempt = [{ users = [\"root\"], services = [\"login\"] }]\n";

/// Types these texts, one for each time the editor opens, and gives these answers, then hangs up.
struct Script {
    texts: VecDeque<String>,
    answers: VecDeque<&'static str>,
    /// What the editor found in the file each time.
    found: Vec<String>,
}

impl Script {
    fn new(texts: &[&str], answers: &[&'static str]) -> Self {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        Self { texts, answers: answers.iter().copied().collect(), found: Vec::new() }
    }
}

impl Person for Script {
    fn edit(&mut self, file: &Path) -> Result<(), String> {
        self.found.push(fs::read_to_string(file).unwrap());
        match self.texts.pop_front() {
            Some(text) => fs::write(file, text).map_err(|why| why.to_string()),
            None => Err("the editor died".to_owned()),
        }
    }

    fn ask(&mut self, _: &str, _: &mut Screen<'_>) -> Option<String> {
        self.answers.pop_front().map(str::to_owned)
    }
}

struct Bench {
    dir: tempfile::TempDir,
    target: Target,
}

impl Bench {
    fn new(files: &[(&str, &str)], name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let target = Target::new(&dir.path().join(name)).unwrap();
        Self { dir, target }
    }

    fn edit(&self, person: &mut Script) -> (Result<Done, String>, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let done = edit(&self.target, person, &mut Screen::new(&mut out, &mut err, false));
        assert!(out.is_empty());
        (done, String::from_utf8(err).unwrap())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.target.path).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

const BROKEN: &str = "version = 1\nnonsense = 1\n";

#[test]
fn a_sound_text_takes_the_files_place_with_its_owner_and_mode() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let path = &bench.target.path;
    fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(path, None, Some(34)).unwrap();
    let new = format!("# new\n{BASE}");
    let mut person = Script::new(&[&new], &[]);
    assert_eq!(bench.edit(&mut person), (Ok(Done::Installed), String::new()));
    assert_eq!(person.found, [BASE]);
    assert_eq!(bench.text(), new);
    let facts = fs::metadata(path).unwrap();
    assert_eq!((facts.mode() & 0o7777, facts.uid(), facts.gid()), (0o640, 0, 34));
    assert_eq!(bench.names(), ["a.toml"]);
}

#[test]
fn root_edits_nothing_where_somebody_else_could_put_a_link_in_the_way() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    fs::set_permissions(&bench.target.folder, Permissions::from_mode(0o777)).unwrap();
    let mut person = Script::new(&[], &[]);
    let (done, _) = bench.edit(&mut person);
    assert!(done.is_err(), "{done:?}");
    assert_eq!(bench.text(), BASE);
}

#[test]
fn a_new_file_begins_with_its_version_and_everybody_may_read_it() {
    let bench = Bench::new(&[("a.toml", BASE)], "b.toml");
    let mut person = Script::new(&["version = 1\n# nothing yet\n"], &[]);
    assert_eq!(bench.edit(&mut person).0, Ok(Done::Installed));
    assert_eq!(person.found, ["version = 1\n"]);
    assert_eq!(fs::metadata(&bench.target.path).unwrap().mode() & 0o7777, 0o644);
}

#[test]
fn a_text_that_stayed_as_it_was_is_not_installed() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    assert_eq!(bench.edit(&mut Script::new(&[BASE], &[])).0, Ok(Done::Unchanged));
    assert_eq!(bench.names(), ["a.toml"]);
}

#[test]
fn a_broken_text_is_shown_with_its_errors_and_can_be_edited_again() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let new = format!("# new\n{BASE}");
    let mut person = Script::new(&[BROKEN, &new], &["what", "s", "e"]);
    let (done, said) = bench.edit(&mut person);
    assert_eq!(done, Ok(Done::Installed));
    assert_eq!(person.found, [BASE, BROKEN]);
    assert_eq!(said.matches("a.toml:2:1").count(), 2, "once, and once more when asked: {said}");
    assert_eq!(bench.text(), new);
}

#[test]
fn a_broken_text_can_be_dropped() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    assert_eq!(bench.edit(&mut Script::new(&[BROKEN], &["x"])).0, Ok(Done::Dropped));
    assert_eq!((bench.text().as_str(), bench.names()), (BASE, vec!["a.toml".to_owned()]));
}

#[test]
fn when_the_terminal_goes_the_text_is_kept_and_the_next_edit_goes_on_with_it() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let (done, _) = bench.edit(&mut Script::new(&[BROKEN], &[]));
    let copy = bench.target.copy();
    let said = done.unwrap_err();
    assert!(said.contains(&format!("kept in {}", copy.display())), "{said}");
    assert!(said.contains("jitctl policy edit "), "{said}");
    assert_eq!((bench.text().as_str(), fs::read_to_string(&copy).unwrap().as_str()), (BASE, BROKEN));
    // Nobody takes it for policy.
    assert_eq!(policy_files(bench.dir.path(), Owner::Anyone).unwrap().len(), 1);

    let new = format!("# new\n{BASE}");
    let mut person = Script::new(&[&new], &[]);
    let (done, said) = bench.edit(&mut person);
    assert_eq!((done, person.found), (Ok(Done::Installed), vec![BROKEN.to_owned()]));
    assert!(said.contains("Going on with the text that was kept in"), "{said}");
    assert_eq!(bench.names(), ["a.toml"]);
}

#[test]
fn an_editor_that_fails_changes_nothing_and_loses_nothing() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let (done, _) = bench.edit(&mut Script::new(&[], &[]));
    assert!(done.unwrap_err().starts_with("the editor died.\nYour text is kept in "));
    assert_eq!(bench.text(), BASE);
}

#[test]
fn the_other_files_of_the_folder_count() {
    const ROLE: &str = "version = 1\n[role.r]\nhosts = [\"*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\n\
                        eligible = { groups = [\"a\"] }\nstage = [{ approvers = { groups = [\"b\"] } }]\n";
    let bench = Bench::new(&[("a.toml", BASE), ("b.toml", ROLE)], "c.toml");
    let (done, said) = bench.edit(&mut Script::new(&[ROLE], &["x"]));
    assert_eq!(done, Ok(Done::Dropped));
    assert!(said.contains("already defined at b.toml:2:7"), "{said}");
}

#[test]
fn an_edit_that_breaks_another_file_is_not_installed() {
    // Without [admins] the finding is about the first file, which nobody touched.
    let bench = Bench::new(&[("a.toml", "version = 1\n"), ("b.toml", BASE)], "b.toml");
    let without = BASE.replace("admins = { users = [\"root\"] }\n", "");
    assert_eq!(bench.edit(&mut Script::new(&[&without], &["x"])).0, Ok(Done::Dropped));
}

#[test]
fn two_broken_files_can_be_mended_one_after_the_other() {
    let bench = Bench::new(&[("a.toml", BROKEN), ("b.toml", BROKEN)], "b.toml");
    let (done, said) = bench.edit(&mut Script::new(&[BASE], &[]));
    assert_eq!(done, Ok(Done::Installed));
    assert!(said.contains("--> a.toml:2:1"), "{said}");
}

#[test]
fn beside_a_file_that_cannot_be_read_nothing_is_installed() {
    let bench = Bench::new(&[("a.toml", BASE), ("b.toml", BASE)], "a.toml");
    fs::remove_file(bench.dir.path().join("b.toml")).unwrap();
    symlink("/dev/null", bench.dir.path().join("b.toml")).unwrap();
    let (done, said) = bench.edit(&mut Script::new(&[BROKEN], &[]));
    assert!(done.unwrap_err().contains("kept in"));
    assert!(said.contains("JIT061"), "{said}");
    assert_eq!(bench.text(), BASE);
}

#[test]
fn a_second_editor_is_locked_out() {
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let first = lock(&bench.target.folder).unwrap();
    let said = bench.edit(&mut Script::new(&[BROKEN], &[])).0.unwrap_err();
    assert!(said.starts_with("somebody else is editing the policy in "), "{said}");
    drop(first);
    assert_eq!(bench.edit(&mut Script::new(&[BASE], &[])).0, Ok(Done::Unchanged));
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    struct Puppet(PathBuf);
    impl Person for Puppet {
        fn edit(&mut self, file: &Path) -> Result<(), String> {
            fs::write(&self.0, format!("# puppet\n{BASE}")).unwrap();
            fs::write(file, format!("# me\n{BASE}")).unwrap();
            Ok(())
        }

        fn ask(&mut self, _: &str, _: &mut Screen<'_>) -> Option<String> {
            None
        }
    }
    let bench = Bench::new(&[("a.toml", BASE)], "a.toml");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen::new(&mut out, &mut err, false);
    let said = edit(&bench.target, &mut Puppet(bench.target.path.clone()), &mut screen).unwrap_err();
    assert!(said.contains("changed by somebody else meanwhile"), "{said}");
    assert!(bench.text().starts_with("# puppet"));
    assert!(fs::read_to_string(bench.target.copy()).unwrap().starts_with("# me"));
}

#[test]
fn a_link_in_the_place_of_the_file_or_of_the_copy_is_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let victim = elsewhere.path().join("victim");
    fs::write(&victim, BASE).unwrap();
    let bench = Bench::new(&[], "a.toml");
    symlink(&victim, &bench.target.path).unwrap();
    assert!(bench.edit(&mut Script::new(&[BROKEN], &[])).0.unwrap_err().contains("not a regular file"));
    fs::remove_file(&bench.target.path).unwrap();
    symlink(&victim, bench.target.copy()).unwrap();
    assert!(bench.edit(&mut Script::new(&[BROKEN], &[])).0.unwrap_err().contains("not a regular file"));
    assert_eq!(fs::read_to_string(&victim).unwrap(), BASE);
}

#[test]
fn a_bare_name_is_a_file_of_this_hosts_policy_and_no_other_name_is_taken() {
    assert_eq!(Target::new(Path::new("20-db.toml")).unwrap().path, Path::new("/etc/jit/policy.d/20-db.toml"));
    assert_eq!(Target::new(Path::new("./20-db.toml")).unwrap().folder, Path::new("."));
    for bad in ["20-db", ".20-db.toml", "/etc/jit/policy.d/", "x/.."] {
        assert!(matches!(Target::new(Path::new(bad)), Err(Error::Usage(_))), "{bad}");
    }
}

#[test]
fn what_jitd_answers_to_the_load_after_an_edit_is_told_of_the_load_and_is_the_exit_code() {
    let name = "a.toml".to_owned();
    let folder = PathBuf::from(POLICY_DIR);
    let target = Target { path: folder.join(&name), folder, name, owner: Owner::Root };
    for (error, code, meant) in [
        (Error::NotRunning, 3, "The policy in force was kept."),
        (Error::NotPermitted("not an admin".to_owned()), 4, "The policy in force was kept."),
        (Error::Refused("a mistake".to_owned()), 1, "The policy in force was kept."),
        (Error::Unconfirmed("the store failed".to_owned()), 3, "Whether the policy was loaded is unknown."),
        (Error::CarriedOut("but then".to_owned()), 3, "The order was carried out."),
    ] {
        let jitd = crate::testing::Script::fails(crate::call::Call::LoadPolicy, error);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen::new(&mut out, &mut err, false);
        let failure = after(&target, None, &mut Script::new(&[], &["y"]), &jitd, &mut screen).unwrap_err();
        assert_eq!(failure.error.exit_code(), code, "{failure:?}");
        let text = failure.message();
        assert!(text.contains(meant) && !text.contains("Nothing was changed"), "{text}");
        assert!(String::from_utf8(err).unwrap().contains("Installed /etc/jit/policy.d/a.toml."));
    }
}
