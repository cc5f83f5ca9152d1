//! Tables of addresses, in every spelling that a URL may give them.

use super::*;

fn policy(allow: &[&str], own: &[&str]) -> NetworkPolicy {
    NetworkPolicy {
        allow: allow.iter().map(|n| n.parse().unwrap()).collect(),
        own: own.iter().map(|a| a.parse().unwrap()).collect(),
    }
}

#[test]
fn the_first_and_last_address_of_every_special_range_is_refused_t65() {
    let ranges = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "2001::/32",
        "2001:2::/48",
        "2001:10::/28",
        "2001:20::/28",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
        "4000::/3",
        "5f00::/16",
        "fc00::/7",
        "fd00:ec2::254/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];
    let none = policy(&[], &[]);
    for range in ranges {
        let net: IpNet = range.parse().unwrap();
        for ip in [net.network(), net.broadcast()] {
            assert!(none.check(SocketAddr::new(ip, 443)).is_err(), "{range}: {ip} must be refused");
        }
    }
}

#[test]
fn the_neighbours_of_special_ranges_are_ordinary_addresses() {
    let none = policy(&[], &[]);
    for ip in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "3ffe::1",
        "3fff:1000::1",
    ] {
        assert_eq!(none.check(SocketAddr::new(ip.parse().unwrap(), 443)), Ok(()), "{ip}");
    }
}

#[test]
fn every_spelling_of_a_special_literal_is_refused_before_anything_is_dialled_t65() {
    let none = policy(&[], &[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "１２７.０.０.１",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:807f:fffe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
        "0xA9.0xFE.0xA9.0xFE",
        "10.1",
        "192.168.1.1",
        "100.100.100.200",
        "168.63.129.16",
    ] {
        let url = Url::parse(&format!("https://{host}/x")).unwrap_or_else(|e| panic!("{host}: {e}"));
        assert!(none.check_literal(&url).is_err(), "{host} read as {:?}", url.host());
    }
}

#[test]
fn what_is_allowed_is_exactly_the_network_that_was_named() {
    let one = policy(&["127.0.0.1/32"], &[]);
    assert_eq!(one.check("127.0.0.1:80".parse().unwrap()), Ok(()));
    for other in ["127.0.0.2:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "0.0.0.0:80"] {
        assert!(one.check(other.parse().unwrap()).is_err(), "{other}");
    }
}

#[test]
fn the_gates_own_listener_is_refused_whatever_is_allowed_t22() {
    let open = ["0.0.0.0/0", "::/0"];
    for (own, target, refused) in [
        ("127.0.0.1:8080", "127.0.0.1:8080", true),
        ("127.0.0.1:8080", "127.0.0.1:8081", false),
        ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", true),
        ("127.0.0.1:8080", "0.0.0.0:8080", true),
        ("127.0.0.1:8080", "[::]:8080", true),
        ("127.0.0.1:8080", "127.0.0.2:8080", false),
        ("0.0.0.0:8080", "127.0.0.1:8080", true),
        ("0.0.0.0:8080", "127.9.9.9:8080", true),
        ("0.0.0.0:8080", "[::1]:8080", true),
        ("0.0.0.0:8080", "192.0.2.1:8080", false),
        ("[::]:8080", "127.0.0.1:8080", true),
        ("[::]:8080", "127.0.0.1:8081", false),
    ] {
        let checked = policy(&open, &[own]).check(target.parse().unwrap());
        assert_eq!(checked.is_err(), refused, "listening on {own}, dialling {target}");
    }
}

#[test]
fn a_wildcard_listener_answers_on_every_address_of_this_machine_t22() {
    let (own, target) = ("0.0.0.0:8080".parse().unwrap(), "198.51.100.7:8080".parse().unwrap());
    assert!(reaches(own, target, |_| true));
    assert!(!reaches(own, target, |_| false));
}
