//! People who share an account, and persons whom a role is for.

use super::*;

const KIM: &str = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";
const LEE: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

fn with_people(people: &str, eligible: &str) -> String {
    let role = with_role(&ROLE_LINES.replace(r#"{ groups = ["dba"] }"#, eligible));
    format!("{role}\n[people]\n{people}\n")
}

fn shared() -> Policy {
    let people = format!(
        r#"kim = {{ accounts = ["support"], own = ["kim", "adm-kim"], ssh-keys = ["{KIM}"] }}
lee = {{ accounts = ["support"], ssh-keys = ["{LEE}"] }}"#
    );
    load(&with_people(&people, r#"{ people = ["kim"] }"#))
}

#[test]
fn a_key_says_who_comes_by_a_shared_account_and_by_no_other() {
    let policy = shared();
    let people = policy.people();
    let by = |account: &str, keys: &[&str]| {
        people.by_keys(&account.parse().unwrap(), keys.iter().copied()).map(ToString::to_string)
    };
    assert_eq!(by("support", &[KIM]).as_deref(), Some("kim"));
    assert_eq!(by("support", &["no key at all", LEE]).as_deref(), Some("lee"));
    assert_eq!((by("support", &[KIM, LEE]), by("support", &[]), by("other", &[KIM])), (None, None, None));
    assert_eq!(by("kim", &[KIM]), None, "that one is hers however she comes");
    assert!(people.is_shared(&"support".parse().unwrap()) && !people.is_shared(&"kim".parse().unwrap()));
    assert_eq!(people.of_account(&"support".parse().unwrap()), None);
    assert!(people.same(&"kim".parse().unwrap(), &"adm-kim".parse().unwrap()));
}

#[test]
fn one_persons_account_is_by_their_key_too_where_they_list_one() {
    let people = format!(r#"kim = {{ accounts = ["support"], ssh-keys = ["{KIM}"] }}"#);
    let policy = load(&with_people(&people, r#"{ people = ["kim"] }"#));
    assert!(policy.people().is_shared(&"support".parse().unwrap()), "another key there is not hers");
}

#[test]
fn a_person_is_eligible_on_a_shared_account_as_themselves_and_by_accounts_of_their_own() {
    let policy = shared();
    let role = policy.role(&"r".parse().unwrap()).unwrap();
    let support = subject("support", &[]);
    let as_person = |name: &str| support.as_person(Some(name.parse().unwrap()));
    let who = [support.clone(), as_person("kim"), as_person("lee"), subject("kim", &[]), subject("lee", &[])];
    let eligible = who.each_ref().map(|one| role.eligible.contains(one));
    assert_eq!(eligible, [false, true, false, true, false]);
    let open = who.each_ref().map(|one| policy.roles_open_to(one, &"sshd".parse().unwrap()).next().is_some());
    assert_eq!(open, eligible, "the index agrees");
    assert_eq!(role.eligible.to_string(), "person kim");
}

#[test]
fn whom_a_role_is_for_is_part_of_its_terms_and_of_no_others() {
    let text = |eligible: &str| {
        let people = format!(r#"kim = {{ accounts = ["support"], ssh-keys = ["{KIM}"] }}"#);
        with_people(&people, eligible)
    };
    let digest = |eligible: &str| {
        let policy = load(&text(eligible));
        policy.role(&"r".parse().unwrap()).unwrap().terms_digest()
    };
    assert_ne!(digest(r#"{ users = ["ana"], people = ["kim"] }"#), digest(r#"{ users = ["ana"] }"#));
    assert_ne!(digest(r#"{ people = ["kim"] }"#), digest(r#"{ users = ["kim"] }"#));
    let without = load(&with_role(&ROLE_LINES.replace(r#"{ groups = ["dba"] }"#, r#"{ users = ["ana"] }"#)));
    let without = without.role(&"r".parse().unwrap()).unwrap().terms_digest();
    assert_eq!(digest(r#"{ users = ["ana"] }"#), without, "who shares an account is no term of a role");
}

#[test]
fn an_account_is_one_persons_alone_or_shared_by_people_with_keys_and_a_key_is_one_persons() {
    let of = |people: &str| codes(&with_people(people, r#"{ groups = ["dba"] }"#));
    let kim = format!(r#"kim = {{ accounts = ["support"], ssh-keys = ["{KIM}"] }}"#);
    assert_eq!(of(&kim), Vec::<&str>::new());
    for (other, code) in [
        (r#"lee = { accounts = ["support"] }"#.to_owned(), "JIT038"),
        (format!(r#"lee = {{ accounts = ["x"], own = ["support"], ssh-keys = ["{LEE}"] }}"#), "JIT038"),
        (format!(r#"lee = {{ accounts = ["support"], ssh-keys = ["{KIM}"] }}"#), "JIT038"),
        (r#"lee = { accounts = ["support"], ssh-keys = [] }"#.to_owned(), "JIT016"),
        (r#"lee = { accounts = ["support"], ssh-keys = ["MD5:00:11"] }"#.to_owned(), "JIT017"),
        (format!(r#"lee = {{ accounts = ["support"], ssh-keys = ["{LEE}="] }}"#), "JIT017"),
        (format!(r#"lee = {{ accounts = ["support"], ssh-keys = ["{}V"] }}"#, &LEE[..49]), "JIT017"),
    ] {
        // In whichever order they stand.
        for people in [format!("{kim}\n{other}"), format!("{other}\n{kim}")] {
            assert!(of(&people).contains(&code), "{people}: {:?}", of(&people));
        }
    }
    assert_eq!(codes(&with_people(&kim, r#"{ people = ["lee"] }"#)), ["JIT113"]);
    let approvers = with_people(&kim, r#"{ groups = ["dba"] }"#);
    let approvers = approvers.replace(r#"{ groups = ["leads"] }"#, r#"{ people = ["kim"] }"#);
    assert!(codes(&approvers).contains(&"JIT012"), "who approves is named by accounts");
}

#[test]
fn what_changes_of_who_shares_an_account_and_by_which_key_is_a_difference() {
    let kim = format!(r#"kim = {{ accounts = ["support"], ssh-keys = ["{KIM}"] }}"#);
    let both = format!("{kim}\nlee = {{ accounts = [\"support\"], ssh-keys = [\"{LEE}\"] }}");
    let of = |people: &str| load(&with_people(people, r#"{ people = ["kim"] }"#));
    let lines: Vec<String> = diff(&of(&kim), &of(&both)).iter().map(ToString::to_string).collect();
    assert!(
        lines.iter().any(|line| line.contains("account support is shared by kim, lee, was shared by kim"))
    );
    assert!(
        lines.iter().any(|line| line.contains(&format!("ssh key {LEE} is lee, was nobody's"))),
        "{lines:?}"
    );
}

#[test]
fn whom_a_rule_names_it_names_by_every_name_that_the_account_files_have_for_them() {
    let policy = load(&with_role(&ROLE_LINES.replace(r#"{ groups = ["dba"] }"#, r#"{ users = ["maria"] }"#)));
    let alias = Subject { also: [user("maria")].into(), is_local: true, ..subject("Maria", &[]) };
    let toor =
        Subject { uid: Uid::ROOT, also: [user("root")].into(), is_local: true, ..subject("toor", &[]) };
    let other = subject("Maria", &[]);
    let role = policy.role(&"r".parse().unwrap()).unwrap();
    assert!(role.eligible.contains(&alias) && !role.eligible.contains(&other));
    assert!(policy.roles_open_to(&alias, &"sshd".parse().unwrap()).next().is_some());
    assert!(policy.is_admin(&toor) && policy.exempt(&toor, &"login".parse().unwrap(), None));
    // A directory's name of the same uid is none of theirs, and is not maria for that.
    for account in [alias, toor] {
        let strange = Subject { is_local: false, ..account };
        assert!(!role.eligible.contains(&strange) && !policy.is_admin(&strange), "{strange:?}");
        assert!(policy.roles_open_to(&strange, &"sshd".parse().unwrap()).next().is_none());
        assert!(!policy.exempt(&strange, &"login".parse().unwrap(), None));
        assert!(strange.also.iter().all(|name| strange.is_called(name)), "it is kept out as they are");
    }
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}
