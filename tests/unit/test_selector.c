/* SPDX-License-Identifier: GPL-2.0 */
#include "unit/marked.h"

#include <errno.h>

#include "base/cleanup.h"
#include "config/rule.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void describe(const struct selector *selector, FILE *out)
{
	static const char *const kinds[] = {
		[SELECT_ALL] = "all", [SELECT_CONTAINER] = "container", [SELECT_SERVICE] = "service", [SELECT_LABEL] = "label",
		[SELECT_NETWORK] = "network", [SELECT_PROJECT] = "project", [SELECT_IMAGE] = "image",
		[SELECT_AND] = "and", [SELECT_OR] = "or", [SELECT_NOT] = "not",
	};

	fprintf(out, "%s", kinds[selector->kind]);
	if (selector->project)
		fprintf(out, " %s/", selector->project);
	if (selector->key)
		fprintf(out, " %s=", selector->key);
	if (selector->value)
		fprintf(out, " %s", selector->value);
	for (size_t i = 0; i < selector->child_count; i++) {
		fprintf(out, "%s", i ? ", " : "(");
		describe(&selector->children[i], out);
	}
	if (selector->child_count)
		fprintf(out, ")");
}

static void test_good(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "all", "all" },
		{ " all ", "all" },
		{ "container:web-*", "container web-*" },
		{ "service:web", "service web" },
		{ "service:shop/we?", "service shop/ we?" },
		{ "label:app=web", "label app= web" },
		{ "label:com.example/a=b=c:d", "label com.example/a= b=c:d" },
		{ "label:app=", "label app= " },
		{ "label:app=*", "label app= *" },
		{ "network:dmz", "network dmz" },
		{ "project:shop*", "project shop*" },
		{ "image:registry.example:5000/nginx:1.*", "image registry.example:5000/nginx:1.*" },
		/* "not" binds closer than "and", "and" closer than "or"; chains of one kind are flat */
		{ "not all", "not(all)" },
		{ "not not all", "not(not(all))" },
		{ "network:a and network:b", "and(network a, network b)" },
		{ "network:a and network:b and network:c", "and(network a, network b, network c)" },
		{ "network:a or network:b or network:c or network:d", "or(network a, network b, network c, network d)" },
		{ "network:a or network:b and network:c", "or(network a, and(network b, network c))" },
		{ "network:a and network:b or network:c", "or(and(network a, network b), network c)" },
		{ "not network:a and network:b", "and(not(network a), network b)" },
		{ "network:a and not network:b or not network:c", "or(and(network a, not(network b)), not(network c))" },
		/* parentheses, with and without spaces */
		{ "(all)", "all" },
		{ "( ( all ) )", "all" },
		{ "not (network:a or network:b)", "not(or(network a, network b))" },
		{ "(network:a or network:b) and network:c", "and(or(network a, network b), network c)" },
		{ "network:a and(not(network:b or network:c)and network:d)",
		  "and(network a, and(not(or(network b, network c)), network d))" },
		{ "project:shop and not (service:db or label:tier=back)", "and(project shop, not(or(service db, label tier= back)))" },
		/* words of the grammar as names */
		{ "container:and and container:not", "and(container and, container not)" },
		{ "all\n  and\tnot\r\nnetwork:a", "and(all, not(network a))" },
	};
	struct origin origin = { .file = (char *)"policy.yaml", .line = 1, .column = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct error error = {};
		struct selector selector;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(out);
		if (selector_parse(cases[i].text, &origin, &selector, &error) != 0)
			fail_msg("%s: %s", cases[i].text, error.text);
		describe(&selector, out);
		fclose(out);
		if (strcmp(text, cases[i].expected) != 0)
			fail_msg("%s: %s, not %s", cases[i].text, text, cases[i].expected);
		selector_clear(&selector);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "^", "select is empty" },
		{ "^web", "\"web\" selects nothing" },
		{ "^al", "did you mean \"all\"?" },
		{ "^any", "did you mean \"all\"?" },
		{ "^servce:web", "did you mean \"service:\"?" },
		{ "^name:web", "did you mean \"container:\"?" },
		{ "container:^", "the name of a container is missing" },
		{ "container:a^/b", "\"/\" cannot be" },
		{ "service:^/b", "the name of a project is missing" },
		{ "service:b/^", "the name of a service is missing" },
		{ "network:d^*", "takes no wildcards" },
		{ "label:app^", "write label:app=VALUE" },
		{ "label:^=web", "the name of a label is missing" },
		{ "label:^", "the name of a label is missing" },
		{ "label:a^?=web", "takes no wildcards" },
		{ "service:a and^", "is missing here" },
		{ "service:a and ^or service:b", "is missing here" },
		{ "^and service:a", "is missing here" },
		{ "not^", "is missing here" },
		{ "not ^)", "is missing here" },
		{ "(^)", "is missing here" },
		{ "all and (^", "is missing here" },
		{ "all and ^(service:a or (service:b)", "this parenthesis is not closed" },
		{ "all^)", "this parenthesis closes nothing" },
		{ "all ^service:b", "\"and\" or \"or\" is missing before \"service:b\"" },
		{ "all ^not service:b", "\"and\" or \"or\" is missing before \"not\"" },
		{ "all ^(service:b)", "missing before this parenthesis" },
		{ "label:a=b^(c)", "missing before this parenthesis" },
		{ "all ^adn service:b", "did you mean \"and\"?" },
		{ "all ^&& service:b", "write \"and\"" },
		{ "all ^|| service:b", "write \"or\"" },
		{ "service:a^, service:b", "write \"or\"" },
		{ "^! all", "did you mean \"not\"?" },
		{ "all and ^!service:a", "write \"not\" instead of \"!\"" },
		{ "all ^AND all", "did you mean \"and\"?" },
		{ "((((((((((((((((^all))))))))))))))))", "inside each other" },
		{ "not not not not not not not not not not not not not not not not ^all", "inside each other" },
	};
	struct origin origin = { .file = (char *)"policy.yaml", .line = 1, .column = 1 };
	struct selector untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct marked marked = marked_take(cases[i].text);
		struct selector selector = untouched;
		struct error error = {};

		if (selector_parse(marked.text, &origin, &selector, &error) != -EINVAL)
			fail_msg("%s: was accepted", marked.text);
		marked_check(&marked, "policy.yaml", error.text, cases[i].part);
		assert_memory_equal(&selector, &untouched, sizeof(selector));
		free(marked.text);
	}
}

static void test_bounds(void **state)
{
	struct origin origin = { .file = (char *)"policy.yaml", .line = 1, .column = 1 };
	_cleanup_free_ char *text = calloc(1, RULE_TEXT_MAX + 64);
	struct selector selector;
	struct error error;
	size_t n;

	(void)state;
	assert_non_null(text);
	/* A long chain is not deep. */
	strcpy(text, "all");
	for (n = strlen(text); n + 7 <= RULE_TEXT_MAX; n += 7)
		strcpy(text + n, " or all");
	assert_int_equal(selector_parse(text, &origin, &selector, &error), 0);
	assert_int_equal(selector.child_count, (n - 3) / 7 + 1);
	selector_clear(&selector);
	strcat(text, " or all");
	assert_int_equal(selector_parse(text, &origin, &selector, &error), -EINVAL);
	assert_non_null(strstr(error.text, "longer than"));
	/* The deepest that is allowed. */
	assert_int_equal(selector_parse("(((((((((((((((all)))))))))))))))", &origin, &selector, &error), 0);
	assert_int_equal(selector.kind, SELECT_ALL);
	selector_clear(&selector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
