#!/usr/bin/env bash
# --memory: a network larger than the bound gives the same result within it, and what cannot work is refused.
source "$(dirname "$0")/common.sh"

# ---- A network of 100 MB, in a file of its own size: tensors of equal small numbers, except that rows differ.
layers=7 width=768
mkdir big
cat >big/config.json <<EOF
{"_class_name": "DiTTransformer2DModel", "num_attention_heads": 12, "attention_head_dim": 64, "in_channels": 4,
 "num_layers": $layers, "sample_size": 8, "num_embeds_ada_norm": 10, "norm_type": "ada_norm_zero",
 "activation_fn": "gelu-approximate", "attention_bias": true, "norm_elementwise_affine": false}
EOF
python3 - $layers $width <<'EOF'
import array, json, struct, sys
layers, C = int(sys.argv[1]), int(sys.argv[2])
shapes = {"pos_embed.proj.weight": (C, 4, 2, 2), "pos_embed.proj.bias": (C,),
          "proj_out_1.weight": (2 * C, C), "proj_out_1.bias": (2 * C,),
          "proj_out_2.weight": (16, C), "proj_out_2.bias": (16,)}
for i in range(layers):
    block = f"transformer_blocks.{i}."
    embedders = {"norm1.emb.timestep_embedder.linear_1": (C, 256), "norm1.emb.timestep_embedder.linear_2": (C, C)}
    linear = {"norm1.linear": (6 * C, C), "attn1.to_q": (C, C), "attn1.to_k": (C, C), "attn1.to_v": (C, C),
              "attn1.to_out.0": (C, C), "ff.net.0.proj": (4 * C, C), "ff.net.2": (C, 4 * C)}
    for name, shape in {**embedders, **linear}.items():
        shapes[block + name + ".weight"], shapes[block + name + ".bias"] = shape, shape[:1]
    shapes[block + "norm1.emb.class_embedder.embedding_table.weight"] = (11, C)
header, at = {}, 0
for name, shape in shapes.items():
    size = 4
    for extent in shape:
        size *= extent
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
    at += size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
block = array.array("f", ((i * 7919 % 1009 - 504) / 20000 for i in range(1 << 18))).tobytes()
with open("big/diffusion_pytorch_model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    while at:
        file.write(block[:min(at, len(block))])
        at -= min(at, len(block))
def tensor(dtype, shape, data):
    return {"dtype": dtype, "shape": shape}, data
inputs = {"hidden_states": tensor("F32", [1, 4, 16, 16], array.array("f", ((i % 13 - 6) / 6 for i in range(1024))).tobytes()),
          "timestep": tensor("I64", [1], struct.pack("<q", 500)), "class_labels": tensor("I64", [1], struct.pack("<q", 3))}
header, at = {}, 0
for name, (entry, data) in inputs.items():
    header[name] = {**entry, "data_offsets": [at, at + len(data)]}
    at += len(data)
text = json.dumps(header).encode()
with open("in.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, data in inputs.values()))
EOF
file_mb=$(($(stat -c %s big/diffusion_pytorch_model.safetensors) >> 20))
[ "$file_mb" -gt 100 ] || fail "the file has $file_mb MB only: it would not be mapped"

# ---- The same result, within the bound
accept forward big --inputs in.safetensors -o whole.safetensors --threads 1
accept forward big --inputs in.safetensors -o part.safetensors --threads 1 --memory 100M
numbers() {
    python3 -c 'import array, json, struct, sys
bytes = open(sys.argv[1], "rb").read()
a = array.array("f", bytes[8 + struct.unpack("<Q", bytes[:8])[0]:])
print(*a)' "$1"
}
# close A B TOLERANCE: the largest difference, relative to the largest number
close() {
    paste -d' ' <(numbers "$1" | tr ' ' '\n') <(numbers "$2" | tr ' ' '\n') |
        awk -v most="$3" '{ d = $1 - $2; d = d < 0 ? -d : d; m = $1 > m ? $1 : -$1 > m ? -$1 : m; w = d > w ? d : w }
             END { if (!(m > 0) || !(w <= most * m)) { print "largest", m, "worst", w; exit 1 } }'
}
close whole.safetensors part.safetensors 1e-5 || fail "streaming changes the result"
mkdir quantised
cp big/config.json quantised
accept convert big --dtype q8_0 -o quantised/model.gguf
accept forward quantised --inputs in.safetensors -o q8_0.safetensors --threads 1
close whole.safetensors q8_0.safetensors 0.02 || fail "Q8_0 weights give something else"
accept bench big --inputs in.safetensors --rounds 2 --threads 1 --memory 100M --json
streamed=$(sed -n 's/.*"streamed_mb": \([0-9]*\).*/\1/p' <<<"$output")
peak=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
[ "$streamed" -gt 50 ] || fail "only $streamed MB are streamed: $output"
if ! grep -qa __asan_init "$dit"; then # which takes memory of its own
    [ "$peak" -le 100 ] || fail "--memory 100M takes $peak MB: $output"
fi
accept info big --plan --inputs in.safetensors --memory 60M
grep -q '\[streamed\]' <<<"$output" || fail "the plan does not say what is streamed"
grep -qE 'least memory [0-9.]+ MiB' <<<"$output" || fail "the plan does not say what it needs"
rm -rf quantised whole.safetensors part.safetensors q8_0.safetensors

# ---- Refused, and what the refusal says would do does
refuse 1 'M would do' forward big --inputs in.safetensors -o x --memory 20M
least=$({ "$dit" forward big --inputs in.safetensors -o x --memory 20M 2>&1 || true; } | sed -n 's/.* \([0-9]*\)M would do.*/\1/p')
[ "$least" -gt 20 ] || fail "no bound that would do: $output"
if ! grep -qa __asan_init "$dit"; then
    accept bench big --inputs in.safetensors --rounds 1 --threads 1 --memory "$((least + 1))M" --json
    peak=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
    [ "$peak" -le "$((least + 1))" ] || fail "--memory $((least + 1))M takes $peak MB: $output"
fi
# A picture, before its first network runs, though it is the last that lacks memory; and not when it does not
if ! grep -qa __asan_init "$dit"; then
    draw=(generate --model "$source_root/tests/fixtures/whole/pixart-sigma/model" --prompt x --width 512 --height 512
        --steps 1 --seed 1 --threads 1 -o picture.png --memory)
    refuse 1 'a memory bound of 14M is too small for a picture of 512x512, of which vae needs most; [0-9]+M would do' "${draw[@]}" 14M
    least=$({ "$dit" "${draw[@]}" 14M 2>&1 || true; } | sed -n 's/.* \([0-9]*\)M would do.*/\1/p')
    accept "${draw[@]}" "${least}M"
    # Every row of a long prompt is a turn of the encoder
    long=$(printf '(word%d:1.2), a house and a tree, ' {1..120})
    accept generate --model "$source_root/tests/fixtures/whole/flux-dev/model" --prompt "$long" --prompt-weighting comfyui \
        --width 64 --height 64 --steps 1 --seed 1 --threads 1 --memory 60M -o picture.png
    rm picture.png
fi
refuse 1 'the memory bound leaves .* a network that needs' forward big --inputs in.safetensors -o x --memory 2M
for text in 8 8g 8GG G '' -8G .5G 1e3M 0x1G ' 8G' nan; do
    refuse 2 '--memory needs a number with a unit, such as 512M or 2.5G' forward big --inputs in.safetensors -o x "--memory=$text"
done
refuse 2 '--memory: 10K is no sensible amount' forward big --inputs in.safetensors -o x --memory 10K
refuse 2 '--memory: 99999999999T is no sensible amount' forward big --inputs in.safetensors -o x --memory 99999999999T
refuse 2 '--memory is of use with --plan only' info big --memory 8G

# ---- Weights that are rounded lie in a temporary file: the bound holds for them too, and the result is the same
tight=50
if grep -qa __asan_init "$dit"; then tight=100; fi # the sanitizer takes memory of its own
accept forward big --inputs in.safetensors -o whole.safetensors --threads 1 --dtype bf16
accept forward big --inputs in.safetensors -o part.safetensors --threads 1 --dtype bf16 --memory "${tight}M"
cmp whole.safetensors part.safetensors || fail "streaming rounded weights changes the result"
accept bench big --inputs in.safetensors --rounds 1 --threads 1 --dtype bf16 --memory "${tight}M" --json
peak=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
if ! grep -qa __asan_init "$dit"; then
    [ "$peak" -le "$tight" ] || fail "--dtype bf16 --memory ${tight}M takes $peak MB: $output"
fi
[ -z "$(find "${TMPDIR:-/var/tmp}" -maxdepth 1 -name 'dit-??????' -newer in.safetensors)" ] || fail "a temporary file stays"
TMPDIR=$PWD/none refuse 1 'cannot make a file for copies of weights' forward big --inputs in.safetensors -o x --dtype bf16 --memory "${tight}M"

# ---- The same for f8 weights with a scale each
python3 - <<'EOF'
import json, struct
with open("big/diffusion_pytorch_model.safetensors", "rb") as file:
    header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
new, data, at = {}, [], 0
def put(name, dtype, shape, bytes_):
    global at
    new[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(bytes_)]}
    data.append(bytes_)
    at += len(bytes_)
scaled = [name for name in header if name.endswith(".weight") and len(header[name]["shape"]) == 2 and "table" not in name]
for name in scaled:
    rows, columns = header[name]["shape"]
    put(name, "F8_E4M3", [rows, columns], bytes(0x10 + i % 7 + 0x80 * (i % 3 == 0) for i in range(1009)) * (rows * columns // 1009 + 1))
    data[-1] = data[-1][:rows * columns]
    at += rows * columns - new[name]["data_offsets"][1] + new[name]["data_offsets"][0]
    new[name]["data_offsets"][1] = at
for name in scaled:
    put(name[:-len("weight")] + "scale_weight", "F32", [], struct.pack("<f", 0.37))
for name in header:
    if name not in scaled:
        size = 4
        for extent in header[name]["shape"]:
            size *= extent
        put(name, "F32", header[name]["shape"], struct.pack("<f", 0.01) * (size // 4))
text = json.dumps(new).encode()
text += b" " * (-len(text) % 8)
with open("big/diffusion_pytorch_model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
EOF
accept forward big --inputs in.safetensors -o whole.safetensors --threads 1
accept forward big --inputs in.safetensors -o part.safetensors --threads 1 --memory 100M
close whole.safetensors part.safetensors 1e-5 || fail "streaming scaled f8 weights changes the result"
accept bench big --inputs in.safetensors --rounds 1 --threads 1 --memory 100M --json
peak=$(sed -n 's/.*"peak_rss_mb": \([0-9]*\).*/\1/p' <<<"$output")
if ! grep -qa __asan_init "$dit"; then
    [ "$peak" -le 100 ] || fail "scaled f8 weights take $peak MB of 100: $output"
fi
