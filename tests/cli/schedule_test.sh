#!/usr/bin/env bash
# dit schedule and dit noise: right answers on known numbers, refusals of what does not fit, nothing left behind.
source "$(dirname "$0")/common.sh"

# tensors FILE HEADER BYTES: a safetensors file; BYTES as printf's %b takes them.
tensors() {
    local length=${#2} octal='' i
    for i in 0 1 2 3 4 5 6 7; do
        octal+=$(printf '\\0%03o' $((length >> 8 * i & 255)))
    done
    printf '%b' "$octal" >"$1"
    printf '%s' "$2" >>"$1"
    printf '%b' "${3-}" >>"$1"
}
data_of() { # FILE: its data part in hexadecimal
    local length
    length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    tail -c +$((length + 9)) "$1" | od -An -tx1 -v | tr -d ' \n'
}
expect() { # TEXT: what the last command printed
    [ "$output" = "$1" ] || fail "expected $1, found $output"
}

# ---- Schedules
mkdir -p pipe/scheduler plain
echo '{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0}' >flow.json
cp flow.json pipe/scheduler/scheduler_config.json
cp flow.json plain/scheduler_config.json
flow='{"timesteps": [1000, 1], "sigmas": [1, 0.00100000005, 0], "init_noise_sigma": 1}'
for place in flow.json pipe pipe/ pipe/scheduler plain; do
    accept schedule "$place" --steps 2
    expect "$flow"
done
echo '{"_class_name": "DDIMScheduler"}' >ddim.json
accept schedule ddim.json --steps 4
expect '{"timesteps": [750, 500, 250, 0], "init_noise_sigma": 1}'
echo '{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "unknown": 3}' >dpm.json
accept schedule dpm.json --steps 2
grep -q '"timesteps": \[999, 500\], "sigmas": \[157.40' <<<"$output" || fail "DPM-Solver: $output"

# ---- Steps: x = 1, outputs 2 and 4: 1 - 0.999 * 2 = -0.998, then -0.998 - 0.001 * 4 = -1.002
one='"sample":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}'
two='"model_outputs":{"dtype":"F32","shape":[2,1,1],"data_offsets":[4,12]}'
bytes='\0000\0000\0200\0077\0000\0000\0000\0100\0000\0000\0200\0100'
tensors in.safetensors "{$one,$two}" "$bytes"
accept schedule flow.json --steps 2 --inputs in.safetensors --output out.safetensors
expect "$flow"
[ "$(data_of out.safetensors)" = ee7c7fbf894180bf ] || fail "samples: $(data_of out.safetensors)"
grep -q '"samples":{"dtype":"F32","shape":\[2,1,1\]' out.safetensors || fail "the name or shape of samples"

# ---- An argument: mu = 0 shifts nothing
echo '{"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true}' >flux.json
tensors mu.safetensors '{"mu":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}' '\0000\0000\0000\0000\0000\0000\0000\0000'
accept schedule flux.json --steps 2 --inputs mu.safetensors
expect "$flow"

# ---- Noise: the bits of torch
accept noise --seed 0 --shape 3 -o n.safetensors
[ "$(data_of n.safetensors)" = 5c3fc53f503c96be49710bc0 ] || fail "randn: $(data_of n.safetensors)"
accept noise --seed 0 --kind rand --shape 1,2 -o n.safetensors
[ "$(data_of n.safetensors)" = 5815fe3e2faa443f ] || fail "rand: $(data_of n.safetensors)"
accept noise --seed 1 --kind randint --shape 4 --low -5 --high 5 -o n.safetensors
accept noise --seed 1 --kind randperm --shape 5 -o n.safetensors
grep -q '"noise":{"dtype":"I64","shape":\[5\]' n.safetensors || fail "the type or shape of noise"

# ---- Refusals
refuse 2 '--steps' schedule flow.json
refuse 2 '--steps' schedule flow.json --steps 0
refuse 2 '--steps' schedule flow.json --steps -3
refuse 2 '--steps' schedule flow.json --steps 1000000000000
refuse 2 '--steps 1001.*ddim.json' schedule ddim.json --steps 1001
refuse 2 'use_dynamic_shifting.*mu' schedule flux.json --steps 4
refuse 2 'DDIMScheduler takes no argument "mu"' schedule ddim.json --steps 4 --inputs mu.safetensors
refuse 1 'missing.json' schedule missing.json --steps 4
refuse 1 'scheduler_config.json' schedule . --steps 4
refuse 2 '--inputs' schedule flow.json --steps 2 --output o.safetensors
refuse 2 '--output' schedule flow.json --steps 2 --inputs in.safetensors
refuse 1 'model_outputs' schedule flow.json --steps 3 --inputs in.safetensors --output o.safetensors
refuse 1 'sample' schedule flow.json --steps 2 --inputs mu.safetensors --output o.safetensors
refuse 1 'no-such-folder' schedule flow.json --steps 2 --inputs in.safetensors --output no-such-folder/o.safetensors
echo '{"_class_name": "DDPMScheduler"}' >ddpm.json
refuse 1 'noise' schedule ddpm.json --steps 2 --inputs in.safetensors --output o.safetensors
tensors lone.safetensors "{$one}" '\0000\0000\0200\0077'
refuse 1 'model_outputs' schedule flow.json --steps 2 --inputs lone.safetensors --output o.safetensors
tensors odd.safetensors '{"sigma":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}' '\0000\0000\0200\0077'
refuse 1 '"sigma" is not an input' schedule flow.json --steps 2 --inputs odd.safetensors
tensors list.safetensors '{"mu":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0000\0000\0200\0077'
refuse 1 'mu.*0-d' schedule flux.json --steps 2 --inputs list.safetensors
tensors half.safetensors '{"sample":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]}}' '\0000\0000'
refuse 1 'sample.*f16' schedule flow.json --steps 2 --inputs half.safetensors --output o.safetensors
bad() { # KEY JSON: a configuration with this in it is refused by the key's name
    echo "{\"_class_name\": \"DDPMScheduler\", $2}" >bad.json
    refuse 1 "bad.json.*$1" schedule bad.json --steps 2
}
bad num_train_timesteps '"num_train_timesteps": 0'
bad num_train_timesteps '"num_train_timesteps": 1000000000000'
bad num_train_timesteps '"num_train_timesteps": true'
bad beta_start '"beta_start": "0.1"'
bad beta_schedule '"beta_schedule": "cubic"'
bad beta_end '"beta_end": 1, "beta_end": 1'
bad '' '"beta_end": NaN'
bad '' '"beta_end": 1e999'
bad '' '"beta_end": -Infinity'
echo '{"_class_name": "NoSuch\u001b[2JScheduler"}' >bad.json
refuse 1 'bad.json.*NoSuch' schedule bad.json --steps 2
refuse 2 '--shape' noise --seed 0 --shape 0 -o x.safetensors
refuse 2 '--shape' noise --seed 0 --shape 100000,100000,100000 -o x.safetensors
refuse 2 '--shape' noise --seed 0 --kind randperm --shape 2,2 -o x.safetensors
refuse 2 '--high' noise --seed 0 --kind randint --shape 2 -o x.safetensors
refuse 2 '--low' noise --seed 0 --kind randint --shape 2 --low 3 --high 3 -o x.safetensors
refuse 2 '--low' noise --seed 0 --shape 2 --low 3 -o x.safetensors
refuse 2 '--kind' noise --seed 0 --kind poisson --shape 2 -o x.safetensors
refuse 2 '--seed' noise --seed -1 --shape 2 -o x.safetensors
