# Kenpin's commands. Each sets up what it needs on a fresh Debian or Ubuntu machine; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

export ORT_DYLIB_PATH ?= $(CURDIR)/target/setup/libonnxruntime.so
FEATURES := --features broker
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)
RUN_TESTS := $(if $(NEXTEST),cargo nextest run --no-fail-fast,cargo test --no-fail-fast)

.PHONY: help demo demo-heat learn demo-tract test test-systemd test-tract test-tensorrt soak bench profile test-recipe lint features models models-full arm64 deb deb-arm64 test-deb vm-test clean

help: ## what each command does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## inspect the 656 ELPV test cells end to end and print the table
	@cross/setup demo
	cargo build --release --locked $(FEATURES)
	target/release/kenpin demo $(DEMO)

demo-heat: ## the same cells on a made-up board that grows hot and cools down: rungs change, no part is lost
	@cross/setup demo
	cargo build --release --locked $(FEATURES)
	target/release/kenpin demo heat $(DEMO)

learn: ## what fusion learns from the ELPV cells, and how often its bounds on escapes are exceeded, in target/learn
	@cross/setup demo
	cargo build --release --locked $(FEATURES)
	tests/learn.py $(LEARN)

demo-tract: ## the same with libonnxruntime taken away: tract serves, and every verdict says so
	@cross/setup demo
	cargo build --locked --features broker,tract
	env -u ORT_DYLIB_PATH target/debug/kenpin demo --backends onnxruntime,tract --onnxruntime-library target/no-such-library --out target/demo-tract $(DEMO)

test: ## every test but tract's: units, properties, the whole road, brokers killed, processes killed
	@cross/setup test
	$(RUN_TESTS) --locked $(FEATURES)

test-systemd: ## the unit: systemd-analyze verify silent, exposure at most 2.0, every setting left out with its reason
	@cross/setup systemd
	tests/systemd.sh

soak: ## an hour of two cameras at 30 frames a second: memory, open files, latency, nothing lost
	@cross/setup test
	cargo build --release --locked $(FEATURES)
	tests/soak.py $(SOAK)

test-tract: ## the conformance suite with tract beside ONNX Runtime (builds for long)
	@cross/setup test
	cargo test --locked --features broker,tract --test it conformance

test-tensorrt: ## each TensorRT option through ONNX Runtime's own parser, and a probe that really crashes (250 MB)
	@cross/tensorrt
	cargo test --locked $(FEATURES) --test it tensorrt:: -- --ignored --nocapture

BENCH := target/bench
BENCH_PYTHON := target/setup/bench/bin/python

$(BENCH)/jpeg: tests/bench/frames.py
	$(BENCH_PYTHON) $< target/setup/elpv/elpv_dataset/data/images models/elpv/test.txt $(BENCH)
	@touch $@

$(BENCH)/models: tests/bench/models.py $(BENCH)/jpeg
	$(BENCH_PYTHON) $< $(BENCH)/models $(BENCH)/jpeg
	@touch $@

bench: ## Kenpin's cost per part over its floors, beside a plain Python script, in target/bench/report.json
	@cross/setup bench
	@$(MAKE) --no-print-directory $(BENCH)/models
	cargo bench --locked $(FEATURES) --bench road

profile: ## instructions per part by function on the road of the smallest model, in target/bench/profile.txt
	@cross/setup profile
	@$(MAKE) --no-print-directory $(BENCH)/models
	cargo bench --locked $(FEATURES) --bench road --no-run
	tests/bench/profile.py $(BENCH)/profile.txt

lint: ## format, clippy, docs and (where installed) cargo deny, all with warnings denied
	@cross/setup build
	cargo fmt --check
	cargo clippy --locked --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps $(FEATURES)
	@if command -v cargo-deny >/dev/null; then cargo deny --all-features check; else \
	echo "lint: cargo-deny is not installed$${CI:+ in CI}: licences, advisories and sources were NOT checked" >&2; fi

features: ## each cargo feature alone, and none, only checked
	@cross/setup build
	cargo check --locked --no-default-features
	for feature in ort tokenizers v4l tract broker; do cargo check --locked --no-default-features --features $$feature; done

models: ## a small version of every model in minutes, in target/recipe-quick (Python, PyTorch: 5 GB)
	$(MAKE) -C models/recipe quick

models-full: ## every model anew, with cross-validation: hours; goes on after an interruption
	$(MAKE) -C models/recipe all

test-recipe: ## the tests of the training recipe, with parallel training on two processes (PyTorch: 5 GB)
	$(MAKE) -C models/recipe test

arm64: ## build for boards without Docker: one binary for glibc 2.31 (JetPack 5) and newer, in target/arm64
	cross/build arm64

# deb PROCESSOR: the package of what cross/build left, in target/deb.
define deb
	@cross/setup deb
	CARGO_TARGET_DIR=target/$(1) target/setup/cargo-deb --quiet --no-build --no-strip --target $(2)-unknown-linux-gnu --output target/deb/
	@ls -l target/deb/kenpin_*_$(1).deb
endef

deb-arm64: arm64 ## the Debian package for JetPack 5, 6 and 7, in target/deb
	$(call deb,arm64,aarch64)

deb: ## the Debian package for x86_64, in target/deb
	cross/build amd64
	$(call deb,amd64,x86_64)

test-deb: deb ## the x86_64 package on a Debian 12 in a folder: inspected, installed, purged, nothing left
	@cross/setup deb-test
	tests/deb.sh

vm-test: deb-arm64 ## an arm64 machine in QEMU with systemd, two cameras and a broker: install, break, cut off, upgrade, purge
	@cross/setup vm
	tests/vm/image
	tests/vm/run.py

clean: ## remove everything that was built or fetched
	rm -rf target
