/* SPDX-License-Identifier: GPL-2.0 */
#include "daemon/install.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct removal {
	struct dataplane *dataplane;
	uint32_t arena;
};

static void remove_peer(void *context, const void *entry)
{
	const struct removal *removal = context;
	struct dnet_peer_key key;

	memcpy(&key, entry, sizeof(key));
	if (key.ruleset / DNET_MAX_RULESETS == removal->arena)
		map_delete(removal->dataplane->peer_rows_fd, &key);
}

static void remove_prefix(void *context, const void *entry)
{
	const struct removal *removal = context;
	struct dnet_prefix_key key;

	memcpy(&key, entry, sizeof(key));
	if (ntohl(key.ruleset_be) / DNET_MAX_RULESETS == removal->arena)
		map_delete(removal->dataplane->prefix_rows_fd, &key);
}

void install_remove_arena(struct dataplane *dataplane, uint32_t arena)
{
	struct removal removal = { dataplane, arena };

	map_for_each_key(dataplane->peer_rows_fd, sizeof(struct dnet_peer_key), remove_peer, &removal);
	map_for_each_key(dataplane->prefix_rows_fd, sizeof(struct dnet_prefix_key), remove_prefix, &removal);
}

void install_begin(struct install *install, struct dataplane *dataplane, uint32_t arena)
{
	install_clear(install);
	install->dataplane = dataplane;
	install->arena = arena;
	install_remove_arena(dataplane, arena);
}

void install_clear(struct install *install)
{
	free(install->peers);
	memset(install, 0, sizeof(*install));
}

static int compare_peers(const void *a, const void *b)
{
	const struct compiled_peer *x = a, *y = b;

	if (x->ruleset != y->ruleset)
		return x->ruleset < y->ruleset ? -1 : 1;
	return x->endpoint_id < y->endpoint_id ? -1 : x->endpoint_id > y->endpoint_id;
}

static int set_peer(struct install *install, const struct compiled_peer *peer)
{
	struct dnet_peer_key key = { install->arena * DNET_MAX_RULESETS + peer->ruleset, peer->endpoint_id };

	return map_set(install->dataplane->peer_rows_fd, &key, &peer->row);
}

static void delete_peer(struct install *install, const struct compiled_peer *peer)
{
	struct dnet_peer_key key = { install->arena * DNET_MAX_RULESETS + peer->ruleset, peer->endpoint_id };

	map_delete(install->dataplane->peer_rows_fd, &key);
}

/* Both lists are sorted: one walk finds what came, changed and went. */
static int apply_peers(struct install *install, const struct compiled_tables *tables, struct error *error)
{
	struct compiled_peer *wanted = malloc((tables->peer_count + 1) * sizeof(*wanted));
	size_t i = 0, j = 0;
	int r = 0;

	if (!wanted)
		return error_set(error, -ENOMEM, "out of memory");
	if (tables->peer_count)
		memcpy(wanted, tables->peers, tables->peer_count * sizeof(*wanted));
	qsort(wanted, tables->peer_count, sizeof(*wanted), compare_peers);
	while (r == 0 && (i < tables->peer_count || j < install->peer_count)) {
		int order = i >= tables->peer_count ? 1 : j >= install->peer_count ? -1 : compare_peers(&wanted[i], &install->peers[j]);

		if (order < 0) {
			r = set_peer(install, &wanted[i++]);
		} else if (order > 0) {
			delete_peer(install, &install->peers[j++]);
		} else {
			if (wanted[i].row != install->peers[j].row)
				r = set_peer(install, &wanted[i]);
			i++;
			j++;
		}
	}
	if (r < 0) {
		free(wanted);
		return error_set(error, r, "cannot enter a container name into the kernel's tables: %s", strerror(-r));
	}
	free(install->peers);
	install->peers = wanted;
	install->peer_count = tables->peer_count;
	return 0;
}

static int apply_prefixes(struct install *install, const struct compiled_tables *tables, struct error *error)
{
	for (; install->prefixes < tables->prefix_count; install->prefixes++) {
		const struct compiled_prefix *prefix = &tables->prefixes[install->prefixes];
		struct dnet_prefix_key key = {
			.prefix_len = 32 + prefix->prefix_len,
			.ruleset_be = htonl(install->arena * DNET_MAX_RULESETS + prefix->ruleset),
			.addr = prefix->addr,
		};
		int r = map_set(install->dataplane->prefix_rows_fd, &key, &prefix->row);

		if (r < 0)
			return error_set(error, r, "cannot enter an address prefix into the kernel's tables: %s", strerror(-r));
	}
	return 0;
}

int install_apply(struct install *install, const struct compiler *compiler, struct error *error)
{
	struct dataplane *dataplane = install->dataplane;
	struct compiled_tables tables;
	int r;

	compiler_tables(compiler, &tables);
	memcpy(dataplane->rows + (size_t)install->arena * DNET_MAX_ROW_WORDS + install->row_words, tables.rows + install->row_words,
	       (tables.row_words - install->row_words) * sizeof(*tables.rows));
	install->row_words = tables.row_words;
	memcpy(dataplane->bounds + (size_t)install->arena * DNET_MAX_BOUNDS + install->bounds, tables.bounds + install->bounds,
	       (tables.bound_count - install->bounds) * sizeof(*tables.bounds));
	install->bounds = tables.bound_count;
	memcpy(dataplane->rules + (size_t)install->arena * DNET_MAX_RULE_ENTRIES + install->rules, tables.rules + install->rules,
	       (tables.rule_count - install->rules) * sizeof(*tables.rules));
	install->rules = tables.rule_count;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(dataplane->rulesets + (size_t)install->arena * DNET_MAX_RULESETS + install->rulesets, tables.rulesets + install->rulesets,
	       (tables.ruleset_count - install->rulesets) * sizeof(*tables.rulesets));
	install->rulesets = tables.ruleset_count;
	r = apply_prefixes(install, &tables, error);
	if (r == 0)
		r = apply_peers(install, &tables, error);
	return r;
}
