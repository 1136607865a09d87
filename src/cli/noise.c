// cli/noise.c: `dit noise`: the random numbers that torch draws on the CPU after manual_seed.
#include "base/random.h"
#include "cli/command.h"
#include "io/safetensors.h"
#include <stdlib.h>
#include <string.h>

enum { SEED, KIND, SHAPE, LOW, HIGH, OUTPUT };
static const struct option options[] = {
    [SEED] = {"seed", OPTION_UINT64, .letter = 's', .value = "S", .required = true, .help = "as given to manual_seed"},
    [KIND] = {"kind", OPTION_TEXT, .value = "KIND", .choices = "randn|rand|randint|randperm", .preset = "randn",
              .help = "which of torch's functions"},
    [SHAPE] = {"shape", OPTION_SHAPE, .value = "N,...", .required = true, .help = "of the tensor; of randperm: N"},
    [LOW] = {"low", OPTION_INT, .value = "A", .preset = "0", .help = "randint: least value"},
    [HIGH] = {"high", OPTION_INT, .value = "B", .unset = "needed by randint",
              .help = "randint: above the largest value"},
    [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE", .required = true,
                .help = "safetensors to write: noise"},
    {0},
};

enum { MOST_VALUES = 1 << 28 };

static dit_status check(const struct call *call, bool randint, bool randperm, dit_error *error)
{
    const struct option_value *option = call->option;
    const dit_shape *shape = &option[SHAPE].shape;
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(count, shape->dim[i], &count) || count > MOST_VALUES)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--shape: at most %d values are drawn at once", MOST_VALUES);
    if (randperm && shape->rank != 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--shape: a permutation has one axis, as in --shape 100");
    if (randint && !option[HIGH].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--kind randint needs --high");
    if (!randint && (option[LOW].given || option[HIGH].given))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--%s is for --kind randint", option[LOW].given ? "low" : "high");
    if (randint && option[LOW].integer >= option[HIGH].integer)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--low %lld is not below --high %lld", (long long)option[LOW].integer,
                        (long long)option[HIGH].integer);
    return DIT_OK;
}

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *option = call->option;
    const char *kind = option[KIND].text, *path = option[OUTPUT].text;
    bool randint = !strcmp(kind, "randint"), randperm = !strcmp(kind, "randperm");
    dit_array noise = {.dtype = randint || randperm ? DIT_I64 : DIT_F32, .shape = option[SHAPE].shape};
    if (check(call, randint, randperm, error) || check_output_path(path, "--output", dit_array_bytes(&noise), error) ||
        dit_array_alloc(&noise, noise.dtype, noise.shape, error))
        return error->status;

    dit_generator generator;
    dit_generator_seed(&generator, option[SEED].natural);
    size_t n = (size_t)dit_shape_count(&noise.shape);
    if (randint)
        dit_randint(&generator, option[LOW].integer, option[HIGH].integer, noise.data, n);
    else if (randperm)
        dit_randperm(&generator, noise.data, n);
    else if (!strcmp(kind, "rand"))
        dit_rand(&generator, noise.data, n);
    else
        dit_randn(&generator, noise.data, n);
    dit_safetensors_item item = {"noise", noise.dtype, noise.shape, noise.data};
    dit_safetensors_write(path, &item, 1, NULL, 0, NULL, NULL, error);
    free(noise.data);
    return error->status;
}

const struct command command_noise = {
    .name = "noise",
    .summary = "write the random numbers that torch draws from a seed",
    .options = options,
    .details =
        "The values of torch.randn, rand, randint or randperm on the CPU after torch.manual_seed(S), bit for bit,\n"
        "as the tensor `noise`: float32, or int64 for randint and randperm.",
    .examples =
        (const char *const[]){
            "dit noise --seed 42 --shape 1,4,64,64 --output noise.safetensors",
            "the start of a picture of 512 x 512 pixels",
            "dit noise --seed 0 --kind randint --shape 8 --low 0 --high 1000 -o t.safetensors",
            "eight training timesteps",
            NULL,
        },
    .run = run,
};
