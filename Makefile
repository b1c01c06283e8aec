# Qasid. `make` builds the release binary; `make demo` and `make check` install what they need,
# build, and show or prove the thing. Objects go to build/<variant>/, never into the source tree.
#
#   make            release build          make demo      the main job, before your eyes
#   make check      every test             make quick     unit tests, conversations, simulated world
#   make install    DESTDIR= PREFIX=       make bench     measurements (bench-peers: beside Postfix, Dovecot)
#   make uninstall  the same
#   make asan tsan  sanitizer builds       make fuzz      fuzzers, FUZZ_SECONDS= each
#   make lint cover                        make world SEEDS=100000
#   make soak       what make check samples, whole: some hours

CC      ?= gcc
VARIANT ?= release
BUILD   ?= build
OUT     := $(BUILD)/$(VARIANT)
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
VERSION := 0.1.0

PACKAGES := openssl sqlite3 libevent_core libseccomp libconfuse jansson libcrypt libunbound libidn2
PKG      := pkg-config

WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
            -Wwrite-strings -Wundef -Wformat=2 -Wno-unused-parameter -Wno-missing-field-initializers -Wimplicit-fallthrough
CFLAGS_release := -O2 -g -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
            -fcf-protection -ftrivial-auto-var-init=zero -fno-strict-overflow -ffunction-sections -fdata-sections
LDFLAGS_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections
CFLAGS_asan := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DQASID_TEST_HOOKS
LDFLAGS_asan := -fuse-ld=gold -fsanitize=address,undefined
CFLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer -DQASID_TEST_HOOKS
LDFLAGS_tsan := -fsanitize=thread
# Lines and names are all that a sanitizer's report needs of -g, and gold (binutils) links the many test programs in half
# the time. It warns of what clang's own runtime exports, so the fuzzers are linked as ever.
# Sanitizers need more system calls than the sandbox allows: what is confined is tested without them.
CFLAGS_hooks := $(CFLAGS_release) -DQASID_TEST_HOOKS
LDFLAGS_hooks := $(LDFLAGS_release)
CFLAGS_fuzz := -O1 -gline-tables-only -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DQASID_TEST_HOOKS
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
CFLAGS_cover := -O0 -g --coverage -DQASID_TEST_HOOKS
LDFLAGS_cover := --coverage

LIBS     = $(shell $(PKG) --libs $(PACKAGES)) -lunistring -lpthread
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DQASID_VERSION='"$(VERSION)"' -I. $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

# Everything but main.c is one archive, so a test links just what it uses.
LIB_SRC  := $(filter-out src/main.c,$(wildcard lib/*/*.c mail/*.c mail/*/*.c ipc/*.c conf/*.c runtime/*/*.c src/*.c src/*/*.c src/*/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(OUT)/%.o)
UNIT     := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(wildcard tests/unit/test_*.c))
WORLD_SRC := $(filter-out tests/world/main_%.c,$(wildcard tests/world/*.c))
WORLD_OBJ := $(WORLD_SRC:%.c=$(OUT)/%.o)
FUZZ     := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.DELETE_ON_ERROR:
.PHONY: all confined demo check soak quick conv install install-files install-systemd uninstall asan tsan fuzz fuzzers tests bench bench-peers lint cover world unit-run clean deps test-deps lint-deps
all: $(OUT)/qasid

$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# The hooks variant is the release but for the few files that see QASID_TEST_HOOKS, by what the compiler says they
# include: these are compiled, the others are the release's objects.
ifeq ($(VARIANT),hooks)
HOOK_FILES := $(shell grep -rlw QASID_TEST_HOOKS lib mail ipc conf runtime src --include=*.[ch])
RELEASE    := $(BUILD)/release
$(RELEASE)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS:-DQASID_TEST_HOOKS=) -c $< -o $@
$(LIB_OBJ) $(OUT)/src/main.o: $(OUT)/%.o: $(RELEASE)/%.o
	@mkdir -p $(@D)
	@rm -f $@ $(@:.o=.d)
	if grep -qF $(HOOK_FILES:%=-e %) $(<:.o=.d); then $(CC) $(ALL_CFLAGS) -c $*.c -o $@; else cp $< $@; fi
-include $(shell find $(RELEASE) -name '*.d' 2>/dev/null)
endif

$(OUT)/libqasid.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/qasid: $(OUT)/src/main.o $(OUT)/libqasid.a
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

# The simulated world: a test that wants its disk or clock links just that.
$(OUT)/libworld.a: $(WORLD_OBJ)
	@rm -f $@
	ar rcs $@ $^

# In these, memory can be made to run out (tests/world/alloc_fail.h).
WRAP_MEMORY := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(OUT)/unit/test_pop3_client_torture $(OUT)/unit/test_store_memory: ALL_LDFLAGS += $(WRAP_MEMORY)
WORLD := $(OUT)/world/conv-world $(OUT)/world/world
$(OUT)/world/conv-world: $(OUT)/tests/world/main_conv.o
# What dials runs there as it is: these objects stand before the archive, in the place of its loop, sockets and TLS.
OUTSIDE_OBJ := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/world/outside/*.c))
$(OUT)/world/world: $(OUT)/tests/world/main_world.o $(OUTSIDE_OBJ)
$(WORLD): $(OUT)/libworld.a $(OUT)/libqasid.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $(WRAP_MEMORY) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@

# What is confined is tested without a simulated world.
LIBWORLD := $(if $(filter hooks,$(VARIANT)),,$(OUT)/libworld.a)
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $(LIBWORLD) $(OUT)/libqasid.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -lcmocka -o $@

$(OUT)/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/libqasid.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(OUT)/load: bench/load.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) $< -lssl -lcrypto -o $@

$(OUT)/sink: bench/sink.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) $< -o $@

$(OUT)/auth_logins: $(OUT)/bench/auth_logins.o $(OUT)/libqasid.a
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -lm -o $@

$(OUT)/store_jobs: $(OUT)/bench/store_jobs.o $(OUT)/libqasid.a
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -lm -o $@

# Units of work whose instructions tests/count/held counts.
COUNT_OBJ := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/count/*.c))
$(OUT)/count: $(COUNT_OBJ) $(OUT)/libqasid.a
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -lcmocka -o $@

# --- the two commands, and what they are made of ---
deps:
	@tools/deps build
test-deps:
	@tools/deps test
lint-deps:
	@tools/deps lint

demo: deps
	@tools/deps demo
	@$(MAKE) -j$(JOBS) --no-print-directory -s all
	@tools/demo $(BUILD)/release/qasid

check: test-deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s all $(BUILD)/release/world/world $(BUILD)/release/count
	@$(MAKE) -j$(JOBS) --no-print-directory -s tests VARIANT=asan
	@$(MAKE) -j$(JOBS) --no-print-directory -s confined VARIANT=hooks
	@$(MAKE) -j$(JOBS) --no-print-directory -s fuzzers VARIANT=fuzz CC=clang
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),3) tests/run $(BUILD)/asan lint links docs count unit conv world real clients fuzz

# All that check takes a sample of: every disturbance of every conversation, 10,000 seeds, long fuzzing.
soak: test-deps
	@SOAK=1 FUZZ_SECONDS=$(or $(FUZZ_SECONDS),300) $(MAKE) --no-print-directory check

quick:
	@$(MAKE) -j$(JOBS) --no-print-directory -s tests VARIANT=asan
	@tests/run $(BUILD)/asan unit conv world-quick

tests: $(OUT)/qasid $(UNIT) $(WORLD)
fuzzers: $(FUZZ)
confined: $(OUT)/qasid $(OUT)/unit/test_sandbox $(OUT)/unit/test_resolver_process

asan:
	@$(MAKE) -j$(JOBS) --no-print-directory tests VARIANT=asan
tsan:
	@$(MAKE) -j$(JOBS) --no-print-directory tests VARIANT=tsan
	@tests/run $(BUILD)/tsan unit
fuzz: test-deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s fuzzers VARIANT=fuzz CC=clang
	@tests/run $(BUILD)/asan fuzz

# Every conversation with every allocation and every question failed in turn: ten thousand runs, some minutes.
conv: test-deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s tests VARIANT=asan
	@$(BUILD)/asan/world/conv-world --all tests/conv/*/

world: test-deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s tests VARIANT=asan
	@SEEDS=1..$(or $(SEEDS),10000) tests/run $(BUILD)/asan world

cover: lint-deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s tests VARIANT=cover
	@tests/run $(BUILD)/cover unit conv
	@gcovr -r . --object-directory $(BUILD)/cover -e tests -e bench --sort-uncovered --print-summary

lint: lint-deps
	@tools/lint

bench: deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s all $(BUILD)/release/load $(BUILD)/release/sink
	@bench/run $(BUILD)/release
bench-peers: deps
	@$(MAKE) -j$(JOBS) --no-print-directory -s all $(BUILD)/release/load $(BUILD)/release/sink
	@bench/run $(BUILD)/release peers

unit-run: $(UNIT)
	@tests/run $(OUT) unit

# What is installed: a line "mode source target" each, which `install` and `uninstall` both go by. The unit and
# the users are apart, as the tools that make a package have places and scripts of their own for them.
DOCDIR   := share/doc/qasid
INSTALLED_FILES := 755:$(OUT)/qasid:bin/qasid \
  644:docs/man/qasid.1:share/man/man1/qasid.1 644:docs/man/qasid.conf.5:share/man/man5/qasid.conf.5 \
  644:docs/man/qasid-log.5:share/man/man5/qasid-log.5 \
  644:packaging/qasid.bash-completion:share/bash-completion/completions/qasid \
  $(foreach f,fail2ban-filter.conf fail2ban-jail.conf logrotate.conf logwatch.conf logwatch-script,644:packaging/$(f):$(DOCDIR)/packaging/$(f)) \
  $(foreach f,docs/qasid.conf.sample README.md NEWS.md LICENSE SECURITY.md,644:$(f):$(DOCDIR)/$(notdir $(f))) \
  $(foreach f,$(sort $(wildcard docs/*.md)),644:$(f):$(DOCDIR)/$(f))
INSTALLED_SYSTEMD := 644:packaging/qasid.service:lib/systemd/system/qasid.service \
  644:packaging/qasid.sysusers:lib/sysusers.d/qasid.conf
field = $(word $(1),$(subst :, ,$(2)))
define put
install -D -m $(call field,1,$(1)) $(call field,2,$(1)) $(DESTDIR)$(PREFIX)/$(call field,3,$(1))

endef

install: install-files install-systemd
install-files: all
	$(foreach f,$(INSTALLED_FILES),$(call put,$(f)))
install-systemd:
	$(foreach f,$(INSTALLED_SYSTEMD),$(call put,$(f)))
# Mail, configuration and users stay.
uninstall:
	rm -f $(foreach f,$(INSTALLED_FILES) $(INSTALLED_SYSTEMD),$(DESTDIR)$(PREFIX)/$(call field,3,$(f)))
	-rmdir $(DESTDIR)$(PREFIX)/$(DOCDIR)/docs $(DESTDIR)$(PREFIX)/$(DOCDIR)/packaging $(DESTDIR)$(PREFIX)/$(DOCDIR)

clean:
	rm -rf $(BUILD)

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
