//! What carries connections: TCP with TLS 1.3 and yamux, and QUIC. Nothing else is offered.
//!
//! Over TCP the security protocol is negotiated in the clear, so a second one (Noise) would let an attacker on
//! the path choose. Both carriers are dialled, the better one for the way first: TCP is faster on loopback and
//! in a LAN (measured), QUIC passes address translation on the internet. The other follows after
//! [`SECOND_CARRIER_AFTER`], so that a closed firewall costs a moment, not a timeout; the first to stand wins.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{self, BoxFuture, Either, FutureExt};
use futures::io::BufWriter;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, OrTransport, PortUse, Transport, TransportError, TransportEvent,
};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, Version};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, PeerId, quic, tcp, tls, yamux};

use super::address::{Carrier, Path, carrier_of, path_of};

/// Head start of the better carrier.
const SECOND_CARRIER_AFTER: Duration = Duration::from_millis(250);

/// Time for a connection to be made, handshake included.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Streams one connection may have open: four lanes, ping, identify, and room. Yamux reserves a window for each.
const STREAMS_MAX: usize = 32;

/// A QUIC connection without a sign of life is given up after this, in milliseconds.
const QUIC_SILENCE_MS_MAX: u32 = 30_000;

/// Bytes written to TLS at once: four of its records.
const GATHERED_BYTES: usize = 64 * 1024;

/// QUIC's unacknowledged bytes a stream and a connection: 0.5 Gbit/s at 150 ms.
const QUIC_STREAM_BYTES_MAX: u32 = 10_000_000;
const QUIC_CONNECTION_BYTES_MAX: u32 = 15_000_000;

/// Both carriers under one identity.
pub(super) fn build(keypair: &Keypair) -> Result<Boxed<(PeerId, StreamMuxerBox)>, String> {
    let tls = tls::Config::new(keypair).map_err(|error| error.to_string())?;
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(tls)
        .multiplex(Gathered(yamux))
        .timeout(HANDSHAKE_MAX);

    let mut quic = quic::Config::new(keypair);
    quic.handshake_timeout = HANDSHAKE_MAX;
    quic.max_idle_timeout = QUIC_SILENCE_MS_MAX;
    quic.max_concurrent_stream_limit = STREAMS_MAX as u32;
    quic.max_stream_data = QUIC_STREAM_BYTES_MAX;
    quic.max_connection_data = QUIC_CONNECTION_BYTES_MAX;
    let quic = quic::tokio::Transport::new(quic);

    let both = OrTransport::new(quic, tcp).map(|output, _| match output {
        Either::Left((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
    });
    Ok(BetterFirst { inner: both }.boxed())
}

/// Yamux over a [`Gathering`] writer.
#[derive(Clone)]
struct Gathered(yamux::Config);

impl UpgradeInfo for Gathered {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<C> InboundConnectionUpgrade<C> for Gathered
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = yamux::Muxer<Gathering<C>>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Self::Output>>;

    fn upgrade_inbound(self, connection: C, protocol: Self::Info) -> Self::Future {
        self.0.upgrade_inbound(Gathering::new(connection), protocol)
    }
}

impl<C> OutboundConnectionUpgrade<C> for Gathered
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = yamux::Muxer<Gathering<C>>;
    type Error = io::Error;
    type Future = future::Ready<io::Result<Self::Output>>;

    fn upgrade_outbound(self, connection: C, protocol: Self::Info) -> Self::Future {
        self.0.upgrade_outbound(Gathering::new(connection), protocol)
    }
}

/// A writer that gathers what comes in a row.
///
/// Yamux writes each frame's header and body apart and flushes after every 16 KiB; over TLS that is two records
/// and two system calls a frame. Here a flush waits for one more turn of the task: if something was written
/// meanwhile it waits again, until [`GATHERED_BYTES`] are full.
struct Gathering<C> {
    inner: BufWriter<C>,
    flush_asked: bool,
}

impl<C: AsyncWrite> Gathering<C> {
    fn new(inner: C) -> Self {
        Self { inner: BufWriter::with_capacity(GATHERED_BYTES, inner), flush_asked: false }
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathering<C> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.inner.get_mut()).poll_read(context, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Gathering<C> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.flush_asked = false;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flush_asked && !self.inner.buffer().is_empty() {
            self.flush_asked = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

/// How long a dial of this address waits.
fn head_start(address: &Multiaddr) -> Duration {
    match (path_of(address), carrier_of(address)) {
        (Some(Path::Loopback | Path::Lan), Some(Carrier::Quic)) | (Some(Path::Internet), Some(Carrier::Tcp)) => {
            SECOND_CARRIER_AFTER
        }
        _ => Duration::ZERO,
    }
}

/// A transport whose dials of the less suitable carrier start a little later.
struct BetterFirst<T> {
    inner: T,
}

impl<T> Transport for BetterFirst<T>
where
    T: Transport + Unpin,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<T::Output, T::Error>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<T::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<T::Error>> {
        let wait = head_start(&address);
        let near_tcp = path_of(&address) != Some(Path::Internet) && carrier_of(&address) == Some(Carrier::Tcp);
        // From listening port to listening port, two simultaneous dials become one TCP connection with two
        // callers, whose handshake fails. Only hole punching needs the port, and nobody punches holes in a LAN.
        let port_use = if near_tcp { PortUse::New } else { options.port_use };
        let dial = self.inner.dial(address, DialOpts { port_use, ..options })?;
        Ok(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            dial.await
        }
        .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_waits_one_turn_gathers_what_comes_and_then_is_done() {
        let mut context = Context::from_waker(futures::task::noop_waker_ref());
        let mut writer = Gathering::new(futures::io::Cursor::new(Vec::new()));
        let written = |writer: &Gathering<futures::io::Cursor<Vec<u8>>>| writer.inner.get_ref().get_ref().len();
        for _ in 0..3 {
            assert!(Pin::new(&mut writer).poll_write(&mut context, &[0; 1000]).is_ready());
            assert!(Pin::new(&mut writer).poll_flush(&mut context).is_pending());
            assert_eq!(written(&writer), 0);
        }
        assert!(Pin::new(&mut writer).poll_flush(&mut context).is_ready());
        assert_eq!(written(&writer), 3000);
        assert!(Pin::new(&mut writer).poll_flush(&mut context).is_ready(), "nothing to wait for");
    }

    #[test]
    fn tcp_goes_first_nearby_and_quic_on_the_internet() {
        let wait = |text: &str| head_start(&text.parse().unwrap());
        assert!(wait("/ip4/127.0.0.1/tcp/1") < wait("/ip4/127.0.0.1/udp/1/quic-v1"));
        assert!(wait("/ip4/10.0.0.1/tcp/1") < wait("/ip4/10.0.0.1/udp/1/quic-v1"));
        assert!(wait("/ip4/8.8.8.8/udp/1/quic-v1") < wait("/ip4/8.8.8.8/tcp/1"));
    }
}
