//! What a dishonest program would write, for tests of what honest ones make of it.

use super::*;

impl Room {
    /// Writes content whatever the rights: what a dishonest program would do.
    pub(in crate::case) fn write_unchecked(
        &mut self,
        author: &Author<'_>,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Written {
        let epoch = self.membership().epochs().last().unwrap().id;
        let secret = self.keyring.secret(&epoch).unwrap();
        let place = self.place(author);
        let bytes = compose(author, place, Timestamp(9_000), Some(epoch), secret, content, None, &[], rng).unwrap();
        self.take_own(author, bytes).unwrap()
    }

    /// Starts an epoch whose secret one current reader's device does not get.
    pub(in crate::case) fn start_epoch_without(
        &mut self,
        author: &Author<'_>,
        left_out: DeviceKey,
        rng: &mut impl CryptoRng,
    ) -> Written {
        let membership = self.membership();
        let mut reading = membership.reading_devices();
        reading.remove(&left_out);
        let secret = EpochSecret::random(rng);
        let seals = seal_to_all(&secret, self.case(), &reading, rng).unwrap();
        let commitment = Bytes(secret.commitment());
        let members = Members { changes: Vec::new(), commitment, seals, wrapped: Vec::new() };
        let from = membership.epochs().last().map(|epoch| epoch.id);
        let content = Content::MembersNote(no_note());
        let access = Some(AccessChange::Members(members));
        let place = self.place(author);
        let bytes = compose(author, place, Timestamp(9_000), from, &secret, &content, access, &[], rng).unwrap();
        self.take_own(author, bytes).unwrap()
    }
}
