//! When somebody last had a role is on disk, as the log folds to it, and known after a restart.

use jit_core::state::Row;

use super::*;

#[test]
fn when_somebody_last_had_a_role_is_kept_when_the_window_is_gone() {
    let daemon = Daemon::start();
    let shell = "shell".parse().unwrap();
    let kept = |daemon: &Daemon| {
        let state = rows::load(&daemon.store()).unwrap().state;
        assert_eq!(folded(&daemon.store()), state);
        state.earlier(&shell).cloned().collect::<Vec<_>>()
    };
    daemon.grant(1).unwrap();
    daemon.until_durable();
    assert_eq!(kept(&daemon), [], "it is not over yet");
    for id in [1, 2] {
        let ticket = daemon.revoke(Target::Request(RequestId::from_bits(id))).unwrap();
        let _on_disk = zruntime::block_on(ticket.durable()).unwrap();
        let ended = records(&daemon.store()).pop().unwrap().at;
        let [earlier] = &kept(&daemon)[..] else { panic!("one entry for one person and one role") };
        assert_eq!((&earlier.holder.name, &earlier.ended), (&maria().name, &Some(ended)));
        daemon.grant(id + 1).unwrap();
    }
}

#[test]
fn what_is_forgotten_of_who_had_a_role_is_gone_from_disk_as_well() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let ticket = daemon.revoke(Target::Request(RequestId::from_bits(1))).unwrap();
    let _on_disk = zruntime::block_on(ticket.durable()).unwrap();
    let dir = daemon.stop();
    let store = Connection::open(dir.path().join("store.db")).unwrap();
    let shell = "shell".parse().unwrap();
    let kept = || rows::load(&store).unwrap().state.earlier(&shell).cloned().collect::<Vec<_>>();
    let [earlier] = &kept()[..] else { panic!("one entry") };
    rows::write_row(&store, &Row::EarlierGone(earlier.clone())).unwrap();
    assert_eq!(kept(), []);
}
