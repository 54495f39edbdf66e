# SPDX-License-Identifier: GPL-2.0
#
# make            build/dnetbpf
# make check      install what is missing, build, run every test
# make demo       install what is missing, build, show the main job
# make help       the other targets

BUILD	?= build
VERSION	?= 0.1.0-dev
PREFIX	?= /usr
DESTDIR	?=

CC	:= $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG	?= clang
BPFTOOL	?= bpftool
LLVM_STRIP ?= llvm-strip
PYTHON	?= /usr/bin/python3
# WERROR= builds with a compiler that knows warnings which ours does not.
WERROR	?= -Werror
CFLAGS	?= -O2 -g

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
# bpftool lives in sbin, which is not in everybody's PATH.
export PATH := $(PATH):/usr/sbin:/sbin
# Without this, make deletes objects that only a chain of pattern rules mentions and builds them again next time.
.SECONDARY:

# Evaluated at first use and then kept: `make check` must be able to start before pkg-config and the libraries are
# installed, and a build must not start pkg-config once per file.
once = $(eval $1 := $2)$($1)
PACKAGES := libbpf libelf zlib libcap libseccomp libcurl jansson yaml-0.1 libmnl libmaxminddb libmicrohttpd libevent libsystemd
PACKAGE_CFLAGS = $(call once,PACKAGE_CFLAGS,$(shell pkg-config --cflags $(PACKAGES)))
PACKAGE_LIBS = $(call once,PACKAGE_LIBS,$(shell pkg-config --libs $(PACKAGES)))
CMOCKA_LIBS = $(call once,CMOCKA_LIBS,$(shell pkg-config --libs cmocka))
MULTIARCH = $(call once,MULTIARCH,$(shell $(CC) -print-multiarch))
UNIT_DIRECTORY = $(call once,UNIT_DIRECTORY,$(or $(shell pkg-config --variable=systemdsystemunitdir systemd 2>/dev/null),/lib/systemd/system))

WARNINGS := -Wall -Wextra $(WERROR)
# Two that gcc alone has. Sentences for a person may be cut: snprintf() into a bounded buffer is meant. And gcc does not
# follow that an out-parameter is set whenever the function returned 0.
NOT_WARNINGS := $(if $(findstring clang,$(CC)),,-Wno-format-truncation -Wno-maybe-uninitialized)
INCLUDES := -Iinclude -Iuser -I$(BUILD) -I$(BUILD)/bpf
COMMON	= -std=gnu11 -D_GNU_SOURCE -DDNETBPF_VERSION='"$(VERSION)"' $(WARNINGS) $(INCLUDES) $(PACKAGE_CFLAGS) -MMD -MP
HARDENED := -fPIE -fstack-protector-strong $(if $(findstring -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
RELEASE	= $(COMMON) $(NOT_WARNINGS) $(CPPFLAGS) $(CFLAGS) $(HARDENED)
# The first report ends the test: one that only prints would pass.
CHECKED	= $(COMMON) $(NOT_WARNINGS) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZED	= $(COMMON) -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
TESTED	= -Itests -I$(BUILD)/tests
LINKED	= -pie -Wl,-z,relro,-z,now $(LDFLAGS)
# clang does not know the host's multiarch folder when it compiles for bpf, and <linux/types.h> needs <asm/types.h>.
BPF_FLAGS = -g -O2 -target bpf -mcpu=v3 $(WARNINGS) -Iinclude -Ibpf -idirafter /usr/include/$(MULTIARCH) -MMD -MP

LIBRARY_SOURCES := $(wildcard user/*/*.c)
BPF_SOURCES	:= $(wildcard bpf/*.bpf.c)
TEST_BPF_SOURCES := $(wildcard tests/*/*.bpf.c)
UNIT_SOURCES	:= $(wildcard tests/unit/test_*.c)
PACKET_SOURCES	:= $(filter-out %.bpf.c,$(wildcard tests/packet/*.c))
# On the frames, tables and namespace of tests/packet.
REFERENCE_SOURCES := $(wildcard tests/reference/*.c) $(filter-out %/main.c,$(PACKET_SOURCES))
BENCH_SOURCES	:= $(filter-out %.bpf.c,$(wildcard tests/bench/*.c))
TOOL_SOURCES	:= $(filter-out %.bpf.c,$(wildcard tests/lib/*.c))
FUZZ_SOURCES	:= $(wildcard tests/fuzz/*.c)

LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/obj/%.o)
CHECKED_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/asan/%.o)
FUZZED_OBJECTS	:= $(LIBRARY_SOURCES:%.c=$(BUILD)/fuzz/obj/%.o)
BPF_OBJECTS	:= $(BPF_SOURCES:bpf/%.c=$(BUILD)/bpf/%.o)
SKELETONS	:= $(BPF_OBJECTS:.bpf.o=.skel.h)
TEST_SKELETONS	:= $(foreach source,$(TEST_BPF_SOURCES),$(BUILD)/tests/$(patsubst %.bpf.c,%.skel.h,$(notdir $(source))))
UNIT_TESTS	:= $(UNIT_SOURCES:tests/%.c=$(BUILD)/tests/%)
TOOLS		:= $(TOOL_SOURCES:tests/lib/%.c=$(BUILD)/tests/%)
FUZZERS		:= $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/fuzz/%)
TEST_PROGRAMS	:= $(UNIT_TESTS) $(TOOLS) $(if $(PACKET_SOURCES),$(BUILD)/tests/packet $(BUILD)/tests/reference) $(if $(BENCH_SOURCES),$(BUILD)/tests/bench)

.PHONY: all tests check unit packet reference net docker kernels bench fuzz fuzzers demo setup install uninstall clean help FORCE
all: $(BUILD)/dnetbpf
tests: all $(TEST_PROGRAMS)

# Full command lines with V=1.
ifneq ($(V),)
say = @:
quiet =
else
say = @printf '  %-8s %s\n' '$1' '$(patsubst $(BUILD)/%,%,$@)'
quiet = @
endif

# A missing tool is one sentence here instead of a screen of errors there.
$(BUILD)/.tools: scripts/setup
	@mkdir -p $(@D)
	@scripts/setup --dry-run build
	@touch $@

# Rewritten only when the content changes: other flags or another set of sources rebuild, nothing else does.
define remember
	@mkdir -p $(@D)
	@printf '%s\n' '$1' | cmp -s - $@ || printf '%s\n' '$1' > $@
endef
$(BUILD)/.flags: FORCE | $(BUILD)/.tools
	$(call remember,$(CC) $(CLANG) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(VERSION) $(WARNINGS))
$(BUILD)/.sources: FORCE
	$(call remember,$(LIBRARY_SOURCES))

# --- the programs in the kernel: object, without DWARF but with BTF, then skeleton
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,BPF)
	$(quiet)$(CLANG) $(BPF_FLAGS) -MF $(@:.o=.d) -MT $@ -c $< -o $@
	$(quiet)$(LLVM_STRIP) -g $@

define test_bpf_rule
$(BUILD)/tests/$(patsubst %.c,%.o,$(notdir $1)): $1 $(BUILD)/.flags
	@mkdir -p $$(@D)
	$$(call say,BPF)
	$$(quiet)$$(CLANG) $$(BPF_FLAGS) -MF $$(@:.o=.d) -MT $$@ -c $$< -o $$@
	$$(quiet)$$(LLVM_STRIP) -g $$@
endef
$(foreach source,$(TEST_BPF_SOURCES),$(eval $(call test_bpf_rule,$(source))))

%.skel.h: %.bpf.o
	$(call say,SKELETON)
	$(quiet)$(BPFTOOL) gen skeleton $< > $@

# --- the user side: one library, built three times (release, sanitizers, fuzzer)
# Skeletons are order-only: the dependency files say who really includes which.
$(BUILD)/obj/user/%.o: user/%.c $(BUILD)/.flags | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(quiet)$(CC) $(RELEASE) -c $< -o $@
$(BUILD)/asan/user/%.o: user/%.c $(BUILD)/.flags | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(quiet)$(CC) $(CHECKED) -c $< -o $@
$(BUILD)/fuzz/obj/user/%.o: user/%.c $(BUILD)/.flags | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CLANG)
	$(quiet)$(CLANG) $(FUZZED) -c $< -o $@
$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/.flags | $(SKELETONS) $(TEST_SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(quiet)$(CC) $(RELEASE) $(TESTED) -c $< -o $@
$(BUILD)/asan/tests/%.o: tests/%.c $(BUILD)/.flags | $(SKELETONS) $(TEST_SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(quiet)$(CC) $(CHECKED) $(TESTED) -c $< -o $@

# The archive is made anew: `ar r` would keep the members of deleted sources.
define archive
	$(call say,AR)
	@rm -f $@
	$(quiet)$(AR) rcs $@ $(filter %.o,$^)
endef
$(BUILD)/libdnetbpf.a: $(LIBRARY_OBJECTS) $(BUILD)/.sources
	$(archive)
$(BUILD)/asan/libdnetbpf.a: $(CHECKED_OBJECTS) $(BUILD)/.sources
	$(archive)
$(BUILD)/fuzz/libdnetbpf.a: $(FUZZED_OBJECTS) $(BUILD)/.sources
	$(archive)

$(BUILD)/dnetbpf: $(BUILD)/obj/user/main.o $(BUILD)/libdnetbpf.a
	$(call say,LINK)
	$(quiet)$(CC) $(CFLAGS) $(LINKED) $^ $(PACKAGE_LIBS) -o $@

# --- tests
$(BUILD)/tests/unit/%: $(BUILD)/asan/tests/unit/%.o $(BUILD)/asan/libdnetbpf.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) -fsanitize=address,undefined $^ $(CMOCKA_LIBS) $(PACKAGE_LIBS) -o $@
$(BUILD)/tests/packet: $(PACKET_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/libdnetbpf.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) $(CFLAGS) $(LINKED) $^ $(PACKAGE_LIBS) -o $@
$(BUILD)/tests/reference: $(REFERENCE_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/libdnetbpf.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) $(CFLAGS) $(LINKED) $^ $(PACKAGE_LIBS) -o $@
$(BUILD)/tests/bench: $(BENCH_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/libdnetbpf.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) $(CFLAGS) $(LINKED) $^ $(PACKAGE_LIBS) -o $@
# Static: they are also the only programs in the containers of the Docker tests.
$(BUILD)/tests/netprobe $(BUILD)/tests/packetprobe: $(BUILD)/tests/%: tests/lib/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(NOT_WARNINGS) -Iinclude -MMD -MP $(CFLAGS) -static $< -o $@
$(BUILD)/tests/%: $(BUILD)/obj/tests/lib/%.o $(BUILD)/libdnetbpf.a
	@mkdir -p $(@D)
	$(call say,LINK)
	$(quiet)$(CC) $(CFLAGS) $(LINKED) $^ $(PACKAGE_LIBS) -o $@
$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libdnetbpf.a
	$(call say,LINK)
	$(quiet)$(CLANG) $(FUZZED) $(TESTED) -fsanitize=fuzzer $(filter %.c %.a,$^) $(PACKAGE_LIBS) -o $@
fuzzers: $(FUZZERS)

# Each suite alone, the same way as in `make check`: tests/run counts, and a suite that does not run is a failure.
RUN = $(PYTHON) tests/run --build $(BUILD)
unit: $(UNIT_TESTS)
	$(RUN) unit
packet: $(BUILD)/tests/packet
	$(RUN) packet
reference: $(BUILD)/tests/reference
	$(RUN) reference
net docker: tests
	$(RUN) $@
kernels: all $(BUILD)/tests/packet
	$(RUN) kernels
fuzz: fuzzers
	$(RUN) --fuzz-seconds 60 fuzz
bench:
	scripts/setup bench
	$(MAKE) --no-print-directory all $(BUILD)/tests/bench
	$(BUILD)/tests/bench $(BUILD)/dnetbpf

# Setup comes first and its failure does not end the run: what can be tested is, and the sum says that it failed.
# The build is a step of tests/run, for the same reason.
check:
	@failed=; scripts/setup check || failed=--setup-failed; \
	[ -x $(PYTHON) ] || { echo 'There is no $(PYTHON): nothing can be tested.'; echo '0 passed, 1 failed, 0 skipped'; exit 1; }; \
	MAKE='$(MAKE)' $(RUN) $$failed check

demo:
	@BUILD=$(BUILD) MAKE='$(MAKE)' scripts/demo
setup:
	scripts/setup build
	scripts/setup check

# --- installation
SBIN	:= $(PREFIX)/sbin
EXAMPLE_DIRECTORY := $(PREFIX)/share/doc/dnetbpf/examples
MANUALS	:= $(wildcard docs/*.[158])
EXAMPLES := $(wildcard examples/*)
install: all
	install -D -m 0755 $(BUILD)/dnetbpf $(DESTDIR)$(SBIN)/dnetbpf
	install -d $(DESTDIR)$(UNIT_DIRECTORY)
	sed 's|/usr/sbin/dnetbpf|$(SBIN)/dnetbpf|' packaging/dnetbpf.service > $(DESTDIR)$(UNIT_DIRECTORY)/dnetbpf.service
	chmod 0644 $(DESTDIR)$(UNIT_DIRECTORY)/dnetbpf.service
	install -d $(DESTDIR)$(EXAMPLE_DIRECTORY)
	install -m 0644 $(EXAMPLES) $(DESTDIR)$(EXAMPLE_DIRECTORY)
	$(foreach manual,$(MANUALS),install -D -m 0644 $(manual) $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(manual)))/$(notdir $(manual));)
uninstall:
	rm -f $(DESTDIR)$(SBIN)/dnetbpf $(DESTDIR)$(UNIT_DIRECTORY)/dnetbpf.service
	rm -f $(foreach manual,$(MANUALS),$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(manual)))/$(notdir $(manual)))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/dnetbpf
clean:
	rm -rf $(BUILD)

help:
	@echo 'all (default)  build/dnetbpf'
	@echo 'check          install what is missing, build, run every test; the last line is the sum'
	@echo 'demo           install what is missing, build, show the main job'
	@echo 'unit packet reference net docker kernels fuzz   one suite each'
	@echo 'bench          measure'
	@echo 'install uninstall   honour DESTDIR= and PREFIX= (now $(PREFIX))'
	@echo 'setup clean    install all packages for building and testing; remove $(BUILD)'
	@echo 'Variables: V=1 (full command lines), BUILD=DIR, CFLAGS, WERROR= (empty: warnings are no errors), CC, CLANG, BPFTOOL'

-include $(shell find $(wildcard $(addprefix $(BUILD)/,obj asan fuzz bpf tests)) /dev/null -name '*.d')
