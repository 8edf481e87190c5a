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
