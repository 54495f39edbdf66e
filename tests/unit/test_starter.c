/* SPDX-License-Identifier: GPL-2.0 */
/* The starter policy of `init`: whatever runs,
	the file passes `policy check` without a word. And the inventory as it is handed out. */
#include "unit/folder.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "check/check.h"
#include "config/static_inventory.h"
#include "daemon/inventory_json.h"
#include "daemon/starter.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct flow {
	const char *src, *dst;
	uint8_t proto;
	uint16_t src_port, dst_port;
	unsigned int times;	/* 0: once */
};

static const char shop[] =
	"networks:\n"
	"  - { name: front, bridge: br-front, subnets: [198.18.10.0/24, \"fd77:10::/64\"] }\n"
	"  - { name: back, bridge: br-back, subnets: [198.18.20.0/24] }\n"
	"endpoints:\n"
	"  - { container: shop-web-1, interface: v1, network: front, addresses: [198.18.10.11, \"fd77:10::11\"], service: shop/web,\n"
	"      ports: [\"0.0.0.0:8080:80\", \"[::]:8080:80\", \"8443:443/tcp\", \"8443:443/udp\"] }\n"
	"  - { container: shop-web-2, interface: v2, network: front, addresses: [198.18.10.12], service: shop/web, ports: [\"8081:80\"] }\n"
	"  - { container: shop-web-1, interface: v3, network: back, addresses: [198.18.20.11] }\n"
	"  - { container: shop-db-1, interface: v4, network: back, addresses: [198.18.20.14], service: shop/db, ports: [\"127.0.0.1:5432:5432\"],\n"
	"      resolvers: [198.18.77.53] }\n"
	"  - { container: mon, interface: v5, network: front, addresses: [198.18.10.15], service: mon/prometheus }\n"
	"  - { container: plain, interface: v6, network: front, addresses: [198.18.10.16] }\n"
	"  - { container: own, interface: v7, network: front, addresses: [198.18.10.17], labels: { dnetbpf.ingress: \"allow from any\" } }\n";

static const struct flow shop_flows[] = {
	{ "192.0.2.9", "198.18.10.11", 6, 40000, 80, 3 },			/* published */
	{ "198.18.10.1", "198.18.10.11", 6, 40000, 80, 1 },		/* the proxy, to the same */
	{ "198.18.20.11", "198.18.20.14", 6, 40001, 5432, 12 },
	{ "198.18.20.1", "198.18.20.14", 6, 40002, 5432, 1 },		/* published for the host */
	{ "198.18.10.15", "198.18.10.11", 6, 40003, 9100, 2 },
	{ "198.18.10.15", "198.18.10.12", 6, 40003, 9100, 0 },
	{ "fd77:10::11", "2606:4700::1111", 6, 40004, 443, 7 },
	{ "198.18.10.12", "10.1.2.3", 17, 40005, 123, 0 },
	{ "198.18.10.12", "10.1.2.3", 6, 40005, 22, 0 },
	{ "198.18.10.16", "198.18.77.1", 17, 40006, 53, 4 },		/* the host's resolver */
	{ "198.18.20.14", "198.18.77.53", 17, 40006, 53, 4 },		/* its own */
	{ "198.18.20.14", "198.18.77.1", 17, 40006, 53, 0 },		/* not its own */
	{ "198.18.10.16", "169.254.169.254", 6, 40007, 80, 0 },
	{ "198.18.10.16", "224.0.0.251", 17, 5353, 5353, 0 },
	{ "198.18.10.16", "198.18.10.1", 1, 7, 8, 0 },
	{ "198.18.10.15", "198.18.10.16", 47, 0, 0, 0 },
	{ "198.18.10.99", "198.18.10.16", 6, 40008, 80, 5 },		/* nobody's any more */
	{ "203.0.113.5", "192.0.2.1", 6, 1, 2, 0 },			/* no container's */
	{ "198.18.10.12", "8.8.8.8", 6, 40009, 443, 0 },
	/* Adopted in the middle: the answer was seen first. */
	{ "198.18.10.17", "198.18.10.16", 6, 6379, 51000, 0 },
};

static const char shop_text[] =
	"# Left to the dnetbpf labels of their containers: own\n"
	"version: 1\n\n"
	"policies:\n\n"
	"  # mon/prometheus: mon\n"
	"  - name: \"mon-prometheus\"\n"
	"    select: \"service:mon/prometheus\"\n"
	"    mode: audit\n"
	"    ingress: []# it publishes nothing, and nobody was seen to talk to it\n"
	"    egress:\n"
	"      - \"allow 53/udp, 53/tcp to dns as dns\"\n"
	"      - \"allow 9100/tcp to service:shop/web\"# 3 connections seen\n"
	"      - \"allow proto:47 to container:plain\"# 1 connection seen\n\n"
	"  # shop/db: shop-db-1\n"
	"  - name: \"shop-db\"\n"
	"    select: \"service:shop/db\"\n"
	"    mode: audit\n"
	"    ingress:\n"
	"      - \"allow 5432/tcp from host as published-5432\"# published as 127.0.0.1:5432\n"
	"      - \"allow 5432/tcp from service:web\"# 12 connections seen\n"
	"    egress:\n"
	"      - \"allow 53/udp, 53/tcp to dns as dns\"\n"
	"      - \"allow 53/udp to host\"# 1 connection seen\n\n"
	"  # shop/web: 2 containers, shop-web-1 to shop-web-2\n"
	"  - name: \"shop-web\"\n"
	"    select: \"service:shop/web\"\n"
	"    mode: audit\n"
	"    ingress:\n"
	"      - \"allow 80/tcp from any as published-8080\"# published as [::]:8080, 0.0.0.0:8080, [::]:8081\n"
	"      - \"allow 443/tcp from any as published-8443\"# published as [::]:8443\n"
	"      - \"allow 443/udp from any as published-8443-udp\"# published as [::]:8443\n"
	"      - \"allow 9100/tcp from service:mon/prometheus\"# 3 connections seen\n"
	"    egress:\n"
	"      - \"allow 53/udp, 53/tcp to dns as dns\"\n"
	"      - \"allow 5432/tcp to service:db\"# 12 connections seen\n"
	"      - \"allow 22/tcp, 123/udp to lan\"# 2 connections seen\n"
	"      - \"allow 443/tcp to internet\"# 8 connections seen\n\n"
	"  # plain: a container\n"
	"  - name: \"plain\"\n"
	"    select: \"container:plain\"\n"
	"    mode: audit\n"
	"    ingress:\n"
	"      - \"allow proto:47 from service:mon/prometheus\"# 1 connection seen\n"
	"    egress:\n"
	"      - \"allow 53/udp, 53/tcp to dns as dns\"\n"
	"      - \"allow 6379/tcp to container:own\"# 1 connection seen\n"
	"      - \"allow icmp to host\"# 1 connection seen\n"
	"      - \"allow 5353/udp to multicast\"# 1 connection seen\n"
	"      - \"allow 80/tcp to metadata\"# 1 connection seen\n";

static void load(const char *text, struct inventory *inventory)
{
	struct error error = {};

	if (static_inventory_parse("inventory.yaml", text, strlen(text), inventory, &error) < 0)
		fail_msg("%s", error.text);
}

static struct dnet_addr address(const char *text)
{
	struct dnet_addr addr;

	assert_int_equal(text_parse_addr(text, &addr), 0);
	return addr;
}

/* @backwards: the connections come in another order. */
static char *write_text(const struct inventory *inventory, const struct flow *flows, size_t count, bool backwards)
{
	const struct dnet_addr host[] = { address("198.18.10.1"), address("198.18.20.1"), address("198.18.77.1") };
	const struct dnet_addr resolver = address("198.18.77.1");
	const struct starter_world world = { inventory, host, COUNT(host), &resolver, 1 };
	struct starter *starter = starter_new(&world);
	char *text;

	assert_non_null(starter);
	for (size_t i = 0; i < count; i++) {
		const struct flow *flow = &flows[backwards ? count - 1 - i : i];
		const struct starter_flow plain = { .src = address(flow->src), .dst = address(flow->dst), .proto = flow->proto,
						    .src_port = flow->src_port, .dst_port = flow->dst_port,
						    .src_container = strcmp(flow->src,
							"198.18.20.14") == 0 ? "shop-db-1" : NULL };

		for (unsigned int j = 0; j < (flow->times ? flow->times : 1); j++)
			starter_add(starter, &plain);
	}
	text = starter_text(starter);
	assert_non_null(text);
	starter_free(starter);
	return text;
}

/* It says nothing, with the inventory that it was made from and without one. */
static void check_clean(const char *text, const struct inventory *inventory)
{
	put_file("starter.yaml", text);
	for (int i = 0; i < 2; i++) {
		_cleanup_(diagnostics_clear) struct diagnostics diagnostics = {};
		struct check_result result;
		struct error error = {};

		if (check_file(in_folder("starter.yaml"), i ? inventory : NULL, &diagnostics, &result, &error) < 0)
			fail_msg("%s", error.text);
		if (!diagnostics.count)
			continue;
		diagnostics_print(&diagnostics, stderr);
		fail_msg("%s", text);
	}
}

/* Without the spaces before comments. */
static char *squeeze(const char *text)
{
	char *copy = strdup(text), *out = copy;

	assert_non_null(copy);
	for (const char *at = text; *at; at++) {
		const char *next = at + strspn(at, " ");

		if (*at == ' ' && *next == '#' && at > text && at[-1] != '\n' && at[-1] != ' ')
			at = next;
		*out++ = *at;
	}
	*out = '\0';
	return copy;
}

static void test_shop(void **state)
{
	_cleanup_(inventory_clear) struct inventory inventory = {};
	_cleanup_free_ char *text = NULL, *again = NULL, *squeezed = NULL;
	const char *body;

	(void)state;
	load(shop, &inventory);
	text = write_text(&inventory, shop_flows, COUNT(shop_flows), false);
	again = write_text(&inventory, shop_flows, COUNT(shop_flows), true);
	assert_string_equal(text, again);
	assert_non_null(strstr(text, "5 connections with addresses in Docker's networks that nobody has now"));
	assert_null(strstr(text, "No connections are known yet"));
	assert_non_null(strstr(text, "mode: enforce"));
	squeezed = squeeze(text);
	body = strstr(squeezed, "# Left to");
	assert_non_null(body);
	assert_string_equal(body, shop_text);
	check_clean(text, &inventory);
}

static void test_without_connections(void **state)
{
	_cleanup_(inventory_clear) struct inventory inventory = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	load(shop, &inventory);
	text = write_text(&inventory, NULL, 0, false);
	assert_non_null(strstr(text, "No connections are known yet"));
	assert_non_null(strstr(text, "`mode: audit` is enough"));
	assert_non_null(strstr(text, "allow 80/tcp from any as published-8080"));
	check_clean(text, &inventory);
}

static void test_nothing_runs(void **state)
{
	_cleanup_(inventory_clear) struct inventory inventory = {};
	_cleanup_free_ char *text = NULL;

	(void)state;
	load("networks: []\nendpoints: []\n", &inventory);
	text = write_text(&inventory, NULL, 0, false);
	assert_non_null(strstr(text, "policies: []"));
	check_clean(text, &inventory);
}

/* Names that meet each other, are too long, or are taken; and one port of the host for two of the container. */
static void test_names(void **state)
{
	static const char text[] =
		"networks: [ { name: n, bridge: br-n, subnets: [198.18.1.0/24] } ]\n"
		"endpoints:\n"
		"  - { container: host, interface: v1, network: n, ports: [\"198.18.77.1:80:80\", \"198.18.77.2:80:81\"] }\n"
		"  - { container: labels, interface: v2, network: n }\n"
		"  - { container: a-b, interface: v3, network: n }\n"
		"  - { container: x, interface: v4, network: n, service: a/b }\n"
		"  - { container: y, interface: v5, network: n, service: lonely }\n"
		"  - { container: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg1, interface: v6, network: n }\n"
		"  - { container: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg2, interface: v7, network: n }\n";
	static const char *const parts[] = { "name: \"host-1\"", "name: \"labels-1\"", "name: \"a-b\"", "name: \"a-b-2\"",
		"name: \"y\"\n    select: \"container:y\"",
		"eeeffffffffff\"\n", "eeeffffffffff-2\"\n", "as published-80\"", "as published-80-to-81\"" };
	_cleanup_(inventory_clear) struct inventory inventory = {};
	_cleanup_free_ char *written = NULL;

	(void)state;
	load(text, &inventory);
	written = write_text(&inventory, NULL, 0, false);
	for (size_t i = 0; i < COUNT(parts); i++)
		if (!strstr(written, parts[i]))
			fail_msg("%s is not in\n%s", parts[i], written);
	check_clean(written, &inventory);
}

/* Who uses many ports uses any, and that stays one rule. */
static void test_many_ports(void **state)
{
	_cleanup_(inventory_clear) struct inventory inventory = {};
	_cleanup_free_ char *text = NULL;
	struct flow flows[42];

	(void)state;
	for (unsigned int i = 0; i < 40; i++)
		flows[i] = (struct flow){ "198.18.10.16", "8.8.8.8", 17, 40000, (uint16_t)(1000 + i), 0 };
	flows[40] = (struct flow){ "198.18.10.16", "8.8.8.8", 6, 40000, 443, 0 };
	flows[41] = (struct flow){ "198.18.10.16", "8.8.8.8", 132, 40000, 443, 0 };
	load(shop, &inventory);
	text = write_text(&inventory, flows, COUNT(flows), false);
	assert_non_null(strstr(text, "\"allow udp, 443/tcp, 443/sctp to internet\""));
	assert_non_null(strstr(text, "# 42 connections seen"));
	check_clean(text, &inventory);
}

/* --- the inventory as `policy check` reads it */

static const char *no_interface(void *context, const struct attachment *attachment)
{
	(void)context;
	return attachment->interface && strcmp(attachment->interface, "v1") == 0 ? NULL : attachment->interface;
}

static char *handed_out(const struct inventory *inventory)
{
	json_t *json = inventory_to_json(inventory, no_interface, NULL);
	char *text = json_dumps(json, 0);

	json_decref(json);
	assert_non_null(text);
	return text;
}

static void test_inventory_is_readable_again(void **state)
{
	static const char full[] =
		"networks:\n"
		"  - { name: front, bridge: br-front, subnets: [198.18.10.0/24, \"fd77:10::/64\"], internal: true }\n"
		"  - { name: back, bridge: br-back }\n"
		"endpoints:\n"
		"  - { container: web, interface: v1, network: front, addresses: [198.18.10.11, \"fd77:10::11\"], mac: \"02:00:00:00:00:02\",\n"
		"      service: shop/web, image: \"nginx:1.27\", labels: { a: \"b \\\" \\\\ \\u00e9 \\U0001F600\", empty: \"\" }, resolvers: [198.18.77.53, \"2001:db8::53\"],\n"
		"      ports: [\"8080:80\", \"127.0.0.1:5432:5432/tcp\", \"[2001:db8::1]:53:53/udp\"], image-labels: [dnetbpf.mode] }\n"
		"  - { container: web, interface: v2, network: back }\n"
		"  - { container: plain, interface: v3, network: back }\n";
	_cleanup_(inventory_clear) struct inventory inventory = {}, read = {};
	_cleanup_free_ char *text = NULL;
	const struct container *web, *old;

	(void)state;
	load(full, &inventory);
	text = handed_out(&inventory);
	load(text, &read);
	assert_int_equal(read.network_count, 2);
	assert_int_equal(read.container_count, 2);
	assert_int_equal(read.attachment_count, 3);
	assert_true(inventory_network_named(&read, "front")->internal);
	assert_int_equal(inventory_network_named(&read, "front")->subnet_count, 2);
	web = inventory_container(&read, "web");
	old = inventory_container(&inventory, "web");
	assert_non_null(web);
	assert_string_equal(web->service, "web");
	assert_string_equal(web->project, "shop");
	assert_string_equal(web->image, "nginx:1.27");
	assert_true(container_same_ports(web, old));
	assert_true(container_same_resolvers(web, old));
	assert_string_equal(container_label(web, "a"), container_label(old, "a"));
	assert_string_equal(container_label(web, "empty"), "");
	assert_string_equal(web->image_labels[0], "dnetbpf.mode");
	assert_int_equal(inventory_attachment(&read, "web", "front")->address_count, 2);
	assert_true(inventory_attachment(&read, "web", "front")->has_mac);
	assert_string_equal(inventory_attachment(&read, "web", "front")->interface, "absent0");
	assert_string_equal(inventory_attachment(&read, "web", "back")->interface, "v2");
}

/* Docker lets people write what the provider would refuse. One of them must not hide all the others. */
static void test_odd_inventory(void **state)
{
	static char *claims[] = { (char *)"maintainer", (char *)"dnetbpf.egress", NULL };
	static const struct { const char *key, *value; } labels[] = {
		{ "plain", "x" }, { "", "nameless" }, { "bell", "\a" }, { "delete", "\x7f" }, { "c1", "\xc2\x85" }, { "lines",
		  "a\nb\tc" },
		{ "com.docker.compose.project", "a b" }, { "k\"{}[]: #", "'\"\\ #: {}" },
	};
	_cleanup_(inventory_clear) struct inventory inventory = {}, read = {};
	_cleanup_free_ char *text = NULL;
	struct container *container;

	(void)state;
	load("networks: [ { name: a, bridge: br-a }, { name: b, bridge: br-b } ]\n"
	     "endpoints: [ { container: c, interface: v1, network: a }, { container: c, interface: v2, network: b } ]\n",
	&inventory);
	inventory_drop_index(&inventory);
	strcpy(inventory.networks[1].name, "a");	/* two networks of one name */
	container = &inventory.containers[0];
	container->project = strdup("a b");
	container->service = strdup("s");
	free(container->image);
	container->image = strdup("odd, image");
	container->labels = calloc(COUNT(labels), sizeof(*container->labels));
	for (size_t i = 0; i < COUNT(labels); i++)
		container->labels[container->label_count++] = (struct label){ strdup(labels[i].key), strdup(labels[i].value) };
	container->image_labels = claims;
	text = handed_out(&inventory);
	container->image_labels = NULL;
	load(text, &read);
	assert_int_equal(read.network_count, 1);
	assert_int_equal(read.attachment_count, 1);
	assert_null(read.containers[0].service);
	assert_string_equal(read.containers[0].image, "");
	assert_string_equal(container_label(&read.containers[0], "plain"), "x");
	assert_string_equal(container_label(&read.containers[0], "k\"{}[]: #"), "'\"\\ #: {}");
	assert_null(container_label(&read.containers[0], "bell"));
	assert_null(container_label(&read.containers[0], "c1"));
	assert_string_equal(read.containers[0].image_labels[0], "dnetbpf.egress");
	assert_null(read.containers[0].image_labels[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),
		cmocka_unit_test(test_without_connections),
		cmocka_unit_test(test_nothing_runs),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_ports),
		cmocka_unit_test(test_inventory_is_readable_again),
		cmocka_unit_test(test_odd_inventory),
	};

	return cmocka_run_group_tests_name("starter", tests, folder_make, folder_remove);
}
