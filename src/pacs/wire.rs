//! PDUs over a stream, with a limit on their length and on the time each takes.
//!
//! The PDUs are dicom-ul's; its associations are not used. They accept no syntax whose decoder is not linked into
//! dicom-rs, though we carry what we need not decode; they cannot refuse for want of room; they test the whole version
//! field rather than its bit; and of TLS spoken to a plain listener only their blocking form notices. Here the header
//! is read first and judged before anything is allocated, so no length on the wire reserves memory by itself.

use std::time::Duration;

use dicom_ul::pdu::{PDU_HEADER_SIZE, PDV_HEADER_SIZE, PDataValue, PDataValueType, Pdu, read_pdu, write_pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

/// Longest PDU that is taken or sent, in bytes: what dcmtk sends at most. Longer ones bring no speed.
pub const PDU_BYTES_MAX: u32 = 128 * 1024;

/// How long a PDU may take once its first byte is here, and how long an answer may take to leave.
pub const PDU_TIME_MAX: Duration = Duration::from_secs(60);

/// What a TCP and a TLS connection have in common.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream of PDUs.
pub struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    buffer: Vec<u8>,
    pdu_time_max: Duration,
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream: BufReader::with_capacity(16 * 1024, stream), buffer: Vec::new(), pdu_time_max: PDU_TIME_MAX }
    }

    /// Reads the next PDU, whose first byte must come within `silence_max`.
    pub async fn read(&mut self, silence_max: Duration) -> Result<Pdu, WireError> {
        let kind = match timeout(silence_max, self.stream.read_u8()).await {
            Err(_) => return Err(WireError::Silence(silence_max)),
            Ok(Err(_)) => return Err(WireError::Closed),
            Ok(Ok(kind)) => kind,
        };
        judge_kind(kind)?;
        timeout(self.pdu_time_max, self.rest(kind)).await.unwrap_or(Err(WireError::Slow))
    }

    async fn rest(&mut self, kind: u8) -> Result<Pdu, WireError> {
        let mut header = [kind, 0, 0, 0, 0, 0];
        self.stream.read_exact(&mut header[1..]).await.map_err(|_| WireError::Closed)?;
        let [_, _, a, b, c, d] = header;
        let length = u32::from_be_bytes([a, b, c, d]);
        if length > PDU_BYTES_MAX {
            return Err(WireError::TooLong { bytes: length });
        }
        // The release and the abort have four bytes, no more (PS3.8 §9.3.6 to 9.3.8); dicom-ul skips what follows.
        if (5..=7).contains(&kind) && length != 4 {
            return Err(WireError::Malformed);
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(&header);
        let end = header.len() + usize::try_from(length).map_err(|_| WireError::TooLong { bytes: length })?;
        self.buffer.resize(end, 0);
        self.stream.read_exact(&mut self.buffer[header.len()..]).await.map_err(|_| WireError::Closed)?;
        match read_pdu(&self.buffer[..], PDU_BYTES_MAX, true) {
            Ok(Some(pdu)) => Ok(pdu),
            Ok(None) | Err(_) => Err(WireError::Malformed),
        }
    }

    pub async fn write(&mut self, pdu: &Pdu) -> Result<(), WireError> {
        let mut bytes = Vec::with_capacity(256 + PDU_HEADER_SIZE as usize);
        write_pdu(&mut bytes, pdu).map_err(|_| WireError::Malformed)?;
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        timeout(self.pdu_time_max, sent).await.map_err(|_| WireError::Slow)?.map_err(|_| WireError::Closed)
    }

    /// Says goodbye on the transport; whether it is heard makes no difference any more.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(5), self.stream.shutdown()).await;
    }
}

/// A message in PDUs that its receiver takes.
pub fn fragments(context: u8, command: &[u8], data_set: Option<&[u8]>, pdu_bytes_max: u32) -> Vec<Pdu> {
    let bytes_max = usize::try_from(pdu_bytes_max.saturating_sub(PDV_HEADER_SIZE)).unwrap_or(usize::MAX).max(1);
    let mut pdus = Vec::new();
    for (value_type, bytes) in [(PDataValueType::Command, Some(command)), (PDataValueType::Data, data_set)] {
        let mut chunks = bytes.unwrap_or_default().chunks(bytes_max).peekable();
        while let Some(chunk) = chunks.next() {
            let (value_type, is_last) = (value_type.clone(), chunks.peek().is_none());
            let value = PDataValue { presentation_context_id: context, value_type, is_last, data: chunk.to_vec() };
            pdus.push(Pdu::PData { data: vec![value] });
        }
    }
    pdus
}

/// Tells from the first byte whether the other side speaks DICOM at all.
fn judge_kind(kind: u8) -> Result<(), WireError> {
    /// A TLS record that carries a handshake.
    const TLS_HANDSHAKE: u8 = 0x16;
    match kind {
        1..=7 => Ok(()),
        TLS_HANDSHAKE => Err(WireError::SpeaksTls),
        _ => Err(WireError::NotDicom),
    }
}

/// Why there is no next PDU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the connection broke")]
    Closed,
    #[error("it said nothing for {} s", .0.as_secs())]
    Silence(Duration),
    #[error("it took longer than {} s over one PDU", PDU_TIME_MAX.as_secs())]
    Slow,
    #[error("it announced a PDU of {bytes} bytes, at most {PDU_BYTES_MAX} are taken")]
    TooLong { bytes: u32 },
    #[error("it sent a PDU that is not well formed")]
    Malformed,
    #[error("it speaks TLS, and this listener does not")]
    SpeaksTls,
    #[error("it does not speak DICOM")]
    NotDicom,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    async fn read(sent: &[u8]) -> Result<Pdu, WireError> {
        let (here, mut there) = tokio::io::duplex(1024);
        there.write_all(sent).await.unwrap();
        drop(there);
        Wire::new(Box::new(here)).read(Duration::from_secs(1)).await
    }

    #[test]
    fn what_is_no_pdu_is_refused_each_for_its_reason_before_anything_is_reserved() {
        let list: [(&str, &[u8], WireError); 8] = [
            ("a browser", b"GET / HTTP/1.1\r\n\r\n", WireError::NotDicom),
            ("a TLS client", &[0x16, 3, 1, 2, 0, 1], WireError::SpeaksTls),
            ("4 GiB", &[4, 0, 0xff, 0xff, 0xff, 0xff], WireError::TooLong { bytes: u32::MAX }),
            ("one byte too many", &[4, 0, 0, 2, 0, 1], WireError::TooLong { bytes: 131_073 }),
            ("half a header", &[4, 0, 0], WireError::Closed),
            ("less than announced", &[4, 0, 0, 0, 0, 9, 1], WireError::Closed),
            ("a release with a tail", &[5, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0], WireError::Malformed),
            ("a fragment longer than its PDU", &[4, 0, 0, 0, 0, 6, 0, 0, 0, 9, 1, 3], WireError::Malformed),
        ];
        for (attack, sent, expected) in list {
            assert_eq!(run(read(sent)).unwrap_err(), expected, "{attack}");
        }
    }

    #[test]
    fn silence_and_dripping_have_an_end() {
        run(async {
            let (here, _there) = tokio::io::duplex(64);
            let mut wire = Wire::new(Box::new(here));
            let silence = Duration::from_millis(30);
            assert_eq!(wire.read(silence).await.unwrap_err(), WireError::Silence(silence));
        });
        run(async {
            let (here, mut there) = tokio::io::duplex(64);
            there.write_all(&[4, 0, 0, 0, 1, 0]).await.unwrap();
            let mut wire = Wire::new(Box::new(here));
            wire.pdu_time_max = Duration::from_millis(100);
            let reading = tokio::spawn(async move { wire.read(Duration::from_secs(30)).await });
            while !reading.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await;
                // It has stopped listening when this fails.
                let _ = there.write_all(&[1]).await;
            }
            assert_eq!(reading.await.unwrap().unwrap_err(), WireError::Slow);
        });
    }

    #[test]
    fn what_is_written_is_read() {
        run(async {
            let (here, there) = tokio::io::duplex(1024);
            let (mut here, mut there) = (Wire::new(Box::new(here)), Wire::new(Box::new(there)));
            here.write(&Pdu::ReleaseRQ).await.unwrap();
            assert_eq!(there.read(Duration::from_secs(1)).await.unwrap(), Pdu::ReleaseRQ);
            here.close().await;
            assert_eq!(there.read(Duration::from_secs(1)).await.unwrap_err(), WireError::Closed);
        });
    }
}
