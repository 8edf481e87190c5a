//! Names that a role has from elsewhere.

use super::*;

#[test]
fn a_name_that_a_profile_or_a_set_brings_is_found_where_that_names_it() {
    let text = format!(
        "{BASE}[role.r]\nprofile = \"p\"\n[profile.p]\nhosts = [\"db-*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\n\
         eligible = {{ groups = [\"dba\"] }}\nstage = [{{ approvers = {{ sets = [\"s\"] }} }}]\n[set.s]\ngroups = [\"leads\"]\n"
    );
    let facts = host(&[("dba", Group::Absent), ("leads", Group::Absent)]);
    assert_eq!(
        said(&text, &facts),
        [
            "a.toml:14:25: error JIT070: there is no group `dba` on this host",
            "a.toml:17:11: error JIT070: there is no group `leads` on this host",
        ]
    );
}
