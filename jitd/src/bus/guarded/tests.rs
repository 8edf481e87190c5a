use std::io::Write as _;
use std::num::NonZeroU32;
use std::os::unix::net::UnixStream as Std;

use super::*;
use zbus::block_on;

/// A reading half, and the end that a bus would write to.
fn pair(guard: &Guard) -> (Reading, Std) {
    let runtime = SharedRuntime::current().unwrap();
    let (ours, theirs) = Std::pair().unwrap();
    let (reading, _) = guard.over(Stream::new(&runtime, ours).unwrap()).split().take();
    (reading, theirs)
}

fn call(sender: &str, serial: u32, body: &str) -> Vec<u8> {
    let call =
        Message::method_call("/org/jitd/Jit1", "Status").interface("org.jitd.Jit1.User").sender(sender);
    let call = call.destination("org.jitd.Jit1").serial(NonZeroU32::new(serial).unwrap());
    call.build(&(body,)).unwrap().data().to_vec()
}

async fn next(reading: &mut Reading) -> (String, u32) {
    let message = reading.receive_message(1, &mut Vec::new(), &mut Vec::new()).await.unwrap();
    let header = message.header();
    (header.sender().unwrap().to_string(), header.primary().serial_num().get())
}

#[test]
fn what_is_let_in_comes_through_in_order_and_whole_and_the_rest_is_read_past() {
    block_on(async {
        let guard = Guard::new();
        let maria = Uid::try_from(1001).unwrap();
        guard.known(":1.1", Some(maria));
        let (mut reading, mut bus) = pair(&guard);
        let signal = Message::signal("/x", "a.b", "C").sender(":1.9").destination(":1.0");
        let all = [
            call(":1.1", 1, "one"),
            call(":1.1", 2, &"too long ".repeat(20_000)),
            signal.build(&("nobody asked",)).unwrap().data().to_vec(),
            call(":1.2", 1, "a stranger"),
            call(":1.1", 3, "two"),
        ];
        let writes = std::thread::spawn(move || {
            // In pieces that end anywhere.
            for piece in all.concat().chunks(1009) {
                bus.write_all(piece).unwrap();
            }
            bus
        });
        assert_eq!(next(&mut reading).await, (":1.1".into(), 1));
        assert_eq!(next(&mut reading).await, (":1.1".into(), 3));
        let mut bus = writes.join().unwrap();
        // Nothing of the stranger's is seen until the bus has said who it is.
        assert!(matches!(guard.next(), Some(Work::Ask(sender)) if sender == ":1.2"));
        assert!(matches!(guard.next(), Some(Work::Tell(sender, 2)) if sender == ":1.1"));
        guard.known(":1.2", Some(maria));
        assert_eq!(next(&mut reading).await, (":1.2".into(), 1));
        // And of one that has gone, never.
        bus.write_all(&call(":1.3", 1, "gone")).unwrap();
        bus.write_all(&call(":1.1", 4, "three")).unwrap();
        assert_eq!(next(&mut reading).await, (":1.1".into(), 4));
        guard.known(":1.3", None);
        bus.write_all(&call(":1.1", 5, "four")).unwrap();
        assert_eq!(next(&mut reading).await, (":1.1".into(), 5));
        drop(bus);
        assert!(reading.receive_message(1, &mut Vec::new(), &mut Vec::new()).await.is_err());
    });
}

#[test]
fn a_call_that_wants_no_answer_is_answered_all_the_same() {
    block_on(async {
        let guard = Guard::new();
        guard.known(":1.1", Some(Uid::ROOT));
        let (mut reading, mut bus) = pair(&guard);
        let mut silent = call(":1.1", 1, "");
        silent[2] |= NO_REPLY_EXPECTED;
        // What the handshake has read too much of comes first.
        let mut early = silent[..20].to_vec();
        bus.write_all(&silent[20..]).unwrap();
        let message = reading.receive_message(1, &mut early, &mut Vec::new()).await.unwrap();
        assert!(!message.primary_header().flags().contains(zbus::message::Flags::NO_REPLY_EXPECTED));
    });
}

#[test]
fn a_call_whose_sender_becomes_known_while_it_is_read_does_not_wait_for_ever() {
    block_on(async {
        let guard = Guard::new();
        let (mut reading, mut bus) = pair(&guard);
        let bytes = call(":1.1", 1, &"x".repeat(1000));
        bus.write_all(&bytes[..bytes.len() - 10]).unwrap();
        let known = {
            let guard = guard.clone();
            std::thread::spawn(move || {
                while !guard.inside().admission.is_asked_about(":1.1") {
                    std::thread::yield_now();
                }
                guard.known(":1.1", Some(Uid::ROOT));
                bus.write_all(&bytes[bytes.len() - 10..]).unwrap();
                bus
            })
        };
        assert_eq!(next(&mut reading).await, (":1.1".into(), 1));
        drop(known.join().unwrap());
    });
}

/// A bus of the test's own, and its socket; it ends with the test.
fn bus() -> (tempfile::TempDir, std::path::PathBuf, Daemon) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let config = folder.path().join("bus.conf");
    let text = format!(
        "<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context='default'>\
         <allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy>\
         <limit name='max_replies_per_connection'>1000</limit></busconfig>",
        socket.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut daemon = std::process::Command::new("dbus-daemon")
        .args(["--nofork", "--nopidfile", "--print-address", "--config-file"])
        .arg(config)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("this test needs dbus-daemon(1)");
    let mut address = String::new();
    let said = daemon.stdout.as_mut().unwrap();
    io::BufRead::read_line(&mut io::BufReader::new(said), &mut address).unwrap();
    (folder, socket, Daemon(daemon))
}

struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Served;

#[zbus::interface(name = "org.jitd.Served")]
impl Served {
    async fn wait(&self) {
        std::future::pending::<()>().await;
    }
}

#[test]
fn over_a_real_bus_one_user_has_so_many_calls_in_flight_and_is_told_when_it_asks_for_more() {
    let (_folder, socket, _daemon) = bus();
    block_on(async {
        let runtime = SharedRuntime::current().unwrap();
        let guard = Guard::new();
        let stream = UnixStream::connect(&runtime, &socket).await.unwrap();
        let stream = Stream::new(&runtime, stream.into_std()).unwrap();
        let server = Builder::socket(guard.over(stream)).serve_at("/", Served).build().await.unwrap();
        let asks = {
            let (guard, runtime, server) = (guard.clone(), runtime.clone(), server.clone());
            runtime.clone().spawn("asks", async move { guard.keep_asking(&runtime, &server).await })
        };
        let address = format!("unix:path={}", socket.display());
        let client = Builder::address(address.as_str()).build().await.unwrap();
        let name = server.unique_name().unwrap().to_string();
        let call = |method: &'static str, interface: &'static str| {
            let (client, name) = (client.clone(), name.clone());
            async move { client.call_method(Some(name.as_str()), "/", Some(interface), method, &()).await }
        };
        let peer = "org.freedesktop.DBus.Peer";
        call("Ping", peer).await.unwrap();
        let waits: Vec<_> =
            (0..crate::bus::admission::in_flight_of(Uid::try_from(nix::unistd::getuid().as_raw()).unwrap()))
                .map(|_| runtime.spawn("call", call("Wait", "org.jitd.Served")))
                .collect();
        // They are sent in any order; once all are there, one more is too many, of whatever interface.
        let refused = loop {
            if let Err(why) = call("Ping", peer).await {
                break why.to_string();
            }
        };
        assert!(refused.contains("jitd is answering as many"), "{refused}");
        drop((waits, asks));
    });
}

#[test]
fn a_sender_who_has_gone_has_no_uid_and_above_all_not_roots() {
    let (_folder, socket, _daemon) = bus();
    block_on(async {
        let address = format!("unix:path={}", socket.display());
        let connect = || async { Builder::address(address.as_str()).build().await.unwrap() };
        let (ours, theirs) = (connect().await, connect().await);
        let name = theirs.unique_name().unwrap().to_string();
        let own = nix::unistd::getuid().as_raw();
        assert_eq!(uid_of(&ours, &name).await.map(Uid::as_u32), Some(own));
        theirs.close().await.unwrap();
        while uid_of(&ours, &name).await.is_some() {}
        assert_eq!(uid_of(&ours, ":1.999999").await, None);
    });
}
