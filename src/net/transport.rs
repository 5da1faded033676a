//! What carries connections: TCP with TLS 1.3 and yamux, and QUIC. Nothing else is offered.
//!
//! Over TCP the security protocol is negotiated in the clear, so a second one (Noise) would let an attacker on
//! the path choose. Both carriers are dialled, the better one for the way first: TCP is faster on loopback and
//! in a LAN (measured), QUIC passes address translation on the internet. The other follows after
//! [`SECOND_CARRIER_AFTER`], so that a closed firewall costs a moment, not a timeout; the first to stand wins.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{
    Boxed, DialOpts, ListenerId, OrTransport, PortUse, Transport, TransportError, TransportEvent,
};
use libp2p::core::upgrade::Version;
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
        .multiplex(yamux)
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
    fn tcp_goes_first_nearby_and_quic_on_the_internet() {
        let wait = |text: &str| head_start(&text.parse().unwrap());
        assert!(wait("/ip4/127.0.0.1/tcp/1") < wait("/ip4/127.0.0.1/udp/1/quic-v1"));
        assert!(wait("/ip4/10.0.0.1/tcp/1") < wait("/ip4/10.0.0.1/udp/1/quic-v1"));
        assert!(wait("/ip4/8.8.8.8/udp/1/quic-v1") < wait("/ip4/8.8.8.8/tcp/1"));
    }
}
