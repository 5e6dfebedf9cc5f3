# Thin aliases of the commands, for a checkout. `--home .` keeps everything a run writes beside the code.
PORT ?= 8082
LANEKEEPER = bin/lanekeeper
HOMEDIR = --home .
# Of the drills; what is not given is as the plan has it.
# FAULTS is the share of the requests that meet a fault; it takes a twin of the drill's own.
SIZE = $(if $(FAULTS),--twin --fault-rate $(FAULTS)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(COUNT),--count $(COUNT)) $(if $(CONCURRENCY),--concurrency $(CONCURRENCY))

.DEFAULT_GOAL := help
.PHONY: help setup check test test-unit properties fuzz simulate demo mitm tee-on tee-off versions schema clean soak burst parallel warmup chaos ab \
	hostile-peers hostile-tools hostile-soak hostile-peers-h2 \
	longrun longrun-model-only summarize prune-results session gates handoff bundle bench bench-micro

help:
	@echo 'make demo      offline proof in under a minute'
	@echo 'make test      everything: lint, types, unit tests, tests of the whole with the SDK and Claude Code'
	@echo 'make mitm      runs the proxy on port $(PORT)'
	@echo 'make soak      make burst     make parallel    make warmup    drills; MINUTES= COUNT= CONCURRENCY= FAULTS='
	@echo 'make longrun   make longrun-model-only    a soak with snapshots; MINUTES= METRICS_EVERY='
	@echo 'make chaos     ends, kills and restarts a proxy in the middle of running streams'
	@echo 'make ab        HTTP/2 against HTTP/1.1, x-api-key against authorization; MINUTES='
	@echo 'make hostile-soak   drills under faults and hostile input at once; MINUTES=   hostile-peers hostile-tools: against Debian programs'
	@echo 'make summarize make prune-results   the ledger measured; old snapshots of it removed (KEEP=)'
	@echo 'make session   the long session, all of it; QUICK=1 in a minute and a half, MINUTES= of its soak'
	@echo 'make handoff   make gates     make bundle      what a session leaves; judged; archived'
	@echo 'make bench     what the proxy costs, next to what else could stand in its place; QUICK=1 PEERS=install'
	@echo 'make bench-micro    micro-benchmarks of the core with their noise; JSON=1 COMPARE= CELL='
	@echo 'make check     lint and types only;  make test-unit  unit tests only'
	@echo 'make properties     the properties by other seeds; SEEDS= FIRST='
	@echo 'make fuzz      all fuzzing targets, guided by coverage; TARGET= CASES= SECONDS= SEED= KEEP=1'
	@echo 'make hostile-peers-h2   hostile HTTP/2 against nginx, haproxy and mitmproxy too; h2load and python3-h2 against ours'
	@echo 'make sbom      bill of materials, sbom.json;  make licences  those of everything that is installed'
	@echo 'make simulate  seeds of the simulator; SEEDS= FIRST= SWEEP=1 VERBOSE=1'
	@echo 'make tee-on    make tee-off    make versions    make clean'

# npm ci brings the runtime too: the package `node` holds the Node that everything here runs on.
setup: node_modules/.installed
node_modules/.installed: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@node_modules/.bin/node -e 'process.exit(0)'
	@touch $@

check: setup
	npm run --silent check

test: check
	npm run --silent test

test-unit: setup
	npm run --silent test:unit

# The properties again, by SEEDS other seeds than that of the tests (test/support/properties.ts).
properties: setup
	@for seed in $$(seq $(or $(FIRST),1) $$(($(or $(FIRST),1) + $(or $(SEEDS),10) - 1))); do \
		PROPERTY_SEED=$$seed $(NODE) --test --test-reporter=dot --test-concurrency=2 --test-timeout=300000 \
			$$(grep -rl support/properties.ts --include='*.test.ts' src test sim) || { echo "PROPERTY_SEED=$$seed"; exit 1; }; \
	done

fuzz: setup
	$(if $(TARGET),,FUZZ_CASES=$(or $(CASES),200000) npm run --silent test:fuzz)
	npm run --silent fuzz -- $(if $(CASES),--cases $(CASES)) $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

# COMPARE is the output of an earlier `make bench-micro JSON=1`.
bench-micro: setup
	@node_modules/.bin/node bench/micro.ts $(if $(JSON),--json) $(if $(CELL),--cell '$(CELL)') $(if $(COMPARE),--compare $(COMPARE))

# Any seeds of the simulator; a failing one says how to replay it. SWEEP=1 breaks one exchange of each off
# at every byte, VERBOSE=1 tells what came up.
simulate: setup
	npm run --silent simulate -- --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1) $(if $(SWEEP),--sweep) $(if $(VERBOSE),--verbose)

demo: setup
	$(LANEKEEPER) demo $(HOMEDIR)

mitm: setup
	$(LANEKEEPER) start --port $(PORT) $(HOMEDIR)

tee-on tee-off: setup
	$(LANEKEEPER) tee $(@:tee-%=%) $(HOMEDIR)

versions: setup
	$(LANEKEEPER) versions $(HOMEDIR)

soak burst parallel ab: setup
	$(LANEKEEPER) drill $@ $(SIZE) $(HOMEDIR)

# Lanes alternate by the switch `force` at run time, or by the model with the switch on throughout.
METRICS_EVERY ?= 10
longrun: setup
	$(LANEKEEPER) drill soak --alternate force --metrics-every $(METRICS_EVERY) $(SIZE) $(HOMEDIR)

longrun-model-only: setup
	$(LANEKEEPER) drill soak --alternate model --metrics-every $(METRICS_EVERY) $(SIZE) $(HOMEDIR)

warmup chaos: setup
	$(LANEKEEPER) drill $@ $(HOMEDIR)

# What nginx, haproxy and mitmproxy do with the hostile requests; the attacks of varnishtest and slowhttptest; all of it at
# once for MINUTES. Debian's programs are installed where they are missing and it may be (docs/hostile-input.md).
NODE = node_modules/.bin/node
DEBIAN = sh -c 'dpkg -s "$$@" >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends "$$@"' debian
hostile-peers: setup
	$(DEBIAN) nginx-light haproxy mitmproxy
	$(NODE) test/hostile/peers/run.ts

hostile-tools: setup
	$(DEBIAN) varnish slowhttptest
	$(NODE) test/hostile/tools/run.ts

hostile-soak: setup
	$(NODE) test/hostile/soak-run.ts $(if $(MINUTES),--minutes $(MINUTES))

summarize: setup
	$(LANEKEEPER) summarize $(HOMEDIR)

gates handoff bundle: setup
	$(LANEKEEPER) $@ $(HOMEDIR)

# QUICK=1 goes the same way in a minute and a half, on simulated upstreams.
session: setup
	$(LANEKEEPER) session $(if $(QUICK),--quick) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(CLAUDE),--claude $(CLAUDE)) $(HOMEDIR)

# PEERS=install fetches what it is compared with: Debian's packages as root, npm's into bench/peers.
bench: setup
	$(if $(filter install,$(PEERS)),sh bench/peers/install.sh)
	node_modules/.bin/node bench/run.ts $(if $(QUICK),--quick) $(if $(OUT),--out $(OUT))

prune-results: setup
	$(LANEKEEPER) prune $(if $(KEEP),--keep $(KEEP)) $(HOMEDIR)

# Installs what is missing of Debian's, where it may, and writes what the peers did to docs/hostile-input-h2.md.
hostile-peers-h2: setup
	node_modules/.bin/node test/hostile/h2/peers/compare.ts
	node_modules/.bin/node --test test/hostile/h2/tools.test.ts

schema: setup
	npm run --silent schema

.PHONY: sbom licences
sbom licences: setup
	npm run --silent $@

clean:
	rm -rf node_modules dist .cache bench/results bench/peers/node_modules logs results run ca ab bundle VERSIONS.json sbom.json docs/SESSION_HANDOFF.md
