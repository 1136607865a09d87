# The front door. `make demo` draws pictures, `make test` builds and runs every test; both install what is missing.
BUILD ?= build

.PHONY: all demo test fixtures parity install clean
all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja: CMakeLists.txt tests/CMakeLists.txt
	@tools/install-packages
	@cmake -G Ninja -B $(BUILD) -S .

demo: all
	@tools/demo $(BUILD)/dit

test: all
	@ctest --test-dir $(BUILD) --output-on-failure

# Compares with the public implementations, live; needs Python, and several GB for their packages.
fixtures: all
	@tools/fixtures/check $(BUILD)/dit

# The same on random models, arguments and whole pipelines: make parity SEED=7 CASES=20. Needs the same.
parity: all
	@tools/parity --program $(BUILD)/dit --seed $(or $(SEED),0) --cases $(or $(CASES),4)
	@tools/parity --program $(BUILD)/dit --seed $(or $(SEED),0) --cases $(or $(CASES),4) --whole
	@tools/parity --program $(BUILD)/dit --traps

# make install [PREFIX=/usr/local] [DESTDIR=...]
install: all
	@cmake --install $(BUILD) $(if $(PREFIX),--prefix $(PREFIX))
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" -ne 0 ] || ldconfig # the library is found from now on

clean:
	@rm -rf $(BUILD)
