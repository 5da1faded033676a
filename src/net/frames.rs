//! Frames on a stream: a length as u32 in network order, then that many bytes.
//!
//! The one piece of this room that parses bytes of a peer. The length is checked before anything is allocated;
//! an empty frame is refused, since nothing sends one and a stream of them would cost work for nothing.

use std::io;

use futures::{AsyncRead, AsyncReadExt};

/// Longest frame on a lane, in bytes.
pub const FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Length of the prefix, in bytes.
const PREFIX_BYTES: usize = 4;

/// Appends a frame. The caller has checked the length with [`check_length`].
pub(super) fn put_frame(buffer: &mut Vec<u8>, frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX); // a frame that long is refused by the reader
    buffer.reserve(PREFIX_BYTES + frame.len());
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(frame);
}

/// Reads the next frame, or `None` at a clean end of the stream.
pub(super) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, FrameError> {
    let mut prefix = [0; PREFIX_BYTES];
    let mut read = 0;
    while read < PREFIX_BYTES {
        match stream.read(&mut prefix[read..]).await {
            Ok(0) if read == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::CutShort),
            Ok(n) => read += n,
            Err(error) => return Err(FrameError::from_io(&error)),
        }
    }
    let length = u32::from_be_bytes(prefix) as usize;
    check_length(length, bytes_max)?;
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await.map_err(|error| FrameError::from_io(&error))?;
    Ok(Some(frame))
}

/// Whether a frame of this length may be sent or taken.
pub(super) fn check_length(bytes: usize, bytes_max: usize) -> Result<(), FrameError> {
    match bytes {
        0 => Err(FrameError::Empty),
        bytes if bytes > bytes_max => Err(FrameError::TooLong { bytes, bytes_max }),
        _ => Ok(()),
    }
}

/// Why no frame could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {bytes} bytes where at most {bytes_max} are allowed")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("an empty frame")]
    Empty,
    #[error("the stream ended in the middle of a frame")]
    CutShort,
    /// Nobody's fault: the connection went away.
    #[error("the stream broke: {0}")]
    Broken(String),
}

impl FrameError {
    fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutShort,
            _ => Self::Broken(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut stream = Cursor::new(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = block_on(read_frame(&mut stream, bytes_max))? {
            frames.push(frame);
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
        ) {
            let mut bytes = Vec::new();
            for frame in &frames {
                put_frame(&mut bytes, frame);
            }
            prop_assert_eq!(read_all(&bytes, 300), Ok(frames));
        }

        #[test]
        fn arbitrary_bytes_never_give_more_than_came_in(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(frames) = read_all(&bytes, 64) {
                prop_assert_eq!(frames.iter().map(|f| f.len() + 4).sum::<usize>(), bytes.len());
            }
        }
    }

    #[test]
    fn hostile_frames_are_refused_each_with_its_reason() {
        let one_too_long = [&65_u32.to_be_bytes()[..], &[0; 65]].concat();
        for (name, bytes, error) in [
            (
                "length of 4 GiB",
                &[0xff, 0xff, 0xff, 0xff, 0][..],
                FrameError::TooLong { bytes: 0xffff_ffff, bytes_max: 64 },
            ),
            ("one byte too long", &one_too_long, FrameError::TooLong { bytes: 65, bytes_max: 64 }),
            ("empty frame", &[0, 0, 0, 0], FrameError::Empty),
            ("half a length", &[0, 0], FrameError::CutShort),
            ("half a frame", &[0, 0, 0, 2, 7], FrameError::CutShort),
        ] {
            assert_eq!(read_all(bytes, 64), Err(error), "{name}");
        }
    }

    #[test]
    fn an_announced_length_is_checked_before_it_is_allocated() {
        // A stream that would panic if read beyond the prefix.
        struct OnlyPrefix(usize);
        impl AsyncRead for OnlyPrefix {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<io::Result<usize>> {
                assert!(self.0 < 4, "read on after an impossible length");
                buffer[0] = 0x7f;
                self.0 += 1;
                std::task::Poll::Ready(Ok(1))
            }
        }
        let result = block_on(read_frame(&mut OnlyPrefix(0), FRAME_BYTES_MAX));
        assert_eq!(result, Err(FrameError::TooLong { bytes: 0x7f7f_7f7f, bytes_max: FRAME_BYTES_MAX }));
    }
}
