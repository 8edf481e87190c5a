//! What policy says of how logins at a service end.

use super::*;

#[test]
fn of_a_service_it_is_said_once_that_its_process_ends_where_that_is_not_about_its_caller() {
    for (services, code) in [
        ("sshd = { ends = \"process\" }", None),
        ("vsftpd = { ends = \"process\" }", Some("JIT112")),
        ("sshd = { ends = \"program\" }", Some("JIT025")),
        ("sshd = { ends = true }", Some("JIT015")),
        ("sshd = {}", Some("JIT014")),
        ("sshd = { ends = \"process\", at-end = \"keep\" }", Some("JIT012")),
        ("sudo = { ends = \"process\" }", Some("JIT110")),
        ("su-l = { ends = \"process\" }", Some("JIT110")),
        ("\"../sshd\" = { ends = \"process\" }", Some("JIT017")),
    ] {
        let text = WHOLE.replacen("version = 1", &format!("version = 1\nservice = {{ {services} }}"), 1);
        let all = |files: &[SourceFile]| match Policy::parse(files) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        };
        let before = all(&[file("a.toml", WHOLE)]);
        let found = all(&[file("a.toml", &text)]);
        let found: Vec<_> = found.iter().map(|one| one.code).collect();
        let expected: Vec<_> = before.iter().map(|one| one.code).chain(code).collect();
        assert_eq!(found, expected, "{services}");
    }
    let more = file("b.toml", "version = 1\n[service.sshd]\nends = \"process\"\n");
    let files = [file("a.toml", WHOLE), more.clone(), SourceFile { name: "c.toml".to_owned(), ..more }];
    let found = Policy::parse(&files).unwrap_err();
    assert!(found.iter().any(|one| one.code == "JIT111"), "{found:#?}");
}

#[test]
fn beside_the_process_that_ends_no_program_of_the_sites_does_and_that_is_said() {
    let both = |ends: &str, end_as: &str| {
        let asker = format!("[[asker]]\naccount = \"pg\"\nservices = [\"sshd\"]\n{end_as}\n{ends}");
        let loaded = Policy::parse(&[file("a.toml", WHOLE), file("b.toml", format!("version = 1\n{asker}"))]);
        let found =
            loaded.unwrap().warnings.into_iter().filter(|one| one.code == "JIT115").collect::<Vec<_>>();
        found.into_iter().map(|one| (one.message, one.file, one.line)).collect::<Vec<_>>()
    };
    let (ends, end_as) = ("[service.sshd]\nends = \"process\"\n", "end-as = \"dba\"");
    let found = both(ends, end_as);
    let [(message, file, line)] = &found[..] else { panic!("{found:?}") };
    assert!(message.contains("`ends` counts for `sshd`, so /etc/jit/end.d/sshd is not run"), "{message}");
    assert_eq!((file.as_str(), *line), ("b.toml", 6));
    assert_eq!([both(ends, ""), both("", end_as)], [vec![], vec![]]);
}
