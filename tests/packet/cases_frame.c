/* SPDX-License-Identifier: GPL-2.0 */
/* What a frame must look like: the layer-2 guard, pending interfaces, fragments, extension headers, malformed packets. */
#include "packet.h"

static const struct packet_case guards[] = {
	{ "a source MAC that is not the container's", "web-any", {
		{ "web > 198.18.0.2:1 -> 192.0.2.9:80 tcp S smac 02:00:00:00:00:03", DENY(SPOOFED_MAC), .flow = "none" },
		{ "web > [fd77:1::2]:1 -> [2001:db8::9]:80 tcp S smac 02:00:00:00:00:03", DENY(SPOOFED_MAC) },
		{ "web > arp request 198.18.0.2 198.18.0.1 smac 02:00:00:00:00:03", DENY(SPOOFED_MAC) },
		{ "web > ether 0x0800 smac 02:00:00:00:00:03 len 60", DENY(MALFORMED) } } },
	{ "a source address that is not the container's", "web-any", {
		{ "web > 198.18.0.3:1 -> 192.0.2.9:80 tcp S", DENY(SPOOFED_SOURCE) },
		{ "web > 203.0.113.1:1 -> 192.0.2.9:80 udp", DENY(SPOOFED_SOURCE) },
		{ "web > 198.18.0.1:1 -> 198.18.0.3:80 tcp S", DENY(SPOOFED_SOURCE) },
		{ "web > 0.0.0.0:68 -> 255.255.255.255:67 udp", DENY(SPOOFED_SOURCE) },
		{ "web > [fd77:1::3]:1 -> [2001:db8::9]:80 tcp S", DENY(SPOOFED_SOURCE) },
		{ "web > [fd77:2::2]:1 -> [2001:db8::9]:80 tcp S", DENY(SPOOFED_SOURCE) } } },
	{ "the guard holds for replies of connections too", "web-any", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp SA smac 02:00:00:00:00:03", DENY(SPOOFED_MAC) },
		{ "web > 198.18.0.2:80 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED) } } },
	{ "the guard holds for an unselected container beside a selected one", "web", {
		{ "free > 198.18.0.3:1 -> 192.0.2.9:80 tcp S", DENY(SPOOFED_SOURCE) },
		{ "free > 198.18.0.9:1 -> 192.0.2.9:80 tcp S smac 02:00:00:00:00:03", DENY(SPOOFED_MAC) },
		{ "free > arp reply 198.18.0.1 198.18.0.2", DENY(SPOOFED_NEIGHBOR) } } },
	{ "a container on two networks may use both addresses on each", "web-any", {
		{ "both > 198.18.1.7:1 -> 192.0.2.9:80 tcp S", PASS(UNSELECTED) },
		{ "both > arp reply 198.18.1.7 198.18.0.2", PASS(NEIGHBOR) } } },
	{ "an IPv6 link-local address may be used while nobody owns it", "web-any", {
		{ "web > [fe80::1234]:1 -> [ff02::1]:80 udp", PASS(POLICY_ALLOWED) } } },
	{ "ARP of the own address, a probe, a reply received", "web-closed", {
		{ "web > arp request 198.18.0.2 198.18.0.1", PASS(NEIGHBOR) },
		{ "web > arp reply 198.18.0.2 198.18.0.3", PASS(NEIGHBOR) },
		{ "web > arp request 0.0.0.0 198.18.0.2", PASS(NEIGHBOR) },
		{ "web < host arp reply 198.18.0.1 198.18.0.2", PASS(NEIGHBOR) },
		{ "web < db arp request 198.18.0.3 198.18.0.2", PASS(NEIGHBOR) } } },
	{ "ARP that claims somebody else's address", "web-any", {
		{ "web > arp reply 198.18.0.1 198.18.0.3", DENY(SPOOFED_NEIGHBOR) },
		{ "web > arp request 198.18.0.3 198.18.0.1", DENY(SPOOFED_NEIGHBOR) },
		{ "web > arp reply 198.18.0.2 198.18.0.3 arpmac 02:00:00:00:00:03", DENY(SPOOFED_NEIGHBOR) },
		{ "web > arp reply 198.18.0.77 198.18.0.3", DENY(SPOOFED_NEIGHBOR) } } },
	{ "ARP that is cut short, or of another kind of hardware", "web-any", {
		{ "web > arp request 198.18.0.2 198.18.0.1 cut 17", DENY(MALFORMED) },
		{ "web > arp request 198.18.0.2 198.18.0.1 hwlen 8", DENY(MALFORMED) } } },
	{ "neighbor discovery of the own address", "web-closed", {
		{ "web > fd77:1::2 -> ff02::1:ff00:1 icmp6 135/0 target fd77:1::1", PASS(NEIGHBOR) },
		{ "web > fd77:1::2 -> fd77:1::1 icmp6 136/0 target fd77:1::2", PASS(NEIGHBOR) },
		{ "web > :: -> ff02::1:ff00:2 icmp6 135/0 target fd77:1::2", PASS(NEIGHBOR) },
		{ "web > :: -> ff02::2 icmp6 133/0", PASS(NEIGHBOR) },
		{ "web < host fd77:1::1 -> fd77:1::2 icmp6 136/0 target fd77:1::1", PASS(NEIGHBOR) },
		{ "web < db fd77:1::3 -> ff02::1:ff00:2 icmp6 135/0 target fd77:1::2 dmac 33:33:ff:00:00:02", PASS(NEIGHBOR) } } },
	{ "neighbor discovery that claims somebody else's address", "web-any", {
		{ "web > fd77:1::2 -> fd77:1::3 icmp6 136/0 target fd77:1::1", DENY(SPOOFED_NEIGHBOR) },
		{ "web > fd77:1::2 -> fd77:1::1 icmp6 136/0 target fd77:1::3", DENY(SPOOFED_NEIGHBOR) },
		{ "web > :: -> ff02::1:ff00:3 icmp6 135/0 target fd77:1::3", DENY(SPOOFED_NEIGHBOR) },
		{ "web > fd77:1::3 -> fd77:1::1 icmp6 136/0 target fd77:1::2", DENY(SPOOFED_SOURCE) } } },
	{ "neighbor discovery that is cut short", "web-any", {
		{ "web > fd77:1::2 -> fd77:1::1 icmp6 136/0 target fd77:1::2 cut 60", DENY(MALFORMED) } } },
	{ "MLD and IGMP", "web-closed", {
		{ "web > :: -> ff02::16 icmp6 143/0", PASS(NEIGHBOR) },
		{ "web > fe80::2 -> ff02::16 icmp6 131/0 ext hop", PASS(NEIGHBOR) },
		{ "web > 198.18.0.2 -> 224.0.0.22 proto 2 options 1", PASS(NEIGHBOR) },
		{ "web > 198.18.0.3 -> 224.0.0.22 proto 2", DENY(SPOOFED_SOURCE) },
		{ "web > 198.18.0.2 -> 198.18.0.3 proto 2", DENY(DEFAULT_DENIED) },
		{ "web < host fe80::1 -> ff02::1 icmp6 130/0 dmac 33:33:00:00:00:01", PASS(NEIGHBOR) },
		{ "web < host 198.18.0.1 -> 224.0.0.1 proto 2 dmac 01:00:5e:00:00:01", PASS(NEIGHBOR) } } },
	{ "neighbor discovery that has been routed, or would be, is a packet like any other", "web-closed", {
		{ "web > fd77:1::2 -> fd77:1::3 icmp6 135/0 target fd77:1::3 hops 254", DENY(DEFAULT_DENIED) },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 135/0 target 2001:db8::9", DENY(DEFAULT_DENIED) },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 136/0 target fd77:1::2 len 500", DENY(DEFAULT_DENIED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 icmp6 135/0 target fd77:1::2 hops 60", DENY(DEFAULT_DENIED) },
		{ "web > fd77:1::2 -> fd77:1::3 icmp6 135/0 target fd77:1::3", PASS(NEIGHBOR) },
		{ "new > fd77:1::50 -> 2001:db8::9 icmp6 135/0 target 2001:db8::9", DENY(PENDING) } } },
	{ "MLD with another hop limit, or to a group that is routed", "web-closed", {
		{ "web > fe80::2 -> ff02::16 icmp6 143/0 hops 64", DENY(DEFAULT_DENIED) },
		{ "web > fe80::2 -> ff0e::16 icmp6 143/0", DENY(DEFAULT_DENIED) },
		{ "web > fd77:1::2 -> 2001:db8::9 icmp6 143/0", DENY(DEFAULT_DENIED) } } },
	{ "router advertisements and redirects are no container's", "web-any", {
		{ "web > fe80::2 -> ff02::1 icmp6 134/0", DENY(ROUTER_MESSAGE) },
		{ "web > fe80::2 -> fe80::3 icmp6 137/0 target fd77:1::3", DENY(ROUTER_MESSAGE) },
		{ "free > fe80::9 -> ff02::1 icmp6 134/0 ext hop", DENY(ROUTER_MESSAGE) },
		{ "web < host fe80::1 -> ff02::1 icmp6 134/0 dmac 33:33:00:00:00:01", PASS(NEIGHBOR) } } },
	{ "neither IPv4, IPv6 nor ARP", "web-any", {
		{ "web > ether 0x88cc", DENY(ETHERTYPE) },
		{ "web < host ether 0x88cc", DENY(ETHERTYPE) },
		{ "free > ether 0x8863", DENY(ETHERTYPE) },
		{ "free < host ether 0x8863", PASS(UNSELECTED) } } },
	{ "a VLAN tag in the data is no ethertype that we know", "web-any", {
		{ "web > ether 0x8100", DENY(ETHERTYPE) } } },
	{ "what the bridge flooded for another one", "web-any", {
		{ "web < db 198.18.0.3:1 -> 198.18.0.4:80 tcp S dmac 02:00:00:00:00:04", DENY(FLOODED), .flow = "none" },
		{ "free < db 198.18.0.3:1 -> 198.18.0.4:80 tcp S dmac 02:00:00:00:00:04", DENY(FLOODED) },
		{ "web < db arp reply 198.18.0.3 198.18.0.4 dmac 02:00:00:00:00:04", DENY(FLOODED) },
		{ "web < db 198.18.0.3:1 -> 224.0.0.251:5353 udp dmac 01:00:5e:00:00:fb", PASS(POLICY_ALLOWED) } } },
	{ "audit: the guard of a bridge on which nobody is enforced reports and passes", "web-guard-audit", {
		{ "web > 198.18.0.3:1 -> 192.0.2.9:80 tcp S", WOULD(SPOOFED_SOURCE) },
		{ "free > arp reply 198.18.0.1 198.18.0.2", WOULD(SPOOFED_NEIGHBOR) },
		{ "web > arp request 198.18.0.2 198.18.0.1 cut 17", DENY(MALFORMED) },
		{ "free < host ether 0x88cc", PASS(UNSELECTED) } } },
	{ "pending: what is sent waits for an address, which is not asked for yet", "web", {
		{ "new > arp request 198.18.0.50 198.18.0.1", DENY(PENDING) },
		{ "new < host arp request 198.18.0.1 198.18.0.50", DENY(PENDING) },
		{ "new > fd77:1::50 -> ff02::1:ff00:1 icmp6 135/0 target fd77:1::1", DENY(PENDING) },
		{ "new < host fd77:1::1 -> ff02::1:ff00:50 icmp6 135/0 target fd77:1::50", DENY(PENDING) } } },
	{ "pending: answers, announcements and probes alone", "web", {
		{ "new > arp request 198.18.0.50 198.18.0.50", PASS(NEIGHBOR) },
		{ "new > arp request 0.0.0.0 198.18.0.50", PASS(NEIGHBOR) },
		{ "new > arp reply 198.18.0.50 198.18.0.1", PASS(NEIGHBOR) },
		{ "new < host arp reply 198.18.0.1 198.18.0.50", PASS(NEIGHBOR) },
		{ "new > :: -> ff02::1:ff00:2 icmp6 135/0 target fd77:1::50", PASS(NEIGHBOR) },
		{ "new > fe80::50 -> ff02::2 icmp6 133/0", PASS(NEIGHBOR) },
		{ "new > :: -> ff02::16 icmp6 143/0 ext hop", PASS(NEIGHBOR) },
		{ "new > 198.18.0.50 -> 224.0.0.22 proto 2 options 1", PASS(NEIGHBOR) },
		{ "new < host fd77:1::1 -> fd77:1::50 icmp6 136/0 target fd77:1::1", PASS(NEIGHBOR) } } },
	{ "pending: all else is denied", "web", {
		{ "new > 198.18.0.50:1 -> 192.0.2.9:80 tcp S", DENY(PENDING), .flow = "none" },
		{ "new < uplink 192.0.2.9:80 -> 198.18.0.50:1 tcp SA", DENY(PENDING) },
		{ "new > 0.0.0.0:68 -> 255.255.255.255:67 udp", DENY(PENDING) },
		{ "new > [fd77:1::50]:1 -> [2001:db8::9]:53 udp", DENY(PENDING) },
		{ "new > fe80::50 -> ff02::1 icmp6 134/0", DENY(PENDING) },
		{ "new > 198.18.0.50 -> 198.18.0.1 icmp 8/0 id 1", DENY(PENDING) },
		{ "new > 198.18.0.50 -> 198.18.0.1 proto 2", DENY(PENDING) },
		{ "new > ether 0x88cc", DENY(PENDING) } } },
	{ "pending: what is cut short is no address resolution", "web", {
		{ "new > :: -> ff02::1:ff00:2 icmp6 135/0 target fd77:1::50 cut 44", DENY(PENDING) } } },
	{ "a slot that is another interface's now makes this one pending", "web-any", {
		{ .line = "@steal web" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:80 tcp S", DENY(PENDING) },
		{ "web > arp request 198.18.0.2 198.18.0.1", DENY(PENDING) },
		{ "web > arp reply 198.18.0.2 198.18.0.1", PASS(NEIGHBOR) } } },
};

const struct case_table guard_cases = { "guard", guards, COUNT(guards) };

static const struct packet_case parsers[] = {
	{ "fragments: the first is judged, later ones follow it", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp frag 0 len 64", PASS(POLICY_ALLOWED), .rule = "p/dns" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480", PASS(FRAGMENT) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 2960 last 0", PASS(FRAGMENT) } } },
	{ "fragments of IPv6", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:53 udp frag 0 len 64", PASS(POLICY_ALLOWED), .rule = "p/dns" },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 udp frag 1448", PASS(FRAGMENT) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 udp frag 2896 last 0", PASS(FRAGMENT) } } },
	{ "fragments that the container sends", "web-any", {
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:53 udp frag 0 len 64", PASS(POLICY_ALLOWED) },
		{ "web > 198.18.0.2 -> 192.0.2.9 udp frag 1480", PASS(FRAGMENT) },
		{ "web > 198.18.0.3 -> 192.0.2.9 udp frag 1480", DENY(SPOOFED_SOURCE) } } },
	{ "fragments: a denied first one takes the others with it", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:54 udp frag 0 len 64", DENY(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480", DENY(FRAGMENT_ORPHAN) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:54 udp frag 0 len 64", DENY(DEFAULT_DENIED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 udp frag 1448", DENY(FRAGMENT_ORPHAN) } } },
	{ "fragments: a later one alone", "web-any", {
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 tcp A frag 8", DENY(FRAGMENT_ORPHAN) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 tcp A frag 8", DENY(FRAGMENT_ORPHAN) } } },
	{ "fragments: another datagram, protocol, sender or direction", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp frag 0 len 64 fragid 9", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480 fragid 10", DENY(FRAGMENT_ORPHAN) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 tcp A frag 1480 fragid 9", DENY(FRAGMENT_ORPHAN) },
		{ "web < uplink 192.0.2.8 -> 198.18.0.2 udp frag 1480 fragid 9", DENY(FRAGMENT_ORPHAN) },
		{ "db < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480 fragid 9", PASS(UNSELECTED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480 fragid 9", PASS(FRAGMENT) } } },
	{ "fragments: a first one that is 31 s old", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:53 udp frag 0 len 64", PASS(POLICY_ALLOWED) },
		{ .line = "@wait 31" },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480", DENY(FRAGMENT_ORPHAN) } } },
	{ "fragments: a first one too small for its ports", "web-any", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S frag 0 cut 28", DENY(MALFORMED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 tcp A frag 8", DENY(FRAGMENT_ORPHAN) } } },
	{ "fragments: audit passes them all", "web-audit", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:82 udp frag 0 len 64", WOULD(DEFAULT_DENIED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 udp frag 1480", PASS(FRAGMENT) } } },
	{ "fragments of an established connection", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp A frag 0 len 100", PASS(ESTABLISHED) },
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 tcp A frag 120", PASS(FRAGMENT) } } },
	{ "an atomic fragment of IPv6 is a whole packet", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S ext atomic", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:81 tcp S ext atomic", DENY(DEFAULT_DENIED) } } },
	{ "one extension header of each kind", "web", {
		{ "web < uplink [2001:db8::9]:4001 -> [fd77:1::2]:80 tcp S ext hop", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4002 -> [fd77:1::2]:80 tcp S ext rt", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4003 -> [fd77:1::2]:80 tcp S ext dst", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4004 -> [fd77:1::2]:80 tcp S ext ah", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4004 -> [fd77:1::2]:81 tcp S ext ah", DENY(DEFAULT_DENIED) } } },
	{ "as many extension headers as are walked", "web", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S ext hop,dst,rt,atomic,ah,dst", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:81 tcp S ext dst,dst,dst,dst,dst,dst", DENY(DEFAULT_DENIED) } } },
	{ "more extension headers than are walked", "web-any", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S ext dst,dst,dst,dst,dst,dst,dst", DENY(HEADERS_TOO_DEEP) },
		{ "web > [fd77:1::2]:4000 -> [2001:db8::9]:80 udp ext hop,dst,rt,dst,ah,dst,dst,dst", DENY(HEADERS_TOO_DEEP) } } },
	{ "extension headers that are cut short", "web-any", {
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S ext hop,dst cut 52", DENY(MALFORMED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S ext hop,dst cut 44", DENY(MALFORMED) } } },
	{ "IPv4 options move the ports, and no more", "web", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S options 10", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:81 tcp S options 1", DENY(DEFAULT_DENIED) } } },
	{ "the IP version is not the ethertype's", "web-any", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S version 6", DENY(MALFORMED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S version 4", DENY(MALFORMED) },
		{ "web > 198.18.0.2:4000 -> 192.0.2.9:80 tcp S version 0", DENY(MALFORMED) } } },
	{ "the IPv4 header is too short, or longer than the packet says or is", "web-any", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S ihl 4", DENY(MALFORMED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S ihl 0", DENY(MALFORMED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S ihl 15", DENY(MALFORMED) },
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S totlen 19", DENY(MALFORMED) } } },
	{ "the TCP header is too short", "web-any", {
		{ "web < uplink 192.0.2.9:4000 -> 198.18.0.2:80 tcp S doff 4", DENY(MALFORMED) },
		{ "web < uplink [2001:db8::9]:4000 -> [fd77:1::2]:80 tcp S doff 0", DENY(MALFORMED) } } },
	{ "a protocol without ports needs no bytes", "web-any", {
		{ "web < uplink 192.0.2.9 -> 198.18.0.2 proto 47", PASS(POLICY_ALLOWED) },
		{ "web < uplink 2001:db8::9 -> fd77:1::2 proto 59", PASS(POLICY_ALLOWED) } } },
	{ "an IPv4 address in an IPv6 packet is no IPv4 address", "zero4", {
		{ "web < uplink [::ffff:203.0.113.1]:1 -> [fd77:1::2]:80 tcp S", DENY(MALFORMED), .flow = "none" },
		{ "web > [fd77:1::2]:1 -> [::ffff:203.0.113.1]:80 tcp S", DENY(MALFORMED), .flow = "none" },
		{ "web > [::ffff:198.18.0.2]:1 -> [2001:db8::9]:80 tcp S", DENY(MALFORMED), .flow = "none" } } },
};

const struct case_table parse_cases = { "packets", parsers, COUNT(parsers) };
