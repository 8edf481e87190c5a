//! `org.jitd.Jit1.Audit`: the log, as it is written, for root, admins and auditors.

use std::sync::Arc;

use jit_core::access::Method;
use jit_core::digest::Digest;
use jit_core::event::Event;
use jit_core::model::{Archived, CarriedBy, Entitled, Keep, RefusedOrder};
use jit_core::orders::archive::ArchiveOrder;
use jit_core::orders::attest::{AttestOrder, attest};
use jit_core::proof::extension::Extension;
use jit_core::proof::merkle::Frontier;
use jit_proto::audit::{
    ARCHIVE_RECORDS, Archive, Archives, Attested, Carried, Checkpoint, PAGE_RECORDS, Proof, Tree,
};
use jit_proto::words::{FileName, RoleName};
use zbus::message::Header;
use zbus::{Connection, OwnedFd, interface};
use zruntime::lock::Semaphore;

use super::access::may_read_all;
use super::error::carried_out;
use super::stories::read;
use super::words::{invalid, json, optional_reason, request_id};
use super::{Error, Origin};
use crate::app::App;
use crate::peer::Peer;
use crate::store::going::going;
use crate::store::{StoreError, archive, log};

/// The interface `org.jitd.Jit1.Audit`.
pub(crate) struct Audit {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
}

#[interface(name = "org.jitd.Jit1.Audit")]
impl Audit {
    /// Records from `first` on, as exact bytes: at most so many, 0 for as many as a page holds.
    #[zbus(out_args("json"))]
    async fn records(
        &self,
        first: u64,
        most: u32,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Records, connection, &header).await?;
        let most = if most == 0 { PAGE_RECORDS } else { most.min(PAGE_RECORDS) };
        let page = read(&self.app.store, move |store| log::page(store, (first, u64::MAX), most)).await?;
        json(&page)
    }

    /// Records from `first` to before `end`, 0 for where the log ends now, over a pipe: pages, as jit_proto has them.
    #[zbus(out_args("pipe"))]
    async fn stream(
        &self,
        first: u64,
        end: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedFd, Error> {
        let peer = self.auditor(Method::Stream, connection, &header).await?;
        // What is written from now on is for those who may read it then.
        let total = read(&self.app.store, log::next_seq).await?;
        let end = if end == 0 { total } else { end.min(total) };
        let pipe = self.app.pipes.open(peer.uid, &self.app.store, (first, end));
        let pipe = pipe.map_err(StoreError::from)?;
        let pipe =
            pipe.ok_or_else(|| Error::Busy("your share of pipes is taken; ask page by page".into()))?;
        Ok(std::os::fd::OwnedFd::from(pipe).into())
    }

    /// The records that tell the story of one request, from the asking to the end of its sessions: the first page of them.
    #[zbus(out_args("json"))]
    async fn story(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Story, connection, &header).await?;
        self.story_page(id, 0).await
    }

    /// The same from record `first` on: a page, which says where the next begins, and of the last that it is the last.
    #[zbus(out_args("json"))]
    async fn story_from(
        &self,
        id: &str,
        first: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::StoryFrom, connection, &header).await?;
        self.story_page(id, first).await
    }

    /// The newest checkpoint; made now, if anything has happened since the last.
    #[zbus(out_args("json"))]
    async fn checkpoint(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Checkpoint, connection, &header).await?;
        let desk = &self.app.desk;
        // What was confirmed to anybody is under it.
        desk.catch_up().await?;
        if let Some(ticket) = desk.make_checkpoint()? {
            ticket.durable().await.map_err(Error::unconfirmed)?;
        }
        let (signed, key) =
            desk.notary.last().ok_or_else(|| Error::Busy("there is no checkpoint yet; try again".into()))?;
        json(&Checkpoint {
            note: signed.to_string(),
            key: key.to_string(),
            size: signed.checkpoint.size,
            root: signed.checkpoint.root.to_string(),
        })
    }

    /// What proves that the log of `old` records is the beginning of that of `new`.
    #[zbus(out_args("json"))]
    async fn proof(
        &self,
        old: u64,
        new: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Proof, connection, &header).await?;
        let made = read(&self.app.store, move |store| log::extension(store, old, new)).await?;
        let Some(Extension { old, new, hashes }) = made else {
            return Err(Error::Invalid(format!("the log has no {new} records of which {old} are the first")));
        };
        let hex = |hashes: &[Digest]| hashes.iter().map(Digest::to_string).collect();
        let tree = |tree: &Frontier| Tree { size: tree.size(), peaks: hex(tree.peaks()) };
        json(&Proof { old: tree(&old), new: tree(&new), hashes: hex(&hashes) })
    }

    /// The archives that have what is no longer here, and what may go.
    #[zbus(out_args("json"))]
    async fn archives(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        self.auditor(Method::Archives, connection, &header).await?;
        let retain = self.app.desk.look(|here| here.policy.retain())?;
        let room = self.app.store.gauge().room_to_move();
        let found = read(&self.app.store, move |store| {
            let (begins, most) = (archive::begins(store)?, archive::most(store, room)?);
            Ok((begins, log::next_seq(store)?, most, archive::archives(store)?))
        });
        let (begins, total, most, archives) = found.await?;
        json(&Archives {
            begins,
            total,
            most,
            retain_seconds: retain.map(|retain| retain.duration().as_secs()),
            now: self.app.desk.now().wall.to_string(),
            archives: archives.iter().map(told).collect(),
        })
    }

    /// Moves the records before `end` out of the store: a file of this digest has them, and they come to this root.
    #[zbus(out_args("json"))]
    #[allow(clippy::too_many_arguments, reason = "the arguments of the call, and who makes it")]
    async fn archive(
        &self,
        end: u64,
        root: &str,
        file: &str,
        digest: &str,
        note: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Archive, &self.app, connection, &header).await?;
        let hex = |text: &str| text.parse::<Digest>().map_err(|err| Error::Invalid(err.to_string()));
        let (root, digest) = (hex(root)?, hex(digest)?);
        let file: FileName = file.parse().map_err(invalid)?;
        let note = optional_reason(note)?;
        // All of it is looked at before the desk is entered, and one at a time: no login waits for that.
        let _turn = ONE_AT_A_TIME.acquire().await;
        let found = read(&self.app.store, move |store| going(store, end)).await?;
        let Some(going) = found else {
            return Err(Error::Invalid(format!(
                "there are no records up to {end} that could go, or more than {ARCHIVE_RECORDS} of them"
            )));
        };
        let order = ArchiveOrder { end, root, file, digest, note };
        let ticket = by
            .order(|here, caller| jit_core::orders::archive::archive(here, caller, order.clone(), &going))
            .await?;
        let ArchiveOrder { file, .. } = &order;
        let answer = Archive {
            first: going.first,
            end,
            root: root.to_string(),
            file: file.to_string(),
            digest: digest.to_string(),
        };
        carried_out(ticket, async { json(&answer) }).await
    }

    /// Enters that a checkpoint over so many records was carried away, `checkpoint` by itself or with an `export`.
    #[zbus(out_args("json"))]
    async fn carried(
        &self,
        how: &str,
        size: u64,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let peer = self.auditor(Method::Carried, connection, &header).await?;
        let how: CarriedBy = how.parse().map_err(invalid)?;
        let desk = &self.app.desk;
        if desk.notary.last().is_none_or(|(last, _)| last.checkpoint.size < size) {
            return Err(Error::Invalid(format!("no checkpoint covers {size} records")));
        }
        let event = Event::CheckpointCarried { how, size };
        let ticket = desk.follow_up(peer.actor(), |_| Ok(vec![event]))?;
        carried_out(ticket, async { json(&Carried { how: how.as_str().to_owned(), size }) }).await
    }

    /// Enters that an account, a @group, or a person:name, should still be able to ask for a role, or no longer: `keep` or `remove`.
    #[zbus(out_args("json"))]
    async fn attest(
        &self,
        role: &str,
        who: &str,
        keep: &str,
        note: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Attest, &self.app, connection, &header).await?;
        let role: RoleName = role.parse().map_err(invalid)?;
        let who: Entitled = who.parse().map_err(invalid)?;
        let keep: Keep = keep.parse().map_err(invalid)?;
        let note = optional_reason(note)?;
        let order = AttestOrder { role, who, keep, note };
        let ticket = by.order(|here, caller| attest(here, caller, order.clone())).await?;
        let AttestOrder { role, who, .. } = &order;
        let answer =
            Attested { role: role.to_string(), who: who.to_string(), decision: keep.as_str().to_owned() };
        carried_out(ticket, async { json(&answer) }).await
    }
}

/// Archives that are looked at before they are moved into.
static ONE_AT_A_TIME: Semaphore = Semaphore::new(1);

fn told(archived: &Archived) -> Archive {
    let Archived { first, end, root, file, digest, .. } = archived;
    Archive {
        first: *first,
        end: *end,
        root: root.to_string(),
        file: file.to_string(),
        digest: digest.to_string(),
    }
}

impl Audit {
    async fn story_page(&self, id: &str, first: u64) -> Result<String, Error> {
        let request = request_id(id)?;
        let most = log::MOST_OF_A_PAGE;
        let page =
            read(&self.app.store, move |store| log::story_records(store, request, first, most)).await?;
        if page.records.is_empty() && page.archived.is_empty() && first == 0 {
            return Err(Error::NotFound(format!("the log has no record about {id}")));
        }
        json(&page)
    }

    /// Lets root, admins and auditors through, these from a login of theirs.
    async fn auditor(
        &self,
        method: Method,
        connection: &Connection,
        header: &Header<'_>,
    ) -> Result<Peer, Error> {
        let peer = self.origin.caller(method, &self.app, connection, header).await?;
        // Root waits for no name service.
        if peer.uid.is_root()
            || may_read_all(&self.app, peer, &self.app.orderer(method, peer).await?.reader().await?.account)
        {
            return Ok(peer);
        }
        let why = "only root, admins and auditors read the audit log";
        self.app.desk.note_refused(RefusedOrder::not_answered(method, why), peer.actor());
        Err(Error::NotPermitted(why.into()))
    }
}
