//! A host that goes out of service.
use crate::site::{Entrance, Site};

pub(crate) fn taken_out_of_service(site: &Site) {
    site.person_with_role("rika", &["sshd", "sudo"]);
    site.sudoer("rika", "rika ALL=(ALL) NOPASSWD: ALL");
    site.open("rika", "rika", "1h");
    // The lock would end the very login that it is typed in.
    site.logged_in("rika", "sudo -n jitctl retire --yes").exits(1).says("came in by a window");
    site.ssh("rika").admits("rika");
    let session = site.stays_logged_in("rika", 1911);
    site.shell("cd /root && jitctl retire").exits(1).says("add --yes");
    site.shell("cd /root && jitctl retire --yes --reason 'CHG-9 sold' --to log.jsonl >checkpoint")
        .says("log.jsonl, verified")
        .says("jitctl disable ")
        .says("apt-get purge pam-jit")
        .done();
    session.output().is_cut_off();
    site.ssh("rika").refuses("CHG-9 sold");
    let verify = "cd /root && jitctl audit verify log.jsonl --checkpoint checkpoint";
    site.shell(verify).says("WHOLE").says("1 of 1 that were carried away").done();
    site.shell("cd /root && stat -c %a log.jsonl").says("600").done();

    // Once more: nothing is written over, and the lock is the same.
    let at = || site.status().locks.iter().find(|lock| lock.scope == "host").map(|lock| lock.at.clone());
    let before = at();
    site.shell("cd /root && jitctl retire --yes --to log.jsonl").exits(2).says("--to FILE");
    site.shell("cd /root && jitctl retire --yes").says(", verified").done();
    site.shell("ls /root/jitd-*.jsonl").done();
    assert!(before.is_some() && at() == before);
    site.machine.reboot();
    site.is_ready();
    site.ssh("rika").refuses("CHG-9 sold");
}
