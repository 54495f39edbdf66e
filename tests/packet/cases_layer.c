/* SPDX-License-Identifier: GPL-2.0 */
/* Who has a say: the host's rules, rules by hand, rules for one network. */
#include "packet.h"

static const struct packet_case cases[] = {
	{ "the host's denies come before what the file allows", "host-rules", {
		{ "web < uplink 192.0.2.70:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "host/blocked", .layer = LAYER(HOST), .flow = "none" },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:25 tcp S", DENY(POLICY_DENIED), .rule = "host/no-mail", .layer = LAYER(HOST) } } },
	{ "what the host's rules do not deny the file decides", "host-rules", {
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) },
		{ "web > 198.18.0.2:1 -> 192.0.2.9:26 tcp S", PASS(UNSELECTED), .flow = "new" } } },
	{ "never-block comes before the host's denies, and allows nothing by itself", "host-rules", {
		{ "web < uplink 192.0.2.77:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.77:1 -> 198.18.0.2:81 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "the host's rules hold for unselected containers too", "host-rules", {
		{ "free < uplink 192.0.2.70:1 -> 198.18.0.9:99 tcp S", DENY(POLICY_DENIED), .rule = "host/blocked", .layer = LAYER(HOST), .flow = "none" },
		{ "free < uplink 192.0.2.9:1 -> 198.18.0.9:99 tcp S", PASS(UNSELECTED), .flow = "new" },
		{ "free > 198.18.0.9:99 -> 192.0.2.9:1 tcp SA", PASS(ESTABLISHED), .flow = "established" },
		{ "lone > 198.18.2.2:1 -> 192.0.2.9:25 tcp S", DENY(POLICY_DENIED), .rule = "host/no-mail", .layer = LAYER(HOST) },
		{ "lone > 198.18.2.2:1 -> 198.18.0.9:25 tcp S", PASS(UNSELECTED) } } },
	{ "the host's rules hold for a container with labels alone", "host-rules", {
		{ "narrow < uplink 192.0.2.70:1 -> 198.18.3.2:80 tcp S", DENY(POLICY_DENIED), .rule = "host/blocked", .layer = LAYER(HOST) },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(LABELS) } } },
	{ "the host's rules are enforced whatever the mode of a container's policy", "host-audit", {
		{ "web < uplink 192.0.2.70:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "host/blocked", .layer = LAYER(HOST), .flow = "none" },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:81 tcp S", WOULD(DEFAULT_DENIED), .flow = "new" } } },
	{ "a new rule of the host ends connections that exist", "from-unknown", {
		{ "web < uplink 192.0.2.70:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED) },
		{ .line = "@policy host-rules" },
		{ "web > 198.18.0.2:80 -> 192.0.2.70:1 tcp SA", DENY(FLOW_REVOKED), .rule = "host/blocked", .layer = LAYER(HOST) } } },
	{ "a set in the host's rules, beside a file without any", "host-set", {
		{ "web < uplink 192.0.2.70:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "host/dropped", .layer = LAYER(HOST) },
		{ "web < uplink 192.0.2.9:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "lone < uplink 192.0.2.127:1 -> 198.18.2.2:80 udp", DENY(POLICY_DENIED), .rule = "host/dropped", .layer = LAYER(HOST) },
		{ "lone < uplink 192.0.2.128:1 -> 198.18.2.2:80 udp", PASS(UNSELECTED) } } },
	{ "rules by hand come before the file's", "by-hand", {
		{ "web < uplink 192.0.2.66:1 -> 198.18.0.2:80 tcp S", DENY(POLICY_DENIED), .rule = "hand/no" },
		{ "web < uplink 192.0.2.67:1 -> 198.18.0.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/public" },
		{ "web < uplink 192.0.2.66:1 -> 198.18.0.2:99 tcp S", PASS(POLICY_ALLOWED), .rule = "hand/yes" },
		{ "web < uplink 192.0.2.66:1 -> 198.18.0.2:98 tcp S", DENY(DEFAULT_DENIED) } } },
	{ "rules by hand govern nothing by themselves", "by-hand", {
		{ "free < uplink 192.0.2.66:1 -> 198.18.0.9:80 tcp S", DENY(POLICY_DENIED), .rule = "hand/no" },
		{ "free < uplink 192.0.2.66:1 -> 198.18.0.9:81 tcp S", PASS(POLICY_ALLOWED) } } },
	{ "rules by hand come before the labels'", "by-hand", {
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:99 tcp S", PASS(POLICY_ALLOWED), .rule = "hand/yes" },
		{ "narrow < uplink 192.0.2.66:1 -> 198.18.3.2:80 tcp S", DENY(POLICY_DENIED), .rule = "hand/no", .layer = LAYER(LABELS) },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:80 tcp S", PASS(POLICY_ALLOWED), .rule = "labels/own" },
		{ "narrow < uplink 192.0.2.9:1 -> 198.18.3.2:82 tcp S", DENY(DEFAULT_DENIED), .layer = LAYER(LABELS) } } },
	{ "on network: a rule for one of a container's interfaces", "on-network", {
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:80 tcp S", PASS(POLICY_ALLOWED), .rule = "p/ops" },
		{ "both-ops < uplink 192.0.2.9:1 -> 198.18.1.7:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" },
		{ "both < uplink 192.0.2.9:1 -> 198.18.0.7:80 tcp S", DENY(DEFAULT_DENIED) },
		{ "both < uplink 192.0.2.9:1 -> 198.18.0.7:81 tcp S", PASS(POLICY_ALLOWED), .rule = "p/all" } } },
};

const struct case_table layer_cases = { "layers", cases, COUNT(cases) };
