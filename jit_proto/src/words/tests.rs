use proptest::prelude::*;

use super::*;
use crate::text::is_unprintable;

#[test]
fn a_hostile_user_name_is_refused_with_its_place() {
    for bad in [
        "",
        "-rf",
        "+",
        "@dba",
        " a",
        "a ",
        " ",
        "a\nb",
        "a\0b",
        "a\u{1b}[2J",
        "a\u{9b}2J",
        "a/b",
        "a,b",
        "*",
        "a*",
        "a?b",
        "a:b",
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200b}b",
        "a\u{a0}b",
        "a\u{3000}b",
        "a\u{ad}b",
        "a\u{fe0f}",
        "a\u{e0041}",
        "\u{3164}",
        "\u{2800}",
        "a\tb",
        "a\u{2028}b",
        "\u{feff}a",
        &"x".repeat(256),
        &"ü".repeat(128),
    ] {
        assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
    }
    let err = "maria\n".parse::<UserName>().unwrap_err().to_string();
    assert!(err.contains("U+000A") && err.contains("byte 5"), "{err}");
}

#[test]
fn the_names_that_directories_and_machines_have_are_names() {
    for good in [
        "maria",
        "adm-maria",
        "maria@corp.example",
        "CORP\\maria",
        "host$",
        "_apt",
        "0day",
        "john smith",
        "müller",
        "Łukasz",
        "Ελένη",
        "山田",
        "domain users",
        "DBA-Ärzte",
        "o'neill",
        "a%n",
        "50% (temp)",
        &"ü".repeat(127),
    ] {
        assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        assert_eq!(good.parse::<GroupName>().unwrap().as_str(), good);
    }
}

#[test]
fn the_kernels_no_uid_is_not_a_uid() {
    assert!(Uid::try_from(u32::MAX).is_err());
    assert_eq!(Uid::try_from(u32::MAX - 1).unwrap().as_u32(), u32::MAX - 1);
    assert!(serde_json::from_str::<Uid>("4294967295").is_err());
}

#[test]
fn a_reason_is_one_printable_line() {
    assert_eq!("  INC-1 disk  ".parse::<Reason>().unwrap().as_str(), "INC-1 disk");
    for bad in ["", "   ", "a\nb", "a\u{202e}b", &"x".repeat(1025)] {
        assert!(bad.parse::<Reason>().is_err(), "{bad:?}");
    }
}

#[test]
fn su_and_sudo_and_their_login_forms_ask_about_the_caller() {
    for (service, family) in
        [("su", "su"), ("su-l", "su"), ("sudo", "sudo"), ("sudo-i", "sudo"), ("sudo-backup", "sudo")]
    {
        let service: ServiceName = service.parse().unwrap();
        assert!(subject_is_caller(&service), "{service}");
        assert_eq!(service.family(), family);
    }
    for service in ["sshd", "sudoku", "su-x", "login"] {
        let service: ServiceName = service.parse().unwrap();
        assert!(!subject_is_caller(&service), "{service}");
        assert_eq!(service.family(), service.as_str());
    }
}

proptest! {
    #[test]
    fn an_id_reads_back_as_it_was_written(bits: u64) {
        let id = RequestId::from_bits(bits);
        prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
        prop_assert_eq!(RequestId::from(GrantId::from(id)), id);
    }

    #[test]
    fn no_text_makes_a_name_with_an_unprintable_character(text: String) {
        if let Ok(name) = text.parse::<UserName>() {
            prop_assert!(!name.as_str().chars().any(is_unprintable));
        }
    }
}
