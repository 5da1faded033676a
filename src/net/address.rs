//! Addresses: what may be dialled, what kind of way it is, and what a person may type.
//!
//! Addresses from strangers, colleagues and beacons are hints. Only `/ip4|ip6/…/tcp/…` and
//! `/ip4|ip6/…/udp/…/quic-v1` with a usable address and port are ever dialled ([`is_dialable`]): no names, so no
//! look-ups on a colleague's word, no relays, no multicast.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Longest text that is read as an address, in bytes.
pub(super) const ADDRESS_TEXT_BYTES_MAX: usize = 300;

/// Addresses taken from one name.
const RESOLVED_MAX: usize = 4;

/// What kind of way leads to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// The same machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193) or the same link.
    Lan,
    Internet,
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// TCP with TLS 1.3 and yamux.
    Tcp,
    Quic,
}

/// Where an address leads, or `None` if it is not one we dial.
pub fn path_of(address: &Multiaddr) -> Option<Path> {
    parts(address).map(|(ip, _, _)| path_of_ip(ip))
}

/// The port of an address, 0 if the system is to choose one; `None` if it is of no form we dial.
pub fn port_of(address: &Multiaddr) -> Option<u16> {
    parts(address).map(|(_, _, port)| port)
}

/// What an address is carried by, or `None` if it is not one we dial.
pub(super) fn carrier_of(address: &Multiaddr) -> Option<Carrier> {
    parts(address).map(|(_, carrier, _)| carrier)
}

/// Whether this is an address that can be dialled at all (see the module's documentation).
pub fn is_dialable(address: &Multiaddr) -> bool {
    let Some((ip, _, port)) = parts(address) else { return false };
    let usable = match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        // Link-local IPv6 needs an interface, which such an address cannot name.
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
    };
    usable && port != 0
}

/// The IP address an address begins with.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

/// The address without a trailing `/p2p/…`, so that one way is known once.
pub(super) fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The addresses under which others may reach this machine, the likeliest first: of private networks before public
/// ones, IPv4 before IPv6. Loopback and link-local addresses are nobody else's.
pub fn machine_addresses() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default(); // without a list: none are known
    likeliest_first(found.iter().map(if_addrs::Interface::ip).collect())
}

fn likeliest_first(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.retain(|ip| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    });
    addresses.sort_by_key(|ip| (ip.is_ipv6(), path_of_ip(*ip)));
    addresses.dedup();
    addresses
}

pub(super) fn path_of_ip(ip: IpAddr) -> Path {
    match ip.to_canonical() {
        ip if ip.is_loopback() => Path::Loopback,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Path::Lan,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Path::Lan,
        _ => Path::Internet,
    }
}

/// IP address, carrier and port of an address of a form we dial, with or without a trailing `/p2p/…`.
fn parts(address: &Multiaddr) -> Option<(IpAddr, Carrier, u16)> {
    let mut protocols = address.iter();
    let ip = match protocols.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let (carrier, port) = match protocols.next()? {
        Protocol::Tcp(port) => (Carrier::Tcp, port),
        Protocol::Udp(port) => match protocols.next()? {
            Protocol::QuicV1 => (Carrier::Quic, port),
            _ => return None,
        },
        _ => return None,
    };
    match (protocols.next(), protocols.next()) {
        (None | Some(Protocol::P2p(_)), None) => Some((ip, carrier, port)),
        _ => None,
    }
}

/// Reads an address as a person types it: `192.0.2.7:4001`, `[2001:db8::7]:4001`, `reading-room.example:4001`
/// (the only look-up of a name in this program), or a multiaddress. Host and port give a TCP and a QUIC address.
///
/// # Errors
/// If it is none of these, or the name is unknown.
pub async fn resolve(text: &str) -> Result<Vec<Multiaddr>, AddressError> {
    let text = text.trim();
    if text.len() > ADDRESS_TEXT_BYTES_MAX {
        return Err(AddressError::TooLong { bytes: text.len() });
    }
    if text.starts_with('/') {
        let address: Multiaddr = text.parse().map_err(|_| AddressError::NotAnAddress)?;
        return if is_dialable(&address) { Ok(vec![address]) } else { Err(AddressError::NotDialable) };
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        let both = both_carriers(socket);
        return if both.iter().all(is_dialable) { Ok(both.to_vec()) } else { Err(AddressError::NotDialable) };
    }
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::NoPort)?;
    if host.is_empty() || host.contains(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))) {
        return Err(AddressError::NotAnAddress);
    }
    let found = tokio::net::lookup_host((host, port)).await.map_err(|_| AddressError::UnknownName)?;
    let addresses: Vec<_> = found.take(RESOLVED_MAX).flat_map(both_carriers).filter(is_dialable).collect();
    if addresses.is_empty() { Err(AddressError::UnknownName) } else { Ok(addresses) }
}

fn both_carriers(socket: SocketAddr) -> [Multiaddr; 2] {
    let ip = Multiaddr::from(socket.ip());
    [ip.clone().with(Protocol::Tcp(socket.port())), ip.with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)]
}

/// Why a typed address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("not an address; write it as 192.0.2.7:4001")]
    NotAnAddress,
    #[error("the address has no port; write it as 192.0.2.7:4001")]
    NoPort,
    #[error("this kind of address cannot be reached")]
    NotDialable,
    #[error("no computer is known under this name")]
    UnknownName,
    #[error("the address is {bytes} bytes long; at most {ADDRESS_TEXT_BYTES_MAX} are read")]
    TooLong { bytes: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_way_and_the_carrier_are_told_from_the_address() {
        for (text, path, carrier) in [
            ("/ip4/127.0.0.1/tcp/1", Path::Loopback, Carrier::Tcp),
            ("/ip6/::1/udp/1/quic-v1", Path::Loopback, Carrier::Quic),
            ("/ip6/::ffff:127.0.0.1/tcp/1", Path::Loopback, Carrier::Tcp),
            ("/ip4/10.1.2.3/tcp/1", Path::Lan, Carrier::Tcp),
            ("/ip4/192.168.0.9/udp/1/quic-v1", Path::Lan, Carrier::Quic),
            ("/ip6/fd00::2/tcp/1", Path::Lan, Carrier::Tcp),
            ("/ip4/8.8.8.8/udp/1/quic-v1", Path::Internet, Carrier::Quic),
            ("/ip4/100.64.0.1/tcp/1", Path::Internet, Carrier::Tcp),
        ] {
            assert_eq!((path_of(&address(text)), carrier_of(&address(text))), (Some(path), Some(carrier)), "{text}");
        }
    }

    #[test]
    fn the_likeliest_address_of_a_machine_is_a_private_one_and_never_loopback() {
        let all = ["::1", "fe80::1", "2001:db8::7", "8.8.8.8", "127.0.0.1", "169.254.1.1", "10.0.3.7", "fd00::2"];
        let sorted = likeliest_first(all.iter().map(|text| text.parse().unwrap()).collect());
        let texts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.0.3.7", "8.8.8.8", "fd00::2", "2001:db8::7"]);
    }

    #[test]
    fn hostile_addresses_are_never_dialled() {
        let key = libp2p::PeerId::random();
        for text in [
            "/dns4/evil.example/tcp/1".to_string(),
            "/ip4/0.0.0.0/tcp/1".to_string(),
            "/ip4/224.0.0.1/udp/1/quic-v1".to_string(),
            "/ip4/255.255.255.255/tcp/1".to_string(),
            "/ip6/fe80::1/tcp/1".to_string(),
            "/ip4/10.0.0.1/tcp/0".to_string(),
            "/ip4/10.0.0.1/udp/1".to_string(),
            "/ip4/10.0.0.1".to_string(),
            "/unix/x".to_string(),
            "/ip4/10.0.0.1/tcp/1/ws".to_string(),
            format!("/ip4/10.0.0.1/tcp/1/p2p/{key}/p2p-circuit"),
            format!("/p2p/{key}"),
        ] {
            assert!(!is_dialable(&address(&text)), "{text}");
        }
        assert!(is_dialable(&address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{key}"))));
    }

    #[tokio::test]
    async fn a_typed_host_and_port_give_both_carriers() {
        let both = resolve(" 192.0.2.7:4001 ").await.unwrap();
        assert_eq!(both, [address("/ip4/192.0.2.7/tcp/4001"), address("/ip4/192.0.2.7/udp/4001/quic-v1")]);
        assert_eq!(resolve("[2001:db8::7]:9").await.unwrap()[0], address("/ip6/2001:db8::7/tcp/9"));
        assert_eq!(resolve("/ip4/192.0.2.7/tcp/1").await.unwrap().len(), 1);
        assert!(resolve("localhost:4001").await.unwrap().len() >= 2);
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused_with_the_reason() {
        for (text, error) in [
            ("", AddressError::NoPort),
            ("192.0.2.7", AddressError::NoPort),
            ("192.0.2.7:0", AddressError::NotDialable),
            ("host:99999", AddressError::NoPort),
            (":4001", AddressError::NotAnAddress),
            ("a b:4001", AddressError::NotAnAddress),
            ("\u{1b}[2J:4001", AddressError::NotAnAddress),
            ("/ip4/1.2.3.4", AddressError::NotDialable),
            ("/nonsense", AddressError::NotAnAddress),
        ] {
            assert_eq!(resolve(text).await, Err(error), "{text}");
        }
        assert_eq!(resolve(&"a".repeat(301)).await, Err(AddressError::TooLong { bytes: 301 }));
    }
}
