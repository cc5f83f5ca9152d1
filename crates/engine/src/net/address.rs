//! Which addresses may be dialled. Pure but for one question to the system: is this address mine?
//!
//! Refused unless allowed: every range of the IANA special-purpose registries (RFC 6890 and its updates),
//! everything in IPv6 that is not global unicast, and the ranges that carry an IPv4 address inside an IPv6
//! one. Refused whatever is allowed: the gate's own listeners.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Which addresses may be called.
#[derive(Debug, Clone, Default)]
pub struct NetworkPolicy {
    /// Networks that are allowed although they are loopback, private or otherwise special: `127.0.0.1/32`.
    pub allow: Vec<IpNet>,
    /// The gate's own listeners: never a target, whatever is allowed (T22).
    pub own: Vec<SocketAddr>,
}

/// An address that this gate does not dial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is not allowed: {why}")]
pub struct AddressRefused {
    /// Which one.
    pub address: SocketAddr,
    /// Why, in a few words.
    pub why: &'static str,
}

impl NetworkPolicy {
    /// Whether this very address may be dialled.
    pub fn check(&self, address: SocketAddr) -> Result<(), AddressRefused> {
        let refuse = |why| Err(AddressRefused { address, why });
        if self.own.iter().any(|own| reaches(*own, address, is_mine)) {
            return refuse("it is one of the gate's own listeners");
        }
        let ip = address.ip();
        if self.allow.iter().any(|net| net.contains(&ip)) {
            return Ok(());
        }
        special(ip).map_or(Ok(()), refuse)
    }

    /// Checks a URL whose host is an IP literal, because no resolver is asked for those. A name passes here
    /// and is checked when it is resolved.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), AddressRefused> {
        let ip: IpAddr = match url.host() {
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.check(SocketAddr::new(ip, url.port_or_known_default().unwrap_or(0)))
    }
}

/// Whether nobody on the way reads or changes what goes to this URL: it is TLS, or it never leaves this machine.
pub(crate) fn is_confidential(url: &Url) -> bool {
    let on_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && on_loopback)
}

/// Whether dialling `target` reaches a listener that is bound to `own`.
fn reaches(own: SocketAddr, target: SocketAddr, is_mine: impl Fn(IpAddr) -> bool) -> bool {
    // A v4-mapped address is the IPv4 address for the kernel, so it is compared as one.
    let (bound, dialled) = (own.ip().to_canonical(), target.ip().to_canonical());
    if own.port() != target.port() {
        return false;
    }
    // Dialling 0.0.0.0 or :: means loopback on Linux; a listener on a wildcard answers on every own address.
    bound == dialled || dialled.is_unspecified() || (bound.is_unspecified() && is_mine(dialled))
}

/// Whether an address belongs to this machine: only then can a socket be bound to it.
fn is_mine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}

/// The name of the special range that an address is in; None for an ordinary public address.
fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => SPECIAL_V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, why)| *why),
        IpAddr::V6(ip) => SPECIAL_V6
            .iter()
            .find(|(net, _)| net.contains(&ip))
            .map(|(_, why)| *why)
            .or_else(|| (!GLOBAL_V6.contains(&ip)).then_some("not global unicast")),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

const SPECIAL_V4: [(Ipv4Net, &str); 18] = [
    (v4(0, 0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    // Not special by its range, but every Azure machine's own metadata and agent channel.
    (v4(168, 63, 129, 16, 32), "cloud platform"),
    (v4(169, 254, 0, 0, 16), "link local, where cloud metadata is"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 31, 196, 0, 24), "AS112"),
    (v4(192, 52, 193, 0, 24), "multicast tunnelling"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(192, 175, 48, 0, 24), "AS112"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    // Multicast 224/4, reserved 240/4 and broadcast in one.
    (v4(224, 0, 0, 0, 3), "multicast, reserved or broadcast"),
];

/// The only IPv6 space in which public hosts live.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Ranges inside [`GLOBAL_V6`] that are special, and those outside whose name helps a reader.
const SPECIAL_V6: [(Ipv6Net, &str); 14] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), "an IPv4 address in IPv6"),
    (v6(0x64, 0xff9b, 0, 96), "an IPv4 address in IPv6 (NAT64)"),
    (v6(0x64, 0xff9b, 1, 48), "an IPv4 address in IPv6 (NAT64)"),
    (v6(0x100, 0, 0, 64), "discard only"),
    (v6(0x2001, 0, 0, 23), "protocol assignments, Teredo or benchmarking"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation"),
    (v6(0x2002, 0, 0, 16), "an IPv4 address in IPv6 (6to4)"),
    (v6(0x2620, 0x4f, 0x8000, 48), "AS112"),
    (v6(0x3fff, 0, 0, 20), "documentation"),
    (v6(0xfc00, 0, 0, 7), "unique local"),
    (v6(0xfe80, 0, 0, 10), "link local"),
    (v6(0xff00, 0, 0, 8), "multicast"),
];

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
