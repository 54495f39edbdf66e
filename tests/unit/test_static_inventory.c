/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>
#include <unistd.h>

#include "base/text.h"
#include "config/static_inventory.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define NETWORKS "networks: [ { name: dmz, bridge: br-dmz, subnets: [198.18.0.0/24, \"fd77:1::/64\"] }, { name: ops, bridge: br-ops } ]\n"
#define ENDPOINTS NETWORKS "endpoints:\n"
#define WEB ENDPOINTS "  - { container: web, interface: veth1, network: dmz"

static void parse_good(const char *text, struct inventory *inventory)
{
	struct error error = {};

	if (static_inventory_parse("inventory.yaml", text, strlen(text), inventory, &error) != 0)
		fail_msg("%s\n%s", text, error.text);
}

static void test_full(void **state)
{
	static const char text[] =
		"networks:\n"
		"  - { name: dmz, bridge: br-dmz, subnets: [198.18.0.0/24, \"fd77:1::/64\"] }\n"
		"  - { name: back, bridge: br-back, internal: true }\n"
		"endpoints:\n"
		"  - { container: web-1, interface: veth1, network: dmz, addresses: [198.18.0.2, \"fd77:1::2\"], mac: \"02:00:00:00:00:02\",\n"
		"      service: shop/web, image: \"nginx:1.27\", labels: { app: web, empty: , \"dnetbpf.ingress\": \"allow 80/tcp from any\" } }\n"
		"  - { container: web-1, interface: veth2, network: back, service: shop/web }\n"
		"  - { container: db, interface: veth3, network: back, addresses: [], service: db }\n";
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	const struct container *web, *db;
	struct dnet_addr addr;
	struct inventory inventory;

	(void)state;
	parse_good(text, &inventory);
	assert_int_equal(inventory.network_count, 2);
	assert_string_equal(inventory.networks[0].id, "dmz");
	assert_string_equal(inventory.networks[0].name, "dmz");
	assert_string_equal(inventory.networks[0].driver, "bridge");
	assert_string_equal(inventory.networks[0].bridge, "br-dmz");
	assert_false(inventory.networks[0].internal);
	assert_int_equal(inventory.networks[0].subnet_count, 2);
	assert_int_equal(inventory.networks[0].subnets[0].prefix_len, 120);
	assert_int_equal(inventory.networks[0].subnets[1].prefix_len, 64);
	assert_true(inventory.networks[1].internal);
	assert_int_equal(inventory.container_count, 2);
	web = inventory_container(&inventory, "web-1");
	assert_non_null(web);
	assert_string_equal(web->name, "web-1");
	assert_string_equal(web->project, "shop");
	assert_string_equal(web->service, "web");
	assert_string_equal(web->image, "nginx:1.27");
	assert_int_equal(web->state, CONTAINER_RUNNING);
	assert_int_equal(web->label_count, 3);
	assert_string_equal(container_label(web, "app"), "web");
	assert_string_equal(container_label(web, "empty"), "");
	assert_string_equal(container_label(web, "dnetbpf.ingress"), "allow 80/tcp from any");
	db = inventory_container(&inventory, "db");
	assert_non_null(db);
	assert_null(db->project);
	assert_string_equal(db->service, "db");
	assert_string_equal(db->image, "");
	assert_int_equal(inventory.attachment_count, 3);
	assert_string_equal(inventory.attachments[0].container_id, "web-1");
	assert_string_equal(inventory.attachments[0].network_id, "dmz");
	assert_string_equal(inventory.attachments[0].interface, "veth1");
	assert_true(inventory.attachments[0].has_mac);
	assert_memory_equal(inventory.attachments[0].mac, mac, 6);
	assert_int_equal(inventory.attachments[0].address_count, 2);
	assert_int_equal(text_parse_addr("fd77:1::2", &addr), 0);
	assert_true(addr_equal(&inventory.attachments[0].addresses[1], &addr));
	assert_string_equal(inventory.attachments[1].container_id, "web-1");
	assert_string_equal(inventory.attachments[1].network_id, "back");
	assert_false(inventory.attachments[1].has_mac);
	inventory_clear(&inventory);
}

static void test_ports(void **state)
{
	static const struct { const char *text, *expected; } cases[] = {
		{ "[]", "" },
		{ "[\"8080:80/tcp\"]", ":: 8080:80/6 " },
		{ "[\"8080:80\", \"53:53/udp\", \"36412:36412/sctp\"]", ":: 8080:80/6 :: 53:53/17 :: 36412:36412/132 " },
		{ "[\"198.18.0.1:8080:80\"]", "198.18.0.1 8080:80/6 " },
		{ "[\"[2001:db8::1]:8080:80\", \"::1:8081:81\"]", "2001:db8::1 8080:80/6 ::1 8081:81/6 " },
		{ "[\"5000-5002:6000-6002/udp\"]", ":: 5000:6000/17 :: 5001:6001/17 :: 5002:6002/17 " },
		{ "[\"65535:65535\"]", ":: 65535:65535/6 " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[512], have[512] = "", address[TEXT_ADDR_SIZE];
		const struct container *web;
		struct inventory inventory;

		snprintf(text, sizeof(text), WEB ", ports: %s, resolvers: [198.18.0.53, \"2001:db8::53\"], image-labels: [app, dnetbpf.mode] }\n",
			 cases[i].text);
		parse_good(text, &inventory);
		web = inventory_container(&inventory, "web");
		for (size_t k = 0; k < web->port_count; k++)
			snprintf(have + strlen(have), sizeof(have) - strlen(have), "%s %u:%u/%u ", text_addr(&web->ports[k].host_addr, address),
				 web->ports[k].host_port, web->ports[k].port, web->ports[k].proto);
		assert_string_equal(have, cases[i].expected);
		assert_int_equal(web->resolver_count, 2);
		assert_string_equal(text_addr(&web->resolvers[1], address), "2001:db8::53");
		assert_string_equal(web->image_labels[1], "dnetbpf.mode");
		assert_null(web->image_labels[2]);
		inventory_clear(&inventory);
	}
}

static void test_small(void **state)
{
	static const char *const texts[] = {
		"networks: []\nendpoints: []\n",
		"endpoints: []\nnetworks: []\n",
		"endpoints: [ { container: a, interface: b, network: c } ]\nnetworks: [ { name: c, bridge: d } ]\n",
		"networks: [ { name: c, bridge: d, subnets: [] } ]\n"
		"endpoints: [ { container: a, interface: fifteen-letters, network: c, addresses: [192.0.2.1, \"fe80::1\"], labels: {} } ]\n",
		/* the same address on two networks, and link-local ones beside a subnet */
		"networks: [ { name: c, bridge: d, subnets: [\"2001:db8::/64\"] }, { name: e, bridge: f } ]\n"
		"endpoints: [ { container: a, interface: b, network: c, addresses: [192.0.2.1, \"fe80::1\"] }, { container: a, interface: g, network: e, addresses: [192.0.2.1] } ]\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct inventory inventory;

		parse_good(texts[i], &inventory);
		inventory_clear(&inventory);
	}
}

static const struct bad {
	const char *text, *part;
} bad[] = {
	{ "^", "the file is empty" },
	{ "^[]\n", "this must be a mapping (the inventory)" },
	{ "^endpoints: []\n", "needs the key \"networks\"" },
	{ "^networks: []\n", "needs the key \"endpoints\"" },
	{ "networks: []\n^endpoint: []\n", "did you mean \"endpoints\"?" },
	{ "^networks:\nendpoints: []\n", "write []" },
	{ "networks: []\nendpoints: ^{}\n", "must be a list" },
	/* networks */
	{ "networks: [ ^x ]\nendpoints: []\n", "this must be a mapping (a network)" },
	{ "networks: [ ^{ name: a } ]\nendpoints: []\n", "a network needs the key \"bridge\"" },
	{ "networks: [ ^{ bridge: a } ]\nendpoints: []\n", "a network needs the key \"name\"" },
	{ "networks: [ { name: a, bridge: b, ^subnet: [] } ]\nendpoints: []\n", "did you mean \"subnets\"?" },
	{ "networks: [ { name: a^*, bridge: b } ]\nendpoints: []\n", "the name of a network takes no wildcards" },
	{ "networks: [ { name: a, bridge: ^sixteen-letters- } ]\nendpoints: []\n", "may have 15 characters, and this has 16" },
	{ "networks: [ { name: a, bridge: ^\"\" } ]\nendpoints: []\n", "cannot be the name of an interface" },
	{ "networks: [ { name: a, bridge: ^.. } ]\nendpoints: []\n", "cannot be the name of an interface" },
	{ "networks: [ { name: a, bridge: ^b/c } ]\nendpoints: []\n", "cannot be the name of an interface" },
	{ "networks: [ { name: a, bridge: ^b c } ]\nendpoints: []\n", "cannot be the name of an interface" },
	{ "networks: [ { name: a, bridge: b }, { name: ^a, bridge: c } ]\nendpoints: []\n", "there are two networks \"a\"" },
	{ "networks: [ { name: a, bridge: b }, { name: c, bridge: ^b } ]\nendpoints: []\n", "belongs to the network \"a\" already" },
	{ "networks: [ { name: a, bridge: b, internal: ^yes } ]\nendpoints: []\n", "must be true or false" },
	{ "networks: [ { name: a, bridge: b, ^subnets: } ]\nendpoints: []\n", "write []" },
	{ "networks: [ { name: a, bridge: b, subnets: [^198.18.0.0] } ]\nendpoints: []\n", "a subnet is a prefix" },
	{ "networks: [ { name: a, bridge: b, subnets: [^198.18.0.0/33] } ]\nendpoints: []\n", "a subnet is a prefix" },
	{ "networks: [ { name: a, bridge: b, subnets: [^[]] } ]\nendpoints: []\n", "a subnet is a prefix" },
	{ "networks: [ { name: a, bridge: b, subnets: [^198.18.0.1/24] } ]\nendpoints: []\n", "write 198.18.0.0/24" },
	/* endpoints */
	{ ENDPOINTS "  - ^{ interface: veth1, network: dmz }\n", "an endpoint needs the key \"container\"" },
	{ ENDPOINTS "  - ^{ container: web, network: dmz }\n", "an endpoint needs the key \"interface\"" },
	{ ENDPOINTS "  - ^{ container: web, interface: veth1 }\n", "an endpoint needs the key \"network\"" },
	{ WEB ", ^adresses: [] }\n", "did you mean \"addresses\"?" },
	{ WEB ", ^network: dmz }\n", "twice" },
	{ ENDPOINTS "  - { container: w^/b, interface: veth1, network: dmz }\n", "cannot be in the name of a container" },
	{ ENDPOINTS "  - { container: web, interface: ^veth-of-the-web-1, network: dmz }\n", "may have 15 characters" },
	{ ENDPOINTS "  - { container: web, interface: ^br-dmz, network: dmz }\n", "br-dmz is a bridge" },
	{ ENDPOINTS "  - { container: web, interface: veth1, network: ^dnz }\n", "there is no network \"dnz\"; did you mean \"dmz\"?" },
	{ ENDPOINTS "  - { container: web, interface: veth1, network: ^elsewhere }\n", "add it to \"networks\"" },
	{ WEB " }\n  - { container: db, interface: ^veth1, network: ops }\n", "belongs to the container \"web\" already" },
	{ WEB " }\n  - { container: web, interface: veth2, network: ^dmz }\n", "is on the network \"dmz\" already" },
	{ WEB ", addresses: [198.18.0.2, ^198.18.0.300] }\n", "this is not an address" },
	{ WEB ", addresses: [^198.18.0.2/24] }\n", "without a prefix length" },
	{ WEB ", addresses: ^198.18.0.2 }\n", "\"addresses\" must be a list" },
	{ WEB ", addresses: [ ^~ ] }\n", "this is not an address" },
	{ WEB ", addresses: [198.18.0.2, ^198.18.1.2] }\n", "198.18.1.2 is in no subnet of the network \"dmz\"" },
	{ WEB ", addresses: [^\"fd77:2::2\"] }\n", "is in no subnet" },
	{ WEB ", addresses: [^224.0.0.1] }\n", "cannot be a container's address" },
	{ WEB ", addresses: [^\"ff02::1\"] }\n", "cannot be a container's address" },
	{ WEB ", addresses: [^\"::\"] }\n", "cannot be a container's address" },
	{ WEB ", addresses: [^0.0.0.0] }\n", "cannot be a container's address" },
	{ WEB ", addresses: [198.18.0.2, ^\"::ffff:198.18.0.2\"] }\n", "is there twice" },
	{ WEB ", addresses: [198.18.0.2] }\n  - { container: db, interface: veth2, network: dmz, addresses: [198.18.0.3, ^198.18.0.2] }\n",
	  "the address 198.18.0.2 belongs to the container \"web\" already" },
	{ WEB ", mac: ^\"02:00:00:00:00\" }\n", "this is not a MAC address" },
	{ WEB ", mac: ^\"02:00:00:00:00:0g\" }\n", "this is not a MAC address" },
	{ WEB ", mac: ^\"01:00:00:00:00:02\" }\n", "own MAC address" },
	{ WEB ", mac: ^\"00:00:00:00:00:00\" }\n", "own MAC address" },
	{ WEB ", ^mac: }\n", "must be a text" },
	{ WEB ", service: ^/web }\n", "the name of a project is missing" },
	{ WEB ", service: \"shop/^\" }\n", "the name of a service is missing" },
	{ WEB ", service: a/b^/c }\n", "cannot be in the name of a service" },
	{ WEB ", image: \"a^ b\" }\n", "cannot be in the name of an image" },
	{ WEB ", labels: ^[] }\n", "must be a mapping" },
	{ WEB ", ^labels: }\n", "must be a mapping" },
	{ WEB ", labels: { a: b, ^a: c } }\n", "the label \"a\" is there twice" },
	{ WEB ", labels: { a: ^[] } }\n", "must be a text" },
	{ WEB ", labels: { ^\"\": a } }\n", "the name of a label is missing" },
	/* two entries of one container */
	{ WEB ", service: a }\n  - { container: web, interface: veth2, network: ops, service: ^b }\n", "another value of \"service\"" },
	{ WEB ", service: p/a }\n  - { container: web, interface: veth2, network: ops, service: ^a }\n", "another value of \"service\"" },
	{ WEB " }\n  - { container: web, interface: veth2, network: ops, image: ^b }\n", "another value of \"image\"" },
	{ WEB ", labels: { a: b } }\n  - { container: web, interface: veth2, network: ops, labels: ^{ a: c } }\n", "another value of \"labels\"" },
	{ WEB ", ports: [\"80:80\"] }\n  - { container: web, interface: veth2, network: ops, ports: ^[\"81:80\"] }\n", "another value of \"ports\"" },
	{ WEB ", resolvers: [198.18.0.53] }\n  - { container: web, interface: veth2, network: ops, resolvers: ^[198.18.0.54] }\n",
	  "another value of \"resolvers\"" },
	/* published ports, resolvers, what the image claims */
	{ WEB ", ports: ^8080 }\n", "\"ports\" must be a list" },
	{ WEB ", ports: [^80] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"0:80\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"80:65536\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"80:80/icmp\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"80:80/\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"80-82:80-81\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"82-80:82-80\"] }\n", "this is not a published port" },
	{ WEB ", ports: [^\"198.18.0.300:80:80\"] }\n", "this is not a published port" },
	{ WEB ", ports: [\"1-4096:1-4096\", ^\"5000:5000\"] }\n", "more than 4096 published ports" },
	{ WEB ", ports: [^[]] }\n", "this is not a published port" },
	{ WEB ", resolvers: [^dns.example] }\n", "this is not a resolver" },
	{ WEB ", resolvers: [^198.18.0.0/24] }\n", "this is not a resolver" },
	{ WEB ", image-labels: [^\"\"] }\n", "this is not the name of a label" },
	{ WEB ", image-labels: ^app }\n", "\"image-labels\" must be a list" },
};

static void test_bad(void **state)
{
	struct inventory untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct marked marked = marked_take(bad[i].text);
		struct inventory inventory = untouched;
		struct error error = {};

		if (static_inventory_parse("inventory.yaml", marked.text, strlen(marked.text), &inventory, &error) != -EINVAL)
			fail_msg("accepted:\n%s", marked.text);
		assert_memory_equal(&inventory, &untouched, sizeof(inventory));
		marked_check(&marked, "inventory.yaml", error.text, bad[i].part);
		free(marked.text);
	}
}

static char path[32];

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/dnetbpf-test-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

/* After a failure too. */
static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void test_load(void **state)
{
	struct inventory inventory;
	struct error error;
	FILE *file;

	(void)state;
	assert_int_equal(static_inventory_load("/nonexistent/inventory.yaml", &inventory, &error), -ENOENT);
	assert_int_equal(strncmp(error.text, "/nonexistent/inventory.yaml: cannot be opened", 45), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(WEB " }\n", file);
	fclose(file);
	assert_int_equal(static_inventory_load(path, &inventory, &error), 0);
	assert_int_equal(inventory.attachment_count, 1);
	inventory_clear(&inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_bad),
		cmocka_unit_test_setup_teardown(test_load, make_file, remove_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
