//! The multicast sockets of the beacon.
//!
//! Several nodes on one machine share the port; each gets every multicast datagram. IPv6 leaves loopback out:
//! systems have no multicast route there, and IPv4 covers it.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use if_addrs::IfAddr;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{BEACON_GROUP_V4, BEACON_GROUP_V6, BeaconInterfaces};

/// Interfaces beacons are sent on; a machine with more has them from containers.
const INTERFACES_MAX: usize = 16;

/// One way to send a beacon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Interface {
    V4(Ipv4Addr),
    /// By its index.
    V6(u32),
}

/// The interfaces there are now.
pub(super) fn interfaces(which: BeaconInterfaces) -> BTreeSet<Interface> {
    let found = if_addrs::get_if_addrs().unwrap_or_default(); // without a list: none this time
    let wanted = found.iter().filter(|found| which == BeaconInterfaces::All || found.is_loopback());
    let ways = wanted.filter_map(|found| match &found.addr {
        IfAddr::V4(v4) => Some(Interface::V4(v4.ip)),
        IfAddr::V6(_) if found.is_loopback() => None,
        IfAddr::V6(_) => found.index.map(Interface::V6),
    });
    ways.take(INTERFACES_MAX).collect()
}

/// The socket that hears IPv4 beacons.
pub(super) fn listener_v4(port: u16) -> io::Result<UdpSocket> {
    listener(Domain::IPV4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
}

/// The socket that hears IPv6 beacons.
pub(super) fn listener_v6(port: u16) -> io::Result<UdpSocket> {
    listener(Domain::IPV6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
}

fn listener(domain: Domain, address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Makes a listening socket hear the group on an interface of its family.
pub(super) fn join(socket: &UdpSocket, interface: Interface) -> io::Result<()> {
    match interface {
        Interface::V4(ip) => socket.join_multicast_v4(BEACON_GROUP_V4, ip),
        Interface::V6(index) => socket.join_multicast_v6(&BEACON_GROUP_V6, index),
    }
}

/// A socket with a fresh port for one beacon and its answers, and where to send the beacon.
pub(super) fn asker(interface: Interface, port: u16) -> io::Result<(UdpSocket, SocketAddr)> {
    let (socket, own, group): (Socket, SocketAddr, SocketAddr) = match interface {
        Interface::V4(ip) => {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_loop_v4(true)?;
            socket.set_multicast_ttl_v4(1)?;
            (socket, (ip, 0).into(), (BEACON_GROUP_V4, port).into())
        }
        Interface::V6(index) => {
            let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_only_v6(true)?;
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_loop_v6(true)?;
            socket.set_multicast_hops_v6(1)?;
            (socket, (Ipv6Addr::UNSPECIFIED, 0).into(), SocketAddrV6::new(BEACON_GROUP_V6, port, 0, index).into())
        }
    };
    socket.set_nonblocking(true)?;
    socket.bind(&own.into())?;
    Ok((UdpSocket::from_std(socket.into())?, group))
}
