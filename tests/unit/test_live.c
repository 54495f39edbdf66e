/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who is behind an interface, from what the kernel and the engine say, in the order in which they say it. The kernel itself is never
 * asked: the namespaces here do not exist.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/live.h"

#define NSID 4711	/* no namespace has it: to ask the kernel about it fails */
#define QUIET_PORT 10
#define RACE_PORT 11
#define PEER 20

static const uint8_t mac[6] = { 2, 0x42, 0, 0, 0, 1 }, other_mac[6] = { 2, 0x42, 0, 0, 0, 2 };

struct world {
	struct inventory inventory;
	struct live_set set;
	struct veth_peers peers;
	struct live *quiet, *race;	/* the container's interfaces: one that is known, one that it has just been given */
};

static struct dnet_addr address(const char *text)
{
	struct dnet_addr addr;
	unsigned int prefix_len;
	bool host_bits;

	assert_int_equal(text_parse_prefix(text, &addr, &prefix_len, &host_bits), 0);
	return addr;
}

static struct live *add_live(struct world *world, int ifindex, int nsid, const char *bridge)
{
	struct live *live = calloc(1, sizeof(*live));

	assert_non_null(live);
	live->link = (struct netlink_link){ .ifindex = ifindex, .nsid = nsid, .peer_ifindex = PEER, .kind = "veth" };
	live->seen_ns = 100;
	strcpy(live->bridge, bridge);
	assert_int_equal(live_add(&world->set, live), 0);
	return live;
}

static void attach(struct world *world, const char *network, const char *text, const uint8_t *its_mac)
{
	struct inventory *inventory = &world->inventory;
	struct attachment *attachment = &inventory->attachments[inventory->attachment_count++];

	inventory_drop_index(inventory);
	*attachment = (struct attachment){ .container_id = strdup("id"), .network_id = strdup(network), .has_mac = true };
	memcpy(attachment->mac, its_mac, sizeof(attachment->mac));
	attachment->addresses = calloc(1, sizeof(*attachment->addresses));
	attachment->addresses[attachment->address_count++] = address(text);
}

/* The container "shop" runs on the network "quiet"; an interface of its has just joined the bridge of "race". */
static int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->inventory.containers = calloc(2, sizeof(struct container));
	world->inventory.containers[0] = (struct container){ .id = strdup("id"), .name = strdup("shop") };
	world->inventory.container_count = 1;
	world->inventory.networks = calloc(2, sizeof(struct network));
	world->inventory.networks[0] = (struct network){ .id = strdup("q"), .name = strdup("quiet"), .bridge = strdup("br-quiet") };
	world->inventory.networks[1] = (struct network){ .id = strdup("r"), .name = strdup("race"), .bridge = strdup("br-race") };
	world->inventory.network_count = 2;
	world->inventory.attachments = calloc(4, sizeof(struct attachment));
	attach(world, "q", "198.18.20.2", other_mac);
	world->quiet = add_live(world, QUIET_PORT, NSID, "br-quiet");
	world->quiet->identified = true;
	world->quiet->container_id = strdup("id");
	world->quiet->network_id = strdup("q");
	world->race = add_live(world, RACE_PORT, NETLINK_NSID_NONE, "br-race");
	*state = world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;

	live_set_clear(&world->set);
	veth_peers_clear(&world->peers);
	inventory_clear(&world->inventory);
	free(world);
	return 0;
}

static void moved(struct world *world)
{
	const struct netlink_link was = world->race->link;

	world->race->link.nsid = NSID;
	assert_int_equal(veth_peers_follow(&world->peers, &was, &world->race->link), 0);
}

static bool hear_mac(struct world *world, const uint8_t *its_mac)
{
	struct netlink_event event = { NETLINK_LINK_NEW, .nsid = NSID, .link = { .ifindex = PEER, .has_mac = true } };

	memcpy(event.link.mac, its_mac, sizeof(event.link.mac));
	return veth_peers_hear(&world->peers, &event);
}

static bool hear_address(struct world *world, enum netlink_event_kind kind, int nsid, const char *text)
{
	return veth_peers_hear(&world->peers, &(struct netlink_event){ kind, .nsid = nsid, .link = { .ifindex = PEER },
								       .address = { .ifindex = PEER, .addr = address(text) } });
}

static bool identify(struct world *world)
{
	return live_identify(world->race, &world->set, &world->inventory, &world->peers);
}

static bool refresh(struct world *world)
{
	return live_refresh(world->race, &world->inventory, &world->peers);
}

/* Docker's order for a running container that is connected. It is known before its interface is up, with nobody being asked. */
static void test_known_before_it_is_up(void **state)
{
	struct world *world = *state;

	assert_false(identify(world));
	moved(world);
	assert_false(identify(world));
	assert_true(hear_mac(world, mac));
	assert_false(identify(world));
	assert_true(hear_address(world, NETLINK_ADDRESS_NEW, NSID, "198.18.10.2"));
	assert_false(world->race->link.lower_up);
	assert_true(identify(world));
	assert_string_equal(world->race->container_id, "id");
	assert_string_equal(world->race->network_id, "r");
	assert_memory_equal(world->race->mac, mac, sizeof(mac));
	assert_int_equal(world->race->address_count, 1);
	const struct dnet_addr given = address("198.18.10.2");

	assert_true(addr_equal(&world->race->addresses[0], &given));
}

/* A link-local address is on every interface, and none that Docker gave. */
static void test_link_local_is_not_enough(void **state)
{
	struct world *world = *state;

	moved(world);
	hear_mac(world, mac);
	hear_address(world, NETLINK_ADDRESS_NEW, NSID, "fe80::1");
	assert_false(identify(world));
}

/* The second address of two comes after the container is known. */
static void test_later_addresses(void **state)
{
	struct world *world = *state;

	moved(world);
	hear_mac(world, mac);
	hear_address(world, NETLINK_ADDRESS_NEW, NSID, "198.18.10.2");
	assert_true(identify(world));
	assert_false(refresh(world));
	assert_true(hear_address(world, NETLINK_ADDRESS_NEW, NSID, "2001:db8::2"));
	assert_false(hear_address(world, NETLINK_ADDRESS_NEW, NSID, "2001:db8::2"));
	assert_true(refresh(world));
	assert_int_equal(world->race->address_count, 2);
	assert_true(hear_address(world, NETLINK_ADDRESS_GONE, NSID, "198.18.10.2"));
	assert_true(refresh(world));
	assert_int_equal(world->race->address_count, 1);
	/* What it gave to itself ends when the engine says what it has. */
	attach(world, "r", "198.18.10.2", mac);
	hear_address(world, NETLINK_ADDRESS_NEW, NSID, "198.18.10.77");
	assert_true(refresh(world));
	assert_int_equal(world->race->address_count, 1);
	assert_true(addr_equal(&world->race->addresses[0], &world->inventory.attachments[1].addresses[0]));
	assert_false(refresh(world));
}

/* What the engine has said counts, as soon as it is known whose namespace it is: no address need be set yet. */
static void test_engine_first(void **state)
{
	struct world *world = *state;

	attach(world, "r", "198.18.10.2", mac);
	moved(world);
	/* An answer from before the interface is about another one. */
	world->inventory.networks[1].asked_ns = world->race->seen_ns;
	assert_false(identify(world));
	world->inventory.networks[1].asked_ns = world->race->seen_ns + 1;
	assert_true(identify(world));
	assert_memory_equal(world->race->mac, mac, sizeof(mac));
}

/* Others' events, and those from before it was there, say nothing of it. */
static void test_others_are_not_heard(void **state)
{
	struct world *world = *state;

	assert_false(hear_mac(world, mac));
	moved(world);
	assert_false(hear_address(world, NETLINK_ADDRESS_NEW, NSID + 1, "198.18.10.2"));
	assert_null(veth_peers_find(&world->peers, NSID, PEER + 1));
	assert_int_equal(veth_peers_find(&world->peers, NSID, PEER)->address_count, 0);
	assert_false(identify(world));
	/* It goes back, and comes again: with nothing. */
	hear_mac(world, mac);
	hear_address(world, NETLINK_ADDRESS_NEW, NSID, "198.18.10.2");
	veth_peers_follow(&world->peers, &world->race->link, NULL);
	assert_null(veth_peers_find(&world->peers, NSID, PEER));
	world->race->link.nsid = NETLINK_NSID_NONE;
	moved(world);
	assert_int_equal(veth_peers_find(&world->peers, NSID, PEER)->address_count, 0);
	assert_false(identify(world));
}

/* A container can give itself any number of addresses. */
static void test_bounded(void **state)
{
	struct world *world = *state;
	char text[32];

	moved(world);
	for (int i = 0; i < 250; i++) {
		snprintf(text, sizeof(text), "198.18.10.%d", i);
		hear_address(world, NETLINK_ADDRESS_NEW, NSID, text);
	}
	hear_mac(world, mac);
	assert_true(identify(world));
	assert_int_equal(world->race->address_count, LIVE_MAX_ADDRESSES);
}

/* A policy that selects by network must hold from the first packet, also when the engine has not said yet that it is on that network. */
static void test_own_network_is_named(void **state)
{
	struct world *world = *state;

	moved(world);
	hear_mac(world, mac);
	hear_address(world, NETLINK_ADDRESS_NEW, NSID, "198.18.10.2");
	assert_true(identify(world));
	assert_int_equal(live_update_networks(world->race, &world->inventory, 1), 0);
	assert_string_equal(world->race->network_names[0], "quiet");
	assert_string_equal(world->race->network_names[1], "race");
	assert_null(world->race->network_names[2]);
	attach(world, "r", "198.18.10.2", mac);
	assert_int_equal(live_update_networks(world->race, &world->inventory, 2), 0);
	assert_string_equal(world->race->network_names[1], "race");
	assert_null(world->race->network_names[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known_before_it_is_up, begin, end),
		cmocka_unit_test_setup_teardown(test_link_local_is_not_enough, begin, end),
		cmocka_unit_test_setup_teardown(test_later_addresses, begin, end),
		cmocka_unit_test_setup_teardown(test_engine_first, begin, end),
		cmocka_unit_test_setup_teardown(test_others_are_not_heard, begin, end),
		cmocka_unit_test_setup_teardown(test_bounded, begin, end),
		cmocka_unit_test_setup_teardown(test_own_network_is_named, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
