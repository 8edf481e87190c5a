//! People who wait: for a decision, for what they are asked to decide, and before the screen that shows both.

use jit_proto::manager::Entry;
use jit_tests::machine::until;

use crate::requests::{REASON, approve, ask, role, stage, sudo};
use crate::site::{Entrance, SOON, Site, read};

pub(crate) fn waiting_for_it(site: &Site) {
    site.people_with_a_way_in(&["paul", "pia"]);
    role(site, "paul", "", &stage("lead", &["pia"], "approvals = 1\n"));
    let request = format!("jitctl request --yes --role paul --reason '{REASON}' --wait=50s");
    let wait = || site.start_logged_in("paul", &request);
    let filed = || -> Option<Entry> {
        let waits = |entry: &Entry| entry.user == "paul" && entry.state == "pending";
        site.entries().into_iter().find(waits)
    };

    let waits = wait();
    until(SOON, "paul has asked", || filed().is_some());
    approve(site, "pia", &filed().unwrap().request).done();
    waits.output().says("approve by pia").says("Opened g-").exits(0);
    sudo(site, "paul").admits("root");

    let waits = wait();
    until(SOON, "paul has asked again", || filed().is_some());
    let id = filed().unwrap().request;
    site.logged_in("pia", &format!("jitctl deny {id} --reason 'not today'")).done();
    waits.output().says("not today").says("denied").exits(1);
}

pub(crate) fn following_what_waits(site: &Site) {
    site.people_with_a_way_in(&["fritz", "frida"]);
    role(site, "fritz", "", &stage("lead", &["frida"], ""));
    let follows = site.start_logged_in(
        "frida",
        "jitctl pending --follow >seen & until test -e over; do sleep 0.2; done; kill %1",
    );
    let seen = || site.machine.read("/home/frida/seen");
    let first = ask(site, "fritz", "").request;
    until(SOON, "the first is printed", || seen().contains(&first));
    let second = ask(site, "fritz", "--for 20m").request;
    until(SOON, "the second is printed", || seen().contains(&second));
    approve(site, "frida", &first).done();
    site.machine.write("/home/frida/over", "", 0o644);
    follows.output().done();
    for id in [first, second] {
        assert_eq!(seen().matches(&format!("{id} - fritz for fritz")).count(), 1, "{}", seen());
    }
}

/// A reviewer's terminal of 80 columns by 24 lines, in tmux(1), with a login by ssh in it.
struct Terminal<'s> {
    site: &'s Site,
    user: &'s str,
}

impl<'s> Terminal<'s> {
    fn of(site: &'s Site, user: &'s str) -> Self {
        let terminal = Self { site, user };
        terminal.tmux(&format!("new-session -d -x 80 -y 24 'ssh {user}@127.0.0.1'"));
        terminal.shows(&format!("{user}@bed:~$"));
        terminal
    }

    fn tmux(&self, command: &str) -> String {
        self.site.shell(&format!("tmux -L {} {command}", self.user)).done().to_owned()
    }

    /// Keys as tmux names them.
    fn keys(&self, keys: &str) {
        self.tmux(&format!("send-keys {keys}"));
    }

    /// What is on the screen; a line that did not fit is one line of it.
    fn screen(&self) -> String {
        let screen = self.tmux("capture-pane -p -J");
        let widest = screen.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(widest <= Some(80), "wider than 80 columns:\n{screen}");
        screen
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        until(SOON, &format!("{text:?} is on the screen of {}", self.user), || self.screen().contains(text));
    }
}

pub(crate) fn watching(site: &Site) {
    site.people_with_a_way_in(&["wera", "wido"]);
    role(site, "wera", "", &stage("lead", &["wido"], ""));
    let wido = Terminal::of(site, "wido");
    wido.keys("'stty -g >before; jitctl watch; echo left-$?; stty -g >after' Enter");
    wido.shows("Nothing waits for your review, and no window is open.");

    let long = format!("{REASON} {} whole", "and somebody has to look at it ".repeat(4));
    let request = format!("jitctl --json request --yes --role wera --reason '{long}'");
    let entry: Entry = read(&site.logged_in("wera", &request));
    let id = &entry.request;
    wido.shows("1 to review");
    wido.shows(&format!("> {id}  wera  wera  30m"));
    wido.keys("a");
    // All of it is there to be decided on.
    wido.shows("whole");
    wido.shows(&entry.digest);
    wido.shows(&format!("Approve {id}? y or n"));
    wido.keys("y");
    wido.shows(&format!("Approved {id}."));
    wido.shows("0 to review");
    assert!(!wido.screen().contains("Waits for your review"), "{}", wido.screen());
    sudo(site, "wera").admits("root");

    wido.keys("q");
    wido.shows("left-0");
    let stty = |file: &str| site.machine.read(&format!("/home/wido/{file}"));
    until(SOON, "the terminal has been looked at", || !stty("after").is_empty());
    assert_eq!(stty("before"), stty("after"), "the terminal is as it was");
    wido.keys("'echo back-$((20 + 3))' Enter");
    wido.shows("back-23");
    wido.tmux("kill-server");
}
