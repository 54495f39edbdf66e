/* SPDX-License-Identifier: GPL-2.0 */
#include "dataplane/explain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/explain.skel.h"
#include "bpf/tc.skel.h"
#include "dataplane/words.h"

/* One set of maps: every map that the attached programs have as well is theirs. */
static int share_maps(const struct dataplane *dataplane, struct explain_bpf *explain, struct error *error)
{
	struct bpf_map *map, *shared;
	int r;

	bpf_object__for_each_map(map, explain->obj) {
		const char *name = bpf_map__name(map);

		shared = bpf_object__find_map_by_name(dataplane->skeleton->obj, name);
		if (strchr(name, '.') || !shared)	/* .rodata and its like, and the answer itself */
			continue;
		r = bpf_map__reuse_fd(map, bpf_map__fd(shared));
		if (r < 0)
			return error_set(error, r, "cannot share the table %s with the explain programs: %s", name, strerror(-r));
	}
	return 0;
}

int dataplane_explain_load(struct dataplane *dataplane, struct error *error)
{
	struct explain_bpf *explain;
	const char *words;
	int r;

	if (dataplane->explain)
		return 0;
	words_begin();
	explain = explain_bpf__open();
	r = explain ? share_maps(dataplane, explain, error) : error_set(error, -errno, "cannot read the explain programs: %s", strerror(errno));
	if (r == 0) {
		r = explain_bpf__load(explain);
		words = words_end();
		if (r < 0)
			error_set(error, r, "the kernel refused the explain programs: %s (%s)", strerror(-r), words[0] ? words : "no details");
	} else {
		words_end();
	}
	if (r < 0)
		explain_bpf__destroy(explain);
	else
		dataplane->explain = explain;
	return r;
}

int dataplane_explain(struct dataplane *dataplane, const struct dataplane_frame *frame, struct dnet_explanation *ret,
		      struct error *error)
{
	struct __sk_buff context = { .ifindex = frame->ifindex, .ingress_ifindex = frame->origin_ifindex, .cb = { frame->bridged } };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = (uint32_t)frame->length,
		    .ctx_in = &context, .ctx_size_in = sizeof(context));
	const struct bpf_program *program;
	const uint32_t zero = 0;
	int r;

	r = dataplane_explain_load(dataplane, error);
	if (r < 0)
		return r;
	program = frame->direction == DNET_EGRESS ? dataplane->explain->progs.dnet_explain_egress : dataplane->explain->progs.dnet_explain_ingress;
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) < 0)
		return error_set(error, -errno, "the kernel does not run the packet: %s", strerror(errno));
	if (options.retval != 0)
		return error_set(error, -EIO, "the explain program has found no table for its answer");
	r = map_get(bpf_map__fd(dataplane->explain->maps.explanation), &zero, ret);
	return r < 0 ? error_set(error, r, "cannot read the explanation: %s", strerror(-r)) : 0;
}

void explain_unload(struct dataplane *dataplane)
{
	explain_bpf__destroy(dataplane->explain);
	dataplane->explain = NULL;
}
