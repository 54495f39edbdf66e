/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/folder.h"
#include "unit/marked.h"

#include "base/cleanup.h"
#include "check/check.h"
#include "config/static_inventory.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define V "version: 1\n"
/* A policy for everybody, whose list follows. */
#define IN  V "policies:\n  - name: a\n    select: all\n    ingress:\n"
#define OUT V "policies:\n  - name: a\n    select: all\n    egress:\n"

/* What the host runs. web has IPv6 through front; db and pair have none. */
#define LIMITED(limits) V "policies:\n  - name: a\n    select: all\n    limits: { ingress: \"" limits "\" }\n"

static const char world[] =
	"networks:\n"
	"  - { name: front, bridge: br-front, subnets: [198.18.10.0/24, \"fd77:10::/64\"] }\n"
	"  - { name: back, bridge: br-back, subnets: [198.18.20.0/24] }\n"
	"  - { name: empty, bridge: br-empty }\n"
	"endpoints:\n"
	"  - { container: web, interface: v1, network: front, addresses: [198.18.10.11], service: shop/web, ports: [\"8080:80\", \"443:443\"],\n"
	"      labels: { tier: edge } }\n"
	"  - { container: web, interface: v2, network: back, addresses: [198.18.20.11] }\n"
	"  - { container: db, interface: v3, network: back, addresses: [198.18.20.14], service: shop/db, ports: [\"15432:5432\"],\n"
	"      image: \"postgres:17\" }\n"
	"  - { container: mon, interface: v4, network: front, addresses: [198.18.10.12], service: mon/prometheus }\n"
	"  - { container: alone, interface: v5, network: back, addresses: [198.18.20.15], ports: [\"127.0.0.1:9090:90\", \"0.0.0.0:91:91\"] }\n";

/* The first '^' marks the place of the one diagnostic; without it there is to be none. */
struct check_case {
	const char *text;
	const char *name;	/* "error", or the warning's */
	const char *part;	/* of the sentence */
	const char *fix;	/* NULL: none */
	const char *inventory;	/* NULL: none */
};

static void run(const char *name, const char *text, const char *inventory_text, struct diagnostics *diagnostics,
	struct check_result *result)
{
	struct inventory inventory = {};
	struct error error = {};

	if (inventory_text && static_inventory_parse("inventory.yaml", inventory_text, strlen(inventory_text), &inventory,
		&error) < 0)
		fail_msg("%s", error.text);
	put_file(name, text);
	if (check_file(in_folder(name), inventory_text ? &inventory : NULL, diagnostics, result, &error) < 0)
		fail_msg("%s", error.text);
	inventory_clear(&inventory);
}

static void show(const char *text, const struct diagnostics *diagnostics)
{
	print_error("%s\n", text);
	diagnostics_print(diagnostics, stderr);
}

static void check_cases(const struct check_case *cases, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++) {
		const struct check_case *one = &cases[i];
		struct marked marked = marked_take(one->text);
		_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
		const struct diagnostic *found;
		struct check_result result;

		run(file, marked.text, one->inventory, &diagnostics, &result);
		if (diagnostics.count != (marked.line ? 1 : 0)) {
			show(marked.text, &diagnostics);
			fail_msg("case %zu: %zu diagnostics", i, diagnostics.count);
		}
		found = marked.line ? &diagnostics.items[0] : NULL;
		if (found && (found->line != marked.line || found->column != marked.column || !strstr(found->sentence,
			one->part) || !found->source ||
		    strcmp(one->name, found->kind == DIAGNOSTIC_ERROR ? "error" : found->name) != 0 ||
		    strcmp(one->fix ? one->fix : "none", found->fix ? found->fix : "none") != 0)) {
			show(marked.text, &diagnostics);
			fail_msg("case %zu: expected %s at %u:%u, \"%s\", fix \"%s\"", i, one->name, marked.line, marked.column,
				one->part,
				 one->fix ? one->fix : "none");
		}
		free(marked.text);
	}
}

static const struct check_case never_cases[] = {
	{ IN "      - allow 80/tcp from any\n      - ^deny 80/tcp from lan\n", "never-matches",
	  "never matches: \"allow 80/tcp from any\" in line 6 comes first and allows all that it names; move it above",
	  "- \"deny 80/tcp from lan\"  # above line 6", NULL },
	{ IN "      - deny from lan\n      - ^allow 80/tcp from lan\n      - allow from any\n", "never-matches",
	  "comes first and denies", "- \"allow 80/tcp from lan\"  # above line 6", NULL },
	{ IN "      - allow 80-90/tcp from outside\n      - ^allow 85/tcp from internet\n", "never-matches",
	  "says the same of all that it names", NULL, NULL },
	/* Two rules together. */
	{ IN "      - allow 80-84/tcp from any\n      - deny 85-90/tcp from any\n      - ^allow 82-88/tcp from lan\n",
	  "never-matches",
	  "rules before it decide all", NULL, NULL },
	{ IN "      - allow tcp from 198.18.0.0/15\n      - ^deny 1/tcp from 198.18.1.0/24, 198.19.0.1\n", "never-matches",
	  "in line 6", "- \"deny 1/tcp from 198.18.1.0/24, 198.19.0.1\"  # above line 6", NULL },
	{ IN "      - allow from service:*/db\n      - ^deny from service:db, service:shop/db\n", "never-matches", "in line 6",
	  "- \"deny from service:db, service:shop/db\"  # above line 6", NULL },
	{ IN "      - allow from label:a=*\n      - ^deny from label:a=b\n", "never-matches", "in line 6",
	  "- \"deny from label:a=b\"  # above line 6", NULL },
	{ IN "      - deny from any on network:front\n      - ^allow 1/tcp from lan on network:front\n      - allow from any\n",
	  "never-matches", "in line 6", "- \"allow 1/tcp from lan on network:front\"  # above line 6", NULL },
	/* Another policy that is sure to come first. */
	{ V "policies:\n  - { name: all, select: all, ingress: [ deny from any ] }\n  - { name: b, select: container:b, ingress: [ ^allow 1/tcp from any ] }\n",
	  "never-matches", "in line 3 of the policy all comes first and denies", NULL, NULL },
	/* What is not certain, or not so. */
	{ IN "      - allow 80/tcp from lan\n      - deny 80/tcp from any\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 80/tcp from any on network:front\n      - deny 80/tcp from lan\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 80-84/tcp from any\n      - deny 86-90/tcp from any\n      - allow 82-88/tcp from lan\n", NULL,
	  NULL, NULL, NULL },
	{ IN "      - allow 80/tcp from 198.18.1.0/24\n      - deny 80/tcp from 198.18.0.0/15\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow from container:web-*\n      - deny from container:we*\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 80/tcp from ::/0\n      - deny 80/tcp from 198.18.0.0/15\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow icmp:echo-request from any\n      - deny icmp from any\n", NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: b, select: container:b, ingress: [ allow 1/tcp from any ] }\n  - { name: all, select: all, ingress: [ deny from any ] }\n",
	  NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: project:a, ingress: [ deny from any ] }\n  - { name: b, select: container:b, ingress: [ allow 1/tcp from any ] }\n",
	  NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: all, until: 2200-01-01T00:00:00Z, ingress: [ deny from any ] }\n"
	  "  - { name: b, select: container:b, ingress: [ allow 1/tcp from any ] }\n", NULL, NULL, NULL, NULL },
};

static const struct check_case denies_cases[] = {
	{ OUT "      - deny to metadata\n      - ^deny 25/tcp to internet\n", "only-denies",
	  "egress rules of the policy a only deny", "- \"allow to any\"", NULL },
	{ IN "      - ^deny 22/tcp from outside\n", "only-denies", "everything is. If the rest", "- \"allow from any\"", NULL },
	/* Beside others it depends on the containers. */
	{ V "policies:\n  - { name: a, select: all, egress: [ ^deny to metadata ] }\n  - { name: b, select: container:web, egress: [ allow to any ] }\n",
	  "only-denies", "no other policy allows the container db anything", "- \"allow to any\"", world },
	{ V "policies:\n  - { name: a, select: all, egress: [ deny to metadata ] }\n  - { name: b, select: container:web, egress: [ allow to any ] }\n",
	  NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: all, egress: [ deny to metadata ] }\n"
	  "  - { name: b, select: [ container:*b, container:mon, container:alone ], egress: [ allow to any ] }\n", NULL, NULL,
	NULL, world },
	{ IN "      - deny from any\n", NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: all, ingress: [] }\n", NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: all, override: true, ingress: [ deny 1/tcp from lan ] }\n", NULL, NULL, NULL,
	  NULL },
	{ V "policies:\n  - { name: a, select: all, labels: add, ingress: [ deny 1/tcp from lan ] }\n", NULL, NULL, NULL, NULL },
	{ V "host: { rules: [ deny 25/tcp to any ] }\n", NULL, NULL, NULL, NULL },
};

static const struct check_case ipv6_cases[] = {
	{ IN "      - \"^allow 80/tcp from 0.0.0.0/0 as public\"\n", "ipv6-forgotten", "over IPv6 this rule lets nobody in",
	  "- \"allow 80/tcp from any as public\"", NULL },
	{ OUT "      - ^allow to 0.0.0.0/0\n", "ipv6-forgotten", "lets nothing out", "- \"allow to any\"", NULL },
	{ OUT "      - ^deny 25/tcp to 0.0.0.0/0\n      - allow to any\n", "ipv6-forgotten", "stops nobody",
	  "- \"deny 25/tcp to any\"", NULL },
	{ V "policies:\n  - { name: a, select: container:web, ingress: [ \"^allow 80/tcp from 198.18.10.0/24\" ] }\n",
	  "ipv6-forgotten", "web has IPv6", "- \"allow 80/tcp from network:front\"", world },
	{ IN "      - allow 80/tcp from 0.0.0.0/0, ::/0\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 80/tcp from 0.0.0.0/0\n      - allow 80/tcp from ::/0\n", NULL, NULL, NULL, NULL },
	{ OUT "      - allow 80/tcp to any\n      - deny 25/tcp to 0.0.0.0/0\n", NULL, NULL, NULL, NULL },
	/* An address is meant as it is, and who has no IPv6 misses nothing. */
	{ V "policies:\n  - { name: a, select: container:web, ingress: [ allow 80/tcp from 192.0.2.7 ] }\n", NULL, NULL, NULL,
	  world },
	{ V "policies:\n  - { name: a, select: container:db, ingress: [ allow 80/tcp from 192.0.2.0/24 ] }\n", NULL, NULL, NULL,
	  world },
	{ V "policies:\n  - { name: a, select: container:web, ingress: [ allow 80/tcp from 192.0.2.0/24, allow icmpv6 from lan ] }\n", NULL, NULL, NULL, world },
};

static const struct check_case ports_cases[] = {
	{ IN "      - ^allow 53/tcp, udp from any\n", "all-ports", "\"udp\" without a port is all of it",
	  "- \"allow 53/tcp, 53/udp from any\"", NULL },
	{ IN "      - ^allow 80,443/tcp, udp from any as a\n", "all-ports", "write 80,443/udp",
	  "- \"allow 80,443/tcp, 80,443/udp from any as a\"", NULL },
	{ OUT "      - ^deny icmp, 80, 443/tcp,sctp to lan\n      - allow to any\n", "all-ports", "sctp",
	  "- \"deny icmp, 80, 443/tcp,80, 443/sctp to lan\"", NULL },
	{ IN "      - allow udp, 53/tcp from any\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow tcp, udp from any\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 53/tcp, 53/udp, icmp from any\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow 53/tcp from container:udp\n", NULL, NULL, NULL, NULL },
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ \"^allow 8080/tcp from any as 8080\" ]\n",
	  "host-port",
	  "8080 is the port of the host that Docker forwards to port 80 of web", "- \"allow 80/tcp from any as 8080\"", world },
	/* Not only the first container that is selected. */
	{ V "policies:\n  - name: a\n    select: all\n    ingress: [ \"^allow 1,15432/tcp from project\" ]\n", "host-port",
	  "port 5432 of db", "- \"allow 1,5432/tcp from project\"", world },
	{ V "policies:\n  - name: a\n    select: container:web\n    egress: [ \"^allow 15432/tcp to service:db\" ]\n",
	  "host-port", "port 5432 of db", "- \"allow 5432/tcp to service:db\"", world },
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ \"^allow 80,8080/tcp from any\" ]\n",
	  "host-port", "port 80 of web", NULL, world },
	/* At the host's own address it is the host's port; a range is no mistake of this kind. */
	{ V "policies:\n  - name: a\n    select: container:web\n    egress: [ allow 15432/tcp to host ]\n", NULL, NULL, NULL,
	  world },
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ \"allow 8000-9000/tcp, 8080/udp from any\" ]\n",
	  NULL, NULL, NULL, world },
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ \"allow 80,443/tcp from any\" ]\n", NULL, NULL,
	  NULL, world },
	{ V "policies:\n  - name: a\n    select: container:db\n    ingress: [ \"^allow 5432/tcp from host\" ]\n",
	  "hidden-clients", "userland proxy forwards every IPv6 client",
	  "ports: [\"0.0.0.0:15432:5432\"]", world },
	/* IPv6 of its own; only the host's own ports; IPv4 alone; everybody is let in anyway. */
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ allow 80/tcp from host ]\n", NULL, NULL, NULL,
	  world },
	{ V "policies:\n  - name: a\n    select: container:alone\n    ingress: [ \"allow 90,91/tcp from host\" ]\n", NULL, NULL,
	  NULL, world },
	{ V "policies:\n  - name: a\n    select: container:db\n    ingress: [ allow 5432/tcp from host, allow tcp from outside ]\n", NULL, NULL, NULL, world },
	{ V "policies:\n  - name: a\n    select: container:db\n    egress: [ allow 5432/tcp to host ]\n", NULL, NULL, NULL,
	  world },
};

static const struct check_case name_cases[] = {
	{ V "policies:\n  - ^name: a\n    select: container:wbe\n    ingress: []\n", "matches-nothing",
	  "selects container:wbe, which is no container now; did you mean \"container:web\"?",
	  "select: \"container:web\"", world },
	{ V "policies:\n  - ^name: a\n    select: \"service:shop/dbb and not label:x=y\"\n    ingress: []\n", "matches-nothing",
	  "did you mean \"service:shop/db\"?", NULL, world },
	{ V "policies:\n  - ^name: a\n    select: [ container:web, container:bd1 ]\n    ingress: []\n", "matches-nothing",
	  "container:bd1, which is no container now", NULL, world },
	{ V "policies:\n  - ^name: a\n    select: \"container:web and network:empty\"\n    ingress: []\n", "matches-nothing",
	  "network:empty, which is no container now", NULL, world },
	{ V "policies:\n  - ^name: a\n    select: \"container:web and service:shop/db\"\n    ingress: []\n", "matches-nothing",
	  "selects no container now", NULL, world },
	{ V "policies:\n  - ^name: a\n    select: image:postgres:16\n    ingress: []\n", "matches-nothing",
	  "did you mean \"image:postgres:17\"?", "select: \"image:postgres:17\"", world },
	{ IN "      - ^allow from container:webb\n", "matches-nothing",
	  "container:webb matches no container now; did you mean \"container:web\"?", "- \"allow from container:web\"", world },
	{ IN "      - \"^allow 1/tcp, 2/udp from lan, service:shop/wep as x\"\n", "matches-nothing",
	  "did you mean \"service:shop/web\"?", "- \"allow 1/tcp, 2/udp from lan, service:shop/web as x\"", world },
	{ V "policies:\n  - name: a\n    select: container:web\n    ingress: [ ^allow from service:prometheus ]\n",
	  "matches-nothing", "without a project it is the container's own; did you mean \"service:mon/prometheus\"?",
	  "- \"allow from service:mon/prometheus\"", world },
	{ IN "      - ^allow from network:frnt\n", "matches-nothing", "did you mean \"network:front\"?",
	  "- \"allow from network:front\"", world },
	{ IN "      - ^allow from network:empty\n", "matches-nothing", "no container on the network empty", NULL, world },
	{ IN "      - ^allow from any on network:bakc\n", "matches-nothing",
	  "no network bakc now; did you mean \"network:back\"?", "- \"allow from any on network:back\"", world },
	{ IN "      - ^allow from label:tier=egde\n", "matches-nothing", "did you mean \"label:tier=edge\"?",
	  "- \"allow from label:tier=edge\"", world },
	{ IN "      - ^allow from container:something-else-entirely\n", "matches-nothing", "it waits for one", NULL, world },
	{ V "policies:\n  - name: a\n    select: container:alone\n    ingress: [ ^allow from project ]\n", "matches-nothing",
	  "alone belongs to no compose project", NULL, world },
	{ IN "      - allow from container:w*, service:db, service:*/prometheus, network:back, label:tier=*\n", NULL, NULL,
	  NULL, world },
	{ V "policies:\n  - { name: a, select: \"all and not container:gone\", ingress: [] }\n", NULL, NULL, NULL, world },
	{ IN "      - allow from container:webb\n", NULL, NULL, NULL, NULL },
};

static const struct check_case other_cases[] = {
	{ V "policies:\n  - ^name: a\n    select: all\n    mode: audit\n", "no-effect", "neither ingress nor egress", "ingress: []", NULL },
	{ V "policies:\n  - { name: a, select: all, labels: add }\n", NULL, NULL, NULL, NULL },
	{ IN "      - allow from any rate 10/s per src conns 5 packets 100/s burst 200\n", NULL, NULL, NULL, NULL },
	/* bans, and defaults of limits */
	{ IN "      - allow from any rate 10/s per src conns 5 per src ban 10m\n", NULL, NULL, NULL, NULL },
	{ IN "      - \"allow 53/udp, 53/tcp from any rate 10/s per src ban 10m\"\n", NULL, NULL, NULL, NULL },
	{ IN "      - ^allow 53/udp from any rate 10/s per src ban 10m\n", "doubtful-ban", "only after a TCP handshake", NULL, NULL },
	{ IN "      - \"^allow icmp, proto:47 from any rate 10/s per src ban 10m\"\n", "doubtful-ban", "only after a TCP handshake", NULL, NULL },
	{ IN "      - ^allow 80/tcp from any rate 10/s per src conns 50 ban 10m\n", "doubtful-ban", "all sources share \"conns 50\"", NULL, NULL },
	{ LIMITED("rate 1/s per src burst 5 ban 1m") "    ingress: [ \"allow 53/udp from any\", allow 1/tcp from any rate 5/s per src ]\n",
	  NULL, NULL, NULL, NULL },
	{ LIMITED("^rate 1/s ban 1m") "    ingress: [ allow 1/tcp from any ]\n", "doubtful-ban", "all sources share \"rate 1/s\"", NULL, NULL },
	{ LIMITED("conns 5") "    ingress: [ ^allow 1/tcp from any rate 5/s per src ban 1m ]\n", "doubtful-ban", "all sources share \"conns 5\"",
	  NULL, NULL },
	{ LIMITED("rate 1/s per src ban 1m") "    ingress: [ ^allow 1/tcp from any conns 9 ]\n", "doubtful-ban",
	  "all sources share \"conns 9\"", NULL, NULL },
	{ LIMITED("^conns 5") "    egress: [ allow 1/tcp to any ]\n", "no-effect", "the policy a allows nothing in ingress rules", NULL, NULL },
	{ V "host: { limits: { ingress: \"^conns 5 ban 1h\" } }\n", "doubtful-ban", "all sources share \"conns 5\"", NULL, NULL },
	{ V "host: { limits: { ingress: \"conns 5 per src ban 1h\", egress: conns 7 } }\n", NULL, NULL, NULL, NULL },
	{ IN "      - ^allow from any log\n", "not-enforced-yet",
	  "its log is not enforced yet by this version: the rule works as if it were not there", NULL, NULL },
	{ V "geo: { database: good/geoip }\nhost: { rules: [ deny from geo:DE ] }\n", NULL, NULL, NULL, NULL },
	{ V "geo: { database: ^nowhere }\nhost: { rules: [ deny from geo:DE ] }\n", "error", "/nowhere: there is no such file", NULL, NULL },
	{ V "geo: { database: ^bad/geoip }\n", "error", "the database of countries cannot be used: ", NULL, NULL },
	{ V "policies:\n  - ^name: a\n    select: container:nobody\n    until: 2020-01-01T00:00:00Z\n    ingress: [ allow from any rate 1/s, allow from 0.0.0.0/0 ]\n", "expired",
	  "the policy a ended at 2020-01-01T00:00:00", NULL, world },
	{ V "policies:\n  - { name: a, select: container:web, ingress: [] }\n  - ^{ name: b, select: \"service:shop/*\", mode: audit, ingress: [] }\n", "error",
	  "the policies a (enforce in line 3) and b (audit) both select the container web and do not agree on the mode", NULL,
	world },
	{ V "policies:\n  - { name: a, select: all, ingress: [] }\n  - ^{ name: b, select: container:b, mode: audit, ingress: [] }\n", "error",
	  "both select the same containers", NULL, NULL },
	{ V "policies:\n  - { name: a, select: container:a, ingress: [] }\n  - { name: b, select: container:b, mode: audit, ingress: [] }\n", NULL, NULL, NULL, NULL },
	{ V "policies:\n  - { name: a, select: all, mode: audit, ingress: [] }\n  - { name: b, select: container:b, override: true, ingress: [ allow from any ] }\n",
	  NULL, NULL, NULL, NULL },
};

static void test_rules_that_can_never_match(void **state)
{
	(void)state;
	check_cases(never_cases, COUNT(never_cases), "policy.yaml");
}

static void test_directions_that_only_deny(void **state)
{
	(void)state;
	check_cases(denies_cases, COUNT(denies_cases), "policy.yaml");
}

static void test_ipv6_forgotten(void **state)
{
	(void)state;
	check_cases(ipv6_cases, COUNT(ipv6_cases), "policy.yaml");
}

static void test_ports(void **state)
{
	(void)state;
	check_cases(ports_cases, COUNT(ports_cases), "policy.yaml");
}

static void test_names_that_match_nothing(void **state)
{
	(void)state;
	check_cases(name_cases, COUNT(name_cases), "policy.yaml");
}

static void test_modes_time_and_what_comes_later(void **state)
{
	(void)state;
	check_cases(other_cases, COUNT(other_cases), "policy.yaml");
}

/* Labels of running containers have no line: they are named by their container. */
static void test_labels_of_containers(void **state)
{
	static const char inventory[] =
		"networks: [ { name: n, bridge: br-n, subnets: [198.18.1.0/24] } ]\n"
		"endpoints:\n"
		"  - { container: a, interface: v1, network: n, image: \"evil:1\", image-labels: [dnetbpf.ingress, com.docker.compose.service, maintainer] }\n"
		"  - { container: b, interface: v2, network: n, labels: { dnetbpf.policy: wbe } }\n"
		"  - { container: c, interface: v3, network: n, labels: { dnetbpf.policy: web } }\n";
	static const struct { const char *file, *name, *part; } expected[] = {
		{ "container a", "image-label", "its image evil:1 claims the label dnetbpf.ingress, which is ignored" },
		{ "container a", "image-label", "com.docker.compose.service" },
		{ "container b", "label-invalid", "the policy file has no policy \"wbe\"; did you mean \"web\"?" },
	};
	_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
	struct check_result result;

	(void)state;
	/* It selects c alone, by c's label. */
	run("policy.yaml", V "policies:\n  - { name: web, select: label:never=seen, ingress: [] }\n", inventory, &diagnostics,
		&result);
	if (diagnostics.count != COUNT(expected))
		show("", &diagnostics);
	assert_int_equal(diagnostics.count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_string_equal(diagnostics.items[i].file, expected[i].file);
		assert_string_equal(diagnostics.items[i].name, expected[i].name);
		assert_non_null(strstr(diagnostics.items[i].sentence, expected[i].part));
		assert_int_equal(diagnostics.items[i].line, 0);
	}
	assert_int_equal(diagnostics.errors, 0);
}

/* All at once, in the order of the lines, each with its line and a caret. */
static void test_many_at_once(void **state)
{
	static const char text[] =
		"version: 1\n"
		"include: more.yaml\n"
		"sets: { office: [192.0.2.0/24] }\n"
		"policies:\n"
		"  - name: a\n"
		"    select: all\n"
		"    mod: audit\n"
		"    ingress:\n"
		"      - alow 80/tcp from any\n"
		"      - allow 80/tcp form any\n"
		"      - allow 80/tcp from set:ofice\n";
	static const char more[] = "policies:\n  - { name: b, select: all, ingress: [ allow from 0.0.0.0/0 ] }\n";
	static const struct { unsigned int line, column; const char *part; } expected[] = {
		{ 7, 5, "mod" }, { 9, 9, "\"allow\"" }, { 10, 22, "from" }, { 11, 27, "office" },
	};
	_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {}, included = {};
	struct check_result result;
	_cleanup_free_ char *printed = NULL;
	size_t size;
	FILE *out;

	(void)state;
	put_file("more.yaml", more);
	run("policy.yaml", text, world, &diagnostics, &result);
	if (diagnostics.errors != COUNT(expected))
		show(text, &diagnostics);
	assert_int_equal(diagnostics.errors, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(diagnostics.items[i].line, expected[i].line);
		if (expected[i].column != diagnostics.items[i].column && expected[i].line != 10)
			fail_msg("line %u: column %u", expected[i].line, diagnostics.items[i].column);
		assert_non_null(strstr(diagnostics.items[i].sentence, expected[i].part));
		assert_non_null(diagnostics.items[i].source);
	}
	assert_int_equal(result.kernel_bytes, 0);
	out = open_memstream(&printed, &size);
	diagnostics_print(&diagnostics, out);
	fclose(out);
	assert_non_null(strstr(printed, "policy.yaml:9:9: error: "));
	assert_non_null(strstr(printed, "          - alow 80/tcp from any\n            ^~~~\n"));

	/* What is found in an included file has that file's line. */
	run("policy.yaml", "version: 1\ninclude: more.yaml\n", NULL, &included, &result);
	assert_int_equal(included.count, 1);
	assert_non_null(strstr(included.items[0].file, "more.yaml"));
	assert_int_equal(included.items[0].line, 2);
	assert_string_equal(included.items[0].source, "  - { name: b, select: all, ingress: [ allow from 0.0.0.0/0 ] }");
}

#define SERVICES "services:\n  web:\n    image: nginx\n    ports: [\"8080:80\", \"127.0.0.1:9090:90\", { target: 443, published: \"8443\" }]\n"
#define LABELS SERVICES "    labels:\n"
#define DB "  db:\n    image: postgres\n  queue: { image: redis }\n"

static const struct check_case compose_cases[] = {
	{ LABELS "      dnetbpf.ingress: \"allow 80,443/tcp from any; allow icmp from host\"\n      dnetbpf.egress: \"allow 5432/tcp to service:db\"\n      other: x\n" DB,
	  NULL, NULL, NULL, NULL },
	{ LABELS "      - \"dnetbpf.ingress=allow 80,443/tcp from any\"\n      - dnetbpf.egress=\n      - other=x\n      - alone\n" DB, NULL, NULL, NULL, NULL },
	{ LABELS "      dnetbpf.ingress: \"allow 80/tcp ^form any\"\n", "error", "did you mean \"from\"?", NULL, NULL },
	{ LABELS "      - dnetbpf.ingress=allow 80/tcp from ^anny\n", "error", "did you mean \"any\"?", NULL, NULL },
	{ LABELS "      - \"dnetbpf.ingress=allow 80/tcp from ^anny\"\n", "error", "did you mean \"any\"?", NULL, NULL },
	{ LABELS "      dnetbpf.ingres: \"^allow 80/tcp from any\"\n", "error",
	  "there is no such label; did you mean \"dnetbpf.ingress\"?", NULL, NULL },
	{ LABELS "      dnetbpf.mode: ^adit\n", "error", "audit", NULL, NULL },
	/* Which database the host has, nobody knows here. */
	{ LABELS "      dnetbpf.ingress: \"allow 80/tcp from geo:DE; allow 443/tcp from any\"\n", NULL, NULL, NULL, NULL },
	{ LABELS "      dnetbpf.ingress: \"allow icmp from any; ^allow 8080/tcp from any\"\n", "host-port", "port 80 of web",
	  "dnetbpf.ingress: \"allow icmp from any; allow 80/tcp from any\"", NULL },
	{ LABELS "      dnetbpf.ingress: \"^allow 8443/tcp from any\"\n", "host-port", "port 443 of web",
	  "dnetbpf.ingress: \"allow 443/tcp from any\"", NULL },
	{ LABELS "      dnetbpf.ingress: \"^allow 80/tcp from host\"\n", "hidden-clients", "port 80 of web",
	  "ports: [\"0.0.0.0:8080:80\"]", NULL },
	{ LABELS "      dnetbpf.ingress: \"allow 90/tcp from host\"\n", NULL, NULL, NULL, NULL },
	{ LABELS "      dnetbpf.ingress: \"allow 80/tcp from host\"\nnetworks: { default: { enable_ipv6: true } }\n", NULL,
	  NULL, NULL, NULL },
	{ LABELS "      dnetbpf.ingress: \"allow 80/tcp from host\"\n    networks: [ other ]\nnetworks: { other: { external: true } }\n", NULL, NULL, NULL, NULL },
	{ LABELS "      dnetbpf.egress: \"^allow 5432/tcp to service:bdd\"\n" DB, "matches-nothing",
	  "service:bdd matches no service of this file", NULL, NULL },
	{ LABELS "      dnetbpf.egress: \"^allow 5432/tcp to service:quue\"\n" DB, "matches-nothing",
	  "did you mean \"service:queue\"?", "dnetbpf.egress: \"allow 5432/tcp to service:queue\"", NULL },
	/* Nobody knows here what else the host runs. */
	{ LABELS "      dnetbpf.egress: \"allow to service:mon/x, container:y, network:z, label:a=b, project\"\n", NULL, NULL,
	  NULL, NULL },
	{ LABELS "      dnetbpf.ingress: \"allow tcp from any; ^deny 22/tcp from lan\"\n", "never-matches",
	  "\"allow tcp from any\" before it comes first",
	  "dnetbpf.ingress: \"deny 22/tcp from lan; allow tcp from any\"", NULL },
	{ LABELS "      dnetbpf.ingress: \"allow tcp from any; ^allow tcp from any\"\n", "never-matches", "leave it out",
	  "dnetbpf.ingress: \"allow tcp from any\"", NULL },
	{ LABELS "      dnetbpf.egress: \"^deny to metadata\"\n", "only-denies", "egress rules of the service web only deny",
	  "dnetbpf.egress: \"deny to metadata; allow to any\"", NULL },
	{ LABELS "      dnetbpf.egress: \"^allow ${PORT}/tcp to any\"\n", "variable", "docker compose config", NULL, NULL },
	{ SERVICES "    deploy: { labels: { dnetbpf.egress: ^\"\" } }\n", "no-effect", "belong to the service of a swarm", NULL,
	  NULL },
	{ SERVICES "    build: { labels: [ ^dnetbpf.egress= ] }\n", "image-label", "belong to the image", NULL, NULL },
	{ LABELS "      dnetbpf.egress: \"\"\n    network_mode: ^host\n", "no-effect", "do nothing", NULL, NULL },
	{ "x-common: ^&common { a: b }\n" SERVICES "    labels: *common\n", "error",
	  "anchors and aliases (\"&\" and \"*\" before a value) are not supported here: check what Docker makes", NULL, NULL },
	{ SERVICES "    ports: ^!reset []\n", "error", "docker compose config", NULL, NULL },
	{ "services:\n  web: { image: nginx }\n  none:\nversion: \"3.8\"\n", NULL, NULL, NULL, NULL },
};

static void test_compose(void **state)
{
	_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
	struct check_result result;

	(void)state;
	check_cases(compose_cases, COUNT(compose_cases), "compose.yaml");
	run("compose.yaml", compose_cases[0].text, NULL, &diagnostics, &result);
	assert_true(result.compose);
	assert_int_equal(result.policies, 1);
	assert_int_equal(result.rules, 3);
}

/* Policies as people write them say nothing. */
static const char *const good[] = {
	V,
	V "defaults: { unselected: outside }\n",
	V "sets: { office: [203.0.113.0/24, \"2001:db8:1::/48\"], drop: [192.0.2.0/24] }\n"
	  "host:\n  never-block: [set:office]\n  rules: [ \"deny from set:drop\", \"deny 25/tcp to internet\" ]\n"
	  "policies:\n"
	  "  - name: base\n    select: all\n    egress:\n      - deny to metadata\n      - allow 53/udp, 53/tcp to dns\n      - allow icmp, icmpv6 to any\n"
	  "  - name: web\n    select: \"service:shop/web\"\n"
	  "    ingress:\n      - \"allow 80,443/tcp, 443/udp from any as public\"\n      - allow 9100/tcp from service:mon/prometheus\n"
	  "      - allow icmp:echo-request, icmpv6:echo-request from lan\n"
	  "    egress:\n      - allow 5432/tcp to service:db\n      - deny to lan\n      - allow 443/tcp to internet\n"
	  "  - name: db\n    select: [ \"service:shop/db\", \"service:shop/replica*\" ]\n    ingress:\n      - allow 5432/tcp from project\n      - deny from any as nobody-else\n    egress: []\n",
	/* A lists that denies for all, and each service's own allows. */
	V "sets: { bad: [192.0.2.0/24] }\npolicies:\n  - { name: no-bad, select: all, ingress: [ \"deny from set:bad\" ] }\n"
	  "  - { name: web, select: container:web, ingress: [ allow 80/tcp from any ] }\n",
	V "policies:\n  - name: a\n    select: all\n    egress:\n      - deny to 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7\n      - allow 80,443/tcp to 0.0.0.0/0, ::/0\n",
	V "policies:\n  - { name: hand, select: container:web, override: true, ingress: [ deny from 198.51.100.7 ] }\n"
	  "  - { name: web, select: container:web, ingress: [ allow from any ] }\n",
};

static void test_no_false_alarms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
		struct check_result result;

		run("policy.yaml", good[i], NULL, &diagnostics, &result);
		if (diagnostics.count) {
			show(good[i], &diagnostics);
			fail_msg("case %zu", i);
		}
	}
}

static void test_size(void **state)
{
	_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {}, full = {};
	struct check_result small, large;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	run("policy.yaml", good[2], NULL, &diagnostics, &small);
	assert_int_equal(small.policies, 3);
	assert_int_equal(small.rules, 15);
	assert_int_equal(small.prefixes, 3);
	assert_true(small.kernel_bytes > 0 && small.user_bytes > 0);

	/* More rows than the tables have room for: said with the number, by the file's name. */
	fputs(V "policies:\n", out);
	for (int i = 0; i < 600; i++) {
		fprintf(out, "  - name: p%d\n    select: container:c%d\n    ingress:\n", i, i);
		for (int j = 0; j < 250; j++)
			fprintf(out, "      - allow %d/tcp from 198.18.%d.%d\n", j + 1, i % 250, j);
	}
	fclose(out);
	run("policy.yaml", text, NULL, &full, &large);
	assert_int_equal(full.errors, 1);
	assert_non_null(strstr(full.items[0].file, "policy.yaml"));
}

static void test_unreadable(void **state)
{
	_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
	struct check_result result;
	struct error error = {};

	(void)state;
	assert_int_equal(check_file(in_folder("missing.yaml"), NULL, &diagnostics, &result, &error), -ENOENT);
	assert_non_null(strstr(error.text, "missing.yaml"));
	run("policy.yaml", "", NULL, &diagnostics, &result);
	assert_int_equal(diagnostics.errors, 1);
}

static int set_up(void **state)
{
	if (folder_make(state) < 0)
		return -1;
	put_file("good/geoip", "3323068416,3323068416,DE\n");
	put_file("good/geoip6", "fd77::,fd77::1,KP\n");
	put_file("bad/geoip", "3323068416,3323068416,D");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_that_can_never_match),
		cmocka_unit_test(test_directions_that_only_deny),
		cmocka_unit_test(test_ipv6_forgotten),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_names_that_match_nothing),
		cmocka_unit_test(test_modes_time_and_what_comes_later),
		cmocka_unit_test(test_labels_of_containers),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_compose),
		cmocka_unit_test(test_no_false_alarms),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests_name("check", tests, set_up, folder_remove);
}
