#!/usr/bin/env bash
# DIT_CPU chooses the kernels: every set that the processor has draws, and a name that is none is refused.
set -euo pipefail
dit=$1
model=../tests/fixtures/models/dit/patch-8
[ -d "$model" ] || model=fixtures/models/dit/patch-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

forward() { # NAME
    DIT_CPU=$1 "$dit" forward "$model" --inputs "$model/inputs.safetensors" --output "$work/$1.safetensors" 2>"$work/error"
}

forward portable || { cat "$work/error"; exit 1; }
for isa in avx2 avx512; do
    forward "$isa" || grep -q "DIT_CPU" "$work/error" || { cat "$work/error"; exit 1; }
done
# Portable kernels add in another order: were they not used, these two files would be the same.
if [ -e "$work/avx2.safetensors" ]; then
    cmp -s "$work/portable.safetensors" "$work/avx2.safetensors" && { echo "DIT_CPU changes nothing"; exit 1; }
fi
status=0
forward bogus || status=$?
[ "$status" -eq 2 ] || { echo "DIT_CPU=bogus: exit code $status"; exit 1; }
grep -q '"bogus" is no instruction set' "$work/error" || { cat "$work/error"; exit 1; }
[ ! -e "$work/bogus.safetensors" ]
