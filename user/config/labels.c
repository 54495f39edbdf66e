/* SPDX-License-Identifier: GPL-2.0 */
#include "config/labels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/place.h"
#include "config/rule.h"
#include "config/rule_parser.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define LABEL_PREFIX "dnetbpf."
#define LABEL_TEXT_MAX (1u << 20)	/* bytes of one label: whoever starts containers writes them */

/* What a reader of one label gets. */
struct label_text {
	struct place place;
	const struct policy_set *set;
	struct label_policy *labels;
};

static int read_policy(const struct label_text *label)
{
	const char *name = label->place.text;
	struct word word = word_of(name);
	struct suggestion suggestion;
	int r;

	r = name_require(&label->place, word, NAME_EXACT, "a policy");
	if (r < 0)
		return r;
	if (label->set) {
		suggest_begin(&suggestion, word);
		for (size_t i = 0; i < label->set->policy_count; i++) {
			if (strcmp(label->set->policies[i].name, name) == 0)
				goto found;
			suggest_offer(&suggestion, label->set->policies[i].name);
		}
		return place_error(&label->place, word, "the policy file has no policy \"%s\"%s", word_print(word).text,
				   suggest_end(&suggestion, label->set->policy_count ? "" : ", it has none at all"));
	}
found:
	free(label->labels->policy_name);
	label->labels->policy_name = strdup(name);
	return label->labels->policy_name ? 0 : place_no_memory(&label->place);
}

/* Where in the label a rule begins. */
static struct word rule_word(const struct label_text *label, const struct rule *rule)
{
	struct word word = word_of(label->place.text);

	return rule->origin.column > 0 && (size_t)rule->origin.column <= word.length ? word_after(word, (size_t)rule->origin.column - 1) : word;
}

/* Semantic 8: what names nothing denies this container and stops no other policy. */
static int check_rule(const struct label_text *label, const struct rule *rule)
{
	/* A container's labels are about itself: who may write them may not cut anybody off from the others. */
	if (rule->ban_ns && rule->ban_host)
		return place_error(&label->place, rule_word(label, rule), "`ban host` reaches beyond this container, and is for the "
				   "policy file alone: write `ban` and the time");
	return label->set ? rule_check_sets(&label->place, rule, label->set) : 0;
}

static int read_rules(const struct label_text *label, enum dnet_direction direction)
{
	struct rule_list *list = &label->labels->policy.direction[direction];

	int r;

	/* A label that is there twice: the last one counts, and the first must not leak. */
	rule_list_clear(list);
	r = rule_list_parse_place(&label->place, direction, list);
	for (size_t i = 0; i < list->count && r == 0; i++) {
		r = check_rule(label, &list->rules[i]);
		if (r == 0 && label->set && rule_take_limits(&list->rules[i], &label->set->host.limits[direction], LIMIT_OF_HOST) < 0)
			r = place_no_memory(&label->place);
	}
	return r;
}

static int read_ingress(const struct label_text *label)
{
	return read_rules(label, DNET_INGRESS);
}

static int read_egress(const struct label_text *label)
{
	return read_rules(label, DNET_EGRESS);
}

static int read_mode(const struct label_text *label)
{
	static const char *const modes[] = { [POLICY_ENFORCE] = "enforce", [POLICY_AUDIT] = "audit" };
	struct word word = word_of(label->place.text);
	struct suggestion suggestion;

	suggest_begin(&suggestion, word);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (word_is(word, modes[i])) {
			label->labels->policy.mode = (enum policy_mode)i;
			label->labels->mode_set = true;
			return 0;
		}
		suggest_offer(&suggestion, modes[i]);
	}
	return place_error(&label->place, word, "the mode must be enforce or audit, not \"%s\"%s", word_print(word).text,
			   suggest_end(&suggestion, ""));
}

static const struct {
	const char *key;
	int (*read)(const struct label_text *label);
} known[] = {
	{ LABEL_PREFIX "policy", read_policy },
	{ LABEL_PREFIX "ingress", read_ingress },
	{ LABEL_PREFIX "egress", read_egress },
	{ LABEL_PREFIX "mode", read_mode },
};

bool label_policy_concerns(const char *key)
{
	return strncmp(key, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0;
}

int label_policy_read(const char *name, const struct place *place, const struct policy_set *set, struct label_policy *labels)
{
	const struct label_text text = { .place = *place, .set = set, .labels = labels };
	struct suggestion suggestion;
	struct word key = word_of(name);
	char sentence[160];

	if (strlen(place->text) > LABEL_TEXT_MAX)
		return place_error(place, word_of(place->text), "the label is longer than %u bytes", LABEL_TEXT_MAX);
	suggest_begin(&suggestion, key);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (word_is(key, known[i].key))
			return known[i].read(&text);
		suggest_offer(&suggestion, known[i].key);
	}
	snprintf(sentence, sizeof(sentence), "there is no such label%s",
		 suggest_end(&suggestion, ": there are dnetbpf.policy, dnetbpf.ingress, dnetbpf.egress and dnetbpf.mode"));
	return error_set_place(place->error, -EINVAL, place->origin->file, place->origin->line,
			       place->origin->line ? place->origin->column : 0, 0, sentence);
}

static int read_label(const struct label *label, const struct policy_set *set, struct label_policy *labels, struct error *error)
{
	char file[64];
	struct origin origin = { .file = file, .line = 0, .column = 1 };
	const struct place place = { .origin = &origin, .text = label->value ? label->value : "", .error = error };

	snprintf(file, sizeof(file), "label %s", word_print(word_of(label->key)).text);
	return label_policy_read(label->key, &place, set, labels);
}

void label_policy_parse(const struct container *container, const struct policy_set *set, struct label_policy *ret)
{
	struct label_policy labels = { .present = false };
	struct error error = {};
	int r = 0;

	*ret = labels;
	/* Whatever `labels:` says: selectors and peers would have had to match by them, too. */
	if (container->labels_unknown)
		r = error_set(&error, -EINVAL, "the image is gone or cannot be read, so nobody can tell which labels are the container's own: "
			      "make the container anew, or bring the image back");
	else if (set && set->labels_ignore)
		return;
	for (size_t i = 0; i < container->label_count && r == 0; i++) {
		const struct label *label = &container->labels[i];

		if (!label_policy_concerns(label->key))
			continue;
		labels.present = true;
		r = read_label(label, set, &labels, &error);
	}
	if (labels.present && r == 0) {
		labels.policy.name = strdup("labels");
		if (!labels.policy.name)
			r = error_set(&error, -ENOMEM, "out of memory");
	}
	if (r < 0) {
		/* Half of a policy is none: only the sentence stays. Without memory even that may be missing. */
		label_policy_clear(&labels);
		labels.present = true;
		labels.invalid = true;
		labels.problem = strdup(error.text);
		labels.policy.name = strdup("labels");
	}
	*ret = labels;
}
