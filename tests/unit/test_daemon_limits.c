/* SPDX-License-Identifier: GPL-2.0 */
/* Ids and hits of limits, in small maps of the kernel: as root, like the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/state.h"

#define IDS 4	/* that fit in `limit_ids` */

struct fixture {
	struct daemon daemon;
	struct dataplane dataplane;
	struct dnet_state state;
	struct dnet_limit *limits;
	struct inventory inventory;
};

static int map(uint32_t key, uint32_t value, uint32_t entries)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "limits_test", key, value, entries, NULL);

	if (fd < 0)
		fail_msg("no map can be made in the kernel: run this as root");
	return fd;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->limits = calloc(DNET_ARENAS * DNET_MAX_LIMITS, sizeof(*fixture->limits));
	fixture->dataplane.state = &fixture->state;
	fixture->dataplane.limits = fixture->limits;
	fixture->dataplane.limit_ids_fd = map(sizeof(uint64_t), sizeof(uint32_t), IDS);
	fixture->dataplane.limit_exceeded_fd = map(sizeof(struct dnet_exceeded_key), sizeof(uint64_t), 16);
	fixture->daemon.dataplane = &fixture->dataplane;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	limit_names_clear(&fixture->daemon.limit_names);
	index_clear(&fixture->daemon.limit_ids);
	live_set_clear(&fixture->daemon.live);
	close(fixture->dataplane.limit_ids_fd);
	close(fixture->dataplane.limit_exceeded_fd);
	free(fixture->limits);
	free(fixture);
	return 0;
}

static const struct rule web = { .name = (char *)"web" }, other = { .name = (char *)"other" };

static uint32_t rate(struct fixture *fixture, const char *policy, const struct rule *rule, uint64_t count)
{
	static struct limit limits[16];	/* names refer to them */
	struct limit *limit = &limits[count];

	*limit = (struct limit){ .kind = LIMIT_RATE, .count = count, .unit_ns = 1000000000ull, .v4_len = 32, .v6_len = 64 };
	return limits_id(&fixture->daemon, policy, rule, limit);
}

/* What another version of the policies begins with. */
static void forget_names(struct fixture *fixture)
{
	limit_names_clear(&fixture->daemon.limit_names);
}

static size_t recorded(const struct fixture *fixture)
{
	uint64_t key = 0, next;
	size_t count = 0;

	for (void *from = NULL; bpf_map_get_next_key(fixture->dataplane.limit_ids_fd, from, &next) == 0; from = &key) {
		key = next;
		count++;
	}
	return count;
}

static void test_a_limit_as_it_was_keeps_its_id(void **state)
{
	struct fixture *fixture = *state;
	uint32_t first = rate(fixture, "p", &web, 1), faster = rate(fixture, "p", &web, 2), elsewhere = rate(fixture, "q", &web, 1),
		 named = rate(fixture, "p", &other, 1);

	assert_int_equal(first, 1);
	assert_int_equal(faster, 2);
	assert_int_equal(elsewhere, 3);
	assert_int_equal(named, 4);
	assert_int_equal(fixture->state.next_limit_id, 5);
	assert_int_equal(rate(fixture, "p", &web, 1), first);
	assert_int_equal(fixture->daemon.limit_names.count, 4);
	forget_names(fixture);
	assert_int_equal(rate(fixture, "p", &web, 2), faster);
	/* The next daemon. */
	forget_names(fixture);
	index_clear(&fixture->daemon.limit_ids);
	fixture->state.next_limit_id = 0;
	limits_adopt(&fixture->daemon);
	assert_int_equal(fixture->state.next_limit_id, 5);
	assert_int_equal(rate(fixture, "q", &web, 1), elsewhere);
	assert_int_equal(recorded(fixture), 4);
}

/* The time that somebody is banned for is no part of the limit: who changes it gives nobody a new allowance. */
static void test_another_ban_is_the_same_limit(void **state)
{
	const struct rule banning = { .name = (char *)"web", .ban_ns = 60000000000ull, .ban_host = true };
	struct fixture *fixture = *state;
	uint32_t id = rate(fixture, "p", &web, 1);

	forget_names(fixture);
	assert_int_equal(rate(fixture, "p", &banning, 1), id);
}

static void test_ids_that_nobody_uses_make_room(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 1; i <= IDS; i++)
		assert_int_equal(rate(fixture, "p", &web, i), i);
	/* The kernel has the second in force, and the version that is being made has the first. */
	fixture->limits[1].id = 2;
	fixture->daemon.install.limits = 2;
	forget_names(fixture);
	assert_int_equal(rate(fixture, "p", &web, 1), 1);
	assert_int_equal(rate(fixture, "p", &web, 5), 5);
	assert_int_equal(recorded(fixture), 3);
	assert_int_equal(rate(fixture, "p", &web, 2), 2);
	/* What was forgotten begins anew: an id comes never back. */
	assert_int_equal(rate(fixture, "p", &web, 3), 6);
	assert_int_equal(recorded(fixture), IDS);
}

/* It is limited all the same. */
static void test_more_limits_than_ids_that_can_be_kept(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 1; i <= IDS + 3; i++)
		assert_int_equal(rate(fixture, "p", &web, i), i);
	assert_int_equal(fixture->daemon.limit_names.count, IDS + 3);
	assert_true(fixture->daemon.limit_names.ids_full);
	assert_int_equal(recorded(fixture), IDS);
	forget_names(fixture);
	assert_int_equal(rate(fixture, "p", &web, IDS), IDS);
	assert_int_equal(rate(fixture, "p", &web, IDS + 1), IDS + 4);
	fixture->state.next_limit_id = UINT32_MAX;
	assert_int_equal(rate(fixture, "p", &web, 15), 0);
}

static void hit(struct fixture *fixture, uint32_t endpoint_id, uint32_t limit_id, uint64_t hits)
{
	struct dnet_exceeded_key key = { endpoint_id, limit_id };

	assert_int_equal(map_set(fixture->dataplane.limit_exceeded_fd, &key, &hits), 0);
}

static bool has_hit(struct fixture *fixture, uint32_t endpoint_id, uint32_t limit_id)
{
	struct dnet_exceeded_key key = { endpoint_id, limit_id };
	uint64_t hits;

	return map_get(fixture->dataplane.limit_exceeded_fd, &key, &hits) == 0;
}

static void add_live(struct fixture *fixture, uint32_t id, const char *container)
{
	struct live *live = calloc(1, sizeof(*live));

	live->id = id;
	live->link.ifindex = (int)id;
	live->identified = true;
	live->container_id = strdup(container);
	assert_int_equal(live_add(&fixture->daemon.live, live), 0);
}

static void test_hits(void **state)
{
	static struct container containers[] = { { .id = (char *)"1", .name = (char *)"web" }, { .id = (char *)"2", .name = (char *)"db" } };
	struct fixture *fixture = *state;
	uint32_t slow = rate(fixture, "p", &web, 1), fast = rate(fixture, "q", &other, 9);
	struct metrics *metrics;
	size_t length;

	fixture->inventory = (struct inventory){ .containers = containers, .container_count = 2 };
	fixture->daemon.inventory = &fixture->inventory;
	add_live(fixture, 21, "1");
	add_live(fixture, 22, "1");
	add_live(fixture, 23, "2");
	hit(fixture, 21, slow, 100);
	hit(fixture, 22, slow, 11);
	hit(fixture, 23, slow, 7);
	hit(fixture, 22, fast, 5);
	hit(fixture, 99, fast, 1000);	/* nobody's any more */
	hit(fixture, 21, 77, 1000);	/* of no limit in force */
	fixture->limits[3].id = slow;
	assert_int_equal(limits_exceeded(&fixture->daemon, 21, 3), 100);
	assert_int_equal(limits_exceeded(&fixture->daemon, 24, 3), 0);
	assert_int_equal(metrics_new(&metrics), 0);
	limits_metrics(&fixture->daemon, metrics);
	assert_string_equal(strchr(strchr(metrics_text(metrics, &length), '\n') + 1, '\n') + 1,
			    "dnetbpf_limit_exceeded_total{container=\"db\",policy=\"p\",rule=\"web\",limit=\"rate 1/s\"} 7\n"
			    "dnetbpf_limit_exceeded_total{container=\"web\",policy=\"p\",rule=\"web\",limit=\"rate 1/s\"} 111\n"
			    "dnetbpf_limit_exceeded_total{container=\"web\",policy=\"q\",rule=\"other\",limit=\"rate 9/s\"} 5\n");
	metrics_free(metrics);
	/* Before anything is compiled, nobody knows what is in force. */
	limits_sweep(&fixture->daemon);
	assert_true(has_hit(fixture, 99, fast));
	fixture->daemon.compiler = (struct compiler *)fixture;
	limits_sweep(&fixture->daemon);
	assert_false(has_hit(fixture, 99, fast) || has_hit(fixture, 21, 77));
	assert_true(has_hit(fixture, 21, slow) && has_hit(fixture, 22, slow) && has_hit(fixture, 23, slow) && has_hit(fixture, 22, fast));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_limit_as_it_was_keeps_its_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_ban_is_the_same_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ids_that_nobody_uses_make_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_limits_than_ids_that_can_be_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hits, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
