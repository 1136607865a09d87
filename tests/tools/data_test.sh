# tests/tools/data_test.sh: sets made by tools/data are whole or absent, are checked, and need no network once made.
# A package of two files stands for Debian's; apt-get and apt-cache are stand-ins that hand it out and keep count.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tools/data" && pwd)
for need in python3 dpkg-deb; do
    command -v "$need" >/dev/null || { echo "no $need here: not tested"; exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_CACHE_HOME=$work/cache PATH=$work/bin:$PATH

fail() {
    echo "FAILED: $*"
    exit 1
}

mkdir -p package/DEBIAN package/usr/share/toys bin
printf 'Package: toys\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: toys\n' \
    >package/DEBIAN/control
echo one >package/usr/share/toys/one
echo two >package/usr/share/toys/two
dpkg-deb -b package toys.deb >/dev/null

cat >bin/apt-cache <<'S'
#!/bin/sh
echo "Version: 1.0"
echo "SHA256: $(sha256sum "$(dirname "$0")/../toys.deb" | cut -d' ' -f1)"
S
cat >bin/apt-get <<'S'
#!/bin/sh
echo x >>"$(dirname "$0")/../fetched"
cp "$(dirname "$0")/../toys.deb" ./toys_1.0_all.deb
S
cat >toys <<S
#!/usr/bin/env python3
"""Toys."""
import os, sys
sys.path.insert(0, "$tools")
from fetch import Failure, build, debian_package, members

def fill(folder):
    package, version = debian_package("toys")
    for name, data in members(package, lambda path: path.startswith("usr/share/toys/")):
        (folder / name.rsplit("/", 1)[1]).write_bytes(data)
        if os.environ.get("FAIL"):
            raise Failure("half of it is there")
        if os.environ.get("KILL"):
            os.kill(os.getpid(), 9)
    return "toys " + version

build("toys", fill)
S
chmod +x bin/* toys
set=$XDG_CACHE_HOME/dit/data/toys

# A run that fails or is killed half-way leaves no set.
! FAIL=1 ./toys >out 2>err || fail "a failing run succeeds"
grep -q '^tools/data/toys: half of it is there$' err || fail "$(cat err)"
[ ! -e "$set" ] || fail "a failed run leaves a set"
! KILL=1 ./toys >out 2>/dev/null || fail "a killed run succeeds"
[ ! -e "$set" ] || fail "a killed run leaves a set"

# The next one makes it from the package that is in the cache.
[ "$(./toys 2>err)" = "$set" ] || fail "the folder is not printed"
grep -q '^toys 1.0$' err || fail "$(cat err)"
[ "$(cat "$set/one" "$set/two")" = "$(printf 'one\ntwo')" ] || fail "the files are others"
(cd "$set" && sha256sum --quiet -c SHA256SUMS) || fail "the sums are wrong"
[ "$(wc -l <fetched)" -eq 1 ] || fail "fetched $(wc -l <fetched) times"
[ -z "$(find "$XDG_CACHE_HOME" -name '*.part')" ] || fail "parts are left"

# Once made it needs neither network nor apt; a damaged or incomplete set is made again.
mv bin/apt-cache bin/off
[ "$(PATH=$work/none:/usr/bin:/bin ./toys 2>err)" = "$set" ] || fail "offline: $(cat err)"
[ ! -s err ] || fail "it was made again: $(cat err)"
mv bin/off bin/apt-cache
echo three >"$set/one"
./toys >/dev/null 2>&1
[ "$(cat "$set/one")" = one ] || fail "a damaged file stays"
rm "$set/two"
./toys >/dev/null 2>&1
[ -e "$set/two" ] || fail "a lost file stays lost"

# A package that arrives damaged is named and not kept.
rm -rf "$XDG_CACHE_HOME"
sed -i 's/^cp .*/echo damaged >toys_1.0_all.deb/' bin/apt-get
! ./toys >out 2>err || fail "a damaged package is taken"
grep -q 'toys did not arrive whole' err || fail "$(cat err)"
[ ! -e "$set" ] || fail "a damaged package leaves a set"
