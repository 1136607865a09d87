#!/usr/bin/env bash
# slow: dit train goes on as if nothing had happened, bit for bit: after kill -9 at any moment, Ctrl-C, a full disk, an
# unreadable sample, a damaged checkpoint. What cannot go on is refused, and nothing is lost.
source "$(dirname "$0")/../cli/common.sh"
export OMP_NUM_THREADS=1
cp -r "$source_root/tests/fixtures/train/images" images

STEPS=400
recipe() { # NAME MODEL DATA TRAIN...: a recipe in a few lines
    cat >"$1.yaml" <<END
model: {heads: 1, width: 16, patch: 4, layers: 1, $2}
data: {size: 8, flip: true, shift: 0.1, drop: 0.2, $3}
objective: {kind: flow, predict: velocity, times: logit_normal}
train: {steps: $STEPS, lr: 1e-3, warmup: 10, ema: [0.9, 0.99], seed: 3, sample_every: 150, $4}
samples: {steps: 2, ema: 0, prompts: [$5]}
END
}
recipe classes 'class: DiTTransformer2DModel' 'set: images' 'batch: 4, checkpoint_every: 7' ''
recipe sums 'class: DiTTransformer2DModel' 'set: images' 'batch: 2, accumulate: 2, schedule: cosine, moments: bf16, checkpoint_every: 7' ''
recipe text 'class: TextDiTTransformer2DModel, text_layers: 1, text_length: 8, vocabulary: 300' 'set: captions, keywords: 0.5' \
    'batch: 4, checkpoint_every: 3' 'red ball'
mkdir captions
for picture in images/*/*.png; do
    name=${picture#images/}
    cp "$picture" "captions/${name//\//-}"
    echo "{\"file_name\": \"${name//\//-}\", \"text\": \"${name%/*} number ${name##*/}\", \"keywords\": [\"a\", \"${name%/*}\"]}"
done >captions/metadata.jsonl

last=checkpoint-$(printf %08d $STEPS).safetensors
lines() { # RUN: the log without what the clock says
    sed 's/, "seconds": [0-9.]*//' "$1/log.jsonl"
}
same() { # WHAT RUN UNINTERRUPTED: checkpoint, log, model and samples
    cmp "$2/$last" "$3/$last" || fail "$1: the last checkpoint is another"
    diff <(lines "$2") <(lines "$3") >difference || fail "$1: the log is another: $(head -3 difference)"
    diff -r "$2/model" "$3/model" || fail "$1: the model is another"
    cmp "$2/samples.png" "$3/samples.png" || fail "$1: the samples are others"
    [ "$(grep -c . "$2/log.jsonl")" = $STEPS ] || fail "$1: the log has not one line a step"
    [ "$(sed 's/{"step": \([0-9]*\),.*/\1/' "$2/log.jsonl")" = "$(seq $STEPS)" ] || fail "$1: steps are missing or doubled"
    [ -z "$(find "$2" -name '.dit-*')" ] || fail "$1: half-written files are left: $(ls -A "$2")"
}
train() { # RUN ARGUMENTS...
    local run=$1
    shift
    accept train "$@" --out "$run" -q
}
ends() { # CODE PATTERN ARGUMENTS...: the run ends so, with one message
    local code=$1 pattern=$2 rc=0
    shift 2
    "$dit" train "$@" -q >out.txt 2>err.txt || rc=$?
    [ $rc = "$code" ] || fail "dit train $*: exit code $rc instead of $code: $(cat err.txt)"
    grep -qE -- "$pattern" err.txt || fail "dit train $*: expected \"$pattern\", found: $(cat err.txt)"
    [ "$(wc -c <err.txt)" -le 600 ] || fail "dit train $*: more than 600 bytes"
}
newest() { # RUN
    ls "$1"/checkpoint-*.safetensors | tail -1
}

logged() { # RUN: lines of its log
    cat "$1/log.jsonl" 2>/dev/null | wc -l || true
}

# ---- Killed again and again, at any moment
for kind in classes sums text; do
    train whole-$kind $kind.yaml
    moments=''
    for ((attempt = 0; attempt < 8; attempt++)); do
        wanted=$(($(logged killed-$kind) + RANDOM % 80))
        "$dit" train $kind.yaml --out killed-$kind -q 2>err.txt &
        process=$!
        until [ "$(logged killed-$kind)" -ge $wanted ] || ! kill -0 $process 2>/dev/null; do sleep 0.01; done
        sleep "0.0$((RANDOM % 50 + 10))"
        kill -9 $process 2>/dev/null || true
        wait $process 2>/dev/null || true
        moments+=" $(logged killed-$kind)"
    done
    train killed-$kind $kind.yaml
    echo "$kind: killed after the steps$moments"
    same "killed $kind" killed-$kind whole-$kind
done
# Until their schedules part, after the warmup, two batches of two are one of four.
paste <(sed -n '1,10s/[^0-9.]*\([0-9]*\), "loss": \([0-9.e-]*\),.*/\1 \2/p' whole-classes/log.jsonl) \
    <(sed -n '1,10s/.*"loss": \([0-9.e-]*\),.*/\1/p' whole-sums/log.jsonl) >losses
awk '{ d = $2 - $3; if (NF != 3 || d * d > 1e-10 * $2 * $2) bad = 1 } END { exit bad || NR != 10 }' losses ||
    fail "two micro-batches of two are not a batch of four: $(cat losses)"

# ---- Killed while it was writing: what is half-written goes, what is there stays
train torn classes.yaml --steps 21
cp torn/checkpoint-00000021.safetensors kept
head -c 1000 kept >torn/.dit-1234-0.tmp
head -c 1000 kept >torn/model/transformer/.dit-1234-1.tmp
head -c 20 torn/log.jsonl >>torn/log.jsonl
train torn classes.yaml
same "torn" torn whole-classes

# ---- Ctrl-C saves first
(exec "$dit" train classes.yaml --out stopped --steps 100000000 -q 2>err.txt) &
process=$!
until [ -s stopped/log.jsonl ]; do sleep 0.05; done
kill -INT $process
rc=0
wait $process || rc=$?
[ $rc = 130 ] || fail "Ctrl-C: exit code $rc: $(cat err.txt)"
steps=$(grep -c . stopped/log.jsonl)
[ -e "stopped/checkpoint-$(printf %08d "$steps").safetensors" ] || fail "Ctrl-C after step $steps: $(ls stopped)"

# ---- Two runs in one folder
"$dit" train classes.yaml --out busy --steps 100000000 -q 2>/dev/null &
process=$!
until [ -s busy/log.jsonl ]; do sleep 0.05; done
ends 1 'busy: another run is using this folder' classes.yaml --out busy
kill -9 $process
wait $process 2>/dev/null || true

# ---- A full disk: here a limit on the size of files. First of a checkpoint, then of the log.
train full classes.yaml --steps 14
cp full/checkpoint-00000014.safetensors kept
(ulimit -f 100 && ends 1 'checkpoint-00000021.*limit' classes.yaml --out full) || exit 1
cmp full/checkpoint-00000014.safetensors kept || fail "a full disk spoils the older checkpoint"
[ -e full/checkpoint-00000007.safetensors ] || fail "a full disk loses the older checkpoint"
(ulimit -f 1 && ends 1 'log.jsonl.*(large|limit)' classes.yaml --out full) || exit 1
cmp "$(newest full)" kept || fail "a full log spoils the checkpoint"
train full classes.yaml
same "full disk" full whole-classes

# ---- A sample that cannot be read is named, and what was learned until then is kept
cp images/discs/2.png kept.png
head -c 60 kept.png >images/discs/2.png
ends 1 'discs/2.png' classes.yaml --out unread
cp kept.png images/discs/2.png
train unread classes.yaml
same "unreadable sample" unread whole-classes

# ---- A loss that is no number
train diverged classes.yaml --steps 7
cp diverged/checkpoint-00000007.safetensors kept
ends 1 'step [0-9]+: the (loss|gradient) is (NaN|infinite); the newest checkpoint is step 7.*train.lr' classes.yaml --out diverged \
    --set train.lr=1000 --set train.checkpoint_every=1000 --set train.clip_norm=0 --set train.warmup=0 --steps 1000000
   
cmp "$(newest diverged)" kept || fail "a NaN spoils the checkpoint"
train diverged classes.yaml
same "diverged" diverged whole-classes

# ---- Damaged checkpoints: the older one is used, and the damaged one named
train damaged classes.yaml --steps 21
cp -r damaged worse
truncate -s -1 damaged/checkpoint-00000021.safetensors
"$dit" train classes.yaml --out damaged 2>err.txt || fail "damaged: $(cat err.txt)"
grep -q 'checkpoint-00000021.safetensors' err.txt && grep -q 'going on from step 14' err.txt || fail "damaged: $(cat err.txt)"
same "damaged" damaged whole-classes
printf 'x' | dd of=worse/checkpoint-00000021.safetensors bs=1 seek=3 conv=notrunc status=none
: >worse/checkpoint-00000014.safetensors
ends 1 'checkpoint-00000021.safetensors.*no whole checkpoint' classes.yaml --out worse
[ "$(grep -c . worse/log.jsonl)" = 21 ] || fail "a refused run loses its log"

# ---- Another recipe is refused by its first key that differs; how long and how fast it learns may change
for change in model.width=32:model.width data.flip=false:data.flip data.drop=0.3:data.drop train.batch=3:train.batch \
    train.seed=4:train.seed objective.kind=diffusion:objective.kind 'train.ema=[0.9]:train.ema' data.background=0:data.background; do
    ends 1 "belongs to another recipe.*${change#*:}" classes.yaml --out whole-classes --set "${change%:*}"
done
cp -r whole-classes longer
train longer classes.yaml --steps $((STEPS + 3)) --set train.lr=1e-4 --set train.clip_norm=0.5 --set samples.ema=1
[ "$(grep -c . longer/log.jsonl)" = $((STEPS + 3)) ] || fail "a longer run"

# ---- Fewer steps than are done: nothing but the model is written
cp "whole-classes/$last" kept
rm -r whole-classes/model
accept train classes.yaml --out whole-classes --steps 5
cmp "whole-classes/$last" kept || fail "--steps below what is done spoils the checkpoint"
[ "$(grep -c . whole-classes/log.jsonl)" = $STEPS ] || fail "--steps below what is done cuts the log"
diff -r whole-classes/model killed-classes/model || fail "a complete run does not write its model"
