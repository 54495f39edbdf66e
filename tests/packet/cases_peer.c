/* SPDX-License-Identifier: GPL-2.0 */
/* Who the other side is: by the port it came from, or by address. */
#include "packet.h"

static const struct packet_case cases[] = {
	{ "from outside", "peers", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < br-ops 198.18.1.2:1 -> 198.18.0.2:1 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "from outside, with an address that is the host's or a container's", "peers", {
		{ "web < uplink 198.18.0.1:1 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" },
		{ "web < uplink 198.18.0.1:2 -> 198.18.0.2:2 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 198.18.0.3:1 -> 198.18.0.2:3 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < uplink 198.18.0.3:2 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" } } },
	{ "from the host", "peers", {
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:2 tcp S", PASS(POLICY_ALLOWED), .rule = "p/host" },
		{ "web < host [fd77:1::1]:1 -> [fd77:1::2]:2 tcp S", PASS(POLICY_ALLOWED), .rule = "p/host" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:2 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "from a container, by its port", "peers", {
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:3 tcp S", PASS(POLICY_ALLOWED), .rule = "p/db" },
		{ "web < db [fd77:1::3]:1 -> [fd77:1::2]:3 tcp S", PASS(POLICY_ALLOWED), .rule = "p/db" },
		{ "web < other 198.18.0.4:1 -> 198.18.0.2:3 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < free 198.18.0.9:1 -> 198.18.0.2:3 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a borrowed address gains nothing", "peers", {
		{ "web < other 198.18.0.3:1 -> 198.18.0.2:3 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < rogue 198.18.0.3:1 -> 198.18.0.2:3 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < free [fd77:1::3]:1 -> [fd77:1::2]:3 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "the address of a lent port does not take its name away", "peers", {
		{ "web < db 198.18.0.4:1 -> 198.18.0.2:3 tcp S", PASS(POLICY_ALLOWED), .rule = "p/db" } } },
	{ "a bare service is the own project's", "peers", {
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:4 tcp S", PASS(POLICY_ALLOWED), .rule = "p/own-db" },
		{ "web < other 198.18.0.4:1 -> 198.18.0.2:4 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a service of any project", "peers", {
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:5 tcp S", PASS(POLICY_ALLOWED), .rule = "p/any-db" },
		{ "web < other 198.18.0.4:1 -> 198.18.0.2:5 tcp S", PASS(POLICY_ALLOWED), .rule = "p/any-db" },
		{ "web < free 198.18.0.9:1 -> 198.18.0.2:5 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a network's endpoints, routed from their bridge", "peers", {
		{ "web < br-ops 198.18.1.2:1 -> 198.18.0.2:6 tcp S", PASS(POLICY_ALLOWED), .rule = "p/ops" },
		{ "web < br-ops 198.18.1.7:1 -> 198.18.0.2:6 tcp S", PASS(POLICY_ALLOWED), .rule = "p/ops" },
		{ "web < br-ops 198.18.1.99:1 -> 198.18.0.2:6 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:6 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "an address of another bridge is not believed from here", "peers", {
		{ "web < br-open 198.18.1.2:1 -> 198.18.0.2:6 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a network is never its gateway", "peers", {
		{ "web < host 198.18.1.1:1 -> 198.18.0.2:6 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:1 -> 198.18.1.1:6 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "the own network", "peers", {
		{ "web < free 198.18.0.9:1 -> 198.18.0.2:9 tcp S", PASS(POLICY_ALLOWED), .rule = "p/dmz" },
		{ "web < rogue 198.18.0.9:2 -> 198.18.0.2:9 tcp S", DENY(DEFAULT_DENIED) },
		{ "web < new 198.18.0.77:1 -> 198.18.0.2:9 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "an address in a rule is an address, whoever has it", "peers", {
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:7 tcp S", PASS(POLICY_ALLOWED), .rule = "p/db-address" },
		{ "web < db [fd77:1::3]:1 -> [fd77:1::2]:7 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "a list of peers with a glob", "peers", {
		{ "web < both 198.18.0.7:1 -> 198.18.0.2:8 tcp S", PASS(POLICY_ALLOWED), .rule = "p/list" },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:8 tcp S", PASS(POLICY_ALLOWED), .rule = "p/list" },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:8 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "to outside", "peers", {
		{ "web > 198.18.0.2:1 -> 192.0.2.9:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" },
		{ "web > [fd77:1::2]:1 -> [2001:db8::9]:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" },
		{ "web > 198.18.0.2:1 -> 192.0.2.1:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:1 -> 198.18.0.3:1 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "an unused address of a Docker network, multicast and broadcast are not outside", "peers", {
		{ "web > 198.18.0.2:1 -> 198.18.1.200:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:2 -> 224.0.0.251:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:3 -> 255.255.255.255:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > [fd77:1::2]:4 -> [ff02::fb]:1 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > [fd77:1::2]:4 -> [fd77:2::200]:1 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "to the host: every address that it has", "peers", {
		{ "web > 198.18.0.2:1 -> 198.18.0.1:2 tcp S", PASS(POLICY_ALLOWED), .rule = "p/host" },
		{ "web > 198.18.0.2:1 -> 192.0.2.1:2 tcp S", PASS(POLICY_ALLOWED), .rule = "p/host" },
		{ "web > [fd77:1::2]:1 -> [fd77:2::1]:2 tcp S", PASS(POLICY_ALLOWED), .rule = "p/host" },
		{ "web > 198.18.0.2:1 -> 192.0.2.2:2 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "to a container, on the same bridge and by another", "peers", {
		{ "web > 198.18.0.2:1 -> 198.18.0.3:3 tcp S", PASS(POLICY_ALLOWED), .rule = "p/db" },
		{ "web > 198.18.0.2:1 -> 198.18.0.4:7 tcp S", PASS(POLICY_ALLOWED), .rule = "p/mill" },
		{ "web > 198.18.0.2:1 -> 198.18.1.2:6 tcp S", PASS(POLICY_ALLOWED), .rule = "p/ops" },
		{ "web > 198.18.0.2:1 -> 198.18.0.4:3 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "an unselected container on a guarded bridge", "web", {
		{ "free > 198.18.0.9:1 -> 192.0.2.9:25 tcp S", PASS(UNSELECTED), .flow = "none" },
		{ "free < uplink 192.0.2.9:1 -> 198.18.0.9:25 tcp A", PASS(UNSELECTED), .flow = "none" } } },
	{ "an unselected container on a bridge without a guard sends what it likes", "web", {
		{ "lone > 198.18.9.9:1 -> 192.0.2.9:25 tcp S smac 02:00:00:00:99:99", PASS(UNSELECTED) },
		{ "lone < uplink 192.0.2.9:1 -> 198.18.2.2:25 tcp S cut 22", PASS(UNSELECTED) },
		{ "lone > ether 0x88cc", PASS(UNSELECTED) } } },
	{ "unknown sender on the bridge, defaults.unknown: allow", "from-unknown", {
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "unknown sender on the bridge, defaults.unknown: deny", "unknown-deny", {
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:80 tcp S", DENY(UNKNOWN_ENDPOINT), .flow = "none" },
		{ "free < rogue 198.18.0.50:1 -> 198.18.0.9:80 tcp S", DENY(UNKNOWN_ENDPOINT) },
		{ "lone < rogue 198.18.2.50:1 -> 198.18.2.2:80 tcp S", DENY(UNKNOWN_ENDPOINT) },
		{ "web < rogue arp request 198.18.0.50 198.18.0.2", PASS(NEIGHBOR) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" } } },
	{ "a pending port is unknown too", "unknown-deny", {
		{ "web < new 198.18.0.50:1 -> 198.18.0.2:80 tcp S", DENY(UNKNOWN_ENDPOINT) } } },
	{ "an unknown port is not outside, also not when its connection is judged again at the reply", "from-unknown", {
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ .line = "@policy from-outside" },
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:80 tcp A", DENY(FLOW_REVOKED) },
		{ "web > 198.18.0.2:80 -> 198.18.0.50:1 tcp A", DENY(FLOW_REVOKED) } } },
	{ "a connection is judged again at the reply by the way that it came, not by the address that it showed", "peers", {
		{ "web < uplink 198.18.0.3:1 -> 198.18.0.2:1 tcp S", PASS(POLICY_ALLOWED), .rule = "p/outside" },
		{ .line = "@raise" },
		{ "web > 198.18.0.2:1 -> 198.18.0.3:1 tcp SA", PASS(ESTABLISHED), .rule = "p/outside" },
		{ "web < other 198.18.0.4:2 -> 198.18.0.2:5 tcp S", PASS(POLICY_ALLOWED), .rule = "p/any-db" },
		{ .line = "@raise" },
		{ "web > 198.18.0.2:5 -> 198.18.0.4:2 tcp SA", PASS(ESTABLISHED), .rule = "p/any-db" } } },
	{ "at the bridge, without a stamp, defaults.unknown: allow", "web", {
		{ "br-dmz ^ 198.18.0.50:1 -> 192.0.2.9:80 tcp S", PASS(UNKNOWN_ALLOWED) },
		{ "br-dmz ^ arp request 198.18.0.50 198.18.0.1", PASS(NEIGHBOR) } } },
	{ "on a sealed bridge who is not judged yet is denied whatever defaults.unknown says", "from-unknown", {
		{ .line = "@seal" },
		{ "web < rogue 198.18.0.50:1 -> 198.18.0.2:80 tcp S", DENY(UNKNOWN_ENDPOINT), .flow = "none" },
		{ "web < new 198.18.0.50:1 -> 198.18.0.2:80 udp", DENY(UNKNOWN_ENDPOINT) },
		{ "free < rogue 198.18.0.50:1 -> 198.18.0.9:80 tcp S", DENY(UNKNOWN_ENDPOINT) },
		{ "web < db 198.18.0.3:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < host 198.18.0.1:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "br-dmz ^ 198.18.0.50:1 -> 192.0.2.9:80 tcp S", DENY(UNKNOWN_ENDPOINT) } } },
	{ "on a sealed bridge who is not judged yet asks for no address, and is asked for none", "from-unknown", {
		{ .line = "@seal" },
		{ "web < rogue arp request 198.18.0.50 198.18.0.2", DENY(UNKNOWN_ENDPOINT) },
		{ "web < rogue arp request 198.18.0.50 198.18.0.50", PASS(NEIGHBOR) },
		{ "web < rogue arp reply 198.18.0.50 198.18.0.2", PASS(NEIGHBOR) },
		{ "web < db arp request 198.18.0.3 198.18.0.2", PASS(NEIGHBOR) },
		{ "web < host arp request 198.18.0.1 198.18.0.2", PASS(NEIGHBOR) },
		{ "br-dmz ^ arp request 198.18.0.50 198.18.0.1", DENY(UNKNOWN_ENDPOINT) },
		{ "br-dmz ^ fd77:1::50 -> ff02::1:ff00:1 icmp6 135/0 target fd77:1::1", DENY(UNKNOWN_ENDPOINT) },
		{ "br-dmz ^ :: -> ff02::1:ff00:50 icmp6 135/0 target fd77:1::50", PASS(NEIGHBOR) },
		{ "br-dmz ^ arp request 0.0.0.0 198.18.0.50", PASS(NEIGHBOR) } } },
	{ "at the bridge, without a stamp, defaults.unknown: deny", "unknown-deny", {
		{ "br-dmz ^ 198.18.0.50:1 -> 192.0.2.9:80 tcp S", DENY(UNKNOWN_ENDPOINT) },
		{ "br-dmz ^ [fd77:1::50]:1 -> [2001:db8::9]:80 udp", DENY(UNKNOWN_ENDPOINT) },
		{ "br-dmz ^ arp request 198.18.0.50 198.18.0.1", PASS(NEIGHBOR) },
		{ "br-dmz ^ fd77:1::50 -> ff02::1:ff00:1 icmp6 135/0 target fd77:1::1", PASS(NEIGHBOR) },
		{ "br-dmz ^ ether 0x88cc", DENY(UNKNOWN_ENDPOINT) } } },
};

const struct case_table peer_cases = { "peers", cases, COUNT(cases) };
