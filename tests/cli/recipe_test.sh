#!/usr/bin/env bash
# dit train refuses what is wrong with a recipe before it opens any data, in one line that names file and key, and makes
# no folder for the run.
source "$(dirname "$0")/common.sh"
mkdir set
cp "$source_root/tests/fixtures/pictures/rgb-8.png" set/1.png
echo '{"file_name": "1.png", "text": "one"}' >set/metadata.jsonl

model='model: {class: TextDiTTransformer2DModel, layers: 1, text_layers: 1, heads: 2, width: 32, patch: 4, text_length: 8, vocabulary: 260}'
data='data: {set: set, size: 8, channels: 3}'
objective='objective: {kind: flow, predict: velocity}'
train='train: {steps: 1, batch: 1, lr: 1e-3, seed: 1}'
samples='samples: {steps: 2, ema: -1, prompts: [one]}'
recipe() { # LINES...
    printf '%s\n' "$@" >recipe.yaml
}
wrong() { # PATTERN LINES...: a recipe of these lines is refused with a message that names the file
    local pattern=$1
    shift
    recipe "$@"
    refuse 1 "recipe.yaml.*($pattern)" train recipe.yaml --out run
}
changed() { # PATTERN KEY VALUE: the good recipe with one value changed by --set
    recipe "$model" "$data" "$objective" "$train" "$samples"
    refuse '[12]' "$1" train recipe.yaml --out run --set "$2=$3"
}

# ---- The file
refuse 2 'dit train needs RECIPE' train
refuse 1 'missing.yaml' train missing.yaml --out run
refuse 1 'set' train set --out run
: >recipe.yaml
refuse 1 'recipe.yaml' train recipe.yaml --out run
wrong . 'model: {' "$data"
wrong . "$(printf '\001\002\377')"
wrong . "$model" "$model" "$data" "$objective" "$train"
wrong . "$model" "$data" "$objective" "$train" 'surprise: 1'
wrong 'layer' 'model: {class: TextDiTTransformer2DModel, layer: 1}' "$data" "$objective" "$train"
wrong . "$model" "$data" "$objective" 'train: [1, 2]'
wrong . "$model" "$data" "$objective" 'train: {steps: 1, steps: 2}'
wrong . '- just' '- a list'
wrong . "a: &a [x, x]" "b: &b [*a, *a]" "c: [*b, *b]"
head -c 70000000 /dev/zero | tr '\0' ' ' >recipe.yaml
sync recipe.yaml # or its blocks are still being counted
refuse 1 'recipe.yaml' train recipe.yaml --out run

# ---- Values
for value in 0 -1 true '"two"' 1.5 nan .inf 1e999 99999999999999999999 '[1]' '{a: 1}' ''; do
    changed 'layers' model.layers "$value"
    changed 'batch' train.batch "$value"
    changed 'size' data.size "$value"
done
for value in -1 true nan .inf 1e999 ten 0x10; do
    changed 'lr' train.lr "$value"
    changed 'guidance_scale' samples.guidance_scale "$value"
done
changed 'class' model.class Mystery
changed 'class' model.class $'Myst\e[31mery'
changed 'kind' objective.kind sideways
changed 'heads' model.heads 3
changed 'patch' model.patch 3
changed 'width' model.width 6
changed 'drop' data.drop 1.5
changed 'ema' train.ema '[2]'
changed 'ema' samples.ema 5
changed 'nokey' train.nokey 1
changed 'set|equals|KEY' --set x
changed 'seed' train.seed -1
changed 'nowhere' data.set nowhere
recipe "$model" "$data" "$objective" "$train" "$samples"
refuse 2 '--set' train recipe.yaml --out run --set nonsense
refuse 2 '--steps must be' train recipe.yaml --out run --steps 0
refuse 2 '--steps needs a whole number' train recipe.yaml --out run --steps 1.5
refuse 2 '--seed' train recipe.yaml --out run --seed -1
refuse 2 '--checkpoint-every' train recipe.yaml --out run --checkpoint-every x
refuse 1 'set/1.png' train recipe.yaml --out set/1.png/run
refuse 1 'recipe.yaml' train recipe.yaml --out recipe.yaml

# ---- Sizes that no machine holds, refused at once and without memory in their proportion
huge() { # PATTERN KEY=VALUE...
    local pattern=$1 value flags=()
    shift
    for value; do
        flags+=(--set "$value")
    done
    (
        ulimit -t 5
        grep -q __asan_init "$dit" || ulimit -v 3000000 # the sanitizer maps terabytes of its own
        refuse '[12]' "$pattern" train recipe.yaml --out run --threads 1 "${flags[@]}"
    ) || exit 1
}
huge 'model.width' model.width=1048576
huge 'GiB are needed' model.width=65536 model.heads=64
huge 'GiB are needed' model.width=65536 model.heads=64 model.layers=1000
huge 'data.size' data.size=16384 model.patch=1
huge 'data.size' data.size=4096 model.patch=1
huge 'GiB are needed' data.size=1024 model.patch=8 train.batch=65536
huge 'GiB are needed' model.vocabulary=1048576 model.width=65536 model.heads=64
huge 'steps' train.steps=9223372036854775808
huge 'accumulate' train.accumulate=65537
huge 'text_length' model.text_length=65537

# ---- Two runs in one folder
mkdir busy
(flock 9; exec "$dit" train recipe.yaml --out busy 2>error.txt) 9>busy/.lock && fail "a folder in use is taken"
grep -q 'another run is using this folder' error.txt && [ -e busy/.lock ] || fail "in use: $(cat error.txt)"
rm -r busy error.txt

# ---- And the good one trains
accept train recipe.yaml --out run
[ -s run/log.jsonl ] && [ -s run/model/model_index.json ] || fail "a run holds log.jsonl and model/: $(ls -R run)"
