// train/recipe.c: the schema of a recipe, its defaults, and the checks that span keys.
#include "train/recipe.h"
#include "io/yaml.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// What the file holds, as libcyaml fills it in.
struct model_part {
    const char *class, *start;
    int layers, heads, width, patch, text_layers, text_length, vocabulary;
};
struct data_part {
    const char *set, *split, *without;
    int size, channels, background;
    bool flip;
    double shift, scale, drop, keywords;
};
struct objective_part {
    dit_process kind;
    dit_target predict;
    dit_times times;
    double logit_mean, logit_std, min_snr_gamma, least_time, beta_start, beta_end;
    double label_smoothing;
    bool learned_variance, velocity_loss;
    int steps;
};
struct train_part {
    int64_t steps, warmup, checkpoint_every, sample_every;
    uint64_t seed;
    int batch, accumulate;
    double lr, least_lr, beta1, beta2, eps, weight_decay, bias_weight_decay, clip_norm;
    dit_rate_schedule schedule;
    dit_dtype moments;
    double *ema;
    unsigned ema_count;
    bool recompute;
};
struct samples_part {
    const char **prompts;
    unsigned prompts_count;
    int steps, ema;
    double guidance_scale;
    dit_dtype dtype;
};
struct recipe_file {
    struct model_part model;
    struct data_part data;
    struct objective_part objective;
    struct train_part train;
    struct samples_part samples;
};

static const char defaults[] =
    "model: {heads: 0, patch: 0, text_layers: 2, text_length: 16, vocabulary: 2048, start: null}\n"
    "data: {split: null, without: null, channels: 3, background: 255, flip: false, shift: 0, scale: 0, drop: 0.1,\n"
    "       keywords: 0}\n"
    "objective: {kind: diffusion, predict: default, times: uniform, logit_mean: 0, logit_std: 1, min_snr_gamma: 0,\n"
    "            least_time: 0.05, beta_start: 0.0001, beta_end: 0.02, learned_variance: false, velocity_loss: false,\n"
    "            label_smoothing: 0, steps: 1000}\n"
    "train: {accumulate: 1, lr: 1e-4, least_lr: 0, warmup: 0, schedule: constant, beta1: 0.9, beta2: 0.999, eps: "
    "1e-8,\n"
    "        weight_decay: 0, bias_weight_decay: 0, clip_norm: 1, ema: [0.9999], moments: f32, recompute: false, seed: "
    "0,\n"
    "        checkpoint_every: 1000, sample_every: 1000}\n"
    "samples: {prompts: [], steps: 50, guidance_scale: 4, ema: 0, dtype: f32}\n";

enum { THE_PROCESS_HAS_ONE = 100 }; // objective.predict: noise of a diffusion, velocity of a flow
static const cyaml_strval_t processes[] = {
    {"diffusion", DIT_DIFFUSION}, {"flow", DIT_FLOW}, {"classify", DIT_CLASSIFICATION}};
static const cyaml_strval_t targets[] = {{"default", THE_PROCESS_HAS_ONE},
                                         {"noise", DIT_TARGET_NOISE},
                                         {"sample", DIT_TARGET_SAMPLE},
                                         {"velocity", DIT_TARGET_VELOCITY}};
static const cyaml_strval_t times[] = {{"uniform", DIT_TIMES_UNIFORM}, {"logit_normal", DIT_TIMES_LOGIT_NORMAL}};
static const cyaml_strval_t moments[] = {{"f32", DIT_F32}, {"bf16", DIT_BF16}};
static const cyaml_strval_t schedules[] = {
    {"constant", DIT_RATE_CONSTANT}, {"cosine", DIT_RATE_COSINE}, {"linear", DIT_RATE_LINEAR}};
static const cyaml_strval_t dtypes[] = {{"f32", DIT_F32}, {"f16", DIT_F16}, {"bf16", DIT_BF16}};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define INT(part, key) CYAML_FIELD_INT(#key, CYAML_FLAG_DEFAULT, struct part, key)
#define NUMBER(part, key) CYAML_FIELD_FLOAT(#key, CYAML_FLAG_DEFAULT, struct part, key)
#define BOOLEAN(part, key) CYAML_FIELD_BOOL(#key, CYAML_FLAG_DEFAULT, struct part, key)
#define CHOICE(part, key, list) CYAML_FIELD_ENUM(#key, CYAML_FLAG_STRICT, struct part, key, list, COUNT(list))
#define TEXT(part, key) CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER, struct part, key, 1, 4096)
#define TEXT_OR_NULL(part, key)                                                                                        \
    CYAML_FIELD_STRING_PTR(#key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER_NULL_STR, struct part,  \
                           key, 1, 4096)
#define PART(name) CYAML_FIELD_MAPPING(#name, CYAML_FLAG_DEFAULT, struct recipe_file, name, name##_fields)

static const cyaml_schema_field_t model_fields[] = {TEXT(model_part, class),         INT(model_part, layers),
                                                    INT(model_part, heads),          INT(model_part, width),
                                                    INT(model_part, patch),          INT(model_part, text_layers),
                                                    INT(model_part, text_length),    INT(model_part, vocabulary),
                                                    TEXT_OR_NULL(model_part, start), CYAML_FIELD_END};
static const cyaml_schema_field_t data_fields[] = {
    TEXT(data_part, set),     TEXT_OR_NULL(data_part, split), TEXT_OR_NULL(data_part, without),
    INT(data_part, size),     INT(data_part, channels),       INT(data_part, background),
    BOOLEAN(data_part, flip), NUMBER(data_part, shift),       NUMBER(data_part, scale),
    NUMBER(data_part, drop),  NUMBER(data_part, keywords),    CYAML_FIELD_END};
static const cyaml_schema_field_t objective_fields[] = {CHOICE(objective_part, kind, processes),
                                                        CHOICE(objective_part, predict, targets),
                                                        CHOICE(objective_part, times, times),
                                                        NUMBER(objective_part, logit_mean),
                                                        NUMBER(objective_part, logit_std),
                                                        NUMBER(objective_part, min_snr_gamma),
                                                        NUMBER(objective_part, label_smoothing),
                                                        NUMBER(objective_part, least_time),
                                                        NUMBER(objective_part, beta_start),
                                                        NUMBER(objective_part, beta_end),
                                                        BOOLEAN(objective_part, learned_variance),
                                                        BOOLEAN(objective_part, velocity_loss),
                                                        INT(objective_part, steps),
                                                        CYAML_FIELD_END};
static const cyaml_schema_value_t ema_decay = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_field_t train_fields[] = {
    INT(train_part, steps),
    INT(train_part, warmup),
    INT(train_part, checkpoint_every),
    INT(train_part, sample_every),
    CYAML_FIELD_UINT("seed", CYAML_FLAG_DEFAULT, struct train_part, seed),
    INT(train_part, batch),
    INT(train_part, accumulate),
    NUMBER(train_part, lr),
    NUMBER(train_part, least_lr),
    NUMBER(train_part, beta1),
    NUMBER(train_part, beta2),
    NUMBER(train_part, eps),
    NUMBER(train_part, weight_decay),
    NUMBER(train_part, bias_weight_decay),
    NUMBER(train_part, clip_norm),
    CHOICE(train_part, schedule, schedules),
    CHOICE(train_part, moments, moments),
    CYAML_FIELD_SEQUENCE("ema", CYAML_FLAG_POINTER, struct train_part, ema, &ema_decay, 0, DIT_MAX_EMA),
    BOOLEAN(train_part, recompute),
    CYAML_FIELD_END};
static const cyaml_schema_value_t prompt = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, 4096)};
static const cyaml_schema_field_t samples_fields[] = {
    CYAML_FIELD_SEQUENCE("prompts", CYAML_FLAG_POINTER, struct samples_part, prompts, &prompt, 0, 256),
    INT(samples_part, steps),
    INT(samples_part, ema),
    NUMBER(samples_part, guidance_scale),
    CHOICE(samples_part, dtype, dtypes),
    CYAML_FIELD_END};
static const cyaml_schema_field_t recipe_fields[] = {PART(model), PART(data),    PART(objective),
                                                     PART(train), PART(samples), CYAML_FIELD_END};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct recipe_file, recipe_fields)};

// Bounds of single numbers.
static dit_status check_ranges(const dit_yaml *y, dit_error *error)
{
    static const struct {
        const char *path;
        double least, most;
    } ranges[] = {
        {"model.layers", 1, 1000},
        {"model.heads", 0, 1024},
        {"model.width", 4, 1 << 20},
        {"model.patch", 0, 1024},
        {"model.text_layers", 0, 1000},
        {"model.text_length", 1, 65536},
        {"model.vocabulary", 260, 1 << 20},
        {"data.size", 1, 16384},
        {"data.channels", 1, 3},
        {"data.background", 0, 255},
        {"data.shift", 0, 1},
        {"data.scale", 0, 0.9},
        {"data.drop", 0, 1},
        {"data.keywords", 0, 1},
        {"objective.steps", 1, 1000000},
        {"objective.logit_mean", -20, 20},
        {"objective.logit_std", 1e-3, 20},
        {"objective.min_snr_gamma", 0, 1e6},
        {"objective.label_smoothing", 0, 1},
        {"objective.least_time", 1e-6, 1},
        {"objective.beta_start", 1e-12, 1},
        {"objective.beta_end", 1e-12, 1},
        {"train.steps", 1, 1e15},
        {"train.batch", 1, 65536},
        {"train.accumulate", 1, 65536},
        {"train.lr", 0, 1000},
        {"train.least_lr", 0, 1000},
        {"train.warmup", 0, 1e15},
        {"train.beta1", 0, 0.999999},
        {"train.beta2", 0, 0.9999999},
        {"train.eps", 1e-16, 1},
        {"train.weight_decay", 0, 1000},
        {"train.bias_weight_decay", 0, 1000},
        {"train.clip_norm", 0, 1e9},
        {"train.ema.*", 0, 0.9999999},
        {"train.checkpoint_every", 0, 1e15},
        {"train.sample_every", 0, 1e15},
        {"samples.steps", 1, 10000},
        {"samples.ema", -1, DIT_MAX_EMA - 1},
        {"samples.guidance_scale", 0, 1000},
    };
    for (size_t i = 0; i < COUNT(ranges); i++)
        if (dit_yaml_check_range(y, ranges[i].path, ranges[i].least, ranges[i].most, error))
            return error->status;
    return DIT_OK;
}

// Of a sequence: tokens times width. Tables of positions are made before it is known what a step needs.
enum { MOST_VALUES = 1 << 25, WIDEST_HEAD = 4096 };

// Heads and patches: of transformers, which need them.
static dit_status check_transformer(const dit_yaml *y, const struct recipe_file *f, dit_error *error)
{
    const struct model_part *m = &f->model;
    if (m->heads < 1 || m->patch < 1)
        return dit_yaml_fail(y, m->heads < 1 ? "model.heads" : "model.patch", error, "is missing, or 0");
    if (m->width % m->heads || m->width / m->heads % 4 || m->width / m->heads < 16 || m->width / m->heads > WIDEST_HEAD)
        return dit_yaml_fail(y, "model.width", error,
                             "%d does not split into %d heads of a multiple of 4 from 16 to %d", m->width, m->heads,
                             WIDEST_HEAD);
    if (f->data.size % m->patch)
        return dit_yaml_fail(y, "data.size", error, "%d pixels do not split into patches of %d", f->data.size,
                             m->patch);
    int64_t side = f->data.size / m->patch, tokens = side * side;
    if (tokens * m->width > MOST_VALUES)
        return dit_yaml_fail(y, "data.size", error, "%lld tokens of width %d are more than a model takes",
                             (long long)tokens, m->width);
    return DIT_OK;
}

static dit_status check_classifier(const dit_yaml *y, const struct recipe_file *f, dit_error *error)
{
    const struct model_part *m = &f->model;
    if (m->heads || m->patch)
        return dit_yaml_fail(y, m->heads ? "model.heads" : "model.patch", error, "a classifier has none");
    if (m->width % DIT_CLASSIFIER_GROUPS)
        return dit_yaml_fail(y, "model.width", error, "%d channels are not normalised in %d equal groups", m->width,
                             DIT_CLASSIFIER_GROUPS);
    if (m->layers > 16 || f->data.size >> (m->layers - 1) < 1)
        return dit_yaml_fail(y, "model.layers", error, "%d pixels are not halved %d times", f->data.size,
                             m->layers - 1);
    return DIT_OK;
}

// What keys say of each other.
static dit_status check_together(const dit_yaml *y, const struct recipe_file *f, dit_error *error)
{
    bool classifies = f->objective.kind == DIT_CLASSIFICATION;
    if (classifies ? check_classifier(y, f, error) : check_transformer(y, f, error))
        return error->status;
    if (f->data.channels == 2)
        return dit_yaml_fail(y, "data.channels", error, "a picture has 1 channel or 3");
    if (f->samples.ema >= (int)f->train.ema_count)
        return dit_yaml_fail(y, "samples.ema", error, "is %d; train.ema has %u averages, counted from 0",
                             f->samples.ema, f->train.ema_count);
    return DIT_OK;
}

static void take_over(dit_recipe *r, struct recipe_file *f)
{
    const struct objective_part *o = &f->objective;
    const struct train_part *t = &f->train;
    r->model.class = f->model.class;
    r->model.start = f->model.start;
    r->model.layers = f->model.layers;
    r->model.heads = f->model.heads;
    r->model.width = f->model.width;
    r->model.patch = f->model.patch;
    r->model.text_layers = f->model.text_layers;
    r->model.text_length = f->model.text_length;
    r->model.vocabulary = f->model.vocabulary;
    r->data.set = f->data.set;
    r->data.split = f->data.split;
    r->data.without = f->data.without;
    r->data.size = f->data.size;
    r->data.channels = f->data.channels;
    r->data.background = f->data.background;
    r->data.flip = f->data.flip;
    r->data.shift = f->data.shift;
    r->data.scale = f->data.scale;
    r->data.drop = o->kind == DIT_CLASSIFICATION ? 0 : f->data.drop;
    r->data.keywords = f->data.keywords;
    r->objective = (dit_objective){.process = o->kind,
                                   .target = o->predict,
                                   .times = o->times,
                                   .logit_mean = o->logit_mean,
                                   .logit_std = o->logit_std,
                                   .learned_variance = o->learned_variance,
                                   .min_snr_gamma = o->min_snr_gamma,
                                   .velocity_loss = o->velocity_loss,
                                   .least_time = o->least_time,
                                   .label_smoothing = o->label_smoothing,
                                   .steps = o->steps,
                                   .beta_start = o->beta_start,
                                   .beta_end = o->beta_end};
    if ((int)o->predict == THE_PROCESS_HAS_ONE)
        r->objective.target = o->kind == DIT_FLOW ? DIT_TARGET_VELOCITY : DIT_TARGET_NOISE;
    r->train.steps = t->steps;
    r->train.batch = t->batch;
    r->train.accumulate = t->accumulate;
    r->train.rate = t->lr;
    r->train.least_rate = t->least_lr;
    r->train.warmup = t->warmup;
    r->train.schedule = t->schedule;
    r->train.recompute = t->recompute;
    r->train.seed = t->seed;
    r->train.checkpoint_every = t->checkpoint_every;
    r->train.sample_every = t->sample_every;
    r->train.optimizer = (dit_optimizer_options){.beta1 = t->beta1,
                                                 .beta2 = t->beta2,
                                                 .eps = t->eps,
                                                 .weight_decay = t->weight_decay,
                                                 .bias_weight_decay = t->bias_weight_decay,
                                                 .clip_norm = t->clip_norm,
                                                 .moments = t->moments,
                                                 .ema_count = (int)t->ema_count};
    for (unsigned i = 0; i < t->ema_count; i++)
        r->train.optimizer.ema[i] = t->ema[i];
    r->samples.prompts = f->samples.prompts;
    r->samples.count = (int)f->samples.prompts_count;
    r->samples.steps = f->samples.steps;
    r->samples.guidance_scale = f->samples.guidance_scale;
    r->samples.ema = f->samples.ema;
    r->samples.dtype = f->samples.dtype;
    r->file = f;
}

dit_status dit_recipe_load(dit_recipe *recipe, const char *path, const char *const *overrides, size_t override_count,
                           dit_error *error)
{
    dit_yaml *y = NULL;
    void *data = NULL;
    *recipe = (dit_recipe){0};
    if (!dit_yaml_open(&y, path, defaults, overrides, override_count, error)) {
        dit_yaml_load(y, &schema, &data, error);
        if (!error->status && !check_ranges(y, error) && !check_together(y, data, error)) {
            take_over(recipe, data);
            data = NULL;
            if (dit_objective_prepare(&recipe->objective, error))
                dit_error_locate(error, path);
        }
    }
    dit_yaml_free_data(&schema, data);
    dit_yaml_close(y);
    return error->status;
}

void dit_recipe_free(dit_recipe *recipe)
{
    dit_objective_release(&recipe->objective);
    dit_yaml_free_data(&schema, recipe->file);
    *recipe = (dit_recipe){0};
}

double dit_recipe_rate(const dit_recipe *r, int64_t taken)
{
    double rate = r->train.rate, least = r->train.least_rate;
    if (taken < r->train.warmup)
        return rate * (double)(taken + 1) / (double)r->train.warmup;
    double whole = (double)(r->train.steps - r->train.warmup);
    double done = whole > 0 ? fmin(1, (double)(taken - r->train.warmup) / whole) : 1;
    switch (r->train.schedule) {
    case DIT_RATE_COSINE:
        return least + (rate - least) * 0.5 * (1 + cos(M_PI * done));
    case DIT_RATE_LINEAR:
        return least + (rate - least) * (1 - done);
    default:
        return rate;
    }
}
