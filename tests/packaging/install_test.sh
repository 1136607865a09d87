#!/usr/bin/env bash
# `make install` into a folder of its own: every file is where a C user expects it, the installed program runs, and a
# program that knows only the installed header and pkg-config's file compiles, links and runs; also after a move.
set -euo pipefail
build=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pixels() { # FILE.png: its compressed pixels, without the texts
    perl -0777 -ne 'print substr($_, $-[0] + 4, unpack("N", substr($_, $-[0] - 4, 4))) while /IDAT/g' "$1"
}

cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/moved" # nothing may remember where it was installed
prefix=$work/moved
for file in bin/dit include/dit/dit.h share/man/man1/dit.1 share/bash-completion/completions/dit \
    share/zsh/site-functions/_dit share/fish/vendor_completions.d/dit.fish; do
    [ -s "$prefix/$file" ] || { echo "$file is not installed"; exit 1; }
done
library=$(dirname "$(find "$prefix" -name libdit.so)")
"$prefix/bin/dit" --version

# Whatever the library shows is in its header, and what the header declares is there.
nm -D --defined-only "$library/libdit.so" | awk '$2 == "T" { print $3 }' | sort >"$work/shown"
gcc -E "$prefix/include/dit/dit.h" | grep -oE '\bdit_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$work/declared"
diff "$work/declared" "$work/shown" || { echo "dit.h (<) and libdit.so (>) differ"; exit 1; }

# The example, from the installed header alone, with the installed model (a tiny one where the repository has none).
source_root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$work"
if [ ! -e "$prefix/share/dit/model/model_index.json" ]; then
    mkdir -p "$prefix/share/dit"
    (source "$source_root/tests/cli/common.sh" "$prefix/bin/dit" "$build" && tiny_model "$prefix/share/dit/model")
fi
export PKG_CONFIG_PATH=$library/pkgconfig
sanitize=()
grep -q __asan_ <(nm -D "$library/libdit.so") && sanitize=(-fsanitize=address,undefined)
# shellcheck disable=SC2046
gcc -std=c11 -Wall -Wextra -Werror -pedantic "${sanitize[@]}" "$source_root/examples/generate.c" \
    $(pkg-config --cflags --libs dit) -o generate
LD_LIBRARY_PATH=$library ./generate "red apple" example.png
unset DIT_MODEL
"$prefix/bin/dit" generate --prompt "red apple" --seed 42 -o program.png
cmp <(pixels example.png) <(pixels program.png) || { echo "the library and the program draw different pictures"; exit 1; }
LD_LIBRARY_PATH=$library ./generate "red apple" "$work" && { echo "writing onto a folder succeeds"; exit 1; }
[ "$(pkg-config --modversion dit)" = "$("$prefix/bin/dit" --version | cut -d ' ' -f 2)" ]
