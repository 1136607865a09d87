#!/usr/bin/env bash
# dit generate: pictures by seed, what is stored in them, the interactive prompt, refusals, Ctrl-C.
source "$(dirname "$0")/common.sh"
tiny_model model
export DIT_MODEL=$work/model

# ---- Seeds, numbers, latents
accept generate --prompt 'number 1' --seed 3 -o a.png
accept generate --prompt='number 1' --seed=3 --output=b.png --model model
cmp a.png b.png || fail "the same seed draws another picture"
accept generate -p 'number 1' -s 4 -ob.png
cmp -s a.png b.png && fail "another seed draws the same picture"
accept generate -p 'number 1' -s 3 -o b.png --threads 1
cmp a.png b.png || fail "the number of threads changes the picture"
for text in parameters 'Seed: 3' 'Steps: 3' 'number 1'; do
    grep -qaF "$text" a.png || fail "the PNG does not hold \"$text\""
done
accept generate -p 'ein Äpfel ✓' --num 3 -o many.png --latents many.safetensors --json --seed 18446744073709551615
grep -q '"seed": 18446744073709551615' <<<"$output" || fail "seed in: $output"
[ "$(echo many*.png)" = 'many-1.png many-2.png many-3.png' ] || fail "three pictures: $(ls)"
accept info many.safetensors --json
grep -q '"name":"latents","dtype":"F32","shape":\[3,3,8,8\]' <<<"$output" || fail "latents: $output"
seeds=$("$dit" generate -p x --json -o x.png -q)$("$dit" generate -p x --json -o x.png -q)
[ "$(grep -o '"seed": [0-9]*' <<<"$seeds" | sort -u | wc -l)" -eq 2 ] || fail "no seed given, twice the same: $seeds"
rm -f ./*.png ./*.safetensors

# ---- Adapters that are none
refuse 1 'nosuch.safetensors' generate -p x --lora nosuch.safetensors -o a.png
refuse 1 'lora|adapter' generate -p x --lora model/transformer/diffusion_pytorch_model.safetensors=0.5 -o a.png
refuse 2 '--lora' generate -p x --lora model/transformer/diffusion_pytorch_model.safetensors=strong -o a.png

mkdir adapters
refuse 1 'adapters/none.safetensors' generate -p 'x <lora:none:0.5>' --lora-dir adapters -o a.png
refuse 2 'lora:../model' generate -p 'x <lora:../model>' --lora-dir adapters -o a.png
refuse 2 '--prompt' generate -p 'x <lora:none:strong>' --lora-dir adapters -o a.png
accept generate -p 'x <lora:none>' --seed 1 -o a.png # without --lora-dir these are words like others
rm -r adapters a.png

# ---- Single files and parts
flux=$source_root/tests/fixtures/whole/file-flux
accept convert "$flux/flux.safetensors" --dtype q8_0 -o q.gguf
for model in "$flux/flux.safetensors" q.gguf; do
    accept generate --model "$model" --base "$flux/base" -p x --steps 1 --width 32 --height 32 -s 1 -o a.png \
        --latents "$(basename "$model").latents"
done
accept generate --model "$flux/base" --part transformer=q.gguf -p x --steps 1 --width 32 --height 32 -s 1 -o b.png --latents b.latents
cmp q.gguf.latents b.latents || fail "a quantised file draws otherwise as a part"
cmp -s q.gguf.latents flux.safetensors.latents && fail "the quantised transformer was not used"
refuse 2 '--part: vae is no NAME=PATH' generate --model "$flux/base" --part vae -p x -o c.png
refuse 2 '--part: =x is no NAME=PATH' generate --model "$flux/base" --part =x -p x -o c.png
refuse 1 '--part: nowhere' generate --model "$flux/base" --part vae=nowhere -p x -o c.png
refuse 1 'holds no vae' generate --model "$source_root/tests/fixtures/whole/file-dit/dit.pt" --class 1 -o c.png
refuse 2 '--pipeline: Flux' generate --model "$flux/flux.safetensors" --base "$flux/base" --pipeline Flux -p x -o c.png
# A whole model as a folder: the same picture, and nothing where it cannot be written.
sd3=$source_root/tests/fixtures/whole/file-sd3
arguments=(-p 'a fox' --steps 2 --width 32 --height 32 -s 1 -o a.png)
accept convert "$sd3/sd3.safetensors" --base "$sd3/base" -o saved/
accept generate --model "$sd3/sd3.safetensors" --base "$sd3/base" "${arguments[@]}" --latents a.latents
accept generate --model saved "${arguments[@]}" --latents b.latents
cmp a.latents b.latents || fail "the folder draws otherwise than the file"
refuse 1 'saved: is there already' convert "$sd3/sd3.safetensors" --base "$sd3/base" -o saved/
# All of it as GGUF under its original names, text encoders too, as stable-diffusion.cpp writes such files.
accept convert "$sd3/sd3.safetensors" -o sd3.gguf
for file in "$sd3/sd3.safetensors" sd3.gguf; do
    accept generate --model "$file" --base "$sd3/base" -p fox --width 32 --height 32 --steps 2 --seed 1 \
        --latents "${file##*.}.latents" -o c.png
done
cmp safetensors.latents gguf.latents || fail "a GGUF of all parts draws something else"
rm -r saved
mkdir saved
accept convert "$flux/base" --part transformer=q.gguf -o saved/ # an empty folder may be there
accept generate --model saved -p x --steps 1 --width 32 --height 32 -s 1 -o a.png --latents a.latents
cmp q.gguf.latents a.latents || fail "the folder of a quantised part draws otherwise"
refuse 1 'tokenizer is in the same file' convert "$flux-parts/flux.safetensors" -o other/ --part "vae=$flux-parts/ae.safetensors" \
    --part "text_encoder=$flux-parts/clip_l.safetensors" --part "text_encoder_2=$flux-parts/t5.gguf" --part "tokenizer=$flux-parts/tokenizer"
refuse 2 '--base is of use' convert "$sd3/sd3.safetensors" --base "$sd3/base" -o x.safetensors
refuse 2 '--dtype: a whole model' convert "$sd3/sd3.safetensors" --base "$sd3/base" --dtype f16 -o x/
rm -rf saved
rm -f ./*.png ./*.latents q.gguf

# ---- Bad usage
refuse 2 '--prompt' generate
refuse 2 '--prompt: say what to draw|--prompt.*value' generate --prompt
refuse 2 '--prompt is not UTF-8' generate --prompt $'caf\xe9'
refuse 2 '--prompt is not UTF-8' generate --prompt $'\xed\xa0\x80'
refuse 2 '--negative-prompt is not UTF-8' generate -p x --negative-prompt $'\xff'
refuse 2 '--prompt is given twice' generate --prompt a --prompt b
refuse 2 '--steps must be between 1' generate -p x --steps 0
refuse 2 '--steps' generate -p x --steps -5
refuse 2 '--steps needs a whole number' generate -p x --steps 2.5
refuse 2 '--guidance-scale needs a number, not "nan"' generate -p x --guidance-scale nan
refuse 2 '--guidance-scale: 1e999 is too large' generate -p x --guidance-scale 1e999
refuse 2 '--guidance-scale needs a number, not "inf"' generate -p x --guidance-scale inf
refuse 2 '--guidance-scale needs a number, not "0x10"' generate -p x --guidance-scale 0x10
refuse 2 '--guidance-scale must be between' generate -p x --guidance-scale -1
refuse 2 '--seed needs a whole number' generate -p x --seed -1
refuse 2 '--seed: 18446744073709551616 does not fit' generate -p x --seed 18446744073709551616
refuse 2 '--width must be between' generate -p x --width 0
refuse 2 '--height must be between' generate -p x --height 99999999
refuse 2 '--width: this model draws 8x8 pixels' generate -p x --width 16
refuse 2 '--num must be between' generate -p x --num 0
refuse 2 '--class: this model draws from text' generate -p x --class 3
refuse 2 'did you mean --guidance-scale' generate -p x --guidance-scal 3
refuse 2 'did you mean --prompt' generate --promt x
refuse 2 'what to do with "red"' generate red apple
refuse 2 '--output needs a file name' generate -p x -o ''
refuse 2 '--output.*is a folder' generate -p x -o .
refuse 2 '--output x.JPG: pictures are written as PNG' generate -p x -o x.JPG
refuse 1 'nowhere: there is no such file or folder' generate --model nowhere -p x -o x.png
refuse 1 '--output nowhere/x.png' generate -p x -o nowhere/x.png
refuse 1 '--latents nowhere/x' generate -p x --latents nowhere/x
refuse 1 'missing: there is no such file or folder' generate -p x --model missing

# ---- Damaged models
damaged() { # what it is about, FILE, CONTENT
    rm -rf broken
    cp -r model broken
    printf '%s' "$3" >"broken/$2"
    refuse 1 "$1" generate -p x --model broken
}
damaged 'model_index.json' model_index.json '{'
damaged 'model_index.json.*OtherPipeline' model_index.json '{"_class_name": "OtherPipeline"}'
damaged 'model_index.json' model_index.json '{"_class_name": true}'
damaged 'model_index.json: "transformer" is null' model_index.json \
    '{"_class_name": "TextDiTPipeline", "transformer": [null, null]}'
damaged 'config.json' transformer/config.json '{}'
damaged 'config.json' transformer/config.json '[]'
damaged 'scheduler_config.json' scheduler/scheduler_config.json 'null'
damaged 'scheduler_config.json' scheduler/scheduler_config.json '{"_class_name": "NoScheduler"}'
damaged 'tokenizer.json' tokenizer/tokenizer.json '{"model": 1}'
damaged 'diffusion_pytorch_model.safetensors' transformer/diffusion_pytorch_model.safetensors 'x'
rm -rf broken
cp -r model broken
truncate -s -8 broken/transformer/diffusion_pytorch_model.safetensors
refuse 1 'diffusion_pytorch_model.safetensors' generate -p x --model broken
rm -r broken

# Weights that are no numbers: the part that gave others is named, before the next one runs.
whole=$source_root/tests/fixtures/whole/flux-dev/model
for part in text_encoder text_encoder_2 transformer vae; do
    cp -rL "$whole" broken
    chmod -R u+w broken
    file=$(echo broken/$part/*.safetensors)
    size=$(stat -c %s "$file") header=$(($(od -An -tu8 -N8 "$file") + 8))
    head -c "$header" "$file" >cut
    head -c $((size - header)) /dev/zero | tr '\0' '\377' | cat cut - >"$file"
    refuse 1 "broken/$part: it gave a value that is no number" generate -p x --model broken --steps 1 --width 32 --height 32
    rm -r broken
done

# ---- The interactive prompt, without a terminal
printf '%s\n' 'number 1' '!seed 3' '!steps 2' 'number 2' '' '!show' '!quit' 'not drawn' >lines
"$dit" generate -i --seed 3 <lines >shown 2>said || fail "interactive: $(cat said)"
[ "$(echo out-*.png)" = 'out-1.png out-2.png out-3.png' ] || fail "three prompts: $(ls)"
cmp out-2.png out-3.png || fail "an empty line draws another picture"
grep -q '^seed 3$' shown && grep -q '^steps 2$' shown || fail "!show: $(cat shown)"
printf 'number 3\n' | "$dit" generate -i --seed 3 >shown 2>said || fail "interactive again: $(cat said)"
[ -e out-4.png ] || fail "an earlier picture was overwritten: $(ls)"
rm -f ./*.png shown said lines
for line in '!seed' '!seed -1' '!seed 1x' '!size 0' '!size 8x' '!size 8x8x8' '!size 99999' '!steps 0' '!steps ten' \
    '!guidance nan' '!guidance -2' '!stps 3' '!' $'caf\xe9' $'!negative \xff'; do
    rc=0
    printf '%s\n' "$line" | "$dit" generate -i >shown 2>said || rc=$?
    [ $rc -eq 2 ] || fail "interactive \"$line\": exit code $rc: $(cat said)"
    [ "$(grep -c . said)" -eq 1 ] && grep -q '^dit: ' said || fail "interactive \"$line\": $(cat said)"
done
[ -z "$(ls ./*.png 2>/dev/null)" ] || fail "pictures of refused lines: $(ls)"
rm -f shown said

# ---- The interactive prompt on a terminal: a prompt, the arrow that recalls it, the end
if command -v script >/dev/null; then
    (sleep 1; printf 'number 1\r'; sleep 1; printf '\033[A\r'; sleep 1; printf '\004') |
        HOME=$work XDG_STATE_HOME=$work/state TERM=xterm script -qec "'$dit' generate -i --seed 5" /dev/null >typed ||
        fail "interactive on a terminal: $(cat -v typed)"
    cmp out-1.png out-2.png || fail "the arrow did not recall the prompt: $(cat -v typed)"
    grep -q 'number' state/dit/history || fail "no history: $(cat state/dit/history)"
    grep -q '!help lists the commands' typed || fail "no greeting: $(cat -v typed)"
    rm -rf state typed ./*.png
fi

# ---- Ctrl-C while it draws
"$dit" generate -p x --steps 10000 --num 100 -o late.png --latents late.safetensors 2>said &
program=$!
sleep 0.7
kill -INT $program
rc=0
wait $program || rc=$?
[ $rc -eq 130 ] && grep -q '^dit: stopped during sample' said || fail "Ctrl-C: exit code $rc: $(cat said)"
[ -z "$(find . -name 'late*' -o -name '.dit-*')" ] || fail "Ctrl-C left $(ls -A)"
