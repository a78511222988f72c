# testpool is plain PGXS: make, make install and make installcheck take PG_CONFIG=…
# `make demo` and `make test` do everything on a fresh Debian or Ubuntu; the rest is below.

EXTENSION = testpool
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" testpool.control)
MODULE_big = testpool
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*.cpp src/*/*.cpp)))
DATA = $(wildcard sql/testpool--*.sql)

# The tests run in the home database of a server that has testpool preloaded.
REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --use-existing
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=test/isolation --use-existing

PG_CONFIG ?= pg_config
PG_CPPFLAGS = -Isrc -DTESTPOOL_VERSION='"$(EXTVERSION)"' \
	$(if $(POINTS),-DTESTPOOL_POINTS)
PG_CXXFLAGS = -std=gnu++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics -MMD -MP \
	-Wall -Wextra -Wno-register -Wno-volatile -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
# For test/sanitized and test/coverage: what is undefined ends the process; lines that run are counted.
instruments = $(if $(UBSAN),-fsanitize=undefined -fno-sanitize-recover=all) $(if $(COVERAGE),--coverage)
PG_CXXFLAGS += -fstack-protector-strong $(instruments)
SHLIB_LINK += -Wl,--version-script=src/testpool.exports,-z,relro,-z,now,-z,noexecstack $(instruments)
override with_llvm = no
EXTRA_CLEAN = $(OBJS:.o=.d) build results test/isolation/output_iso test/isolation/results

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
-include $(OBJS:.o=.d)
CONTRIB_TESTDB = $(or $(PGDATABASE),postgres)
ISOLATION_TESTDB = $(CONTRIB_TESTDB)

.PHONY: gateway install-gateway test-gateway test-clients demo test torture lint coverage bench matrix docker packages preloads dist
gateway: ; $(MAKE) -C gateway PG_CONFIG=$(PG_CONFIG)
install-gateway: ; $(MAKE) -C gateway install PG_CONFIG=$(PG_CONFIG)
test-gateway: ; gateway/test/run
test-clients: ; clients/test/run $(CLIENTS)
demo: ; examples/demo/run
test: ; test/run
torture: ; test/setup build test && test/torture/run $(TORTURE)
lint: ; test/lint
coverage: ; test/coverage
bench: ; bench/run $(if $(FULL),--full)
matrix: ; test/matrix
docker: ; test/docker/run
packages: ; test/packages
preloads: ; test/preloads

# The archive for PGXN, of what is committed.
dist: ; git archive --format=zip --prefix=testpool-$(EXTVERSION)/ -o testpool-$(EXTVERSION).zip HEAD
