#!/usr/bin/env bash
# dit generate on folders of published families, with what only some of them have: skipped layers, weights in prompts, ...
source "$(dirname "$0")/common.sh"
whole=$source_root/tests/fixtures/whole
sd3=$whole/sd3/model flux=$whole/flux-dev/model pixart=$whole/pixart-sigma/model
small=(--width 32 --height 32 --steps 3 --seed 3)

# same A B, differ A B: what two draws give.
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }
differ() { ! cmp -s "$1" "$2" || fail "$1 and $2 are the same"; }
draw() { # FILE MODEL ARGUMENTS...
    accept generate --model "$2" "${small[@]}" --latents "$1" -o drawn.png "${@:3}"
}

# ---- Skipped layers
draw plain "$sd3" -p fox
draw zero "$sd3" -p fox --skip-layers 1 --skip-layers-scale 0
draw skip "$sd3" -p fox --skip-layers 1,0 --skip-layers-start 0 --skip-layers-stop 1
same plain zero
differ plain skip
refuse 2 '--skip-layers: there is no layer 2; the model has 0 to 1' generate --model "$sd3" -p x --skip-layers 2
refuse 2 '--skip-layers' generate --model "$sd3" -p x --skip-layers 1,
refuse 2 '--skip-layers' generate --model "$sd3" -p x --skip-layers -1
refuse 2 '--skip-layers.*--guidance-scale' generate --model "$sd3" -p x --skip-layers 1 --guidance-scale 1
refuse 2 '--skip-layers-start' generate --model "$sd3" -p x --skip-layers 1 --skip-layers-start 0.5
refuse 2 '--skip-layers: FluxPipeline' generate --model "$flux" -p x --skip-layers 1

# ---- Weights in prompts: off they are text; on, a prompt without any is what it was.
for kind in comfyui a1111; do
    for model in "$sd3" "$flux" "$pixart" "$whole/lumina2/model" "$whole/hidream/model"; do
        draw plain "$model" -p ' a red fox, 3 trees'
        draw weightless "$model" -p ' a red fox, 3 trees' --prompt-weighting $kind
        same plain weightless
        draw text "$model" -p 'a (red:1.5) fox'
        draw weighted "$model" -p 'a (red:1.5) fox' --prompt-weighting $kind
        draw one "$model" -p 'a (red:1.0) fox' --prompt-weighting $kind
        differ text weighted
        differ one weighted
    done
done
draw short "$sd3" -p "$(printf 'fox %.0s' {1..40})" --prompt-weighting comfyui
draw long "$sd3" -p "$(printf 'fox %.0s' {1..400})" --prompt-weighting comfyui --negative-prompt '[x] BREAK y'
for family in z-image:ZImage sana:Sana lumina-next:Lumina; do
    refuse 2 "--prompt-weighting: ${family#*:}Pipeline takes no weights" generate --model "$whole/${family%:*}/model" -p x \
        --prompt-weighting a1111
done
refuse 2 '--prompt-weighting' generate --model "$sd3" -p x --prompt-weighting none

printf '%s\n' fox '!sampler unipc' '!schedule karras' fox '!show' '!sampler' '!schedule' fox |
    "$dit" generate -i --model "$pixart" "${small[@]}" >shown 2>said || fail "samplers one after another: $(cat said)"
grep -q '^sampler unipc$' shown && grep -q '^schedule karras$' shown || fail "!show: $(cat shown)"
same out-1.png out-3.png
differ out-1.png out-2.png
printf '%s\n' '!sampler lcm' fox | "$dit" generate -i --model "$flux" "${small[@]}" >shown 2>said && fail "a sampler of noise"
grep -q -- '--sampler: lcm' said || fail "a sampler of noise: $(cat said)"
rm -f out-*.png

# ---- Guidance that only some have
draw plain "$flux" -p fox --negative-prompt sea
draw one "$flux" -p fox --negative-prompt sea --true-cfg-scale 1
draw two "$flux" -p fox --negative-prompt sea --true-cfg-scale 2
same plain one
differ plain two
draw half "$flux" -p fox --negative-prompt sea --true-cfg-scale 2 --guidance-stop 0.5
differ half two
refuse 2 '--true-cfg-scale.*--negative-prompt' generate --model "$flux" -p x --true-cfg-scale 2
refuse 2 '--true-cfg-scale: StableDiffusion3Pipeline' generate --model "$sd3" -p x --negative-prompt y --true-cfg-scale 2
refuse 2 '--true-cfg-scale: FluxFillPipeline' generate --model "$whole/flux-fill/model" -p x --true-cfg-scale 1
refuse 2 '--cfg-truncation: FluxPipeline' generate --model "$flux" -p x --cfg-truncation 0.5
refuse 2 '--cfg-normalization: FluxPipeline' generate --model "$flux" -p x --cfg-normalization 1

# ---- Samplers and schedules: what does not go together is refused by name.
draw own "$pixart" -p fox # its folder names Euler's
draw euler "$pixart" -p fox --sampler euler --schedule uniform
same own euler
draw karras "$pixart" -p fox --schedule karras
differ own karras
draw own "$flux" -p fox
draw shift "$flux" -p fox --flow-shift 1
differ own shift
for name in euler-ancestral ddim ddpm lcm; do
    refuse 2 "--sampler: $name is for models that predict noise" generate --model "$flux" -p x --sampler $name
done
refuse 2 '--schedule: karras.*DPMSolverMultistepScheduler.*flow' generate --model "$flux" -p x --sampler dpm++2m --schedule karras
refuse 2 '--schedule: beta.*UniPCMultistepScheduler.*flow' generate --model "$flux" -p x --sampler unipc --schedule beta
refuse 2 '--schedule: sigmoid.*EulerDiscreteScheduler.*noise' generate --model "$pixart" -p x --schedule sigmoid
refuse 2 '--schedule: karras.*EulerAncestral' generate --model "$pixart" -p x --sampler euler-ancestral --schedule karras
refuse 2 '--flow-shift: this model predicts no flow' generate --model "$pixart" -p x --flow-shift 3
refuse 2 '--sampler.*SCMScheduler' generate --model "$whole/sana-sprint/model" -p x --sampler euler
refuse 2 '--sampler' generate --model "$pixart" -p x --sampler dpm

# ---- Adapters in the prompts of the interactive mode: each prompt's own, and none of the one before.
mkdir adapters
ones() { printf '\\0000\\0000\\0200\\0077%.0s' $(seq "$1"); }
layer=transformer.transformer_blocks.0.attn.to_q
tensors adapters/strong.safetensors "{\"$layer.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,16],\"data_offsets\":[0,64]},\
\"$layer.lora_B.weight\":{\"dtype\":\"F32\",\"shape\":[16,1],\"data_offsets\":[64,128]}}" "$(ones 32)"
for bound in "" "--memory 500M"; do
    rm -f out-*.png
    printf '%s\n' 'fox' '<lora:strong>fox' 'fox <lora:strong:0.5>' '<lora:strong>fox' 'fox' '<lora:strong:0>fox' |
        "$dit" generate -i --model "$sd3" "${small[@]}" $bound --lora-dir adapters >shown 2>said ||
        fail "adapters of prompts: $(cat said)"
    same out-1.png out-5.png
    same out-1.png out-6.png
    same out-2.png out-4.png
    differ out-1.png out-2.png
    differ out-2.png out-3.png
done
printf '%s\n' 'fox' '<lora:none>fox' | "$dit" generate -i --model "$sd3" "${small[@]}" --lora-dir adapters >shown 2>said &&
    fail "an adapter that is not there"
grep -q 'adapters/none.safetensors' said || fail "an adapter that is not there: $(cat said)"
draw by_prompt "$sd3" -p '<lora:strong>fox' --lora-dir adapters
draw by_flag "$sd3" -p fox --lora adapters/strong.safetensors
same by_prompt by_flag
rm -f ./*.png

# ---- Variants of weights: the one asked for, or the only one; parts that have none of it as ever.
cp -rL "$sd3" variants
rm -rf variants/transformer/*.safetensors
accept convert "$sd3/transformer" -o variants/transformer/diffusion_pytorch_model.fp16.safetensors --dtype f16
draw half variants -p fox
cp "$sd3/transformer/diffusion_pytorch_model.safetensors" variants/transformer/
draw whole variants -p fox
draw plain "$sd3" -p fox
draw asked variants -p fox --variant fp16
same whole plain
same half asked
differ whole half
accept info variants --json
mkdir shards
python3 - variants/transformer/diffusion_pytorch_model.fp16.safetensors shards <<'EOF'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
header.pop("__metadata__", None)
names, weight_map = sorted(header), {}
for i in range(2):
    name, part, body = f"diffusion_pytorch_model-0000{i + 1}-of-00002.fp16.safetensors", {}, b""
    for tensor in names[i::2]:
        start, end = header[tensor]["data_offsets"]
        part[tensor] = header[tensor] | {"data_offsets": [len(body), len(body) + end - start]}
        body += data[8 + size + start:8 + size + end]
        weight_map[tensor] = name
    text = json.dumps(part).encode()
    open(f"{sys.argv[2]}/{name}", "wb").write(struct.pack("<Q", len(text)) + text + body)
with open(f"{sys.argv[2]}/diffusion_pytorch_model.safetensors.index.fp16.json", "w") as index:
    json.dump({"metadata": {}, "weight_map": weight_map}, index)
EOF
rm variants/transformer/*.fp16.*
cp shards/* variants/transformer/
draw asked variants -p fox --variant fp16
same half asked
rm variants/transformer/diffusion_pytorch_model.safetensors
draw only variants -p fox
same half only
refuse 1 '--variant: no part of variants has weights of a variant bf16' generate --model variants -p x --variant bf16
refuse 1 '--variant' generate --model variants -p x --variant ../fp16
rm -r variants shards

# ---- What a picture takes, told before it is drawn
for model in "$sd3" "$flux" "$whole/hunyuan-dit/model"; do
    accept info "$model" --json
    read -r peak least <<<"$(python3 -c 'import json, sys
run = json.load(sys.stdin)["run"]
print(run["peak_bytes"], -(-run["least_memory_bytes"] // 1000000))' <<<"$output")"
    accept generate --model "$model" -p fox --seed 1 --steps 2 --json -o free.png
    found=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
    if ! grep -qa __asan_init "$dit"; then # which takes memory of its own
        accept generate --model "$model" -p fox --seed 1 --steps 2 --json -o bound.png --memory "$((least + 4))M"
        within=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
        [ $((found << 20)) -lt $((peak * 5 / 4)) ] && [ $(((found + 1) << 20)) -gt $((peak * 3 / 4)) ] ||
            fail "$model: $peak bytes were told, $found MiB taken"
        [ $((within << 20)) -le $(((least + 4) * 1000000)) ] || fail "$model: $within MiB within $least MB"
    fi
done
accept info "$whole/flux-fill/model"
grep -q 'memory of a run: not known: --mask' <<<"$output" || fail "no reason given: $output"
accept info "$whole/pixart-sigma/model"
grep -q 'one picture of 256x256 in 20 steps' <<<"$output" || fail "nothing of a run: $output"

# ---- One picture after another within a bound: parts are opened again for each.
printf 'fox\nfox\n' | "$dit" generate -i --model "$flux" "${small[@]}" --memory 500M >shown 2>said ||
    fail "two prompts within a bound: $(cat said)"
same out-1.png out-2.png
