/* SPDX-License-Identifier: GPL-2.0 */
/* Lookups in an inventory: the same with and without the index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/inventory.h"

#define CONTAINERS	50	/* an odd order, and each on two of the networks */
#define NETWORKS	7

static char *text(const char *head, size_t number)
{
	char *ret = NULL;

	return asprintf(&ret, "%s%zu", head, number) < 0 ? NULL : ret;
}

static void build(struct inventory *inventory)
{
	memset(inventory, 0, sizeof(*inventory));
	inventory->containers = calloc(CONTAINERS, sizeof(*inventory->containers));
	inventory->networks = calloc(NETWORKS, sizeof(*inventory->networks));
	inventory->attachments = calloc(2 * CONTAINERS, sizeof(*inventory->attachments));
	for (size_t i = 0; i < NETWORKS; i++) {
		size_t number = i * 3 % NETWORKS;

		inventory->networks[i] = (struct network) { .id = text("n", number), .name = text("net", number), .driver = strdup("bridge"),
							    .bridge = number ? text("br", number) : NULL };
	}
	inventory->network_count = NETWORKS;
	for (size_t i = 0; i < CONTAINERS; i++) {
		size_t number = i * 17 % CONTAINERS;

		inventory->containers[i] = (struct container) { .id = text("c", number), .name = text("web", number), .image = strdup("") };
		for (size_t k = 0; k < 2; k++)
			inventory->attachments[2 * i + k] = (struct attachment) { .container_id = text("c", number),
										  .network_id = text("n", (number + k) % NETWORKS) };
	}
	inventory->container_count = CONTAINERS;
	inventory->attachment_count = 2 * CONTAINERS;
	/* In the middle of a rename. */
	inventory->containers[3].other_name = strdup("old");
}

static void check(const struct inventory *inventory)
{
	const struct attachment *attachment;
	char name[32];
	size_t count;

	for (size_t i = 0; i < CONTAINERS; i++) {
		snprintf(name, sizeof(name), "c%zu", i);
		assert_non_null(inventory_container(inventory, name));
		assert_string_equal(inventory_container(inventory, name)->id, name);
		count = 0;
		for (size_t cursor = 0; (attachment = inventory_container_attachment(inventory, name, &cursor)); count++) {
			assert_string_equal(attachment->container_id, name);
			assert_ptr_equal(inventory_attachment(inventory, name, attachment->network_id), attachment);
		}
		assert_int_equal(count, 2);
		assert_null(inventory_attachment(inventory, name, "n"));
		snprintf(name, sizeof(name), "web%zu", i);
		assert_string_equal(inventory_container_named(inventory, name)->name, name);
	}
	for (size_t i = 0; i < NETWORKS; i++) {
		snprintf(name, sizeof(name), "n%zu", i);
		assert_string_equal(inventory_network(inventory, name)->id, name);
		count = 0;
		for (size_t cursor = 0; (attachment = inventory_network_attachment(inventory, name, &cursor)); count++)
			assert_string_equal(attachment->network_id, name);
		assert_true(count >= 2 * CONTAINERS / NETWORKS - 2 && count <= 2 * CONTAINERS / NETWORKS + 2);
		snprintf(name, sizeof(name), "net%zu", i);
		assert_string_equal(inventory_network_named(inventory, name)->name, name);
		snprintf(name, sizeof(name), "br%zu", i);
		if (i)
			assert_string_equal(inventory_network_of_bridge(inventory, name)->bridge, name);
	}
	assert_ptr_equal(inventory_container_named(inventory, "old"), &inventory->containers[3]);
	assert_null(inventory_network_of_bridge(inventory, "br0"));
	assert_null(inventory_network_of_bridge(inventory, ""));	/* the network without a bridge is not meant */
	assert_null(inventory_container(inventory, "c"));
	assert_null(inventory_container(inventory, "zz"));
	assert_null(inventory_container_named(inventory, "c1"));
	assert_null(inventory_network(inventory, "n7"));
	count = 0;
	for (size_t cursor = 0; inventory_container_attachment(inventory, "nobody", &cursor);)
		count++;
	assert_int_equal(count, 0);
}

static void test_lookups(void **state)
{
	struct inventory inventory;

	(void)state;
	build(&inventory);
	check(&inventory);
	inventory_index(&inventory);
	assert_non_null(inventory.index);
	check(&inventory);
	/* An array may move, and what an index said must go with a change. */
	inventory.containers = realloc(inventory.containers, 2 * CONTAINERS * sizeof(*inventory.containers));
	check(&inventory);
	inventory_drop_index(&inventory);
	assert_null(inventory.index);
	free(inventory.containers[0].id);
	inventory.containers[0].id = strdup("new");
	assert_ptr_equal(inventory_container(&inventory, "new"), &inventory.containers[0]);
	inventory_index(&inventory);
	inventory_index(&inventory);
	assert_ptr_equal(inventory_container(&inventory, "new"), &inventory.containers[0]);
	inventory_clear(&inventory);
	assert_null(inventory.index);
}

static void test_empty(void **state)
{
	struct inventory inventory = { 0 };
	size_t cursor = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_null(inventory_container(&inventory, "a"));
		assert_null(inventory_container_named(&inventory, "a"));
		assert_null(inventory_network_of_bridge(&inventory, "a"));
		assert_null(inventory_network_attachment(&inventory, "a", &cursor));
		inventory_index(&inventory);
	}
	inventory_clear(&inventory);
}

/* Twice the same name (Podman's pods, a rename): with and without the index it is the first of the array. */
static void test_the_first_counts(void **state)
{
	struct inventory inventory;

	(void)state;
	build(&inventory);
	for (size_t i = 10; i < CONTAINERS; i++) {
		free(inventory.containers[i].name);
		inventory.containers[i].name = strdup("same");
	}
	assert_ptr_equal(inventory_container_named(&inventory, "same"), &inventory.containers[10]);
	inventory_index(&inventory);
	assert_ptr_equal(inventory_container_named(&inventory, "same"), &inventory.containers[10]);
	inventory_clear(&inventory);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups), cmocka_unit_test(test_empty), cmocka_unit_test(test_the_first_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
