/* SPDX-License-Identifier: GPL-2.0 */
/* Bans and blocks by hand in a small table of the kernel: their life and the commands. As root, like the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/block_words.h"
#include "explain/world.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SECOND 1000000000ull
#define ROOM 8	/* entries that fit in `blocks` */

struct fixture {
	struct daemon daemon;
	struct dataplane dataplane;
	struct dnet_state state;
	struct inventory inventory;
};

static struct container containers[] = { { .id = (char *)"1", .name = (char *)"web" }, { .id = (char *)"2", .name = (char *)"db" } };
static struct rule public = { .name = (char *)"public", .origin = { .file = (char *)"p.yaml", .line = 12 } };
static struct limit rate = { .kind = LIMIT_RATE, .count = 5, .unit_ns = SECOND, .per = LIMIT_PER_SRC, .v4_len = 32, .v6_len = 64 };

enum { FRONT = 21, LIMIT = 1, COUNTER = 3 };

#define WEB live_container("1")
#define DB live_container("2")

static void add_live(struct fixture *fixture, uint32_t id, const char *container, const char *network)
{
	struct live *live = calloc(1, sizeof(*live));

	live->id = id;
	live->link.ifindex = (int)id;
	live->identified = true;
	live->container_id = strdup(container);
	live->network_id = strdup(network);
	live->identity = live_identity(container, network);
	live->container = live_container(container);
	assert_int_equal(live_add(&fixture->daemon.live, live), 0);
}

static int set_up(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct daemon *daemon = &fixture->daemon;

	log_set_level(LOG_LEVEL_ERROR);
	fixture->dataplane.state = &fixture->state;
	fixture->dataplane.blocks_fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "blocks_test", sizeof(struct dnet_block_key),
						      sizeof(struct dnet_block), ROOM, &options);
	if (fixture->dataplane.blocks_fd < 0)
		fail_msg("no map can be made in the kernel: run this as root");
	fixture->dataplane.limit_ids_fd = -1;
	fixture->inventory = (struct inventory){ .containers = containers, .container_count = COUNT(containers) };
	daemon->dataplane = &fixture->dataplane;
	daemon->inventory = &fixture->inventory;
	daemon->rule_names = calloc(DNET_MAX_RULE_COUNTERS, sizeof(*daemon->rule_names));
	daemon->rule_names[COUNTER] = (struct rule_name){ .policy = "site", .rule = &public };
	daemon->limit_ids = (struct index){};
	/* As limits_id() has it, without the map of ids. */
	daemon->limit_names.ids_full = true;
	fixture->state.next_limit_id = LIMIT;
	assert_int_equal(limits_id(daemon, "site", &public, &rate), LIMIT);
	add_live(fixture, FRONT, "1", "a");
	add_live(fixture, FRONT + 1, "2", "a");
	blocks_adopt(daemon);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	limit_names_clear(&fixture->daemon.limit_names);
	live_set_clear(&fixture->daemon.live);
	close(fixture->dataplane.blocks_fd);
	free(fixture->daemon.rule_names);
	free(fixture);
	return 0;
}

static struct dnet_block_key key_of(const char *prefix, uint64_t container)
{
	struct dnet_block_key key = { .container = { (uint32_t)container, (uint32_t)(container >> 32) } };
	unsigned int length;
	bool host_bits;

	assert_int_equal(text_parse_prefix(prefix, &key.addr, &length, &host_bits), 0);
	key.prefix_len = DNET_BLOCK_KEY_BITS + length;
	return key;
}

/* @seconds: from now; 0: for ever; below that: it is over. */
static int put(struct fixture *fixture, const char *prefix, uint64_t container, int seconds)
{
	struct dnet_block_key key = key_of(prefix, container);
	uint64_t now = monotonic_ns();
	struct dnet_block block = {
		.since_ns = now - 10 * SECOND, .until_ns = seconds ? now + (uint64_t)(int64_t)seconds * SECOND : DNET_BLOCK_FOREVER,
		.packets = 7, .rule_counter = COUNTER, .limit_id = LIMIT, .container = container, .layer = DNET_LAYER_FILE,
		.address_bits = (uint8_t)(key.prefix_len - DNET_BLOCK_KEY_BITS), .kind = seconds ? DNET_BLOCK_BAN : DNET_BLOCK_BY_HAND,
	};

	return block_set(&fixture->dataplane, &key, &block);
}

static bool there(struct fixture *fixture, const char *prefix, uint64_t container)
{
	struct dnet_block_key key = key_of(prefix, container);
	struct dnet_block block;

	return map_get(fixture->dataplane.blocks_fd, &key, &block) == 0 && block.address_bits == key.prefix_len - DNET_BLOCK_KEY_BITS;
}

static size_t entries(const struct fixture *fixture)
{
	struct block_entry *all;
	size_t count;

	assert_int_equal(blocks_read(&fixture->dataplane, &all, &count), 0);
	free(all);
	return count;
}

/* The contract of dnetbpf/block.h. */
static void test_what_is_set_is_announced(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(put(fixture, "192.0.2.1", WEB, 600), 0);
	assert_int_equal(fixture->state.block_epoch, 1);
	assert_in_range(fixture->state.blocked_until_ns, monotonic_ns() + 599 * SECOND, monotonic_ns() + 600 * SECOND);
	/* What ends earlier does not make the programs look away. */
	assert_int_equal(put(fixture, "192.0.2.2", WEB, 60), 0);
	assert_int_equal(fixture->state.block_epoch, 2);
	assert_in_range(fixture->state.blocked_until_ns, monotonic_ns() + 599 * SECOND, monotonic_ns() + 600 * SECOND);
	assert_int_equal(put(fixture, "192.0.2.3", 0, 0), 0);
	assert_int_equal(fixture->state.blocked_until_ns, DNET_BLOCK_FOREVER);
	for (int i = 3; i < ROOM; i++) {
		char text[TEXT_ADDR_SIZE];

		snprintf(text, sizeof(text), "192.0.2.%d", i + 1);
		assert_int_equal(put(fixture, text, WEB, 60), 0);
	}
	assert_int_equal(fixture->state.block_epoch, ROOM);
	assert_int_equal(put(fixture, "198.51.100.1", WEB, 60), -ENOSPC);
	assert_int_equal(fixture->state.block_epoch, ROOM);
	assert_int_equal(entries(fixture), ROOM);
}

static void test_the_sweep_removes_what_is_over_and_what_holds_at_nobody(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", WEB, -1);
	put(fixture, "192.0.2.3", live_container("77"), 600);
	put(fixture, "2001:db8::/64", 0, 60);
	put(fixture, "2001:db8:1::/64", 0, -5);
	put(fixture, "203.0.113.0/24", DB, 0);
	/* A shorter prefix that holds must not be taken for the one that is over. */
	put(fixture, "203.0.113.7", DB, -1);
	blocks_sweep(&fixture->daemon);
	assert_true(there(fixture, "192.0.2.1", WEB) && there(fixture, "2001:db8::/64", 0) && there(fixture, "203.0.113.0/24", DB));
	assert_int_equal(entries(fixture), 3);
	assert_int_equal(fixture->daemon.blocks.standing[DNET_BLOCK_BAN], 2);
	assert_int_equal(fixture->daemon.blocks.standing[DNET_BLOCK_BY_HAND], 1);
	assert_int_equal(blocks_standing(&fixture->daemon), 3);
	assert_int_equal(fixture->state.blocked_until_ns, DNET_BLOCK_FOREVER);
}

static void test_a_block_that_was_renewed_stays(void **state)
{
	struct fixture *fixture = *state;
	struct block_entry *read;
	size_t count;

	put(fixture, "192.0.2.1", WEB, -1);
	assert_int_equal(blocks_read(&fixture->dataplane, &read, &count), 0);
	assert_int_equal(count, 1);
	put(fixture, "192.0.2.1", WEB, 600);
	assert_int_equal(block_remove(&fixture->dataplane, read), 0);
	assert_true(there(fixture, "192.0.2.1", WEB));
	free(read);
	assert_int_equal(blocks_read(&fixture->dataplane, &read, &count), 0);
	assert_int_equal(block_remove(&fixture->dataplane, read), 1);
	assert_int_equal(block_remove(&fixture->dataplane, read), 0);
	assert_int_equal(entries(fixture), 0);
	free(read);
}

static void test_the_programs_look_no_longer_than_they_must(void **state)
{
	struct fixture *fixture = *state;
	uint64_t now = monotonic_ns(), until;

	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", WEB, 60);
	assert_int_equal(map_delete(fixture->dataplane.blocks_fd, &(struct dnet_block_key[]){ key_of("192.0.2.1", WEB) }), 0);
	blocks_sweep(&fixture->daemon);
	assert_in_range(fixture->state.blocked_until_ns, now + 59 * SECOND, now + 61 * SECOND);
	/* A program that could not write the exact end. */
	fixture->state.blocked_until_ns = DNET_BLOCK_FOREVER;
	blocks_sweep(&fixture->daemon);
	assert_in_range(fixture->state.blocked_until_ns, now + 59 * SECOND, now + 61 * SECOND);
	/* Set after the table was read: an entry that needed no raise is found, and everybody is asked again. */
	until = blocks_until(&fixture->dataplane);
	put(fixture, "192.0.2.3", WEB, 30);
	fixture->state.block_epoch = 100;
	assert_int_equal(blocks_lower(&fixture->dataplane, until, 0), 0);
	assert_in_range(fixture->state.blocked_until_ns, now + 59 * SECOND, now + 61 * SECOND);
	assert_int_equal(fixture->state.block_epoch, 101);
	/* Raised after the table was read: it stays. */
	put(fixture, "192.0.2.4", WEB, 900);
	assert_int_equal(blocks_lower(&fixture->dataplane, until, 0), 0);
	assert_in_range(fixture->state.blocked_until_ns, now + 899 * SECOND, now + 901 * SECOND);
	for (int i = 2; i < 5; i++) {
		char text[TEXT_ADDR_SIZE];

		snprintf(text, sizeof(text), "192.0.2.%d", i);
		map_delete(fixture->dataplane.blocks_fd, &(struct dnet_block_key[]){ key_of(text, WEB) });
	}
	blocks_sweep(&fixture->daemon);
	assert_int_equal(fixture->state.blocked_until_ns, 0);
}

static void leave(struct fixture *fixture, uint32_t id)
{
	live_remove(&fixture->daemon.live, live_find_id(&fixture->daemon.live, id));
}

/* Where the ban of 192.0.2.1 holds. */
static void check_place(struct fixture *fixture, const char *container, bool running)
{
	json_t *request = json_pack("{s:s}", "prefix", "192.0.2.1"), *answer, *block;
	struct error error = {};

	assert_int_equal(report_blocks(&fixture->daemon, request, &answer, &error), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "blocks")), 1);
	block = json_array_get(json_object_get(answer, "blocks"), 0);
	assert_string_equal(json_string_value(json_object_get(block, "container")), container);
	assert_int_equal(json_is_true(json_object_get(block, "running")), running);
	json_decref(request);
	json_decref(answer);
}

/* Whatever becomes of its interfaces and their ids. */
static void test_a_ban_stays_until_its_container_is_removed(void **state)
{
	struct fixture *fixture = *state;

	add_live(fixture, FRONT + 2, "1", "b");
	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", DB, 600);
	put(fixture, "192.0.2.3", 0, 600);
	leave(fixture, FRONT);
	blocks_sweep(&fixture->daemon);
	check_place(fixture, "web", true);
	leave(fixture, FRONT + 2);
	for (int i = 0; i < 3; i++)
		blocks_sweep(&fixture->daemon);
	check_place(fixture, "web", false);
	add_live(fixture, 31, "1", "a");
	blocks_sweep(&fixture->daemon);
	check_place(fixture, "web", true);
	assert_int_equal(entries(fixture), 3);
	/* It is being removed: its interface stays a moment longer. */
	fixture->inventory.containers++;
	fixture->inventory.container_count--;
	blocks_sweep(&fixture->daemon);
	check_place(fixture, "", true);
	leave(fixture, 31);
	blocks_sweep(&fixture->daemon);
	assert_true(!there(fixture, "192.0.2.1", WEB) && there(fixture, "192.0.2.2", DB) && there(fixture, "192.0.2.3", 0));
}

static void test_before_the_inventory_is_there_nothing_is_removed(void **state)
{
	struct fixture *fixture = *state;

	leave(fixture, FRONT);
	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", live_container("3"), 600);
	put(fixture, "192.0.2.3", WEB, -1);
	fixture->daemon.inventory = NULL;
	blocks_adopt(&fixture->daemon);
	blocks_sweep(&fixture->daemon);
	check_place(fixture, "", false);
	assert_true(there(fixture, "192.0.2.2", live_container("3")) && entries(fixture) == 2);
	fixture->daemon.inventory = &fixture->inventory;
	blocks_sweep(&fixture->daemon);
	assert_true(there(fixture, "192.0.2.1", WEB) && entries(fixture) == 1);
}

static void test_commands_select_what_has_an_address_in_common(void **state)
{
	static const struct {
		const char *prefix, *container;
		size_t blocks;
	} cases[] = {
		{ NULL, NULL, 5 }, { "192.0.2.1", NULL, 2 }, { "192.0.2.0/24", NULL, 3 }, { "192.0.2.9", NULL, 1 }, { "198.51.100.1", NULL, 0 },
		{ "0.0.0.0/0", NULL, 3 }, { "::/0", NULL, 2 }, { "2001:db8::99", NULL, 1 }, { "2001:db8::/32", NULL, 2 },
		{ NULL, "web", 2 }, { NULL, "*", 4 }, { "192.0.2.1", "db", 0 }, { "2001:db8::1", "d?", 1 },
	};
	static const char *const wrong[] = { "", "web", "192.0.2.1/33", "192.0.2.1/24", "2001:db8::1/64", "192.0.2" };
	struct fixture *fixture = *state;

	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", WEB, 60);
	put(fixture, "192.0.2.0/24", 0, 0);
	put(fixture, "2001:db8::/64", DB, 600);
	put(fixture, "2001:db8:1::/64", DB, 600);
	put(fixture, "198.51.100.1", WEB, -1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *request = json_pack("{s:s?, s:s?}", "prefix", cases[i].prefix, "container", cases[i].container), *answer;
		struct error error = {};

		assert_int_equal(report_blocks(&fixture->daemon, request, &answer, &error), 0);
		if (json_array_size(json_object_get(answer, "blocks")) != cases[i].blocks)
			fail_msg("%s at %s: %zu", cases[i].prefix, cases[i].container, json_array_size(json_object_get(answer, "blocks")));
		assert_int_equal(json_integer_value(json_object_get(answer, "selected")), cases[i].blocks);
		assert_int_equal(json_integer_value(json_object_get(answer, "entries")), 5);
		json_decref(request);
		json_decref(answer);
	}
	for (size_t i = 0; i < COUNT(wrong); i++) {
		json_t *request = json_pack("{s:s, s:[s, s]}", "prefix", wrong[i], "prefixes", "192.0.2.1", wrong[i]), *answer;
		struct error error = {};

		assert_int_equal(report_blocks(&fixture->daemon, request, &answer, &error), -EINVAL);
		assert_true(error.text[0]);
		assert_int_equal(unblock_request(&fixture->daemon, request, &answer, &error), -EINVAL);
		json_decref(request);
	}
	assert_int_equal(entries(fixture), 6);
}

static void unblock(struct fixture *fixture, json_t *request, json_int_t lifted, size_t missing)
{
	struct error error = {};
	json_t *answer;

	assert_non_null(request);
	assert_int_equal(unblock_request(&fixture->daemon, request, &answer, &error), 0);
	assert_int_equal(json_integer_value(json_object_get(answer, "lifted")), lifted);
	assert_int_equal(json_array_size(json_object_get(answer, "blocks")), lifted);
	assert_int_equal(json_array_size(json_object_get(answer, "missing")), missing);
	json_decref(request);
	json_decref(answer);
}

static void test_unblock(void **state)
{
	struct fixture *fixture = *state;

	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.1", DB, 600);
	put(fixture, "192.0.2.2", WEB, 60);
	put(fixture, "192.0.2.0/24", 0, 0);
	put(fixture, "2001:db8::/64", DB, 600);
	unblock(fixture, json_pack("{s:[s], s:s}", "prefixes", "192.0.2.9", "container", "web"), 0, 1);
	unblock(fixture, json_pack("{s:[s], s:s}", "prefixes", "192.0.2.1", "container", "db"), 1, 0);
	assert_true(there(fixture, "192.0.2.1", WEB) && !there(fixture, "192.0.2.1", DB));
	/* What two of the words mean is lifted once. */
	unblock(fixture, json_pack("{s:[s, s, s]}", "prefixes", "192.0.2.1", "198.51.100.1", "192.0.2.1"), 2, 1);
	assert_true(!there(fixture, "192.0.2.1", WEB) && !there(fixture, "192.0.2.0/24", 0) && there(fixture, "192.0.2.2", WEB));
	/* The programs need not look longer than the longest that is left. */
	assert_true(fixture->state.blocked_until_ns < monotonic_ns() + 601 * SECOND);
	assert_int_equal(blocks_standing(&fixture->daemon), 2);
	unblock(fixture, json_pack("{s:b}", "all", 1), 2, 0);
	assert_int_equal(entries(fixture), 0);
	assert_int_equal(fixture->state.blocked_until_ns, 0);
	unblock(fixture, json_pack("{s:b}", "all", 1), 0, 1);
}

static void test_words(void **state)
{
	struct fixture *fixture = *state;
	char clause[EXPLAIN_BLOCK_SIZE];
	json_t *request = json_object(), *answer, *block;
	struct error error = {};
	struct dnet_addr addr;

	put(fixture, "192.0.2.0/24", WEB, 600);
	assert_int_equal(report_blocks(&fixture->daemon, request, &answer, &error), 0);
	block = json_array_get(json_object_get(answer, "blocks"), 0);
	assert_string_equal(json_string_value(json_object_get(block, "prefix")), "192.0.2.0/24");
	assert_string_equal(json_string_value(json_object_get(block, "container")), "web");
	assert_null(json_object_get(block, "network"));
	assert_string_equal(json_string_value(json_object_get(block, "policy")), "site");
	assert_string_equal(json_string_value(json_object_get(block, "rule")), "public");
	assert_string_equal(json_string_value(json_object_get(block, "origin")), "p.yaml:12");
	assert_string_equal(json_string_value(json_object_get(block, "limit")), "rate 5/s per src");
	assert_int_equal(json_integer_value(json_object_get(block, "packets")), 7);
	assert_int_equal(json_integer_value(json_object_get(block, "seconds")), 10);
	assert_in_range(json_integer_value(json_object_get(block, "seconds_left")), 599, 600);
	json_decref(answer);
	text_parse_addr("192.0.2.7", &addr);
	block_clause(&fixture->daemon, WEB, &addr, DNET_REASON_BANNED, clause, sizeof(clause));
	assert_non_null(strstr(clause, "192.0.2.0/24 is banned there for another "));
	assert_non_null(strstr(clause, ", because it exceeded rate 5/s per src of rule \"public\" of policy site; "
			       "`dnetbpf unblock 192.0.2.0/24` lifts it"));
	/* Of several the longest; what holds everywhere is asked first. */
	put(fixture, "192.0.2.7", WEB, 60);
	block_clause(&fixture->daemon, WEB, &addr, DNET_REASON_BANNED, clause, sizeof(clause));
	assert_non_null(strstr(clause, "192.0.2.7 is banned there"));
	put(fixture, "192.0.2.0/28", 0, 30);
	put(fixture, "192.0.2.6/31", 0, -1);
	block_clause(&fixture->daemon, WEB, &addr, DNET_REASON_BANNED, clause, sizeof(clause));
	assert_non_null(strstr(clause, "192.0.2.0/28 is banned everywhere for another "));
	/* A ban that spares this one hides no block by hand. */
	put(fixture, "192.0.0.0/16", 0, 0);
	block_clause(&fixture->daemon, WEB, &addr, DNET_REASON_BLOCKED, clause, sizeof(clause));
	assert_string_equal(clause, "192.0.0.0/16 is blocked everywhere without end, because somebody has blocked it by hand; "
			    "`dnetbpf unblock 192.0.0.0/16` lifts it");
	/* Another policy came. */
	fixture->daemon.rule_names[COUNTER].policy = NULL;
	map_delete(fixture->dataplane.blocks_fd, &(struct dnet_block_key[]){ key_of("192.0.0.0/16", 0) });
	map_delete(fixture->dataplane.blocks_fd, &(struct dnet_block_key[]){ key_of("192.0.2.0/28", 0) });
	block_clause(&fixture->daemon, WEB, &addr, DNET_REASON_BANNED, clause, sizeof(clause));
	assert_non_null(strstr(clause, "a rule that is not in force any more"));
	/* Nobody knows: as it was. */
	block_clause(&fixture->daemon, DB, &addr, DNET_REASON_BANNED, clause, sizeof(clause));
	assert_string_equal(clause, "");
	json_decref(request);
}

static void test_numbers(void **state)
{
	struct fixture *fixture = *state;
	struct index count = {};
	struct metrics *metrics;
	size_t length;

	put(fixture, "192.0.2.1", WEB, 600);
	put(fixture, "192.0.2.2", WEB, 600);
	put(fixture, "192.0.2.3", WEB, -1);
	put(fixture, "192.0.2.4", 0, 0);
	fixture->state.bans = 12;
	fixture->state.bans_refused = 2;
	assert_int_equal(blocks_count(&fixture->daemon, &count), 0);
	assert_int_equal(index_get(&count, WEB), 2);
	assert_int_equal(index_get(&count, DB), 0);
	assert_int_equal(index_get(&count, 0), 1);
	index_clear(&count);
	blocks_sweep(&fixture->daemon);
	assert_int_equal(metrics_new(&metrics), 0);
	blocks_metrics(&fixture->daemon, metrics);
	assert_non_null(strstr(metrics_text(metrics, &length), "\ndnetbpf_bans_total 12\n"));
	assert_non_null(strstr(metrics_text(metrics, &length), "\ndnetbpf_bans_refused_total 2\n"));
	assert_non_null(strstr(metrics_text(metrics, &length), "\ndnetbpf_blocks{kind=\"ban\"} 2\ndnetbpf_blocks{kind=\"hand\"} 1\n"));
	metrics_free(metrics);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_set_is_announced), TEST(test_the_sweep_removes_what_is_over_and_what_holds_at_nobody),
		TEST(test_a_block_that_was_renewed_stays), TEST(test_the_programs_look_no_longer_than_they_must),
		TEST(test_a_ban_stays_until_its_container_is_removed), TEST(test_before_the_inventory_is_there_nothing_is_removed),
		TEST(test_commands_select_what_has_an_address_in_common), TEST(test_unblock), TEST(test_words), TEST(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
