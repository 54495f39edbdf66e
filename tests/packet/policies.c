/* SPDX-License-Identifier: GPL-2.0 */
/* The policies of the table, as people write them. */
#include "packet.h"

#define MANY_RULES DNET_MAX_RULES

/* Every second address of a range, so that the search among the ranges that begin with the same bits is deep. */
#define DEEP_PREFIXES 4096
static char deep_text[DEEP_PREFIXES * 2 * 40 + 512];

static const char *deep(void)
{
	size_t at = (size_t)snprintf(deep_text, sizeof(deep_text), "version: 1\nsets:\n  four: [");

	for (int i = 0; i < DEEP_PREFIXES; i++)
		at += (size_t)snprintf(deep_text + at, sizeof(deep_text) - at, "%s203.0.%d.%d", i ? ", " : "", i / 128, i % 128 * 2 + 1);
	at += (size_t)snprintf(deep_text + at, sizeof(deep_text) - at, "]\n  six: [");
	for (int i = 0; i < DEEP_PREFIXES; i++)
		at += (size_t)snprintf(deep_text + at, sizeof(deep_text) - at, "%s\"2001:db8:%x::%x\"", i ? ", " : "", i / 64, i % 64 * 2 + 1);
	snprintf(deep_text + at, sizeof(deep_text) - at, "]\npolicies:\n  - name: p\n    select: \"container:web\"\n    ingress: "
		 "[ \"allow 80/tcp from set:four as four\", \"allow 80/tcp from set:six as six\" ]\n");
	return deep_text;
}

static char many_text[MANY_RULES * 48 + 256];

/* Port N is allowed by rule rN alone, but for the last rule, which allows port 65535. */
static const char *many(void)
{
	size_t at = (size_t)snprintf(many_text, sizeof(many_text), "version: 1\npolicies:\n  - name: many\n    select: \"container:web\"\n"
				     "    ingress:\n");

	for (int i = 0; i < MANY_RULES && at < sizeof(many_text); i++)
		at += (size_t)snprintf(many_text + at, sizeof(many_text) - at, "      - allow %d/tcp from any as r%d\n",
				       i == MANY_RULES - 1 ? 65535 : i + 1, i);
	return many_text;
}

/* NAME: one policy of that name, for the container `web`. */
#define WEB(directions) "version: 1\npolicies:\n  - name: p\n    select: \"container:web\"\n" directions
#define INGRESS(...) "    ingress: [ " #__VA_ARGS__ " ]\n"
#define EGRESS(...) "    egress: [ " #__VA_ARGS__ " ]\n"

static const struct { const char *name, *text; } policies[] = {
	{ "nothing", "version: 1\n" },
	{ "web", WEB(INGRESS("allow 80,443/tcp from outside as public", "deny 22/tcp from 192.0.2.66 as banned",
			     "allow 22/tcp from 192.0.2.0/24 as admin", "allow 9100/tcp from service:watch/mon as metrics",
			     "allow 53/udp from any as dns", "allow 8000-8999/tcp from host as local")
		     EGRESS("allow 5432/tcp to container:db as database", "allow 443/tcp to outside as calls")) },
	{ "web-closed", WEB("    ingress: []\n    egress: []\n") },
	{ "web-in", WEB(INGRESS("allow 80/tcp from any as public")) },
	{ "web-out", WEB(EGRESS("allow 443/tcp to any as calls")) },
	{ "web-any", WEB(INGRESS("allow from any as all") EGRESS("allow to any as all")) },
	{ "web-open-failure", "defaults: { on-failure: open }\n" WEB("    ingress: []\n    egress: []\n") },
	{ "web-audit", WEB("    mode: audit\n" INGRESS("allow 80/tcp from any as public", "deny 81/tcp from any as no") EGRESS()) },
	{ "switch-a", "host: { rules: [ \"deny 81/udp from any as h\" ] }\n"
		      "sets: { one: [ 192.0.2.9, \"2001:db8::9\" ], two: [ 192.0.2.66, \"2001:db8::66\" ] }\n"
		      WEB(INGRESS("allow 83/udp from 192.0.2.9 as a", "allow 84/udp from 192.0.2.66 as b", "deny 85/udp from any as c",
				  "allow 86/udp from any as d", "allow 87/udp from set:one as e", "allow 89/udp from set:two as f",
				  "allow 91/udp from outside as g", "allow 92/udp from container:db as h", "allow 81/udp from any as i")) },
	{ "switch-b", "host: { rules: [ \"deny 82/udp from any as h\" ] }\n"
		      "sets: { two: [ 192.0.2.9, \"2001:db8::9\" ], one: [ 192.0.2.66, \"2001:db8::66\" ] }\n"
		      WEB(INGRESS("allow 84/udp from 192.0.2.66 as a", "allow 83/udp from 192.0.2.9 as b", "allow 86/udp from any as c",
				  "deny 85/udp from any as d", "allow 89/udp from set:one as e", "allow 87/udp from set:two as f",
				  "allow 92/udp from container:db as g", "allow 91/udp from outside as h", "allow 82/udp from any as i")) },
	{ "order", WEB(INGRESS("deny 80/tcp from 192.0.2.66 as first", "allow 80/tcp from 192.0.2.0/24 as second",
			       "deny 80/tcp from outside as third", "allow 80-90/tcp from any as fourth")) },
	{ "ports", WEB(INGRESS("allow 1/tcp from any as lowest", "allow 65535/tcp from any as highest", "allow 100-200/tcp from any as range",
			       "allow 7/sctp from any as sctp", "allow 300,302-303/udp from any as list")) },
	{ "protocols", WEB(INGRESS("allow proto:47 from any as gre", "allow sctp from any as sctp", "deny tcp from any as no-tcp",
				   "allow icmp:echo-request from any as ping", "allow icmpv6:echo-request from any as ping6",
				   "allow proto:136 from any as lite")
			   EGRESS("allow icmp to any as errors")) },
	{ "ping-out", WEB(INGRESS("allow icmp:timestamp-request from any as clock")
			  EGRESS("allow icmp:echo-request to any as ping", "allow icmpv6:echo-request to any as ping6")) },
	{ "nested", WEB(INGRESS("deny 80/tcp from 192.0.2.128/25 as half", "allow 80/tcp from 192.0.2.200 as exception",
				"allow 80/tcp from 192.0.2.0/24 as net", "allow 81/tcp from 192.0.2.200 as exact", "deny 81/tcp from 192.0.2.128/25 as rest",
				"allow 81/tcp from 192.0.0.0/8 as wide", "deny 82/tcp from 2001:db8:1::/48 as six", "allow 82/tcp from 2001:db8::/32 as wide6")) },
	{ "zero4", WEB(INGRESS("allow 80/tcp from 0.0.0.0/0 as four") EGRESS("allow 80/tcp to 0.0.0.0/0 as four-out")) },
	{ "zero6", WEB(INGRESS("allow 80/tcp from ::/0 as six") EGRESS("allow 80/tcp to ::/0 as six-out")) },
	{ "zero-both", WEB(INGRESS("deny 80/tcp from ::/0 as six", "allow 80/tcp from 0.0.0.0/0 as four", "allow 81/tcp from ::/1 as half")) },
	{ "peers", WEB(INGRESS("allow 1/tcp from outside as outside", "allow 2/tcp from host as host", "allow 3/tcp from container:db as db",
			       "allow 4/tcp from service:db as own-db", "allow 5/tcp from service:*/db as any-db", "allow 6/tcp from network:ops as ops",
			       "allow 7/tcp from 198.18.0.3 as db-address", "allow 8/tcp from container:b*, host as list", "allow 9/tcp from network:dmz as dmz")
		       EGRESS("allow 1/tcp to outside as outside", "allow 2/tcp to host as host", "allow 3/tcp to container:db as db",
			      "allow 6/tcp to network:ops as ops", "allow 7/tcp to service:mill/db as mill")) },
	{ "pair", WEB(EGRESS("allow 5432,5433/tcp to container:db as out"))
		  "  - name: q\n    select: \"container:db\"\n    ingress: [ \"allow 5432/tcp from container:web as in\" ]\n    egress: []\n" },
	{ "pair-closed", WEB(EGRESS("allow 5432,5433/tcp to container:db as out"))
			 "  - name: q\n    select: \"container:db\"\n    ingress: []\n    egress: []\n" },
	{ "all-closed", "version: 1\npolicies:\n  - { name: all, select: all, ingress: [], egress: [] }\n" },
	{ "two", WEB(INGRESS("allow 80/tcp from any as one", "deny 81/tcp from any as stop"))
		 "  - { name: q, select: \"network:dmz\", ingress: [ \"allow 81,82/tcp from any as more\" ] }\n" },
	{ "outside-default", "defaults: { unselected: outside }\nversion: 1\n" },
	{ "deny-default", "defaults: { unselected: deny }\nversion: 1\n" },
	{ "unknown-deny", "defaults: { unknown: deny }\n" WEB(INGRESS("allow 80/tcp from any as public")) },
	{ "file-on-lab", "version: 1\npolicies:\n  - { name: lab, select: \"network:lab\", ingress: [ \"allow 80-82/tcp from outside as file\" ] }\n" },
	{ "add-on-lab", "version: 1\npolicies:\n  - { name: lab, select: \"network:lab\", labels: add, ingress: [ \"allow 82/tcp from any as file\" ] }\n" },
	{ "ignore-labels", "defaults: { labels: ignore }\nversion: 1\n" },
	{ "web-guard-audit", WEB("    mode: audit\n    ingress: []\n    egress: []\n") },
	{ "from-unknown", WEB(INGRESS("allow 80/tcp from any as public")) },
	{ "from-outside", WEB(INGRESS("allow 80/tcp from outside as public")) },
	{ "scopes", WEB(INGRESS("allow 1/tcp from lan as lan", "allow 2/tcp from internet as internet", "allow 3/tcp from metadata as metadata",
				"allow 4/tcp from outside as outside", "allow 5/tcp from lan, internet as both")
			EGRESS("deny 5/tcp to metadata as no-metadata", "allow 1/tcp to lan as lan", "allow 2/tcp to internet as internet",
			       "allow 3/tcp to metadata as metadata", "allow 4,5/tcp to outside as outside", "allow 53/udp to dns as dns")) },
	{ "groups", WEB(INGRESS("allow 5353/udp from multicast as mdns", "allow 7/udp from outside as outside", "allow 8/udp from any as all",
				"allow 9/udp from container:db as db")
			EGRESS("allow 5353/udp to multicast as mdns", "allow 7/udp to outside as outside", "allow 8/udp to any as all")) },
	{ "interfaces", WEB(INGRESS("allow 1/tcp from iface:uplink as up", "allow 2/tcp from iface:backup as back", "allow 3/tcp from iface:rogue as rogue",
				    "deny 4/tcp from iface:uplink as not-up", "allow 4/tcp from any as rest", "allow 5/tcp from iface:nothere as nowhere",
				    "allow 6/tcp from iface:br-ops, iface:db as inside")
			    EGRESS()) },
	{ "sets", "sets: { office: [203.0.113.0/24, '2001:db8:1::/48'], bad: [203.0.113.66, 192.0.2.128/25, '2001:db8:1:5::/64'], inner: [198.18.0.3],\n"
		  "  ends: [0.0.0.0/8, 255.255.255.254, '::/16', 'fe00::/16'] }\n"
		  WEB(INGRESS("deny from set:bad as bad", "allow 80/tcp from set:office as office", "allow 81/tcp from set:inner as inner",
			      "allow 82/tcp from set:ends as ends", "allow 83/tcp from any as any")
		      EGRESS("allow 443/tcp to set:office, set:bad as either")) },
	{ "sets-changed", "sets: { office: [203.0.113.128/25], bad: [192.0.2.128/25] }\n"
			  WEB(INGRESS("deny from set:bad as bad", "allow 80/tcp from set:office as office")) },
	{ "host-rules", "host: { never-block: [192.0.2.77], rules: [ \"deny from 192.0.2.64/26 as blocked\", \"deny 25/tcp to outside as no-mail\" ] }\n"
			WEB(INGRESS("allow 80/tcp from any as public")) },
	{ "host-audit", "host: { rules: [ \"deny from 192.0.2.64/26 as blocked\" ] }\n"
			WEB("    mode: audit\n" INGRESS("allow 80/tcp from any as public")) },
	{ "host-set", "sets: { drop: [192.0.2.64/26] }\nhost: { rules: [ \"deny from set:drop as dropped\" ] }\n"
		      WEB(INGRESS("allow 80/tcp from any as public")) },
	{ "by-hand", "version: 1\npolicies:\n  - { name: hand, select: \"container:web or container:free or container:narrow\", override: true,\n"
		     "      ingress: [ \"deny 80/tcp from 192.0.2.66 as no\", \"allow 99/tcp from any as yes\" ] }\n"
		     "  - { name: p, select: \"container:web\", ingress: [ \"allow 80/tcp from any as public\" ] }\n" },
	{ "on-network", "version: 1\npolicies:\n  - { name: p, select: \"container:both\",\n"
			"      ingress: [ \"allow 80/tcp from any on network:ops as ops\", \"allow 81/tcp from any as all\" ] }\n" },
	{ "timeouts", "timeouts: { tcp-new: 5s, tcp-established: 100s, tcp-half-closed: 20s, tcp-closed: 3s, udp-new: 4s, udp-established: 7s, icmp: 6s,\n"
		      "  other: 8s }\n" WEB(INGRESS("allow from any as public") EGRESS()) },
	{ "rate", WEB(INGRESS("allow 80/tcp, 53/udp from any rate 1/m burst 3 as all", "allow 81/tcp from any rate 1/m per src burst 1 as source",
			      "allow 82/tcp from any rate 1/m per src/24 burst 1 as net", "allow 83/tcp from any rate 1/m per src/56 burst 1 as site")
		      EGRESS("allow 443/tcp to any rate 1/m per dst burst 1 as calls")) },
	{ "rate-audit", WEB("    mode: audit\n" INGRESS("allow 80/tcp from any rate 1/m burst 1 packets 1/m burst 2 as all")) },
	{ "conns", WEB(INGRESS("allow 80/tcp from any conns 2 as all", "allow 81/tcp from any conns 1 per src as source", "allow 53/udp from any conns 1 as dns",
			       "allow 83/tcp from any as free")) },
	{ "conns-moved", WEB(INGRESS("allow 80/tcp from any conns 1 as tighter")) },
	{ "conns-lifted", WEB(INGRESS("allow 80/tcp from any as all")) },
	{ "conns-audit", WEB("    mode: audit\n" INGRESS("allow 80/tcp from any conns 1 as all")) },
	{ "conns-open-failure", "defaults: { on-failure: open }\n" WEB(INGRESS("allow 80/tcp from any conns 2 as all")) },
	{ "packets", WEB(INGRESS("allow 80/tcp, 53/udp from any packets 1/m burst 3 as all") EGRESS("allow 443/tcp to any packets 1/m per dst burst 2 as calls")) },
	{ "both", WEB(INGRESS("allow 80/tcp from any rate 1/m burst 4 conns 1 as all", "allow 81/tcp from any conns 2 packets 1/m burst 2 as late")) },
	{ "limited-pair", WEB(EGRESS("allow 5432/tcp to container:db conns 1 per dst as out"))
			  "  - name: q\n    select: \"container:db\"\n    ingress: [ \"allow 5432/tcp from container:web rate 1/m burst 2 conns 2 as in\" ]\n    egress: []\n" },
	{ "limits-on-lab", "version: 1\npolicies:\n  - { name: lab, select: \"network:lab\", ingress: [ \"allow 80/tcp from any rate 1/m burst 3 as file\" ] }\n" },
	{ "hammer", WEB(INGRESS("allow 80/tcp from any rate 5000/h burst 5000 as rate", "allow 81/tcp from any conns 5000 as conns",
				"allow 82/udp from any packets 5000/h burst 5000 as packets")) },
	{ "ban", WEB(INGRESS("allow 80/tcp from any rate 1/m per src burst 2 ban 10m as public", "allow 81/tcp, 54/udp from any as free",
			     "allow 82/tcp, 53/udp from any packets 1/m per src burst 4 ban 5m as packets",
			     "allow 83/tcp from any rate 1/m per src/24 burst 1 ban host 1m as net", "allow 84/tcp from any conns 1 ban 1m as conns")
		     EGRESS("allow 443/tcp to any as calls", "allow icmp to any as errors")) "  - { name: q, select: \"container:other\", ingress: [ \"allow 81/tcp from any as theirs\" ] }\n" },
	{ "ban-on-two-networks", "version: 1\npolicies:\n  - name: p\n    select: \"container:both\"\n"
		INGRESS("allow 80/tcp from any rate 1/m per src burst 2 ban 10m as public", "allow 81/tcp from any as free") },
	{ "ban-audit", WEB("    mode: audit\n" INGRESS("allow 80/tcp from any rate 1/m per src burst 2 ban 10m as public")) },
	{ "ban-then-audit", WEB("    mode: audit\n" INGRESS("allow 80/tcp from any rate 1/m per src burst 2 ban 10m as public", "allow 81/tcp from any as free")) },
	{ "ban-never", "host: { never-block: [192.0.2.9], rules: [ \"deny 25/tcp from any as no-mail\" ] }\n"
		       WEB(INGRESS("allow 80/tcp from any rate 1/m per src/24 burst 2 ban 10m as public", "allow 81/tcp from any as free")) },
	{ "geo", WEB(INGRESS("deny 80/tcp from geo:KP as not-kp", "allow 80/tcp from any as all", "allow 81/tcp from geo:DE, geo:FR as europe",
			     "allow 82/tcp from container:db, geo:KP as mixed")
		     EGRESS("deny to geo:KP as kp-out", "allow 443/tcp to any as calls")) },
	{ "geo-host", "host: { never-block: [192.0.2.200], rules: [ \"deny from geo:KP as host-kp\", \"deny to geo:KP as host-to-kp\" ] }\n" WEB(INGRESS("allow 80/tcp from any as all")) },
	{ "not-outside", WEB(INGRESS("deny 80/tcp from outside as outside", "allow 80/tcp from any as public")) },
};

const char *policy_text(const char *name)
{
	if (strcmp(name, "many") == 0)
		return many();
	if (strcmp(name, "deep") == 0)
		return deep();
	for (size_t i = 0; i < COUNT(policies); i++)
		if (strcmp(policies[i].name, name) == 0)
			return policies[i].text;
	return NULL;
}
