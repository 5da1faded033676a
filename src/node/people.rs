//! This person, her vault and her colleagues, as the commands `init`, `vault` and `card` see them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::api::{CardView, Failure, FailureCode, Initialised, Passphrase, Reply, SkippedFile};
use super::core::{Node, now};
use super::home::{Open, recovery_code, secret, store_failure, vault_failure};
use crate::encoding::id::{CaseId, IdPrefix};
use crate::encoding::random;
use crate::encoding::text::shown;
use crate::encoding::time::Timestamp;
use crate::identity::card::{Card, CardDetails, fingerprint};
use crate::identity::keys::{IdentityKey, SigningSecret};
use crate::identity::stretch::Cost;
use crate::identity::trust::names::FindError;
use crate::identity::trust::{Added, Colleague, Trust, TrustError, Verification};
use crate::identity::words::{ExpectedHalf, OwnHalf};
use crate::net::resolve;
use crate::store::{Batch, Table, write_private};

/// Largest card file that is read, in bytes.
const CARD_FILE_BYTES_MAX: u64 = 64 * 1024;

/// How an address is written.
pub(super) const ADDRESS_HINT: &str = "Write it like /ip4/192.168.1.20/tcp/4001, or 192.168.1.20:4001.";

impl Node {
    pub async fn init(
        &mut self,
        name: String,
        site: String,
        phone: Option<String>,
        passphrase: &Passphrase,
    ) -> Result<Reply, Failure> {
        let identity = SigningSecret::random(&mut random::system());
        let details = CardDetails { name, site, phone, test: self.options.test_cards, ..CardDetails::default() };
        self.begin(identity, details, passphrase).await
    }

    /// Restores the identity from its recovery code: a new device of the same person.
    pub async fn recover(
        &mut self,
        words: &str,
        new: &Passphrase,
        name: String,
        site: String,
    ) -> Result<Reply, Failure> {
        let identity = recovery_code(words)?.into_identity();
        let details = CardDetails { name, site, ..CardDetails::default() };
        let begun = self.begin(identity, details, new).await?;
        // Who typed it whole has it on paper. If that is not noted she is only asked again.
        if let Err(failure) = self.note_recovery_confirmed() {
            tracing::warn!(what = failure.what, "it was not noted that the recovery code is on paper");
        }
        Ok(begun)
    }

    async fn begin(
        &mut self,
        identity: SigningSecret,
        details: CardDetails,
        passphrase: &Passphrase,
    ) -> Result<Reply, Failure> {
        if self.home.vault_file()?.is_some() {
            return Err(Failure::new(FailureCode::Failed, "This home has an identity already.")
                .hint("Use it, or choose another folder with --home DIR."));
        }
        let created = tokio::task::block_in_place(|| self.home.create(identity, details, passphrase, now()));
        let (open, store) = created?;
        let initialised = Initialised {
            identity: open.identity().to_string(),
            device: open.device().to_string(),
            fingerprint: open.card.fingerprint(),
        };
        self.opened(open, store).await?;
        Ok(Reply::Initialised(initialised))
    }

    pub fn change_passphrase(&mut self, new: &Passphrase) -> Result<Reply, Failure> {
        let new = secret(new);
        let open = self.me_mut()?;
        let changed =
            tokio::task::block_in_place(|| open.vault.change_passphrase(&new, Cost::STANDARD, &mut random::system()));
        changed.map_err(vault_failure)?;
        self.home.write_vault(&self.me()?.vault)?;
        Ok(Reply::Nothing {})
    }

    pub fn recovery_code(&self) -> Result<Reply, Failure> {
        let words = self.me()?.vault.recovery_code().words().iter().map(ToString::to_string).collect();
        Ok(Reply::RecoveryCode { words })
    }

    /// Takes words typed back from paper: three or more as `place:word`, or the whole code.
    pub fn confirm_recovery_code(&mut self, typed: &str) -> Result<Reply, Failure> {
        let code = self.me()?.vault.recovery_code();
        let typed: Vec<&str> = typed.split_whitespace().collect();
        let wrong = || {
            Failure::new(FailureCode::WrongUse, "These are not the words at those places.")
                .hint("Look at the paper again; `overread vault recovery-code` shows the code once more.")
        };
        let placed: Option<Vec<(usize, &str)>> = typed
            .iter()
            .map(|typed| typed.split_once(':').and_then(|(place, word)| Some((place.parse().ok()?, word))))
            .collect();
        let right = match placed {
            Some(placed) => placed.len() >= 3 && placed.iter().all(|(place, word)| code.has_word(*place, word)),
            None => {
                typed.len() == code.words().len()
                    && typed.iter().zip(1..).all(|(word, place)| code.has_word(place, word))
            }
        };
        if !right {
            return Err(wrong());
        }
        self.note_recovery_confirmed()?;
        Ok(Reply::Nothing {})
    }

    fn note_recovery_confirmed(&mut self) -> Result<(), Failure> {
        let store = Arc::clone(self.store()?);
        let open = self.me_mut()?;
        open.settings.recovery_confirmed = true;
        let mut batch = Batch::new();
        open.settings.put(&mut batch);
        store.commit(batch).map_err(store_failure)
    }

    pub fn card_show(&self, who: Option<&str>) -> Result<Reply, Failure> {
        let open = self.me()?;
        match who {
            None => {
                let text = Some(open.card.to_text());
                Ok(Reply::Card(CardView { text, ..card_view(&open.card, "me", None, now()) }))
            }
            Some(who) => Ok(Reply::Card(self.colleague_view(&self.find_person(who)?)?)),
        }
    }

    pub async fn card_export(&mut self, path: &Path) -> Result<Reply, Failure> {
        self.refresh_own_card().await?;
        let open = self.me()?;
        write_private(path, open.card.to_text().as_bytes()).map_err(|error| {
            Failure::new(FailureCode::Failed, format!("The card cannot be written to {}: {error}", path.display()))
                .hint("Name a file in a folder that exists and that you may write to.")
        })?;
        Ok(Reply::Card(card_view(&open.card, "me", None, now())))
    }

    /// Adds cards from files and folders; addresses go to the only card, if there is one.
    pub async fn card_add(&mut self, paths: &[PathBuf], at: &[String]) -> Result<Reply, Failure> {
        let mut addresses = Vec::new();
        for text in at {
            let resolved = resolve(text).await.map_err(|error| {
                Failure::new(FailureCode::WrongUse, format!("{} is no address: {error}", shown(text)))
                    .hint(ADDRESS_HINT)
            })?;
            addresses.extend(resolved);
        }
        let files = card_files(paths)?;
        let (mut added, mut refused) = (Vec::new(), Vec::new());
        for path in files {
            match self.add_card_file(&path).await {
                Ok(identity) => {
                    for address in &addresses {
                        let open = self.me_mut()?;
                        open.people.learn_address(&identity, &address.to_string()).map_err(trust_failure)?;
                    }
                    self.save_colleague(&identity).await?;
                    added.push(self.colleague_view(&identity)?);
                }
                Err(failure) if paths.len() == 1 && paths[0] == path => return Err(failure),
                Err(failure) => refused.push(SkippedFile { path: path.display().to_string(), why: failure.what }),
            }
        }
        self.update_gate().await;
        Ok(Reply::CardsAdded { added, refused })
    }

    async fn add_card_file(&mut self, path: &Path) -> Result<IdentityKey, Failure> {
        let unreadable = |why: String| {
            Failure::new(FailureCode::NotFound, format!("The card {} cannot be read: {why}", path.display()))
                .hint("A card is a small text file that `overread card export F` writes.")
        };
        let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if length > CARD_FILE_BYTES_MAX {
            return Err(unreadable(format!("it has {length} bytes, a card at most {CARD_FILE_BYTES_MAX}")));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        // Bytes that are no text are damage on the way, not a file that is missing.
        let card = Card::from_text(&String::from_utf8_lossy(&bytes)).map_err(|error| {
            Failure::new(FailureCode::Untrusted, format!("{} is no usable card: {error}", path.display()))
                .hint("Ask your colleague to export it again: `overread card export F`.")
        })?;
        let identity = card.identity();
        self.add_card(card).await?;
        Ok(identity)
    }

    /// Adds or merges a card, durable before it returns.
    pub async fn add_card(&mut self, card: Card) -> Result<(), Failure> {
        let identity = card.identity();
        let added = self.me_mut()?.people.add(card, now()).map_err(trust_failure)?;
        self.save_colleague(&identity).await?;
        if let Added::Compromised = added {
            return Err(Failure::new(
                FailureCode::Untrusted,
                "Two different cards of this person carry the same serial: somebody else signs with her identity.",
            )
            .hint("No key goes to her until you verify her anew: call her, then `overread card verify NAME`."));
        }
        Ok(())
    }

    pub fn card_list(&self) -> Result<Reply, Failure> {
        let open = self.me()?;
        let time = now();
        let reached = |colleague: &Colleague| self.last_reached(&colleague.identity());
        let cards = open.people.iter().map(|colleague| view_of(colleague, reached(colleague), time)).collect();
        Ok(Reply::Cards { cards })
    }

    /// Shows one's own words, or compares what was heard.
    pub async fn card_verify(&mut self, who: &str, heard: Option<&str>) -> Result<Reply, Failure> {
        let identity = self.find_person(who)?;
        let name = self.me()?.name_of(&identity, None);
        let own = self.me()?.identity();
        let stretched = |error: crate::identity::stretch::StretchError| {
            Failure::new(FailureCode::Failed, format!("The safety words cannot be computed: {error}"))
                .hint("It needs 64 MiB of memory: close other programs and repeat the command.")
        };
        let Some(heard) = heard else {
            let half = tokio::task::block_in_place(|| OwnHalf::of(&own)).map_err(stretched)?;
            let words = half.words().iter().map(ToString::to_string).collect();
            return Ok(Reply::SafetyWords { words, who: name });
        };
        let expected = tokio::task::block_in_place(|| ExpectedHalf::of(&identity)).map_err(stretched)?;
        match expected.heard(heard) {
            Ok(()) => {
                self.me_mut()?.people.verify(&identity, Verification::SafetyWords, now()).map_err(trust_failure)?;
                self.save_colleague(&identity).await?;
                Ok(Reply::Verified { who: name, verified: true, wrong_word: None })
            }
            Err(error) => Err(Failure::new(FailureCode::Untrusted, format!("{name} is not verified: {error}"))
                .hint("Let your colleague read her words again. If they stay wrong, the card is not hers.")
                .detail("wrong", vec![error.to_string()])
                .detail("places", error.places().iter().map(usize::to_string).collect())),
        }
    }

    pub fn card_name(&mut self, who: &str, alias: &str) -> Result<Reply, Failure> {
        let identity = self.find_person(who)?;
        self.me_mut()?.people.rename(&identity, alias).map_err(trust_failure)?;
        self.save_colleague_now(&identity)?;
        Ok(Reply::Card(self.colleague_view(&identity)?))
    }

    pub async fn card_block(&mut self, who: &str) -> Result<Reply, Failure> {
        let identity = self.find_person(who)?;
        self.me_mut()?.people.block(&identity).map_err(trust_failure)?;
        self.save_colleague(&identity).await?;
        self.update_gate().await;
        Ok(Reply::Card(self.colleague_view(&identity)?))
    }

    pub async fn card_unblock(&mut self, who: &str) -> Result<Reply, Failure> {
        let identity = self.find_person(who)?;
        self.me_mut()?.people.unblock(&identity).map_err(trust_failure)?;
        self.save_colleague(&identity).await?;
        self.update_gate().await;
        Ok(Reply::Card(self.colleague_view(&identity)?))
    }

    pub async fn card_remove(&mut self, who: &str) -> Result<Reply, Failure> {
        let identity = self.find_person(who)?;
        self.me_mut()?.people.remove(&identity).map_err(trust_failure)?;
        let mut batch = Batch::new();
        batch.delete_row(Table::Colleague, &identity.0);
        self.commit(batch).await?;
        self.update_gate().await;
        Ok(Reply::Nothing {})
    }

    /// The colleague a person typed: a name, an alias or an id.
    pub fn find_person(&self, typed: &str) -> Result<IdentityKey, Failure> {
        match self.me()?.people.find(typed) {
            Ok(colleague) => Ok(colleague.identity()),
            Err(FindError::Unknown { .. }) => {
                Err(Failure::new(FailureCode::NotFound, format!("No colleague is called {}.", shown(typed)))
                    .hint("`overread card list` shows all; `overread pair open` adds one."))
            }
            Err(FindError::Ambiguous { candidates, .. }) => {
                Err(Failure::new(FailureCode::Ambiguous, format!("{} may be one of several colleagues.", shown(typed)))
                    .hint("Type more of the name, or the id.")
                    .detail("candidates", candidates.iter().map(ToString::to_string).collect()))
            }
        }
    }

    /// A member of a case, who need not be a colleague.
    pub fn find_member(&self, case: &CaseId, typed: &str) -> Result<IdentityKey, Failure> {
        self.find_member_id(case, typed).map_or_else(|| self.find_person(typed), Ok)
    }

    /// The one member of a case whose id begins like this.
    pub fn find_member_id(&self, case: &CaseId, typed: &str) -> Option<IdentityKey> {
        let prefix = IdPrefix::parse(typed)?;
        let members = self.rooms.get(case)?.room.membership().members();
        let mut fits = members.keys().filter(|identity| prefix.matches(IdentityKey::LETTER, identity.as_bytes()));
        fits.next().filter(|_| fits.next().is_none()).copied()
    }

    pub async fn save_colleague(&self, identity: &IdentityKey) -> Result<(), Failure> {
        let mut batch = Batch::new();
        if let Some(colleague) = self.me()?.people.get(identity) {
            batch.put_row(Table::Colleague, &identity.0, &colleague.to_bytes());
        }
        self.commit(batch).await
    }

    fn save_colleague_now(&self, identity: &IdentityKey) -> Result<(), Failure> {
        let mut batch = Batch::new();
        if let Some(colleague) = self.me()?.people.get(identity) {
            batch.put_row(Table::Colleague, &identity.0, &colleague.to_bytes());
        }
        self.store()?.commit(batch).map_err(store_failure)
    }

    pub fn colleague_view(&self, identity: &IdentityKey) -> Result<CardView, Failure> {
        let open: &Open = self.me()?;
        let colleague = open.people.get(identity).ok_or_else(|| trust_failure(TrustError::Unknown))?;
        Ok(view_of(colleague, self.last_reached(identity), now()))
    }
}

fn view_of(colleague: &Colleague, reached: Option<Timestamp>, time: Timestamp) -> CardView {
    let trust = match colleague.trust() {
        Trust::Unverified => "unverified",
        Trust::Verified(..) if colleague.conflict().is_some() => "compromised",
        Trust::Verified(..) => "verified",
        Trust::Blocked => "blocked",
    };
    let mut view = card_view(colleague.card(), trust, Some(colleague.name()), time);
    view.last_reached = reached.map(|reached| reached.to_string());
    view.addresses = colleague.addresses().map(|address| shown(address).into_owned()).collect();
    view
}

fn card_view(card: &Card, trust: &str, name: Option<&str>, time: Timestamp) -> CardView {
    CardView {
        identity: card.identity().to_string(),
        name: card.name().into_owned(),
        site: card.site().into_owned(),
        phone: card.phone().map(|phone| phone.into_owned()),
        alias: name.filter(|name| *name != card.name()).map(|name| shown(name).into_owned()),
        devices: card.devices().iter().map(|device| device.device().to_string()).collect(),
        addresses: card.addresses().to_vec(),
        fingerprint: fingerprint(&card.identity()),
        trust: trust.into(),
        serial: card.serial(),
        expires: Some(card.expires().to_string()),
        expired: card.is_expired(time),
        last_reached: None,
        text: None,
    }
}

/// The card files a person named, folders one level deep.
fn card_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let missing = |error: std::io::Error| {
            Failure::new(FailureCode::NotFound, format!("{} cannot be read: {error}", path.display()))
                .hint("Name a card file, or a folder of them.")
        };
        if std::fs::metadata(path).map_err(missing)?.is_dir() {
            for entry in std::fs::read_dir(path).map_err(missing)? {
                let entry = entry.map_err(missing)?.path();
                if entry.extension().is_some_and(|extension| extension == "card") {
                    files.push(entry);
                }
            }
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(FailureCode::NotFound, "There is no *.card file there.")
            .hint("`overread card export F.card` writes one; name the file, or the folder it lies in."));
    }
    Ok(files)
}

/// Words for what the book of colleagues refuses.
pub(super) fn trust_failure(error: TrustError) -> Failure {
    let (code, hint) = match error {
        TrustError::Unknown => (FailureCode::NotFound, "`overread card list` shows whom you know."),
        TrustError::BadName | TrustError::NameLikeId | TrustError::NameTaken { .. } => {
            (FailureCode::WrongUse, "Choose another name.")
        }
        TrustError::BadAddress => (FailureCode::WrongUse, ADDRESS_HINT),
        TrustError::OwnCard => (FailureCode::Untrusted, "Name the file of a colleague's card."),
        TrustError::TestCard | TrustError::Merge(_) => {
            (FailureCode::Untrusted, "Ask your colleague for the card as it is now: `overread card export F`.")
        }
        TrustError::DeviceOfAnother { .. } => {
            (FailureCode::Untrusted, "Call both on numbers you know: one of the two cards is not what it says.")
        }
        TrustError::TooMany => (FailureCode::Untrusted, "`overread card remove NAME` makes room."),
        TrustError::Blocked { .. } => {
            (FailureCode::Untrusted, "`overread card unblock NAME`, then compare words anew.")
        }
    };
    Failure::new(code, super::library::sentence(&error)).hint(hint)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::node::api::{Answer, Envelope, Request};
    use crate::node::{Asked, NodeHandle, NodeOptions};

    async fn ask(node: &NodeHandle, request: Request, passphrase: Option<&str>) -> Result<Reply, Failure> {
        let (answers, mut answered) = mpsc::channel(16);
        let (_replies, replies) = mpsc::channel(1);
        let passphrase = passphrase.map(|text| Passphrase(text.into()));
        let envelope = Envelope { request, passphrase, request_id: None, wait_seconds: Some(0) };
        node.ask(Asked { envelope, answers, replies }).await.unwrap();
        loop {
            match answered.recv().await.unwrap() {
                Answer::Event(_) => {}
                Answer::Done(reply) => return Ok(*reply),
                Answer::Failed(failure) => return Err(failure),
            }
        }
    }

    /// The same as soon as a passphrase is taken again.
    async fn ask_in_time(node: &NodeHandle, request: Request, passphrase: &str) -> Result<Reply, Failure> {
        loop {
            match ask(node, request.clone(), Some(passphrase)).await {
                Err(Failure { code: FailureCode::TooSoon, .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
                ended => return ended,
            }
        }
    }

    /// A node whose passphrase is `correct horse`.
    async fn annas() -> (tempfile::TempDir, NodeHandle) {
        let folder = tempfile::tempdir().unwrap();
        let options =
            NodeOptions { listen: vec!["/ip4/127.0.0.1/tcp/0".into()], beacon: false, ..NodeOptions::default() };
        let node = NodeHandle::start(&folder.path().join("home"), options).unwrap();
        let init = Request::Init { name: "Dr. Anna Weber".into(), site: "St. Vinzenz".into(), phone: None };
        ask(&node, init, Some("correct horse")).await.unwrap();
        (folder, node)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_open_vault_gets_another_passphrase_only_from_who_knows_the_one_until_now() {
        let (_folder, node) = annas().await;
        let change = || Request::VaultPassphrase { new: Passphrase("battery staple".into()) };
        for (typed, refused) in [(None, FailureCode::Locked), (Some("incorrect horse"), FailureCode::WrongPassphrase)] {
            assert_eq!(ask(&node, change(), typed).await.unwrap_err().code, refused);
            assert!(ask(&node, Request::CardList, None).await.is_ok(), "the vault stays open");
        }
        ask_in_time(&node, change(), "correct horse").await.unwrap();
        ask(&node, Request::Lock, None).await.unwrap();
        assert!(ask(&node, Request::CardList, Some("correct horse")).await.is_err());
        assert!(ask_in_time(&node, Request::CardList, "battery staple").await.is_ok());
        node.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_open_vault_shows_its_recovery_code_only_to_who_knows_the_passphrase() {
        let (_folder, node) = annas().await;
        for (typed, refused) in [(None, FailureCode::Locked), (Some("incorrect horse"), FailureCode::WrongPassphrase)] {
            assert_eq!(ask(&node, Request::RecoveryCode, typed).await.unwrap_err().code, refused);
        }
        let shown = ask_in_time(&node, Request::RecoveryCode, "correct horse").await.unwrap();
        assert!(matches!(shown, Reply::RecoveryCode { words } if words.len() == 24));
        ask(&node, Request::Lock, None).await.unwrap();
        assert_eq!(ask(&node, Request::RecoveryCode, None).await.unwrap_err().code, FailureCode::Locked);
        assert!(ask(&node, Request::RecoveryCode, Some("correct horse")).await.is_ok(), "it opens the vault too");
        node.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn wrong_passphrases_make_the_next_wait_and_nobody_else() {
        let (_folder, node) = annas().await;
        ask(&node, Request::Lock, None).await.unwrap();
        let list = || Request::CardList;
        let wrong = ask(&node, list(), Some("incorrect horse")).await.unwrap_err();
        assert_eq!((wrong.code, wrong.wait_seconds), (FailureCode::WrongPassphrase, Some(1)));
        ask_in_time(&node, list(), "another horse").await.unwrap_err();
        let begun = std::time::Instant::now();
        // Even the right one: who guesses learns nothing by trying fast.
        let early = ask(&node, list(), Some("correct horse")).await.unwrap_err();
        assert_eq!((early.code, early.wait_seconds), (FailureCode::TooSoon, Some(2)), "{early}");
        assert_eq!(early.code.exit_code(), 3);
        ask(&node, Request::Status, None).await.unwrap();
        assert_eq!(ask(&node, list(), None).await.unwrap_err().code, FailureCode::Locked);
        assert!(begun.elapsed() < Duration::from_secs(1), "the node went on: {:?}", begun.elapsed());
        ask_in_time(&node, list(), "correct horse").await.unwrap();
        // The count ended with the right one, and outlives locking.
        ask(&node, Request::VaultPassphrase { new: Passphrase("battery staple".into()) }, Some("no horse"))
            .await
            .unwrap_err();
        ask(&node, Request::Lock, None).await.unwrap();
        let early = ask(&node, list(), Some("correct horse")).await.unwrap_err();
        assert_eq!((early.code, early.wait_seconds), (FailureCode::TooSoon, Some(1)), "{early}");
        node.shutdown().await;
    }
}
