// cli/forward.c: `dit forward`: one network on a file of arguments.
#include "base/progress.h"
#include "cli/probe_options.h"
#include <string.h>

dit_method probe_method(const struct option_value *value)
{
    return !strcmp(value->text, "encode") ? DIT_ENCODE : !strcmp(value->text, "decode") ? DIT_DECODE : DIT_FORWARD;
}

dit_dtype probe_dtype(const struct option_value *value)
{
    dit_dtype dtype = DIT_F32;
    dit_dtype_from_name(value->text, &dtype);
    return dtype;
}

enum { INPUTS, OUTPUT, METHOD, DTYPE, MEMORY, LORA, LORA_SCALE };
static const struct option options[] = {
    [INPUTS] = PROBE_INPUTS,
    [OUTPUT] = {"output", OPTION_PATH, 'o', .value = "FILE", .required = true, .help = "safetensors to write"},
    [METHOD] = PROBE_METHOD,
    [DTYPE] = PROBE_DTYPE,
    [MEMORY] = PROBE_MEMORY,
    [LORA] = {"lora", OPTION_PATH, .value = "FILE", .help = "low-rank adapters for the network"},
    [LORA_SCALE] = {"lora-scale", OPTION_FLOAT, .value = "S", .min = -100, .max = 100, .preset = "1",
                    .help = "what they count"},
    {0},
};

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    const dit_probe_options options_of = {.method = probe_method(&o[METHOD]),
                                          .dtype = probe_dtype(&o[DTYPE]),
                                          .lora = o[LORA].given ? o[LORA].text : NULL,
                                          .lora_strength = o[LORA_SCALE].number,
                                          .memory = (size_t)o[MEMORY].natural};
    dit_probe probe = {0};
    if (!check_output_path(o[OUTPUT].text, "--output", 0, error) &&
        !dit_probe_open(&probe, call->operand[0], o[INPUTS].text, &options_of, error) &&
        !dit_probe_run(&probe, dit_watch_stops, (void *)call->watch, error))
        dit_probe_write(&probe, o[OUTPUT].text, error);
    dit_probe_close(&probe);
    return error->status;
}

const struct command command_forward = {
    .name = "forward",
    .summary = "run one network on tensors from a file",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "DIR is the folder that the public implementation saves: config.json and safetensors. The inputs carry the\n"
        "names of its forward arguments and the output those of its results (`sample` for a transformer), so that\n"
        "any network can be checked against any other implementation.\n",
    .examples =
        (const char *const[]){"dit forward DiT-XL-2-256/transformer --inputs in.safetensors --output out.safetensors",
                              "hidden_states, timestep and class_labels in, sample out", NULL},
    .run = run,
};
