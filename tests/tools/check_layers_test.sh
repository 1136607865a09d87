#!/usr/bin/env bash
# tools/check-layers: every rule is shown to be able to fail.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
git init -q .
mkdir -p tools src/nn src/graph src/base src/cli
cp "$root/tools/check-layers" tools/

expect() { # TEXT: the checker fails with a line that holds it
    local found
    if found=$(tools/check-layers); then
        echo "nothing was found; expected: $1"
        exit 1
    fi
    grep -qF -- "$1" <<<"$found" || { echo "expected: $1"; echo "found: $found"; exit 1; }
}

echo '#include "graph/graph.h"' >src/nn/linear.c
echo '#include <stdio.h>' >src/graph/graph.h
echo 'int main(void) { printf("prints"); return 0; }' >src/cli/main.c
tools/check-layers

echo '#include "nn/linear.h"' >src/graph/plan.c
expect 'src/graph/plan.c:1: graph includes nn/linear.h, which is in a layer above it'
echo '#include "plan.h"' >src/graph/plan.c
expect 'names no layer'
rm src/graph/plan.c

echo 'void f(void) { exit(1); }' >src/base/x.c
expect 'src/base/x.c:1: the library must not print, exit, abort or assert: exit('
echo 'void f(void) { fprintf(stderr, "x"); }' >src/base/x.c
expect 'must not print'
echo '// assert(x) would print("x"); snprintf and static_assert are fine' >src/base/x.c
echo 'int g(char *t) { return snprintf(t, 9, "exit(1)"); }' >>src/base/x.c
tools/check-layers

seq -f '// %g' 701 >src/base/x.c
expect 'a file has at most 700'
rm src/base/x.c

mkdir src/misc
echo 'int x;' >src/misc/x.c
expect 'src/misc is in no layer'
