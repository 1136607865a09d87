#!/usr/bin/env bash
# What the program writes while it works: a bar that fits the terminal, lines without escapes elsewhere, silence on --quiet.
source "$(dirname "$0")/common.sh"
zeros weights.safetensors 24 # a file with holes: it takes no space
convert=(convert weights.safetensors --dtype bf16 --threads 1 -o /dev/null)

"$dit" "${convert[@]}" 2>plain.txt
! LC_ALL=C grep -q $'[\r\e]' plain.txt || fail "escapes outside a terminal: $(cat -v plain.txt)"
grep -qE '^convert  1\.61 GB in [0-9.]+ s  [0-9.]+ .?B/s$' plain.txt || fail "no line for the phase: $(cat plain.txt)"
"$dit" "${convert[@]}" --quiet >quiet.txt 2>&1
[ ! -s quiet.txt ] || fail "--quiet says: $(cat quiet.txt)"

# seen WIDTH TERM LOCALE: what a terminal of that width gets, one frame a line
seen() {
    TERM=$2 LC_ALL=$3 script -qec "stty cols $1; '$dit' ${convert[*]}" /dev/null </dev/null | tr '\r' '\n'
}
for width in 120 80 40 20; do
    seen $width xterm C.UTF-8 >bar.txt
    sed 's/\x1b\[K//g' bar.txt >frames.txt
    while IFS= read -r frame; do
        [[ $frame != convert*%* ]] || [ ${#frame} -lt $width ] || fail "wider than $width columns: $frame"
    done <frames.txt
    [ "$(grep -c '%' bar.txt)" -ge 2 ] || fail "the bar hardly moves: $(cat -v bar.txt)"
    grep -q '^convert  1\.61 GB in' frames.txt || fail "no line for the phase: $(cat -v bar.txt)"
done
seen 80 xterm C.UTF-8 >bar.txt
grep -q '━' bar.txt || fail "no bar: $(cat -v bar.txt)"
seen 80 xterm C >bar.txt
grep -q '##--' bar.txt && ! LC_ALL=C grep -q $'[\x80-\xff]' bar.txt || fail "the bar needs more than ASCII: $(cat -v bar.txt)"
seen 80 dumb C.UTF-8 >bar.txt
! grep -q $'\e' bar.txt || fail "escapes on a dumb terminal: $(cat -v bar.txt)"
