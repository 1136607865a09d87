# Sourced by the tests of the program: what a command line must answer. $1 is the program, $2 the build folder.
set -euo pipefail
dit=$(realpath "$1")
build=$(realpath "$2")
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export LC_ALL=C.UTF-8

fail() {
    echo "FAILED: $*"
    exit 1
}

# refuse CODE PATTERN ARGUMENTS...: the program exits with CODE (a shell pattern), says what matches PATTERN (an extended regular
# expression) in at most three lines and 600 bytes without control characters, prints no result, and leaves the folder as
# it was.
refuse() {
    local code=$1 pattern=$2 before rc=0
    shift 2
    before=$(ls -lAR --time-style=+%s.%N .)
    "$dit" "$@" >"$build/refuse.$$.out" 2>"$build/refuse.$$.err" </dev/null || rc=$?
    local out="$build/refuse.$$.out" err="$build/refuse.$$.err"
    [[ $rc == $code ]] || fail "line ${BASH_LINENO[0]}: dit $*: exit code $rc instead of $code: $(cat "$err")"
    grep -qE -- "$pattern" "$err" || fail "dit $*: expected \"$pattern\", found: $(cat "$err")"
    [ "$(wc -l <"$err")" -le 3 ] || fail "dit $*: more than three lines: $(cat "$err")"
    [ "$(wc -c <"$err")" -le 600 ] || fail "dit $*: more than 600 bytes"
    ! tr -d '\n' <"$err" | LC_ALL=C grep -q '[[:cntrl:]]' || fail "dit $*: control characters in the message"
    grep -q '^dit: ' "$err" || fail "dit $*: the message does not begin with \"dit: \""
    [ ! -s "$out" ] || fail "dit $*: printed a result: $(head -c 200 "$out")"
    [ "$before" = "$(ls -lAR --time-style=+%s.%N .)" ] || fail "dit $*: left something behind: $(ls -lAR .)"
    rm -f "$out" "$err"
}

# accept ARGUMENTS...: the program succeeds; what it printed is in $output.
accept() {
    output=$("$dit" "$@" 2>"$build/accept.$$.err" </dev/null) || fail "dit $*: $(cat "$build/accept.$$.err")"
    rm -f "$build/accept.$$.err"
}

# tensors FILE HEADER BYTES...: a safetensors file; BYTES as printf's %b takes them.
tensors() {
    local length=${#2} octal='' i
    for i in 0 1 2 3 4 5 6 7; do
        octal+=$(printf '\\0%03o' $((length >> 8 * i & 255)))
    done
    printf '%b' "$octal" >"$1"
    printf '%s' "$2" >>"$1"
    printf '%b' "${3-}" >>"$1"
}

# zeros FILE N: N tensors of 64 MiB of f32 that take no space on the disk.
zeros() {
    local header='' i
    for ((i = 0; i < $2; i++)); do
        header+=",\"t$i\":{\"dtype\":\"F32\",\"shape\":[16777216],\"data_offsets\":[$((i << 26)),$(((i + 1) << 26))]}"
    done
    tensors "$1" "{${header#,}}"
    truncate -s "+$(($2 << 26))" "$1"
}

# tiny_model FOLDER: trains a model of text on four pictures for two steps; enough to draw 8x8 pixels.
tiny_model() {
    local i
    mkdir -p set
    for i in 0 1 2 3; do
        cp "$source_root/tests/fixtures/pictures/rgb-8.png" "set/$i.png"
        echo "{\"file_name\": \"$i.png\", \"text\": \"number $i\"}"
    done >set/metadata.jsonl
    cat >tiny.yaml <<'Y'
model: {class: TextDiTTransformer2DModel, layers: 1, text_layers: 1, heads: 2, width: 32, patch: 4, text_length: 8,
        vocabulary: 260}
data: {set: set, size: 8, channels: 3}
objective: {kind: flow, predict: velocity}
train: {steps: 2, batch: 2, lr: 1e-3, seed: 1}
samples: {steps: 3, guidance_scale: 2.0, ema: -1, prompts: [number 1]}
Y
    "$dit" train tiny.yaml --out run --quiet || fail "the tiny model cannot be trained"
    mv run/model "$1"
    rm -r run set tiny.yaml
}
