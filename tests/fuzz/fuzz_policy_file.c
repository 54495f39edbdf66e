/* SPDX-License-Identifier: GPL-2.0 */
/* The files that people write: policies, sets and the static inventory. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/policy_file.h"
#include "config/prefix_file.h"
#include "config/static_inventory.h"

/* In a folder that does not exist: what a file includes is not there. */
#define FILE_NAME "/nonexistent/f"

static void require(int condition)
{
	if (!condition)
		abort();
}

/* "FILE:LINE:COLUMN: SENTENCE", the place inside the file or just behind it. */
static void check_error(const struct error *error, size_t size)
{
	unsigned int line, column;
	int length = 0;

	/* An absolute path may lead to files that do exist. */
	if (strncmp(error->text, FILE_NAME ":", strlen(FILE_NAME) + 1) != 0) {
		require(strstr(error->text, ": ") != NULL);
		return;
	}
	require(sscanf(error->text, FILE_NAME ":%u:%u: %n", &line, &column, &length) == 2 && length > 0 && error->text[length]);
	require(line >= 1 && line <= size + 1 && column >= 1 && column <= size + 1);
	require(error->line == line && error->column == column && error->sentence == (size_t)length);
}

static void check_diagnostics(const struct diagnostics *diagnostics)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	json_t *json = diagnostics_to_json(diagnostics);

	require(out && json && json_array_size(json) == diagnostics->count);
	require(diagnostics->count <= diagnostics->errors + diagnostics->warnings && diagnostics->count <= DIAGNOSTICS_MAX);
	for (size_t i = 0; i < diagnostics->count; i++) {
		require(*diagnostics->items[i].sentence && diagnostics->items[i].length >= 1);
		require(i == 0 || strcmp(diagnostics->items[i].file, diagnostics->items[i - 1].file) != 0 ||
			diagnostics->items[i].line >= diagnostics->items[i - 1].line);
	}
	diagnostics_print(diagnostics, out);
	fclose(out);
	/* Nothing that a terminal would obey. */
	for (size_t i = 0; i < size; i++)
		require((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
	free(text);
	json_decref(json);
}

/* The kernel's tables have room for each kind once. */
static void check_limits(const struct rule *rule, int direction)
{
	unsigned int seen = 0;

	require(!rule->limit_count || rule->action == DNET_RULE_ALLOW);
	require(!rule->ban_ns || (rule->limit_count && direction == DNET_INGRESS));
	for (size_t i = 0; i < rule->limit_count; i++) {
		require(!(seen & 1u << rule->limits[i].kind));
		require(rule->limits[i].per != (direction == DNET_INGRESS ? LIMIT_PER_DST : LIMIT_PER_SRC));
		seen |= 1u << rule->limits[i].kind;
	}
}

static void check_policies(const struct policy_set *set)
{
	for (size_t i = 0; i < set->policy_count; i++) {
		const struct policy *policy = &set->policies[i];

		require(policy->name && policy->origin.file && policy->origin.line >= 1 && policy->origin.column >= 1);
		for (int j = 0; j < DNET_DIRECTIONS; j++) {
			require(policy->direction[j].present || !policy->direction[j].count);
			for (size_t k = 0; k < policy->direction[j].count; k++)
				check_limits(&policy->direction[j].rules[k], j);
		}
	}
	for (int j = 0; j < DNET_DIRECTIONS; j++)
		require(set->host.direction[j].present == (set->host.direction[j].count > 0));
	for (int j = 0; j < DNET_DIRECTIONS; j++)
		for (size_t k = 0; k < set->host.direction[j].count; k++)
			require(!set->host.direction[j].rules[k].limit_count);
	require(set->source_count >= 1);
}

static void check_policy_file(const char *text, size_t size)
{
	struct error error = {}, first = {};
	struct diagnostics diagnostics = {};
	struct policy_set set;
	int r = policy_file_parse(FILE_NAME, text, size, &set, NULL, &error);

	if (r == 0) {
		check_policies(&set);
		policy_set_clear(&set);
	} else {
		check_error(&error, size);
	}
	/* All errors at once: the same answer, and the same one first. */
	require(policy_file_parse(FILE_NAME, text, size, &set, &diagnostics, &first) == r);
	require(strcmp(error.text, first.text) == 0 && (r == 0) == (diagnostics.errors == 0));
	if (r == 0)
		policy_set_clear(&set);
	check_diagnostics(&diagnostics);
	diagnostics_clear(&diagnostics);
}

static void check_set_file(const char *text, size_t size)
{
	struct diagnostics diagnostics = {};
	struct prefix_set set = {};

	require(prefix_file_parse("f", text, size, &set, &diagnostics, NULL) == 0);
	for (size_t i = 0; i < set.prefix_count; i++) {
		require(set.prefixes[i].prefix_len <= 128);
		require(i == 0 || memcmp(&set.prefixes[i - 1].addr, &set.prefixes[i].addr, sizeof(set.prefixes[i].addr)) <= 0);
	}
	require(diagnostics.warnings == set.bad_lines);
	check_diagnostics(&diagnostics);
	diagnostics_clear(&diagnostics);
	prefix_set_clear(&set);
}

static void check_inventory(const char *text, size_t size)
{
	struct inventory inventory;
	struct error error = {};

	if (static_inventory_parse(FILE_NAME, text, size, &inventory, &error) == 0) {
		for (size_t i = 0; i < inventory.attachment_count; i++) {
			require(inventory_container(&inventory, inventory.attachments[i].container_id) != NULL);
			require(inventory_network(&inventory, inventory.attachments[i].network_id) != NULL);
			require(inventory.attachments[i].interface != NULL);
		}
		inventory_clear(&inventory);
	} else {
		check_error(&error, size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_policy_file((const char *)data, size);
	check_set_file((const char *)data, size);
	check_inventory((const char *)data, size);
	return 0;
}
