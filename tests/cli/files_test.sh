#!/usr/bin/env bash
# dit info and dit convert: right answers on known bytes, refusals of hostile files, nothing left behind.
source "$(dirname "$0")/common.sh"
fixtures=$source_root/tests/fixtures

data_of() { # FILE: its data part in hexadecimal
    local length
    length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    tail -c +$((length + 9)) "$1" | od -An -tx1 -v | tr -d ' \n'
}

# ---- Casts: 1, -2.5, 65504, 2^-24, 1 + 2^-8 + 2^-17 (above the middle, so bf16 rounds it up), infinity; and an integer that stays
header='{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},'
header+='"n":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}'
values='\0000\0000\0200\0077\0000\0000\0040\0300\0000\0340\0177\0107\0000\0000\0200\0063\0100\0200\0200\0077\0000\0000\0200\0177'
tensors six.safetensors "$header" "$values"'\0005\0000\0000\0000\0000\0000\0000\0000'
accept convert six.safetensors --dtype f16 -o f16.safetensors
[ "$(data_of f16.safetensors)" = 0500000000000000003c00c1ff7b0100043c007c ] || fail "f16: $(data_of f16.safetensors)"
accept convert six.safetensors --dtype bf16 -o bf16.safetensors
[ "$(data_of bf16.safetensors)" = 0500000000000000803f20c080478033813f807f ] || fail "bf16: $(data_of bf16.safetensors)"
accept convert f16.safetensors --dtype=f32 --output=back.safetensors
[ "$(data_of back.safetensors)" = 05000000000000000000803f000020c000e07f47000080330080803f0000807f ] ||
    fail "back to f32: $(data_of back.safetensors)"
accept info back.safetensors --json
grep -q '"metadata":{"format":"pt"}' <<<"$output" || fail "the metadata was lost: $output"
grep -q '"parameters":7,"bytes":32,' <<<"$output" || fail "the counts are wrong: $output"

# Blocks, which safetensors has none of
refuse 1 q8_0 convert "$fixtures/gguf_texts/llama-q8_0/model.gguf" -o blocks.safetensors
[ ! -e blocks.safetensors ] || fail "a refused conversion left a file"
accept convert "$fixtures/gguf_texts/llama-q8_0/model.gguf" --dtype f32 -o blocks.safetensors

# What a GGUF file says of its network goes with it: the copy gives the same states
inputs=$fixtures/gguf_texts/llama-linear/inputs.safetensors
accept convert "$fixtures/gguf_texts/llama-linear/model.gguf" --dtype f32 -o copy.gguf
accept forward "$fixtures/gguf_texts/llama-linear/model.gguf" --inputs "$inputs" -o first.safetensors
accept forward copy.gguf --inputs "$inputs" -o second.safetensors
cmp first.safetensors second.safetensors || fail "a copied text encoder is another one"

# In place, and a set of shards as one file
cp six.safetensors same.safetensors
accept convert same.safetensors --dtype bf16 -o same.safetensors
cmp same.safetensors bf16.safetensors || fail "a file converted onto itself differs"
accept convert "$fixtures/safetensors/sharded" --dtype f32 -o whole.safetensors
accept info whole.safetensors --tensors
[ "$(grep -cE '^    (F32|I64) +\[' <<<"$output")" -eq 3 ] || fail "three tensors in: $output"
accept convert "$fixtures/safetensors/sharded/diffusion_pytorch_model.safetensors.index.json" --dtype f32 -o again.safetensors
cmp whole.safetensors again.safetensors || fail "the index and its folder give different files"
accept convert six.safetensors --dtype f16 -o /dev/null
accept info "$fixtures/models/dit/geglu"
grep -q '_class_name: "DiTTransformer2DModel"' <<<"$output" || fail "no class in: $output"
[ -z "$(find . -name '.dit-*')" ] || fail "temporary files are left: $(ls -A)"

# A pipeline's folder
mkdir -p pipe/transformer pipe/scheduler
cp "$fixtures/models/dit/geglu/config.json" "$fixtures/models/dit/geglu/diffusion_pytorch_model.safetensors" pipe/transformer/
echo '{"_class_name": "DiTPipeline", "transformer": ["diffusers", "DiTTransformer2DModel"],
       "scheduler": ["diffusers", "DDIMScheduler"], "../x": ["a", "b"]}' >pipe/model_index.json
accept info pipe
grep -q '^transformer: DiTTransformer2DModel' <<<"$output" && grep -q '^scheduler: DDIMScheduler' <<<"$output" ||
    fail "components: $output"
accept info pipe/ --json
grep -q '"pipeline":"DiTPipeline"' <<<"$output" || fail "pipeline: $output"

for entry in '"AutoencoderKL"' '["diffusers"]' '["diffusers", null]' '{}' 'true'; do
    echo '{"_class_name": "DiTPipeline", "transformer": ["diffusers", "DiTTransformer2DModel"], "vae": '"$entry"'}' >pipe/model_index.json
    refuse 1 'pipe/model_index.json: "vae" must be a library and a class' generate --model pipe --class 1 -o x.png
done

# What a picture takes, of a file that is a whole model with what is named beside it; of others why it is not known
dit_file=$fixtures/whole/file-dit
accept info "$dit_file/dit.pt" --part "vae=$dit_file/vae"
grep -qE ' in all; with --memory [0-9]+M and more' <<<"$output" || fail "no memory of a run: $output"
accept info "$dit_file/dit.pt" --part "vae=$dit_file/vae" --json
grep -q '"least_memory_bytes":' <<<"$output" || fail "no memory of a run: $output"
accept info "$dit_file/dit.pt"
grep -q 'memory of a run: not known: .*--part vae=' <<<"$output" || fail "what is missing is not said: $output"
accept info "$fixtures/lora/kohya.safetensors"
! grep -q 'memory of a run' <<<"$output" || fail "an adapter draws no picture: $output"

# ---- Bad usage
refuse 2 'dit info needs FILE\|DIR' info
refuse 2 'what to do with "b"' info a b
refuse 2 '--output FILE.DIR/ is needed' convert six.safetensors --dtype f32
refuse 2 '--dtype must be one of f32\|f16\|bf16\|f8_e4m3' convert six.safetensors --dtype f8 -o x
refuse 2 '--output needs a file name, not an empty text' convert six.safetensors --dtype f32 -o ''
refuse 2 '--output needs a file name; "pipe" is a folder' convert six.safetensors --dtype f32 -o pipe
refuse 2 '--dtype: a whole model is written as it is' convert six.safetensors --dtype f32 -o x/
refuse 1 'holds no transformer' convert six.safetensors -o x/
refuse 2 '--output is given twice' convert six.safetensors --dtype f32 -o x --output y
refuse 1 'folder nowhere cannot be used: No such file' convert six.safetensors --dtype f32 -o nowhere/x
refuse 1 'six.safetensors is not a folder|Not a directory' convert six.safetensors --dtype f32 -o six.safetensors/x
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod a-w locked
    refuse 1 'nothing can be written into locked' convert six.safetensors --dtype f32 -o locked/x
fi

# ---- Files at fault
refuse 1 'missing' info missing.safetensors
refuse 1 'missing' convert missing.safetensors --dtype f32 -o x.safetensors
mkdir empty
refuse 1 'empty' info empty
mkfifo pipe.safetensors
refuse 1 'pipe.safetensors' info pipe.safetensors
: >nothing.safetensors
refuse 1 'nothing.safetensors' info nothing.safetensors
head -c 100 six.safetensors >short.safetensors
refuse 1 'short.safetensors' info short.safetensors
head -c -1 six.safetensors >clipped.safetensors
refuse 1 'clipped.safetensors' convert clipped.safetensors --dtype f16 -o x.safetensors
printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors
refuse 1 'huge.safetensors' info huge.safetensors
tensors large.safetensors '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0000\0000\0340\0107'
before=$(md5sum <f16.safetensors)
refuse 1 'large.safetensors: tensor "w" holds numbers too large for f16' convert large.safetensors --dtype f16 -o f16.safetensors
[ "$before" = "$(md5sum <f16.safetensors)" ] || fail "a failed conversion spoilt the older file"
tensors strange.safetensors '{"w":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}' '\0001\0001'
refuse 1 'tensor "w" is U16 with 1 axes, which cannot be converted' convert strange.safetensors --dtype f16 -o x.safetensors
tensors red.safetensors '{"\u001b[31mw":{"dtype":"F9","shape":[1],"data_offsets":[0,1]}}' '\0001'
refuse 1 'red.safetensors' info red.safetensors
tensors bell.safetensors '{"\u001b[31m\u0007":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' '\0001'
accept info bell.safetensors --tensors
! LC_ALL=C grep -q $'[\e\a]' <<<"$output" || fail "control characters of a file reach the terminal"
echo '{"_class_name": "X", "_class_name": "Y"}' >pipe/model_index.json
refuse 1 'model_index.json' info pipe
echo '{"_class_name": 1e999}' >pipe/transformer/config.json
refuse 1 'config.json' info pipe/transformer

# ---- A full disk
if (ulimit -f 1) 2>/dev/null; then
    rc=0
    head -c 4194304 /dev/zero >zeros
    tensors big.safetensors '{"w":{"dtype":"F32","shape":[1048576],"data_offsets":[0,4194304]}}'
    cat zeros >>big.safetensors
    (ulimit -f 64; "$dit" convert big.safetensors --dtype f32 -o limited.safetensors) 2>error.txt || rc=$?
    [ $rc -eq 1 ] || fail "over the limit of a file's size: exit code $rc: $(cat error.txt)"
    [ ! -e limited.safetensors ] && [ -z "$(find . -name '.dit-*')" ] || fail "over the limit: something is left"
fi

# ---- Ctrl-C while it works: 4 GB of zeros that take no space on the disk, in 64 tensors
zeros long.safetensors 64
for signal in INT TERM; do
    "$dit" convert long.safetensors --dtype bf16 -o long-bf16.safetensors 2>error.txt &
    program=$!
    for _ in $(seq 200); do
        [ -z "$(find . -name '.dit-*')" ] || break
        sleep 0.05
    done
    kill -s $signal $program
    rc=0
    wait $program || rc=$?
    [ $rc -eq $((128 + $(kill -l $signal))) ] || fail "after SIG$signal: exit code $rc: $(cat error.txt)"
    grep -q '^dit: stopped during convert' error.txt || fail "after SIG$signal: $(cat error.txt)"
    [ ! -e long-bf16.safetensors ] && [ -z "$(find . -name '.dit-*')" ] || fail "after SIG$signal: something is left"
done
