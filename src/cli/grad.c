// cli/grad.c: `dit grad`: the gradient of a squared error for every parameter of one network.
#include "base/progress.h"
#include "cli/probe_options.h"

enum { INPUTS, OUTPUT };
static const struct option options[] = {
    [INPUTS] = PROBE_INPUTS,
    [OUTPUT] = {"output", OPTION_PATH, 'o', .value = "FILE", .required = true, .help = "safetensors to write"},
    {0},
};

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    const dit_probe_options options_of = {.dtype = DIT_F32, .gradient = true};
    dit_probe probe = {0};
    if (!check_output_path(o[OUTPUT].text, "--output", 0, error) &&
        !dit_probe_open(&probe, call->operand[0], o[INPUTS].text, &options_of, error) &&
        !dit_probe_run(&probe, dit_watch_stops, (void *)call->watch, error))
        dit_probe_write(&probe, o[OUTPUT].text, error);
    dit_probe_close(&probe);
    return error->status;
}

const struct command command_grad = {
    .name = "grad",
    .summary = "gradients of mean((sample - target)^2) for every parameter of one network",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "The inputs are those of `dit forward` and `target`, of the shape of the network's output. Where that is a\n"
        "list, the mean is over all of it: `target.0`, `target.1`, ..., or one `target` that stacks them (of the\n"
        "shape of `sample.0`: that one alone). The gradients are written in f32 under the names of the weights.\n",
    .examples = (const char *const[]){"dit grad transformer --inputs in.safetensors --output grads.safetensors",
                                      "one gradient for each tensor of transformer/*.safetensors", NULL},
    .run = run,
};
