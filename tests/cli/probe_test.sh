#!/usr/bin/env bash
# dit forward, dit grad, dit bench and dit info --plan: what they write, and what they refuse.
source "$(dirname "$0")/common.sh"
cp -r "$source_root/tests/fixtures/models/dit/gelu" gelu
inputs=gelu/inputs.safetensors

# ---- Results under their published names
accept forward gelu --inputs $inputs --output out.safetensors
accept info out.safetensors --json
grep -q '"tensors":\[{"name":"sample","dtype":"F32","shape":\[1,[0-9]*,4,4\]}\]' <<<"$output" || fail "forward: $output"
accept forward gelu --inputs $inputs --output again.safetensors --threads 1
cmp out.safetensors again.safetensors || fail "the number of threads changes the result"
accept grad gelu --inputs $inputs --output grads.safetensors
names() {
    accept info "$1" --json
    grep -o '"name":"[^"]*"' <<<"$output" | sort
}
diff <(names gelu) <(names grads.safetensors) || fail "the gradients are not those of the weights"
accept bench gelu --inputs $inputs --rounds 3 --json
for key in median_s min_s gflop peak_rss_mb; do
    grep -qE "\"$key\": [0-9.]+" <<<"$output" || fail "bench lacks $key: $output"
done
accept bench gelu --inputs $inputs --rounds 2 --grad --json
accept info gelu --plan --inputs $inputs
grep -q attention <<<"$output" || fail "no attention in the plan: $output"
accept info gelu --plan --inputs $inputs --json
grep -qE '"nodes":[0-9]+,"steps":[0-9]+,"fused":[1-9][0-9]*,.*"arena_bytes":[1-9]' <<<"$output" || fail "plan: $output"
accept info gelu --plan --grad --inputs $inputs
for isa in portable avx2 avx512; do
    flags=$(grep -m1 -w flags /proc/cpuinfo || true)
    case $isa in
    avx2) grep -qw avx2 <<<"$flags" || continue ;;
    avx512) grep -qw avx512bw <<<"$flags" || continue ;;
    esac
    DIT_CPU=$isa accept forward gelu --inputs $inputs --output $isa.safetensors
done
rm -f ./*.safetensors

# ---- Bad usage
for command in forward grad; do
    refuse 2 "dit $command needs DIR" $command --inputs $inputs --output x
    refuse 2 '--inputs FILE is needed' $command gelu --output x
    refuse 2 '--output FILE is needed' $command gelu --inputs $inputs
    refuse 1 '--output nowhere/x' $command gelu --inputs $inputs --output nowhere/x
    refuse 1 'missing' $command missing --inputs $inputs --output x
    refuse 1 'missing' $command gelu --inputs missing.safetensors --output x
done
refuse 2 '--dtype must be one of f32\|bf16\|f16, not "f64"' forward gelu --inputs $inputs -o x --dtype f64
refuse 2 '--method must be one of' forward gelu --inputs $inputs -o x --method backward
refuse 2 '--method: DiTTransformer2DModel has no such method' forward gelu --inputs $inputs -o x --method encode
refuse 2 '--rounds must be between' bench gelu --inputs $inputs --rounds 0
refuse 2 '--plan needs --inputs' info gelu --plan
refuse 2 '--inputs is of use with --plan only' info gelu --inputs $inputs

# ---- Arguments that do not fit. A file of zeros: dtype, shape and bytes of each.
arguments() { # NAME:DTYPE:SHAPE:BYTES...
    local header='' at=0 part name dtype shape bytes
    for part; do
        IFS=: read -r name dtype shape bytes <<<"$part"
        header+=",\"$name\":{\"dtype\":\"$dtype\",\"shape\":[$shape],\"data_offsets\":[$at,$((at += bytes))]}"
    done
    tensors arguments.safetensors "{${header#,}}"
    head -c $at /dev/zero >>arguments.safetensors
}
hidden=hidden_states:F32:1,4,4,4:256 time=timestep:F32:1:4 label=class_labels:I64:1:8
arguments $hidden $time $label
accept forward gelu --inputs arguments.safetensors --output x.safetensors
rm x.safetensors
arguments $hidden $time
refuse 1 'class_labels' forward gelu --inputs arguments.safetensors -o x
arguments $hidden $time $label surplus:F32:1:4
refuse 1 'surplus' forward gelu --inputs arguments.safetensors -o x
arguments hidden_states:F32:1,3,4,4:192 $time $label
refuse 1 'channels' forward gelu --inputs arguments.safetensors -o x
arguments hidden_states:F32:1,4,4:64 $time $label
refuse 1 'hidden_states' forward gelu --inputs arguments.safetensors -o x
arguments hidden_states:F32:1,4,0,0:0 $time $label
refuse 1 '.' forward gelu --inputs arguments.safetensors -o x
arguments $hidden timestep:F32:7:28 $label
refuse 1 'timestep has 7 values for 1 samples' forward gelu --inputs arguments.safetensors -o x
arguments $hidden $time class_labels:F32:1:4
refuse 1 'class_labels' forward gelu --inputs arguments.safetensors -o x
arguments $hidden $time $label
printf '\377\377\377\377\377\377\377\177' | dd of=arguments.safetensors bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s arguments.safetensors) - 8))
refuse 1 'class_labels' forward gelu --inputs arguments.safetensors -o x
arguments $hidden $time $label
refuse 1 'target' grad gelu --inputs arguments.safetensors -o x
arguments $hidden $time $label target:F32:1,4,2,2:64
refuse 1 'target' grad gelu --inputs arguments.safetensors -o x

flux=$source_root/tests/fixtures/models/flux/dev
arguments hidden_states:F32:2,1,8:64 encoder_hidden_states:F32:2,1,12:96 pooled_projections:F32:2,10:80 timestep:F32:2:8 \
    img_ids:F32:1,3:12 txt_ids:F32:1,3:12 guidance:F32:4:16
refuse 1 'guidance has 4 values for 2 samples' forward "$flux" --inputs arguments.safetensors -o x
clip=$source_root/tests/fixtures/models/text_encoders/clip
ids=input_ids:I64:1,3:24
arguments $ids
accept forward "$clip" --inputs arguments.safetensors --output x.safetensors
accept info x.safetensors --json
grep -q '"hidden_states.0"' <<<"$output" || fail "no hidden states: $output"
arguments $ids output_hidden_states:BOOL::1 # false
accept forward "$clip" --inputs arguments.safetensors --output x.safetensors
accept info x.safetensors --json
grep -q '"last_hidden_state"' <<<"$output" || fail "no last state: $output"
! grep -q '"hidden_states.0"' <<<"$output" || fail "hidden states that nobody asked for: $output"
rm x.safetensors

# ---- Folders that do not fit
set_config() { # KEY VALUE
    sed -E "s/\"$1\": [^,]*(,?)\$/\"$1\": $2\1/" "$source_root/tests/fixtures/models/dit/gelu/config.json" >gelu/config.json
    grep -qF "\"$1\": $2" gelu/config.json || fail "the test did not change $1"
}
for value in -3 0 true '"2"' 2.5 1e999 NaN 99999999999999999999; do
    set_config num_layers "$value"
    refuse 1 'config.json' forward gelu --inputs $inputs -o x
done
for key in num_attention_heads attention_head_dim in_channels patch_size num_embeds_ada_norm sample_size; do
    set_config $key 0
    refuse 1 "config.json.*$key" forward gelu --inputs $inputs -o x
    set_config $key 2147483647
    refuse 1 '.' forward gelu --inputs $inputs -o x
done
set_config num_layers null # the class's own 28
refuse 1 'the file lacks this tensor' forward gelu --inputs $inputs -o x
set_config num_layers 2147483647
refuse 1 'num_layers|transformer_blocks' forward gelu --inputs $inputs -o x
set_config norm_type '"layer_norm_of_tomorrow"'
refuse 1 'norm_type' forward gelu --inputs $inputs -o x
echo '{"_class_name": "Mystery\u001b[31mModel"}' >gelu/config.json
refuse 1 'config.json' forward gelu --inputs $inputs -o x
echo '{"_class_name": "DiTTransformer2DModel", "_class_name": "DiTTransformer2DModel"}' >gelu/config.json
refuse 1 'config.json.*_class_name' forward gelu --inputs $inputs -o x
rm gelu/config.json
refuse 1 'config.json' forward gelu --inputs $inputs -o x
