use super::*;
use zbus::Message;

fn uid(number: u32) -> Uid {
    Uid::try_from(number).unwrap()
}

fn call(sender: &str, serial: u32) -> Heard {
    Heard { kind: Kind::Call, serial, sender: sender.into(), len: 200 }
}

/// An admission to which these senders are known.
fn with(known: &[(&str, u32)]) -> Admission {
    let mut admission = Admission::new(true);
    for (sender, number) in known {
        admission.known(sender, Some(uid(*number)));
    }
    admission
}

/// Sends as many calls as are let in.
fn flood(admission: &mut Admission, sender: &str) -> usize {
    (1..10_000).take_while(|serial| admission.judge(&call(sender, *serial), 0) == Verdict::Admit).count()
}

#[test]
fn a_header_is_read_in_either_order_of_bytes() {
    for endian in [Endian::Little, Endian::Big] {
        let message = Message::method_call("/a/path", "Introspect")
            .endian(endian)
            .interface("org.freedesktop.DBus.Introspectable")
            .destination("org.jitd.Jit1")
            .sender(":1.7")
            .serial(NonZeroU32::new(9).unwrap())
            .build(&("abc",))
            .unwrap();
        let bytes = message.data();
        let start = Start::parse(*bytes.first_chunk().unwrap()).unwrap();
        assert_eq!(start.len(), bytes.len());
        let heard = Heard::parse(&start, &bytes[..start.header()]).unwrap();
        assert_eq!(heard, Heard { kind: Kind::Call, serial: 9, sender: ":1.7".into(), len: bytes.len() });
    }
    assert!(Start::parse([0; START]).is_none());
}

#[test]
fn one_users_calls_are_counted_over_all_connections_and_interfaces_and_nobody_elses_with_them() {
    let mut all = with(&[(":1.1", 1001), (":1.2", 1001), (":1.3", 1002), (":1.4", 0)]);
    assert_eq!(flood(&mut all, ":1.1"), IN_FLIGHT.each);
    assert_eq!(flood(&mut all, ":1.2"), 0);
    assert_eq!(flood(&mut all, ":1.3"), IN_FLIGHT.each);
    assert_eq!(flood(&mut all, ":1.4"), IN_FLIGHT_OF_ROOT);
    // The reply makes room for one more, on whichever connection.
    all.answered(":1.1", 1);
    assert_eq!(all.judge(&call(":1.2", 1), 0), Verdict::Admit);
    assert_ne!(all.judge(&call(":1.2", 2), 0), Verdict::Admit);
}

#[test]
fn a_reply_to_no_call_gives_no_place_back() {
    let mut all = with(&[(":1.1", 1001)]);
    flood(&mut all, ":1.1");
    all.answered(":1.1", 9999);
    all.answered(":1.9", 1);
    assert_eq!(flood(&mut all, ":1.1"), 0);
    // Nor does a second call of the same serial, whose answer would be taken for that of the first.
    assert_eq!(all.judge(&call(":1.1", 1), 5000), Verdict::Drop);
    assert_eq!(all.judge(&Heard { len: MOST_OF_A_CALL + 1, ..call(":1.1", 1) }, 5000), Verdict::Drop);
}

#[test]
fn a_place_whose_call_is_never_answered_comes_back_after_its_life() {
    let mut all = with(&[(":1.1", 1001)]);
    flood(&mut all, ":1.1");
    assert_ne!(all.judge(&call(":1.1", 100), LIFE - 1), Verdict::Admit);
    assert_eq!(all.judge(&call(":1.1", 100), LIFE + 1000), Verdict::Admit);
}

#[test]
fn a_stranger_waits_until_the_bus_has_said_who_it_is_and_not_in_any_number() {
    let mut all = Admission::new(true);
    let stranger = |serial| call(":1.1", serial);
    assert_eq!(all.judge(&stranger(1), 0), Verdict::Wait { ask: true });
    for serial in 2..=4 {
        assert_eq!(all.judge(&stranger(serial), 0), Verdict::Wait { ask: false });
    }
    assert_eq!(all.judge(&stranger(5), 0), Verdict::TurnAway);
    all.known(":1.1", Some(uid(1001)));
    for serial in 1..=4 {
        all.waits_no_longer(&stranger(serial));
        assert_eq!(all.judge(&stranger(serial), 0), Verdict::Admit);
    }
    assert!(all.waiting.is_empty() && all.asked_about.is_empty());

    // One of whom the bus says nothing is nobody, and above all not root.
    assert_eq!(all.judge(&call(":1.2", 1), 0), Verdict::Wait { ask: true });
    all.known(":1.2", None);
    all.waits_no_longer(&call(":1.2", 1));
    assert_eq!(all.judge(&call(":1.2", 1), 0), Verdict::Wait { ask: true });
}

#[test]
fn all_that_strangers_send_has_an_end_in_number_and_in_bytes() {
    let waits = |all: &mut Admission, sender: u32, serial, len| {
        let sends = Heard { len, ..call(&format!(":1.{sender}"), serial) };
        matches!(all.judge(&sends, 0), Verdict::Wait { .. })
    };
    let mut all = Admission::new(true);
    assert_eq!((0..100_000).take_while(|sender| waits(&mut all, *sender, 1, 200)).count(), WAIT_SENDERS);
    let mut all = Admission::new(true);
    for len in [*WAIT_BYTES_EACH.end(), 4000, 2000, *WAIT_BYTES_EACH.start()] {
        assert!((0..100_000).any(|sender| !waits(&mut all, sender, len.try_into().unwrap(), len)), "{len}");
        assert!(all.waiting_bytes <= WAIT_BYTES);
    }
    let mut all = Admission::new(true);
    assert_eq!((1..100).take_while(|serial| waits(&mut all, 1, *serial, 200)).count(), WAIT_EACH);
    assert_eq!((1..100).take_while(|serial| waits(&mut all, 2, *serial, 3000)).count(), 2);
    let mut all = Admission::new(true);
    assert!(!waits(&mut all, 3, 1, WAIT_BYTES_EACH.end() + 1));
    assert!(waits(&mut all, 3, 1, *WAIT_BYTES_EACH.end()));
}

/// On dbus-daemon there are 2,048, and of dbus-broker's so many are three users'.
#[test]
fn whoever_has_thousands_of_connections_to_the_bus_keeps_no_strangers_call_out() {
    const OTHERS: u32 = 3 * 4096;
    for len in [200, 900, 1500, 5000, 8000] {
        let mut all = Admission::new(true);
        for sender in 0..OTHERS {
            for serial in 1..=20 {
                all.judge(&Heard { len, ..call(&format!(":1.{sender}"), serial) }, 0);
            }
        }
        assert_eq!(all.judge(&call(":2.1", 1), 0), Verdict::Wait { ask: true }, "{len}");
    }
    // And when the bus has said of all of them that they are one user's.
    let mut all = Admission::new(true);
    for sender in 0..OTHERS {
        let sender = format!(":1.{sender}");
        all.known(&sender, Some(uid(1066)));
        for serial in 1..=20 {
            all.judge(&call(&sender, serial), 0);
        }
    }
    all.known(":2.1", Some(uid(1001)));
    assert_eq!(flood(&mut all, ":2.1"), IN_FLIGHT.each);
}

#[test]
fn a_call_that_is_too_long_is_turned_away_whoever_sends_it() {
    let mut all = with(&[(":1.1", 1001), (":1.4", 0)]);
    for sender in [":1.1", ":1.4", ":1.9"] {
        let long = Heard { len: MOST_OF_A_CALL + 1, ..call(sender, 1) };
        assert_eq!(all.judge(&long, 0), Verdict::TurnAway);
    }
    assert_eq!(all.judge(&Heard { len: MOST_OF_A_CALL, ..call(":1.1", 1) }, 0), Verdict::Admit);
}

#[test]
fn nobodys_signals_are_heard_but_the_buss_and_no_reply_but_to_what_was_asked() {
    let mut all = with(&[(":1.1", 1001), (":1.4", 0)]);
    let message = |kind, sender: &str| Heard { kind, ..call(sender, 1) };
    for sender in [":1.1", ":1.4", ":1.9"] {
        for kind in [Kind::Signal, Kind::Reply(None), Kind::Reply(Some(5))] {
            assert_eq!(all.judge(&message(kind, sender), 0), Verdict::Drop);
        }
    }
    for kind in [Kind::Signal, Kind::Reply(Some(1))] {
        assert_eq!(all.judge(&message(kind, BUS), 0), Verdict::Admit);
    }
    all.asked(NonZeroU32::new(5).unwrap());
    assert_eq!(all.judge(&message(Kind::Reply(Some(5)), ":1.4"), 0), Verdict::Admit);
    assert_eq!(all.judge(&message(Kind::Reply(Some(5)), ":1.4"), 0), Verdict::Drop, "the second");
}

#[test]
fn where_nothing_is_served_nothing_is_heard_but_answers() {
    let mut all = Admission::new(false);
    all.known(":1.4", Some(Uid::ROOT));
    for sender in [":1.4", ":1.9"] {
        assert_eq!(all.judge(&call(sender, 1), 0), Verdict::Drop);
    }
    all.asked(NonZeroU32::MIN);
    let reply = Heard { kind: Kind::Reply(Some(1)), ..call(":1.4", 1) };
    assert_eq!(all.judge(&reply, 0), Verdict::Admit);
}

#[test]
fn what_is_kept_of_senders_and_of_own_calls_has_an_end() {
    let mut all = Admission::new(true);
    for number in 0..30_000 {
        all.known(&format!(":1.{number}"), Some(uid(1001)));
        all.asked(NonZeroU32::new(number + 1).unwrap());
    }
    assert_eq!((all.uids.len(), all.oldest.len()), (MOST_SENDERS, MOST_SENDERS));
    assert_eq!(all.asked.len(), MOST_ASKED);
    assert!(all.asked_first.len() <= 2 * MOST_ASKED);
    // What was asked and not yet answered is not forgotten for what was asked and answered since.
    let mut all = Admission::new(true);
    let reply = |serial| Heard { kind: Kind::Reply(Some(serial)), ..call(BUS, 1) };
    all.asked(NonZeroU32::MIN);
    for serial in 2..10_000 {
        all.asked(NonZeroU32::new(serial).unwrap());
        assert_eq!(all.judge(&reply(serial), 0), Verdict::Admit);
    }
    assert_eq!(all.judge(&reply(1), 0), Verdict::Admit);
    assert!(all.asked_first.len() <= 2 * MOST_ASKED + 1);
}

#[test]
fn of_one_users_flood_so_many_a_second_are_told_and_others_all_the_same() {
    let mut all = with(&[(":1.1", 1001), (":1.2", 1001), (":1.3", 1002), (":1.4", 0)]);
    for sender in [":1.1", ":1.3", ":1.4"] {
        flood(&mut all, sender);
    }
    let told = |all: &mut Admission, sender: &str, second: u64| {
        let long = Heard { len: MOST_OF_A_CALL + 1, ..call(sender, 5000) };
        (0..1000).filter(|_| all.judge(&long, second * 1000) == Verdict::TurnAway).count()
    };
    for second in [1, 2] {
        assert_eq!(told(&mut all, ":1.1", second), TOLD.each);
        assert_eq!(told(&mut all, ":1.2", second), 0, "the same user's");
        assert_eq!(told(&mut all, ":1.9", second), TOLD_OF_STRANGERS);
        assert_eq!(told(&mut all, ":1.8", second), 0);
        assert!(told(&mut all, ":1.3", second) > 0);
        assert!(told(&mut all, ":1.4", second) > 0);
    }
}
