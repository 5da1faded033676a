//! The one task that owns everything, and its three phases: no vault, locked, open.
//!
//! Requests are carried out one at a time. Whatever takes long gets its own task and comes back as [`Inner`]. A
//! request that waits (for delivery, for a transfer) leaves a waiter behind and does not hold up the next one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::api::{Answer, Envelope, Event, Failure, FailureCode, Passphrase, Reply, Request, Status};
use super::delivery::Waiter;
use super::frontiers::Frontiers;
use super::home::{Home, Open, no_vault, store_failure};
use super::link::{Inner, Link};
use super::live::Live;
use super::pacs::{InboxNews, Listening};
use super::passphrase::Attempts;
use super::rooms::Rooms;
use super::studies::Studies;
use super::transfers::Transfers;
use super::{Asked, Asking, NodeOptions, control};
use crate::encoding::time::Timestamp;
use crate::identity::vault::LockedVault;
use crate::pacs::inbox::Inbox;
use crate::store::{Batch, Store, Table};

/// Messages of the node's own tasks not yet taken.
const INNER_MAX: usize = 4096;

/// How often waiting requests are looked at when nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// How often an open node looks for pixels whose time is over.
const RETENTION_LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long a writing command tries to deliver, if it does not say.
pub(super) const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// Longest answer that is kept for a repeat, in bytes.
const REPEAT_BYTES_MAX: usize = 256 * 1024;

/// The running program of one home.
pub(super) struct Node {
    pub home: Home,
    /// Held by whatever writes studies beside the node: two at once would each write what it read before.
    pub writing_studies: Arc<std::sync::Mutex<()>>,
    pub options: NodeOptions,
    pub(super) phase: Phase,
    pub store: Option<Arc<Store>>,
    pub rooms: Rooms,
    pub studies: Studies,
    pub frontiers: Frontiers,
    pub transfers: Transfers,
    pub link: Option<Link>,
    pub inbox: Inbox,
    pub(super) listening: Option<Listening>,
    pub(super) inbox_news: InboxNews,
    pub live: Live,
    pub waiters: Vec<Waiter>,
    pub inner: mpsc::Sender<Inner>,
    inner_receiver: Option<mpsc::Receiver<Inner>>,
    followers: Vec<mpsc::Sender<Answer>>,
    /// Weak: the node ends when neither its owner nor a program at the socket can ask it any more.
    asking: mpsc::WeakSender<Asking>,
    pub(super) attempts: Attempts,
    last_request: Instant,
    /// When the node last looked for pixels whose time is over.
    pub retention_looked: Instant,
}

pub(super) enum Phase {
    /// No vault, or one that has not been opened since the start.
    Shut,
    Locked(Box<LockedVault>),
    Open(Box<Open>),
}

/// A request with where its answer goes.
pub(super) struct Task {
    pub answers: mpsc::Sender<Answer>,
    pub replies: mpsc::Receiver<Request>,
    pub wait: Duration,
    pub request_id: Option<String>,
}

/// How a request goes on.
#[expect(clippy::large_enum_variant, reason = "one at a time, passed on at once")]
pub(super) enum Step {
    Done(Reply),
    /// Something else answers later.
    Later,
}

/// Less than this left on the disk is little: a large examination, in bytes.
pub(super) const DISK_LOW_BYTES: u64 = 2 << 30;

impl Node {
    pub fn new(home: &Path, options: NodeOptions, asking: mpsc::WeakSender<Asking>) -> Result<Self, Failure> {
        let (inner, inner_receiver) = mpsc::channel(INNER_MAX);
        let home = Home::take(home)?;
        Ok(Self {
            inbox: super::pacs::inbox(&home)?,
            listening: None,
            inbox_news: InboxNews::default(),
            home,
            writing_studies: Arc::default(),
            options,
            phase: Phase::Shut,
            store: None,
            rooms: Rooms::default(),
            studies: Studies::default(),
            frontiers: Frontiers::default(),
            transfers: Transfers::default(),
            link: None,
            live: Live::default(),
            waiters: Vec::new(),
            inner,
            inner_receiver: Some(inner_receiver),
            followers: Vec::new(),
            asking,
            attempts: Attempts::default(),
            last_request: Instant::now(),
            retention_looked: Instant::now(),
        })
    }

    /// Runs until it is told to end.
    pub async fn run(mut self, mut asked: mpsc::Receiver<Asking>) {
        match control::listen(self.home.path()) {
            Ok(listener) => drop(tokio::spawn(control::serve(listener, self.asking.clone()))),
            Err(error) => tracing::warn!(%error, "no control socket: other programs cannot ask this node"),
        }
        let Some(mut inner) = self.inner_receiver.take() else { return };
        loop {
            let wake = self.next_wake();
            tokio::select! {
                biased;
                event = Link::next_event(&mut self.link) => self.network_event(event).await,
                Some(message) = inner.recv() => self.inner_message(message).await,
                asking = asked.recv() => match asking {
                    Some(Asking::Request(asked)) => self.request(asked).await,
                    Some(Asking::ShutDown) | None => break,
                },
                () = tokio::time::sleep_until(wake.into()) => self.tick().await,
            }
            self.drive().await;
        }
        self.end().await;
    }

    async fn end(mut self) {
        self.stop_listening().await;
        self.inbox.lock();
        if let Some(link) = self.link.take() {
            link.shutdown().await;
        }
        // What an import or a writer task still holds of the store ends with the runtime.
        drop(self.store.take());
        let _ = std::fs::remove_file(control::socket_path(self.home.path()));
    }

    fn next_wake(&self) -> Instant {
        let timer = self.link.as_ref().and_then(Link::next_timer);
        let busy = !self.waiters.is_empty();
        let tick = Instant::now() + if busy { TICK } else { Duration::from_secs(5) };
        timer.into_iter().chain(self.live.next_wake()).fold(tick, Instant::min)
    }

    async fn tick(&mut self) {
        self.link_timers().await;
        self.live_timers();
        self.serve_waiters().await;
        if let Some(after) = self.options.lock_after
            && self.is_open()
            && self.last_request.elapsed() > after
        {
            self.lock().await;
        }
        if self.is_open() && self.retention_looked.elapsed() > RETENTION_LOOK_EVERY {
            self.drop_pixels_after_retention().await;
        }
    }

    /// Carries out one request.
    async fn request(&mut self, asked: Asked) {
        let Asked { envelope, answers, replies } = asked;
        let Envelope { request, passphrase, request_id, wait_seconds } = envelope;
        let wait = wait_seconds.map_or(WAIT_DEFAULT, Duration::from_secs);
        let task = Task { answers: answers.clone(), replies, wait, request_id };
        self.last_request = Instant::now();
        match self.carry_out(request, passphrase, task).await {
            Ok(Step::Done(reply)) => answer(&answers, Answer::Done(Box::new(reply))).await,
            Ok(Step::Later) => {}
            Err(failure) => answer(&answers, Answer::Failed(failure)).await,
        }
    }

    async fn carry_out(
        &mut self,
        request: Request,
        passphrase: Option<Passphrase>,
        task: Task,
    ) -> Result<Step, Failure> {
        match request {
            Request::Status => return Ok(Step::Done(Reply::Status(self.status()?))),
            Request::Init { name, site, phone } => {
                let passphrase = passphrase.ok_or_else(passphrase_missing)?;
                return self.init(name, site, phone, &passphrase).await.map(Step::Done);
            }
            Request::VaultRecover { words, new, name, site } => {
                return self.recover(&words.0, &new, name, site).await.map(Step::Done);
            }
            Request::Lock => {
                self.lock().await;
                return Ok(Step::Done(Reply::Nothing {}));
            }
            Request::VaultPassphrase { .. } | Request::RecoveryCode | Request::Unlock if self.is_open() => {
                self.prove(passphrase)?;
            }
            _ => self.unlock(passphrase).await?,
        }
        if let Some(id) = &task.request_id
            && let Some(reply) = self.earlier_answer(id)?
        {
            return Ok(Step::Done(reply));
        }
        if needs_network(&request) {
            self.connect().await?;
        }
        self.dispatch(request, task).await
    }

    async fn dispatch(&mut self, request: Request, task: Task) -> Result<Step, Failure> {
        use Request as R;
        match request {
            R::Status | R::Init { .. } | R::VaultRecover { .. } | R::Lock | R::Unlock => {
                Ok(Step::Done(Reply::Nothing {}))
            }
            R::Confirm { .. } => Err(Failure::new(FailureCode::WrongUse, "There is nothing to confirm.")),
            R::VaultPassphrase { new } => self.change_passphrase(&new).map(Step::Done),
            R::RecoveryCode => self.recovery_code().map(Step::Done),
            R::ConfirmRecoveryCode { words } => self.confirm_recovery_code(&words).map(Step::Done),
            R::CardShow { who } => self.card_show(who.as_deref()).map(Step::Done),
            R::CardExport { path } => self.card_export(&path).await.map(Step::Done),
            R::CardAdd { paths, at } => self.card_add(&paths, &at).await.map(Step::Done),
            R::CardList => self.card_list().map(Step::Done),
            R::CardVerify { who, heard } => self.card_verify(&who, heard.as_deref()).await.map(Step::Done),
            R::CardName { who, alias } => self.card_name(&who, &alias).map(Step::Done),
            R::CardBlock { who } => self.card_block(&who).await.map(Step::Done),
            R::CardUnblock { who } => self.card_unblock(&who).await.map(Step::Done),
            R::CardRemove { who } => self.card_remove(&who).await.map(Step::Done),
            R::PairOpen => self.pair_open(task).await,
            R::PairJoin { code, at } => self.pair_join(&code, at, task).await,
            R::Import(request) => self.import(request, task),
            R::StudyList => self.study_list().map(Step::Done),
            R::StudyShow { study, identity } => self.study_show(&study, identity).map(Step::Done),
            R::StudyRemove { study } => self.study_remove(&study).await.map(Step::Done),
            R::StudyReview { study, directory } => self.study_review(&study, directory, task),
            R::StudyInclude { study, series } => self.study_include(&study, series, task),
            R::StudyLeftOut { study, all } => self.study_left_out(&study, all, task),
            R::StudyDecide { study, admit, keep_out, masks } => {
                self.study_decide(&study, super::looks::Decision { admit, keep_out, masks }, task)
            }
            R::StudyMask { study, images, series, rectangles } => {
                self.study_mask(&study, images, series, rectangles, task)
            }
            R::StudyPatients => self.study_patients().map(Step::Done),
            R::StudyExport { study, directory } => self.study_export(&study, directory, task),
            R::StudyFile { study, sop_instance_uid } => self.study_file(&study, sop_instance_uid, task),
            R::StudyImage { study, sop_instance_uid, frame, values, window } => {
                self.study_image(&study, &sop_instance_uid, frame, values, window.as_deref()).map(Step::Done)
            }
            R::CaseNew(new) => self.case_new(new, task).await,
            R::CaseList => self.case_list().map(Step::Done),
            R::CaseShow { case } => self.case_show(&case).map(Step::Done),
            R::CaseLog { case } => self.case_log(&case).map(Step::Done),
            R::CaseAccept { case } => self.case_accept(&case).await.map(Step::Done),
            R::CaseEdit { case, change } => self.case_edit(&case, change, task).await,
            R::CaseClose { case } => self.case_status(&case, true, task).await,
            R::CaseReopen { case } => self.case_status(&case, false, task).await,
            R::CasePurge { case } => self.case_purge(&case).await.map(Step::Done),
            R::CaseStudyAdd { case, study, prior, other_patient } => {
                self.case_study_add(&case, &study, prior, other_patient, task).await
            }
            R::CaseStudyWithdraw { case, study, reason, text_checked } => {
                self.case_study_withdraw(&case, &study, reason, text_checked, task).await
            }
            R::CaseMemberAdd { case, who, role, to_unverified } => {
                self.case_member_add(&case, &who, &role, to_unverified, task).await
            }
            R::CaseMemberRemove { case, who } => self.case_member_remove(&case, &who, task).await,
            R::CaseMemberRole { case, who, role } => self.case_member_role(&case, &who, &role, task).await,
            R::MarkAdd { case, sop_instance_uid, frame, kind, points, label, text_checked } => {
                let mark = super::opinions::NewMark { sop_instance_uid, frame, kind, points, label };
                self.mark_add(&case, mark, text_checked, task).await
            }
            R::MarkList { case } => self.mark_list(&case).await.map(Step::Done),
            R::MarkRemove { mark } => self.mark_remove(&mark, task).await,
            R::OpinionTemplate { case } => self.opinion_template(&case).await.map(Step::Done),
            R::OpinionSign { case, opinion, displayed, incomplete_ok, text_checked, draft, asked_by } => {
                let agreed = super::opinions::Agreed { incomplete_ok, text_checked };
                let unsigned = super::opinions::Unsigned { opinion, displayed, draft, asked_by };
                self.opinion_sign(&case, unsigned, agreed, task).await
            }
            R::OpinionDraftKeep { case, opinion, revision, last_seen } => {
                self.opinion_draft_keep(&case, opinion, revision, last_seen).await.map(Step::Done)
            }
            R::OpinionDraftShow { case } => self.opinion_draft_show(&case).map(Step::Done),
            R::OpinionDraftDrop { case, revision } => self.opinion_draft_drop(&case, revision).await.map(Step::Done),
            R::OpinionList { case } => self.opinion_list(&case).await.map(Step::Done),
            R::OpinionRead { opinion } => self.opinion_read(&opinion, task).await,
            R::OpinionAddend { opinion, text, text_checked } => {
                self.opinion_addend(&opinion, text, text_checked, task).await
            }
            R::Say { case, text, view, reply_to, text_checked } => {
                self.say(&case, text, view, reply_to.as_deref(), text_checked, task).await
            }
            R::Attend { case } => self.attend(&case, task).await,
            R::OnScreen { case, images } => self.on_screen(&case, &images).await.map(Step::Done),
            R::Pencil { case, pencil } => self.pencil(&case, pencil).map(Step::Done),
            R::Sync => self.sync_now(task).await,
            R::Transfers => self.transfers().await.map(Step::Done),
            R::Fetch { case, series, key_images } => self.fetch(&case, &series, key_images, task).await,
            R::BundlePack { recipients, cases, key_images, path } => {
                self.bundle_pack(&recipients, &cases, key_images, path, task).await
            }
            R::BundleShow { path } => self.bundle_show(path, task),
            R::BundleUnpack { path } => self.bundle_unpack(path, task),
            R::PacsListen(listen) => self.pacs_listen(listen, task).await,
            R::PacsStop => self.pacs_stop().await.map(Step::Done),
            R::InboxList => Ok(Step::Done(self.inbox_list())),
            R::InboxDiscard { studies } => self.inbox_discard(&studies).map(Step::Done),
            R::Verify { what } if Path::new(&what).is_absolute() => self.bundle_verify(what.into(), task),
            R::Verify { what } => self.verify(&what, task),
            R::Doctor => self.doctor().await.map(Step::Done),
            R::SettingsShow => self.settings_show().map(Step::Done),
            R::SettingsSet { name, value } => self.settings_set(&name, &value).await.map(Step::Done),
            R::Follow => self.follow(task).await,
        }
    }

    fn status(&self) -> Result<Status, Failure> {
        let open = self.open_part();
        Ok(Status {
            initialised: self.home.vault_file()?.is_some(),
            locked: open.is_none(),
            running: self.link.is_some(),
            identity: open.map(|open| open.identity().to_string()),
            name: open.map(|open| open.card.name().into_owned()),
            site: open.map(|open| open.card.site().into_owned()),
            recovery_confirmed: open.map(|open| open.settings.recovery_confirmed),
            disk_low_bytes: self
                .store
                .as_ref()
                .and_then(|store| store.free_bytes().ok())
                .filter(|free| *free < DISK_LOW_BYTES),
            version: Some(super::api::VERSION.into()),
        })
    }

    /// Goes on with an open vault.
    pub async fn opened(&mut self, open: Open, store: Arc<Store>) -> Result<(), Failure> {
        let was_locked = matches!(self.phase, Phase::Locked(_));
        if !was_locked {
            self.rooms = Rooms::load(&store)?;
        }
        self.rooms.unlock(&open);
        self.studies = Studies::load(&store)?;
        self.frontiers = Frontiers::load(&store)?;
        self.store = Some(store);
        self.phase = Phase::Open(Box::new(open));
        self.inbox.unlock();
        self.catch_up_after_unlock().await;
        Ok(())
    }

    /// Wipes everything but the transport key and the notice key; the node goes on as a courier.
    pub async fn lock(&mut self) {
        self.remember_colleagues();
        self.lock_live();
        let phase = std::mem::replace(&mut self.phase, Phase::Shut);
        let Phase::Open(open) = phase else {
            self.phase = phase;
            return;
        };
        self.rooms.lock();
        self.studies.lock();
        self.frontiers.clear();
        if let Some(store) = &self.store {
            store.lock();
        }
        self.phase = Phase::Locked(Box::new(open.vault.lock()));
        self.happened("locked", None, None);
        self.lock_inbox();
    }

    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    pub fn open_part(&self) -> Option<&Open> {
        open_part(&self.phase)
    }

    pub fn locked_part(&self) -> Option<&LockedVault> {
        match &self.phase {
            Phase::Locked(locked) => Some(locked),
            _ => None,
        }
    }

    /// The open vault, or the failure that says that it is locked.
    pub fn me(&self) -> Result<&Open, Failure> {
        self.open_part().ok_or_else(|| Failure::new(FailureCode::Locked, "The vault is locked."))
    }

    pub fn me_mut(&mut self) -> Result<&mut Open, Failure> {
        match &mut self.phase {
            Phase::Open(open) => Ok(open),
            _ => Err(Failure::new(FailureCode::Locked, "The vault is locked.")),
        }
    }

    pub fn store(&self) -> Result<&Arc<Store>, Failure> {
        self.store.as_ref().ok_or_else(no_vault)
    }

    pub async fn commit(&self, batch: Batch) -> Result<(), Failure> {
        self.store()?.commit_async(batch).await.map_err(store_failure)
    }

    /// Tells everybody who follows, and the log, in words without content.
    pub fn happened(&mut self, what: &str, case: Option<String>, who: Option<String>) {
        tracing::info!(what, case, "happened");
        self.tell_followers(&Event::Happened { what: what.into(), case, who });
    }

    /// Tells everybody who follows; who is slow misses some.
    pub fn tell_followers(&mut self, event: &Event) {
        self.followers.retain(|follower| match follower.try_send(Answer::Event(event.clone())) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
    }

    async fn follow(&mut self, task: Task) -> Result<Step, Failure> {
        let addresses = self.listen_addresses().await;
        let peer = self.me()?.card.fingerprint();
        answer(&task.answers, Answer::Event(Event::Ready { peer, addresses })).await;
        self.followers.push(task.answers);
        Ok(Step::Later)
    }

    /// The answer a request with this id got before.
    fn earlier_answer(&self, id: &str) -> Result<Option<Reply>, Failure> {
        let row = self.store()?.row(Table::Request, id.as_bytes()).map_err(store_failure)?;
        Ok(row.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Keeps an answer for a repeat, in the batch of what it did.
    pub fn keep_answer(&self, batch: &mut Batch, request_id: Option<&str>, reply: &Reply) {
        if let Some(id) = request_id
            && let Ok(bytes) = serde_json::to_vec(reply)
            && bytes.len() <= REPEAT_BYTES_MAX
        {
            batch.put_row(Table::Request, id.as_bytes(), &bytes);
        }
    }

    pub fn names_noted(
        &mut self,
        case: &crate::encoding::id::CaseId,
    ) -> BTreeMap<crate::identity::keys::IdentityKey, String> {
        let state = self.rooms.get_mut(case).map(super::rooms::OpenCase::state);
        let names = state.iter().flat_map(|state| &state.shared.names);
        names.map(|(identity, name)| (*identity, name.name.clone())).collect()
    }
}

/// The open vault of a phase; apart from the node, so that its other parts can change meanwhile.
pub(super) fn open_part(phase: &Phase) -> Option<&Open> {
    match phase {
        Phase::Open(open) => Some(open),
        _ => None,
    }
}

/// Answers a request; a client that left is no error.
pub(super) async fn answer(answers: &mpsc::Sender<Answer>, what: Answer) {
    let _ = answers.send(what).await;
}

/// Now, as this device's clock claims.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn passphrase_missing() -> Failure {
    Failure::new(FailureCode::Locked, "A new vault needs a passphrase.")
        .hint("Give one: --passphrase-file F, OVERREAD_PASSPHRASE, or at the prompt.")
}

/// Whether a request talks to other devices.
fn needs_network(request: &Request) -> bool {
    use Request as R;
    !matches!(
        request,
        R::VaultPassphrase { .. }
            | R::RecoveryCode
            | R::ConfirmRecoveryCode { .. }
            | R::CardShow { .. }
            | R::CardExport { .. }
            | R::CardAdd { .. }
            | R::CardList
            | R::CardVerify { .. }
            | R::CardName { .. }
            | R::CardBlock { .. }
            | R::CardUnblock { .. }
            | R::CardRemove { .. }
            | R::Import(_)
            | R::StudyList
            | R::StudyShow { .. }
            | R::StudyRemove { .. }
            | R::StudyReview { .. }
            | R::StudyInclude { .. }
            | R::StudyLeftOut { .. }
            | R::StudyDecide { .. }
            | R::StudyMask { .. }
            | R::StudyPatients
            | R::StudyExport { .. }
            | R::StudyFile { .. }
            | R::StudyImage { .. }
            | R::SettingsShow
            | R::SettingsSet { .. }
            | R::CaseList
            | R::CaseLog { .. }
            | R::CasePurge { .. }
            | R::MarkList { .. }
            | R::OpinionTemplate { .. }
            | R::OpinionDraftKeep { .. }
            | R::OpinionDraftShow { .. }
            | R::OpinionDraftDrop { .. }
            | R::OpinionList { .. }
            | R::BundlePack { .. }
            | R::BundleShow { .. }
            | R::BundleUnpack { .. }
            | R::PacsStop
            | R::InboxList
            | R::InboxDiscard { .. }
            | R::Verify { .. }
            | R::Confirm { .. }
    )
}
