/* SPDX-License-Identifier: GPL-2.0 */
#include "geo/geo.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "geo/private.h"

#define MAX_MIB 256

struct geo {
	struct geo_info info;
	char *path, *files[DNET_SET_FAMILIES], *type;	/* what the info points at; owned */
	struct range_table tables[DNET_SET_FAMILIES];
};

void geo_free(struct geo *geo)
{
	if (!geo)
		return;
	for (int family = 0; family < DNET_SET_FAMILIES; family++) {
		range_table_clear(&geo->tables[family]);
		free(geo->files[family]);
	}
	free(geo->path);
	free(geo->type);
	free(geo);
}

void geo_freep(struct geo **geo)
{
	geo_free(*geo);
}

static int no_memory(const char *path, struct error *error)
{
	return error_set_place(error, -ENOMEM, path, 0, 0, 0, "out of memory");
}

/* Text has no zeros; the files that people mistake for a database do. */
static bool is_text(const char *data, size_t length)
{
	return !memchr(data, '\0', length < 4096 ? length : 4096);
}

static int read_v6_file(struct geo *geo, char **ret, size_t *ret_length, struct timespec *ret_changed, struct error *error)
{
	const char *v4 = geo->files[DNET_SET_V4], *v6 = geo->files[DNET_SET_V6];
	char sentence[512];
	int r = file_read(v6, MAX_MIB, ret, ret_length, ret_changed, error);

	if (r == -ENOENT) {
		snprintf(sentence, sizeof(sentence), "the file of the IPv6 ranges is missing: it belongs beside %.300s", v4);
		return error_set_place(error, r, v6, 0, 0, 0, sentence);
	}
	return r;
}

static int load_range_files(struct geo *geo, const char *text, size_t length, struct timespec changed, bool *met,
			    struct error *error)
{
	_cleanup_free_ char *v6_text = NULL;
	uint64_t built[DNET_SET_FAMILIES];
	struct timespec v6_changed;
	size_t v6_length;
	int r;

	if (asprintf(&geo->files[DNET_SET_V6], "%s6", geo->files[DNET_SET_V4]) < 0) {
		geo->files[DNET_SET_V6] = NULL;
		return no_memory(geo->path, error);
	}
	geo->type = strdup("range files");
	if (!geo->type)
		return no_memory(geo->path, error);
	r = range_file_parse(geo->files[DNET_SET_V4], text, length, DNET_SET_V4, met, &geo->tables[DNET_SET_V4],
			     &built[DNET_SET_V4], error);
	if (r == 0)
		r = read_v6_file(geo, &v6_text, &v6_length, &v6_changed, error);
	if (r == 0)
		r = range_file_parse(geo->files[DNET_SET_V6], v6_text, v6_length, DNET_SET_V6, met, &geo->tables[DNET_SET_V6],
				     &built[DNET_SET_V6], error);
	if (r < 0)
		return r;
	if (!built[DNET_SET_V4])
		built[DNET_SET_V4] = (uint64_t)changed.tv_sec;
	if (!built[DNET_SET_V6])
		built[DNET_SET_V6] = (uint64_t)v6_changed.tv_sec;
	geo->info.built_unix = built[DNET_SET_V4] < built[DNET_SET_V6] ? built[DNET_SET_V4] : built[DNET_SET_V6];
	return 0;
}

static int load_mmdb(struct geo *geo, const char *data, size_t length, bool *met, struct error *error)
{
	const char *file = geo->files[DNET_SET_V4];

	geo->files[DNET_SET_V6] = strdup(file);
	if (!geo->files[DNET_SET_V6])
		return no_memory(file, error);
	return mmdb_parse(file, data, length, met, geo->tables, &geo->type, &geo->info.built_unix, error);
}

static int load_file(struct geo *geo, bool *met, struct error *error)
{
	const char *file = geo->files[DNET_SET_V4];
	_cleanup_free_ char *data = NULL;
	struct timespec changed;
	size_t length;
	int r = file_read(file, MAX_MIB, &data, &length, &changed, error);

	if (r == -ENOENT)
		error_set_place(error, r, file, 0, 0, 0, "there is no such file: install Debian's tor-geoipdb, or give the path of a database");
	if (r < 0)
		return r;
	if (mmdb_is(data, length))
		return load_mmdb(geo, data, length, met, error);
	if (!is_text(data, length))
		return error_set_place(error, -EINVAL, file, 0, 0, 0, "this is neither a file of ranges nor a whole .mmdb, whose mark "
				       "at its end is missing: it is truncated or something else");
	return load_range_files(geo, data, length, changed, met, error);
}

/* What was cut at the end of a line looks like a whole file. */
static int check_shrunk(const struct geo *geo, const struct geo *former, struct error *error)
{
	for (int family = 0; former && family < DNET_SET_FAMILIES; family++) {
		size_t now = geo->info.ranges[family], before = former->info.ranges[family];
		char sentence[256];

		if (strcmp(former->path, geo->path) != 0 || now >= before - before / 2)
			continue;
		snprintf(sentence, sizeof(sentence), "there are %zu ranges of %s addresses, and there were %zu: that looks truncated. "
			 "If it is meant, restart the daemon", now, family == DNET_SET_V4 ? "IPv4" : "IPv6", before);
		return error_set_place(error, -EINVAL, geo->files[family], 0, 0, 0, sentence);
	}
	return 0;
}

static void fill_info(struct geo *geo, const bool *met)
{
	geo->info.path = geo->path;
	geo->info.type = geo->type;
	for (int family = 0; family < DNET_SET_FAMILIES; family++) {
		geo->info.files[family] = geo->files[family];
		geo->info.ranges[family] = range_table_ranges(&geo->tables[family]);
	}
	for (uint32_t country = COUNTRY_UNKNOWN + 1; country < COUNTRY_NUMBERS; country++)
		geo->info.countries += met[country];
}

int geo_load(const char *path, const struct geo *former, struct geo **ret, struct error *error)
{
	_cleanup_(geo_freep) struct geo *geo = calloc(1, sizeof(*geo));
	_cleanup_free_ bool *met = calloc(COUNTRY_NUMBERS, sizeof(*met));
	struct stat status;
	int r;

	if (!geo || !met)
		return no_memory(path, error);
	geo->path = strdup(path);
	if (asprintf(&geo->files[DNET_SET_V4], "%s%s", path, stat(path, &status) == 0 && S_ISDIR(status.st_mode) ? "/geoip" : "") < 0)
		geo->files[DNET_SET_V4] = NULL;
	if (!geo->path || !geo->files[DNET_SET_V4])
		return no_memory(path, error);
	r = load_file(geo, met, error);
	/* The texts are freed, 25 MB of them. After the first reading malloc() has them in its heap, under what lives on. */
	malloc_trim(0);
	if (r < 0)
		return r;
	fill_info(geo, met);
	r = check_shrunk(geo, former, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(geo);
	return 0;
}

const struct geo_info *geo_info(const struct geo *geo)
{
	return &geo->info;
}

size_t geo_words(const struct geo *geo, enum dnet_set_family family, const uint64_t **ret)
{
	*ret = geo->tables[family].words;
	return geo->tables[family].count;
}

uint32_t geo_find(const struct geo *geo, const struct dnet_addr *addr)
{
	enum dnet_set_family family = addr_is_v4(addr) ? DNET_SET_V4 : DNET_SET_V6;

	return range_table_find(&geo->tables[family], family, addr);
}

bool geo_equal(const struct geo *a, const struct geo *b)
{
	for (int family = 0; family < DNET_SET_FAMILIES; family++)
		if (!range_table_equal(&a->tables[family], &b->tables[family]))
			return false;
	return true;
}
