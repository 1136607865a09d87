// cli/train.c: `dit train`: a model from a recipe.
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "media/png.h"
#include "pipelines/grid.h"
#include "train/trainer.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT, STEPS, CHECKPOINT_EVERY, SEED, SET };
static const struct option options[] = {
    [OUT] = {"out", OPTION_PATH, 'o', .value = "DIR", .unset = "runs/ and the recipe's name",
             .help = "folder of the run; a run that is there goes on"},
    [STEPS] = {"steps", OPTION_INT, .value = "N", .min = 1, .max = 1e15, .unset = "the recipe's",
               .help = "length of the whole run"},
    [CHECKPOINT_EVERY] = {"checkpoint-every", OPTION_INT, .value = "N", .min = 1, .max = 1e15, .unset = "the recipe's",
                          .help = "steps between checkpoints"},
    [SEED] = {"seed", OPTION_UINT64, 's', .value = "S", .unset = "the recipe's",
              .help = "of weights, order, noise and times"},
    [SET] = {"set", OPTION_TEXTS, .value = "KEY.PATH=VALUE",
             .help = "another value for one key of the recipe; may be repeated"},
    {0},
};

struct run {
    const struct call *call;
    const dit_recipe *recipe;
    const char *folder;
};

static void say_line(void *context, const char *line)
{
    const struct run *r = context;
    say(r->call, "%s", line);
}

// The samples are drawn without a bar of their own; Ctrl-C stops them all the same.
static int stop_when_interrupted(void *context, const dit_progress *progress)
{
    (void)context;
    (void)progress;
    return interrupted();
}

// Draws the recipe's samples with the model as it is now: samples-STEP.png, and samples.png for the newest.
static dit_status draw_samples(void *context, const char *model_folder, int classes, int64_t steps, dit_error *error)
{
    enum { MOST_CLASSES = 10 };
    const struct run *r = context;
    char path[4096];
    dit_model *model = NULL;
    dit_image image = {0};
    const dit_watch watch = {stop_when_interrupted, NULL};
    const int prompts = r->recipe->samples.count;
    const dit_grid grid = {.prompts = prompts ? r->recipe->samples.prompts : NULL,
                           .count = prompts                  ? prompts
                                    : classes < MOST_CLASSES ? classes
                                                             : MOST_CLASSES,
                           .gap = 2,
                           .seed = 1};
    if (!grid.count) // a model of text, and no prompts
        return DIT_OK;
    if (!dit_model_open(model_folder, &model, error) && !dit_draw_grid(model, &grid, &watch, &image, error)) {
        snprintf(path, sizeof path, "%s/samples-%08lld.png", r->folder, (long long)steps);
        if (!dit_png_save(path, &image, NULL, 0, error)) {
            if (terminal_is_interactive(STDERR_FILENO) && !r->call->quiet)
                terminal_picture(STDERR_FILENO, &image, 24);
            snprintf(path, sizeof path, "%s/samples.png", r->folder);
            dit_png_save(path, &image, NULL, 0, error);
        }
    }
    dit_image_free(&image);
    dit_model_close(model);
    return error->status;
}

// "recipes/emoji/train.yaml" -> "runs/train"; the caller frees it.
static char *default_folder(const char *recipe)
{
    const char *slash = strrchr(recipe, '/'), *name = slash ? slash + 1 : recipe, *dot = strrchr(name, '.');
    int n = (int)(dot && dot > name ? dot - name : (ptrdiff_t)strlen(name));
    char *folder = NULL;
    return asprintf(&folder, "runs/%.*s", n, name) < 0 ? NULL : folder;
}

// The flags as overrides of the recipe, after those of --set: [*count] texts in one malloc'd list.
static char **overrides_of(const struct option_value *o, size_t *count)
{
    char **list = calloc(o[SET].count + 4, sizeof *list);
    bool ok = list;
    *count = 0;
    for (size_t i = 0; ok && i < o[SET].count; i++)
        ok = (list[(*count)++] = strdup(o[SET].texts[i]));
    if (ok && o[STEPS].given)
        ok = asprintf(&list[(*count)++], "train.steps=%lld", (long long)o[STEPS].integer) >= 0;
    if (ok && o[CHECKPOINT_EVERY].given)
        ok = asprintf(&list[(*count)++], "train.checkpoint_every=%lld", (long long)o[CHECKPOINT_EVERY].integer) >= 0;
    if (ok && o[SEED].given)
        ok = asprintf(&list[(*count)++], "train.seed=%llu", (unsigned long long)o[SEED].natural) >= 0;
    if (ok)
        return list;
    for (size_t i = 0; list && i < *count; i++)
        free(list[i]);
    free(list);
    return NULL;
}

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    dit_recipe recipe = {0};
    size_t count = 0;
    char *chosen = o[OUT].given ? strdup(o[OUT].text) : default_folder(call->operand[0]);
    char **overrides = overrides_of(o, &count);
    struct run r = {call, &recipe, chosen};
    const dit_trainer_hooks hooks = {call->watch, draw_samples, say_line, &r};
    if (!chosen || !overrides)
        dit_fail(error, DIT_NO_MEMORY, "no memory to read the flags");
    else if (!dit_recipe_load(&recipe, call->operand[0], (const char *const *)overrides, count, error))
        dit_train(&recipe, chosen, &hooks, error);
    dit_recipe_free(&recipe);
    for (size_t i = 0; overrides && i < count; i++)
        free(overrides[i]);
    free(overrides);
    free(chosen);
    return error->status;
}

const struct command command_train = {
    .name = "train",
    .summary = "train a model from a recipe",
    .operands = "RECIPE.yaml",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "The folder of the run gets checkpoints, log.jsonl with one line a step (step, loss, grad_norm, lr, seconds),\n"
        "loss.svg, samples.png, and the model itself as model/. A run that was stopped or killed goes on from its\n"
        "newest checkpoint, bit for bit as if it had never stopped; Ctrl-C saves one first.\n",
    .examples = (const char *const[]){"dit train recipes/fashion/dit.yaml --out runs/fashion", "ten classes of clothes",
                                      "dit train recipes/fashion/dit.yaml --set train.batch=32 --set train.lr=2e-4",
                                      "the same with other settings", NULL},
    .run = run,
};
