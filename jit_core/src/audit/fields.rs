//! The named values that a record has in a log and in a table, in a fixed order. A reader may rely on their names.

use std::fmt::Display;
use std::num::NonZeroU32;

use jit_proto::words::ServiceName;

use crate::event::kinds::of_no_session_or;
use crate::event::{Event, Record};
use crate::model::{
    Archived, Basis, ByCode, BySignature, ClaimKind, Grant, Leader, Lock, Login, PamFiles, Past, PolicyWord,
    Proposal, RefusedOrder, Request, Review, Space, Time, UnaskedLogins,
};
use crate::policy::{Difference, Ends};
use crate::proof::checkpoint::Signed;
use crate::services::Services;
use crate::time::{Suspicion, Utc};

/// Named values, not escaped.
pub(super) struct Fields(pub(super) Vec<(&'static str, String)>);

impl Fields {
    /// All that a record has to say: its number, who made it happen, and what did.
    pub(super) fn of(record: &Record) -> Self {
        let mut fields = Self(Vec::new());
        fields.put("seq", record.seq);
        if let Some(actor) = record.actor {
            fields.put("actor", actor.uid);
            if let Some(login) = actor.loginuid {
                fields.put("login", login);
            } else if actor.untold {
                fields.put("login", "untold");
            }
            fields.maybe("ses", actor.session);
        }
        fields.event(record);
        fields
    }

    fn space(&mut self, space: Space) -> &mut Self {
        self.put("free", space.free).put("size", space.size)
    }

    fn put(&mut self, name: &'static str, value: impl Display) -> &mut Self {
        self.0.push((name, value.to_string()));
        self
    }

    fn maybe(&mut self, name: &'static str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.put(name, value);
        }
        self
    }

    /// Those of an event that is about no session; [`Self::session_event`] has the others.
    fn event(&mut self, record: &Record) -> &mut Self {
        match &record.event {
            Event::Started { version, loginuid } => self.put("version", version).put("loginuid", loginuid),
            Event::Stopped => self,
            Event::PolicyLoaded { digest, files, diff, trial, word, .. } => {
                self.put("digest", digest).put("files", files.len());
                self.maybe("changes", diff.as_ref().map(Difference::count)).maybe("trial", *trial).word(word)
            }
            Event::PolicyConfirmed { digest } => self.put("digest", digest),
            Event::PolicyReverted { why, tried, digest, files } => {
                self.put("why", why).put("tried", tried).put("digest", digest).put("files", files.len())
            }
            Event::PolicyProposed { .. } | Event::PolicyReviewed { .. } | Event::PolicyOverride { .. } => {
                self.policy_change(&record.event)
            }
            Event::PolicyRefused { error, errors } => self.put("errors", errors).put("first", error),
            Event::Requested { request } => self.request(request),
            Event::Reviewed { request, review, .. } => self.put("request", request).review(review),
            Event::SignatureRefused { text, key, why } => {
                self.maybe("key", key.as_ref()).put("why", why).put("text", text)
            }
            Event::RevokeTaken { revokes, by, reason, signed } => self
                .put("revokes", revokes)
                .put("by", by)
                .maybe("reason", reason.as_ref())
                .put("key", &signed.key),
            Event::CodeRefused { request, slot, wrong, why, typed_by } => self
                .put("request", request)
                .put("slot", slot)
                .maybe("wrong", wrong.then_some(true))
                .put("why", why)
                .maybe("typed_by", *typed_by),
            Event::OrderRefused { refused, count, others } => self.order(refused, *count, *others),
            Event::Discounted { request, by } => self.put("request", request).put("by", by),
            Event::Lapsed { request, stage } => self.put("request", request).maybe("stage", stage.as_ref()),
            Event::Refused { request, stage } => self.put("request", request).put("stage", stage),
            Event::Withdrawn { request, reason } => {
                self.put("request", request).maybe("reason", reason.as_ref())
            }
            Event::Opened { grant } => self.grant(grant),
            Event::Began { grant, window } => self.put("grant", grant).put("end", window.end().to_seconds()),
            Event::Settled { request, decision } => {
                self.put("request", request).put("decision", decision.as_str())
            }
            Event::Ended { grant, why, reason } => {
                self.put("grant", grant).put("why", why).maybe("reason", reason.as_ref())
            }
            Event::Locked { lock, statement } => self.lock(lock).statement(statement.as_deref()),
            Event::Unlocked { scope, expired, reason } => {
                self.put("scope", scope).put("expired", expired).maybe("reason", reason.as_ref())
            }
            Event::Denied { why, count, last, others, login } => {
                self.login(login).put("why", why).put("count", count).last(last.as_deref(), *others)
            }
            Event::Unmanaged { why, would, count, last, others, login } => {
                self.login(login).put("why", why).maybe("would", would.as_ref()).put("count", count);
                self.last(last.as_deref(), *others)
            }
            Event::ClockSuspect { why, mark, expected } => self.clock(record, *why, *mark, *expected),
            Event::ClockAccepted { why, mark, expected, reason, statement } => {
                self.clock(record, *why, *mark, *expected).maybe("reason", reason.as_ref());
                self.maybe("by", statement.as_ref().map(|one| &one.by)).statement(statement.as_deref())
            }
            Event::ClockRecovered { why, by, mark, expected } => {
                self.clock(record, *why, *mark, *expected).put("by", by.as_str())
            }
            Event::DiskShort(space) | Event::DiskRoom(space) => self.space(*space),
            Event::Recovered(login) => {
                self.put("service", &login.service).put("user", &login.user).put("at", login.at)
            }
            Event::RecoveryUnread(notes) => {
                self.put("name", &notes.name).put("bytes", notes.bytes).put("why", &notes.why)
            }
            Event::PamFiles(_) | Event::Unasked(_) => self.of_pam(&record.event),
            Event::Elsewhere { how } => self.put("how", how.as_str()),
            Event::HostKey { key, before } => self.put("key", key).maybe("before", before.as_ref()),
            Event::Checkpoint { signed } => self.checkpoint(signed),
            Event::CheckpointCarried { how, size } => self.put("how", how.as_str()).put("size", size),
            Event::RecordsArchived(archived) => self.archived(archived),
            Event::Attested { role, who, keep, by, note } => {
                self.put("role", role).put("who", who).put("decision", keep.as_str());
                self.put("by", by).maybe("note", note.as_ref())
            }
            Event::Came { .. }
            | Event::Allowed { .. }
            | Event::SessionOpened { .. }
            | Event::SessionClosed { .. }
            | Event::SessionPlaced { .. }
            | Event::SessionUnbound { .. }
            | Event::SessionMoved { .. }
            | Event::SessionOver { .. }
            | Event::SessionAdopted { .. }
            | Event::SessionRefused { .. }
            | Event::SessionGone { .. }
            | Event::Shut { .. }
            | Event::SessionsEnded { .. }
            | Event::ClaimVoided { .. } => self.session_event(record),
        }
    }

    /// Those of an event that is about a session, a claim, or somebody who comes.
    fn session_event(&mut self, record: &Record) -> &mut Self {
        match &record.event {
            Event::Came { user, uid, lingers } => {
                self.put("user", user).put("uid", uid).put("lingers", lingers)
            }
            Event::Allowed { grant, role, remaining, claim, by, ends, asker, from, basis, login } => {
                self.login(login).put("grant", grant).put("role", role).put("remaining", remaining);
                self.process(by.or_else(|| record.actor?.process)).maybe("from", *from).basis(basis);
                self.maybe("asker", asker.as_ref()).maybe("ends", ends.map(Ends::as_str));
                self.maybe("use", claim.map(|kind| if kind == ClaimKind::Held { "held" } else { "spent" }))
            }
            Event::SessionOpened { grant, role, remaining, opener, from, basis, login, .. } => {
                self.login(login).put("grant", grant).put("role", role).put("remaining", remaining);
                self.process(opener.map(|opener| opener.leader));
                self.maybe("audit", opener.and_then(|one| one.audit)).maybe("from", *from).basis(basis)
            }
            Event::SessionClosed { login, .. } => self.login(login),
            Event::SessionPlaced { session, unit } => self.put("session", session).put("unit", unit),
            Event::SessionUnbound { session, why, others } => {
                self.put("session", session).put("why", why).maybe("others", others.then_some(true))
            }
            Event::SessionMoved { session, from, grant, role, remaining, uses } => {
                self.put("session", session).put("from", from).put("grant", grant).put("role", role);
                self.put("remaining", remaining).put("uses", uses)
            }
            Event::SessionOver { session, why, terms, reason } => {
                self.put("session", session).put("why", why).put("term", terms.term.as_secs());
                self.put("kill", terms.kill.as_secs()).maybe("reason", reason.as_ref())
            }
            Event::SessionAdopted { grant, role, opener, from, basis, login, .. } => {
                self.login(login).put("grant", grant).put("role", role).process(Some(opener.leader));
                self.maybe("audit", opener.audit).maybe("from", *from).basis(basis);
                self.put(
                    "why",
                    format_args!("the session line of pam_jit.so is missing for {}", login.service),
                )
            }
            Event::SessionRefused { session, grant, returned, why, login } => {
                self.login(login).put("session", session).put("grant", grant);
                self.put("use-returned", returned).put("why", why)
            }
            Event::SessionGone { session, unbound, past } => {
                self.put("session", session);
                if let Some(past) = past {
                    self.past(past, record);
                }
                let is_process = past.as_ref().is_some_and(|past| past.process_in.is_some());
                let why =
                    if is_process { "its process asked more than once" } else { "it was bound to no unit" };
                self.maybe("escape", unbound.then(|| format!("not excluded: {why}")))
            }
            Event::Shut { grant } => self.put("grant", grant),
            Event::SessionsEnded { grant, user, sessions, at_end, left, spared, stays, escape, programs } => {
                let sessions: Vec<_> = sessions.iter().map(ToString::to_string).collect();
                self.put("grant", grant).put("user", user).put("sessions", sessions.join(" "));
                self.maybe("at-end", at_end.as_ref()).put("left", left.len());
                self.some("processes", left, ", ")
                    .maybe("spared", spared.as_ref())
                    .some("stays", stays, ", ");
                let ran: Vec<_> = programs.iter().map(ToString::to_string).collect();
                self.some("programs", &ran, "; ");
                self.maybe("escape", escape.as_ref().map(|why| format!("not excluded: {why}")))
            }
            Event::ClaimVoided { grant, claim } => self.put("grant", grant).put("claim", claim),
            of_no_session_or!() => self,
        }
    }

    fn word(&mut self, word: &PolicyWord) -> &mut Self {
        let approved: Vec<_> = word.approved.iter().map(ToString::to_string).collect();
        self.maybe("by", word.by.as_ref())
            .maybe("reason", word.reason.as_ref())
            .some("approved", &approved, " ");
        self.maybe("signed", word.signed.as_ref().map(|signed| signed.serial)).some(
            "forced",
            &word.forced,
            "; ",
        )
    }

    /// Those of a change of the policy that takes more than an admin's word.
    fn policy_change(&mut self, event: &Event) -> &mut Self {
        if let Event::PolicyProposed { proposal } = event {
            self.proposal(proposal);
        } else if let Event::PolicyReviewed { digest, by, decision, note } = event {
            self.put("digest", digest).put("by", by).put("decision", decision.as_str());
            self.maybe("note", note.as_ref());
        } else if let Event::PolicyOverride { what } = event {
            self.put("digest", what.digest).put("before", what.before).put("by", &what.by);
            self.put("reason", &what.reason);
        }
        self
    }

    fn proposal(&mut self, proposal: &Proposal) -> &mut Self {
        self.put("digest", proposal.digest).put("files", proposal.files.len()).put("before", proposal.before);
        self.put("changes", proposal.diff.count()).maybe("trial", proposal.trial);
        self.put("by", &proposal.by).maybe("reason", proposal.reason.as_ref());
        self.some("forced", &proposal.forced, "; ")
    }

    fn order(&mut self, refused: &RefusedOrder, count: NonZeroU32, others: bool) -> &mut Self {
        let RefusedOrder { method, why, text, request } = refused;
        self.put("order", method).put("why", why).maybe("request", request.as_ref()).put("text", text);
        self.put("count", count).maybe("others", others.then_some(true))
    }

    fn request(&mut self, request: &Request) -> &mut Self {
        let whom = &request.beneficiary;
        self.put("request", request.id).put("user", &whom.name).maybe("person", whom.person.as_ref());
        self.put("role", &request.role);
        self.put("seconds", request.duration.as_secs()).put("by", &request.filed_by);
        self.put("digest", request.digest()).put("reason", &request.reason);
        self.maybe("ticket", request.ticket.as_ref());
        let ahead = request.ahead.as_ref();
        self.maybe("serial", ahead.map(|ahead| ahead.serial))
            .maybe("for", ahead.and_then(|ahead| ahead.behind.as_ref()))
            .maybe("until", ahead.map(|ahead| ahead.until.to_seconds()))
    }

    fn review(&mut self, review: &Review) -> &mut Self {
        let narrow = &review.narrow;
        self.put("by", &review.by).put("stage", &review.stage).put("decision", review.decision.as_str());
        self.put("method", review.method).maybe("seconds", narrow.duration.map(|most| most.as_secs()));
        self.maybe("services", narrow.services.as_ref().map(list)).maybe("uses", narrow.uses);
        self.maybe("note", review.note.as_ref())
            .maybe("key", review.signed.as_ref().map(|signed| &signed.key));
        match &review.code {
            Some(code) => self.by_code(code),
            None => self,
        }
    }

    fn by_code(&mut self, code: &ByCode) -> &mut Self {
        let ByCode { principal, slot, epoch, request_code, bucket, typed_by } = code;
        self.put("principal", principal).put("slot", slot).put("epoch", epoch);
        self.maybe("request_code", request_code.as_ref())
            .maybe("bucket", *bucket)
            .maybe("typed_by", *typed_by)
    }

    fn grant(&mut self, grant: &Grant) -> &mut Self {
        self.put("grant", grant.id).put("user", &grant.user).maybe("person", grant.person.as_ref());
        self.put("role", &grant.role);
        self.put("services", list(&grant.services));
        match &grant.time {
            Time::Open { window } => self.put("end", window.end().to_seconds()),
            Time::Scheduled { scheduled } => self.put("begins", &scheduled.begins),
        };
        self.maybe("ticket", grant.ticket.as_ref()).maybe("emergency", grant.emergency.then_some("true"));
        self.maybe("by", grant.by_policy.map(|_| "policy"));
        self.some("despite", &grant.despite.iter().map(ToString::to_string).collect::<Vec<_>>(), ",")
    }

    fn lock(&mut self, lock: &Lock) -> &mut Self {
        let uids: Vec<_> = lock.uids.iter().map(ToString::to_string).collect();
        self.put("scope", &lock.scope).put("by", &lock.by);
        self.maybe("seconds", lock.duration.map(|most| most.as_secs())).some("uids", &uids, ",");
        self.maybe("message", lock.message.as_ref())
    }

    fn statement(&mut self, statement: Option<&BySignature>) -> &mut Self {
        self.maybe("serial", statement.and_then(|statement| statement.serial));
        self.maybe("key", statement.map(|statement| &statement.signed.key))
    }

    /// What was found out of this host's PAM files, and of logins that came past them.
    fn of_pam(&mut self, event: &Event) -> &mut Self {
        if let Event::PamFiles(files) = event {
            self.pam_files(files);
        } else if let Event::Unasked(UnaskedLogins { count, audit, login }) = event {
            self.login(login).put("count", count).maybe("audit", *audit);
        }
        self
    }

    fn checkpoint(&mut self, Signed { checkpoint, signature }: &Signed) -> &mut Self {
        self.put("origin", &checkpoint.origin).put("size", checkpoint.size);
        self.put("root", checkpoint.root).put("signature", signature)
    }

    fn archived(&mut self, archived: &Archived) -> &mut Self {
        let Archived { first, end, root, file, digest, retain, by, note } = archived;
        self.put("first", first).put("end", end).put("root", root).put("file", file);
        self.put("digest", digest).put("retain", retain).put("by", by).maybe("note", note.as_ref())
    }

    fn pam_files(&mut self, PamFiles { files, touched, lost, sudoers }: &PamFiles) -> &mut Self {
        let asking = files.iter().filter(|file| file.account).count();
        self.put("files", files.len()).put("asking", asking);
        self.some("touched", touched, " ").some("lost", lost, " ");
        self.some("sudoers", sudoers.as_deref().unwrap_or_default(), "; ")
    }

    /// Several in one value, where there are any.
    fn some(&mut self, name: &'static str, values: &[String], between: &str) -> &mut Self {
        self.maybe(name, (!values.is_empty()).then(|| values.join(between)))
    }

    /// What the last of several refusals differed in.
    fn last(&mut self, last: Option<&Login>, others: bool) -> &mut Self {
        self.maybe("others", others.then_some(true));
        if let Some(last) = last {
            self.put("last_rhost", &last.rhost).put("last_tty", &last.tty);
        }
        self
    }

    fn clock(&mut self, record: &Record, why: Suspicion, mark: Utc, expected: Utc) -> &mut Self {
        self.put("why", why.as_str()).put("wall", record.at.wall.to_seconds());
        self.put("mark", mark.to_seconds()).put("expected", expected.to_seconds())
    }

    fn process(&mut self, process: Option<Leader>) -> &mut Self {
        if let Some(process) = process {
            self.put("pid", process.pid).put("start", process.start);
        }
        self
    }

    fn basis(&mut self, basis: &Basis) -> &mut Self {
        self.maybe("awaits", basis.awaits_key.then_some("key")).maybe("use", basis.uses.then_some("spent"));
        self.maybe("ticket", basis.ticket.as_ref()).maybe("policy", basis.policy)
    }

    fn past(&mut self, past: &Past, record: &Record) -> &mut Self {
        self.login(&past.login).put("grant", past.grant).maybe("role", past.role.as_ref());
        self.put("opened", past.opened.wall.to_seconds());
        self.put("seconds", record.at.since(&past.opened).as_secs()).maybe("why", past.why);
        self.process(past.opener.map(|opener| opener.leader));
        self.maybe("audit", past.opener.and_then(|one| one.audit)).maybe("from", past.from);
        self.maybe("unit", past.unit.as_ref()).maybe("process-in", past.process_in.as_ref());
        self.maybe("loginuid", past.opened_by.and_then(|by| by.loginuid)).basis(&past.basis)
    }

    fn login(&mut self, login: &Login) -> &mut Self {
        self.put("service", &login.service).put("user", &login.user);
        self.maybe("person", login.person.as_ref());
        self.maybe("uid", login.uid).maybe("target", login.target.as_ref());
        for (name, value) in [("rhost", &login.rhost), ("tty", &login.tty)] {
            self.maybe(name, (!value.is_empty()).then_some(value));
        }
        let keys: Vec<_> = login.keys.iter().map(ToString::to_string).collect();
        self.maybe("key", (!keys.is_empty()).then(|| keys.join(", ")))
    }
}

fn list(services: &Services) -> String {
    services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(",")
}
