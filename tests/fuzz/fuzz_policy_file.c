/* SPDX-License-Identifier: GPL-2.0 */
/* The two files in YAML: policies and the static inventory. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy_file.h"
#include "config/static_inventory.h"

static void require(int condition)
{
	if (!condition)
		abort();
}

/* "f:LINE:COLUMN: SENTENCE", the place inside the file or just behind it. */
static void check_error(const struct error *error, size_t size)
{
	unsigned int line, column;
	int length = 0;

	require(sscanf(error->text, "f:%u:%u: %n", &line, &column, &length) == 2 && length > 0 && error->text[length]);
	require(line >= 1 && line <= size + 1 && column >= 1 && column <= size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { "" };
	struct inventory inventory;
	struct policy_set set;

	if (policy_file_parse("f", (const char *)data, size, &set, &error) == 0) {
		for (size_t i = 0; i < set.policy_count; i++) {
			const struct policy *policy = &set.policies[i];

			require(policy->name && policy->origin.file && policy->origin.line >= 1 && policy->origin.column >= 1);
			for (int j = 0; j < DNET_DIRECTIONS; j++)
				require(policy->direction[j].present || !policy->direction[j].count);
		}
		policy_set_clear(&set);
	} else {
		check_error(&error, size);
	}
	error.text[0] = '\0';
	if (static_inventory_parse("f", (const char *)data, size, &inventory, &error) == 0) {
		for (size_t i = 0; i < inventory.attachment_count; i++) {
			require(inventory_container(&inventory, inventory.attachments[i].container_id) != NULL);
			require(inventory_network(&inventory, inventory.attachments[i].network_id) != NULL);
			require(inventory.attachments[i].interface != NULL);
		}
		inventory_clear(&inventory);
	} else {
		check_error(&error, size);
	}
	return 0;
}
