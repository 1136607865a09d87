#!/usr/bin/env bash
# model.start: a new run begins with the weights of a trained transformer, in whatever dtype it was stored, and with its
# vocabulary; what does not fit is refused.
source "$(dirname "$0")/../cli/common.sh"
export OMP_NUM_THREADS=1
cp -r "$source_root/tests/fixtures/train/images" images
mkdir captions
cp images/bars/0.png captions/0.png
echo '{"file_name": "0.png", "text": "bars of two colours"}' >captions/metadata.jsonl
recipe() { # NAME CLASS SET
    cat >"$1.yaml" <<END
model: {class: $2, heads: 1, width: 16, patch: 4, layers: 2, text_layers: 1, text_length: 8, vocabulary: 300}
data: {size: 8, set: $3}
objective: {kind: flow, predict: velocity}
train: {steps: 4, batch: 2, lr: 1e-3, ema: [0.5], seed: 3}
samples: {steps: 1, ema: 0, prompts: []}
END
}
recipe classes DiTTransformer2DModel images
recipe text TextDiTTransformer2DModel captions
weights=transformer/diffusion_pytorch_model.safetensors

# A step at learning rate zero changes nothing but the sign of zeros: what is written is what the run began with,
# averages included.
equal() { # A B: but for bytes that are 0x80 in A and 0 in B
    [ "$(stat -c %s "$1")" = "$(stat -c %s "$2")" ] && [ -z "$(cmp -l "$1" "$2" | grep -v ' 200 *0$' || true)" ]
}
for kind in classes text; do
    for dtype in f32 f16 bf16; do
        accept train $kind.yaml --out $kind-$dtype --set samples.dtype=$dtype -q
        accept train $kind.yaml --out next-$kind-$dtype --set samples.dtype=$dtype --set train.lr=0 --seed 9 --steps 1 \
            --set model.start=$kind-$dtype/model/transformer -q
        equal $kind-$dtype/model/$weights next-$kind-$dtype/model/$weights || fail "$kind, $dtype: begins with other weights"
    done
done
cmp text-f32/tokenizer.json next-text-f32/tokenizer.json || fail "a model of text begins with another vocabulary"
accept train classes.yaml --out fresh --set train.lr=0 --seed 9 --steps 1 -q
equal fresh/model/$weights classes-f32/model/$weights && fail "a fresh model is the trained one"

# Another size of pictures is fine; the positions are computed. Once there is a checkpoint, the start is not read again.
accept train classes.yaml --out larger --set data.size=16 --set model.start=classes-f32/model/transformer --steps 2 -q
mv classes-f32 moved
accept train classes.yaml --out larger --set data.size=16 --set model.start=classes-f32/model/transformer --steps 4 -q
mv moved classes-f32
refuse 1 'belongs to another recipe.*model.start' train classes.yaml --out larger --set data.size=16 --steps 4

# ---- What does not fit
start() { # PATTERN FOLDER ARGUMENTS...
    local pattern=$1 folder=$2
    shift 2
    refuse 1 "$pattern" train classes.yaml --out wrong --set "model.start=$folder" -q "$@"
}
start 'nowhere/config.json' nowhere
start 'classes-f32/model/config.json' classes-f32/model
start '_class_name.*TextDiT' text-f32/model/transformer
start 'num_layers.*is 2.*has 1' classes-f32/model/transformer --set model.layers=1
start 'num_attention_heads.*is 1.*has 2' classes-f32/model/transformer --set model.heads=2 --set model.width=32
start 'attention_head_dim.*is 16.*has 32' classes-f32/model/transformer --set model.width=32
start 'patch_size' classes-f32/model/transformer --set model.patch=2
start 'in_channels' classes-f32/model/transformer --set data.channels=1
start 'out_channels' classes-f32/model/transformer --set objective.kind=diffusion --set objective.learned_variance=true \
    --set objective.predict=default
cp -r images fewer && rm -r fewer/ramps
start 'num_embeds_ada_norm.*is 4.*has 3' classes-f32/model/transformer --set data.set=fewer
changed() { # PATTERN SED: a config.json that says something else than its weights, or than the recipe
    rm -rf changed
    cp -r classes-f32/model/transformer changed
    sed -i "$2" changed/config.json
    start "$1" changed
}
changed 'activation_fn' 's/gelu-approximate/gelu/'
changed 'norm_eps' 's/1e-05/1e-3/'
changed 'mystery' 's/"dropout"/"mystery"/'
changed 'attention_bias' 's/"attention_bias": true/"attention_bias": false/'
truncate -s -1 changed/diffusion_pytorch_model.safetensors
start 'diffusion_pytorch_model.safetensors' changed
rm changed/diffusion_pytorch_model.safetensors
tensors changed/diffusion_pytorch_model.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0\0\0\0'
cp classes-f32/model/transformer/config.json changed
start 'diffusion_pytorch_model.safetensors: lacks' changed
rm -r text-f32/model/tokenizer
refuse 1 'tokenizer.json' train text.yaml --out wrong --set model.start=text-f32/model/transformer
