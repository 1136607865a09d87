// sample/choice.c: a configuration turned into that of another sampler.
#include "sample/choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char DDPM[] = "DDPMScheduler", DDIM[] = "DDIMScheduler", LCM[] = "LCMScheduler",
                  EULER[] = "EulerDiscreteScheduler", ANCESTRAL[] = "EulerAncestralDiscreteScheduler",
                  HEUN[] = "HeunDiscreteScheduler", DPM[] = "DPMSolverMultistepScheduler",
                  UNIPC[] = "UniPCMultistepScheduler", FLOW_EULER[] = "FlowMatchEulerDiscreteScheduler",
                  FLOW_HEUN[] = "FlowMatchHeunDiscreteScheduler", SCM[] = "SCMScheduler";

static const struct named {
    const char *name;
    const char *noise, *flow; // the class for models of noise (or v, or the picture), and for those of flow; NULL: none
    const char *algorithm;    // of DPM-Solver
    int order;
} samplers[] = {
    {"euler", EULER, FLOW_EULER, NULL, 0},
    {"euler-ancestral", ANCESTRAL, NULL, NULL, 0},
    {"heun", HEUN, FLOW_HEUN, NULL, 0},
    {"dpm++2m", DPM, DPM, "dpmsolver++", 2},
    {"dpm++2m-sde", DPM, DPM, "sde-dpmsolver++", 2},
    {"dpm++3m", DPM, DPM, "dpmsolver++", 3},
    {"unipc", UNIPC, UNIPC, NULL, 0},
    {"ddim", DDIM, NULL, NULL, 0},
    {"ddpm", DDPM, NULL, NULL, 0},
    {"lcm", LCM, NULL, NULL, 0},
};
enum { SAMPLERS = sizeof samplers / sizeof *samplers };

// Which schedules a class has, for models of noise and of flow.
enum { KARRAS = 1, EXPONENTIAL = 2, BETA = 4, SIGMOID = 8, ALL_SPACINGS = KARRAS | EXPONENTIAL | BETA };
static const struct {
    const char *class;
    unsigned noise, flow;
} class_schedules[] = {
    {EULER, ALL_SPACINGS, 0},
    {HEUN, ALL_SPACINGS, 0},
    {DPM, ALL_SPACINGS, 0},        // with flow its spacings are those of sigmas up to 157, which no flow has
    {UNIPC, ALL_SPACINGS, KARRAS}, // which it brings to flow by sigma / (1 + sigma)
    {FLOW_EULER, 0, ALL_SPACINGS | SIGMOID},
};
static const struct {
    const char *name, *key; // of the configuration
    unsigned bit;
} schedules[] = {{"uniform", NULL, 0},
                 {"karras", "use_karras_sigmas", KARRAS},
                 {"exponential", "use_exponential_sigmas", EXPONENTIAL},
                 {"beta", "use_beta_sigmas", BETA},
                 {"sigmoid", NULL, SIGMOID}};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

// What the configuration is, and what becomes of it.
struct change {
    const dit_sampler_choice *choice;
    dit_sampler *own; // as the configuration has it
    bool flow;
    double shift;      // of a flow model
    const char *class; // the one chosen
    json_t *made;
};

static bool text_is(dit_json config, const char *key, const char *wanted)
{
    const char *text = json_string_value(json_object_get(config.value, key));
    return text && !strcmp(text, wanted);
}

// The shift that the configuration's sampler applies to the times of a picture of so many tokens.
static double shift_of(const struct change *c, dit_json config, int64_t tokens, const dit_sampler_arguments *arguments)
{
    json_t *shift = json_object_get(config.value, "shift"), *flow_shift = json_object_get(config.value, "flow_shift");
    if (c->choice->flow_shift > 0)
        return c->choice->flow_shift;
    if (c->own->dynamic_shift && (tokens || arguments->given[DIT_MU])) {
        double mu = arguments->given[DIT_MU] ? arguments->value[DIT_MU] : dit_sampler_mu(c->own, tokens);
        return text_is(config, "time_shift_type", "linear") ? mu : exp(mu);
    }
    if (!strncmp(c->own->class->name, "FlowMatch", strlen("FlowMatch")))
        return json_is_number(shift) ? json_number_value(shift) : 1;
    return json_is_number(flow_shift) ? json_number_value(flow_shift) : 1;
}

static dit_status choose_class(struct change *c, dit_error *error)
{
    const char *name = c->choice->sampler;
    const struct named *row = NULL;
    c->class = c->own->class->name;
    if (!name)
        return DIT_OK;
    for (int i = 0; i < SAMPLERS; i++)
        if (!strcmp(samplers[i].name, name))
            row = &samplers[i];
    if (!row)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--sampler: there is no %.40s", name);
    if (!strcmp(c->class, SCM))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--sampler: this model is distilled for %s, and works with no other",
                        SCM);
    c->class = c->flow ? row->flow : row->noise;
    if (!c->class)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--sampler: %s is for models that predict noise, and this one predicts a flow; for it there "
                        "are euler, heun, dpm++2m, dpm++2m-sde, dpm++3m and unipc",
                        name);
    if (row->algorithm) {
        json_object_set_new(c->made, "algorithm_type", json_string(row->algorithm));
        json_object_set_new(c->made, "solver_order", json_integer(row->order));
    }
    return DIT_OK;
}

// Keys that mean something else to the class chosen than to the one that the file is for, or that it must be told.
static void adapt(struct change *c, dit_json config, dit_error *error)
{
    json_t *variance = json_object_get(c->made, "variance_type");
    json_object_set_new(c->made, "_class_name", json_string(c->class));
    if (!strcmp(c->class, DPM))
        json_object_set_new(c->made, "solver_type", json_string("midpoint"));
    if (!strcmp(c->class, UNIPC))
        json_object_set_new(c->made, "solver_type", json_string("bh2"));
    // These clip to [-1, 1] unless told otherwise, which files for samplers that never do so need not say.
    if ((!strcmp(c->class, DDIM) || !strcmp(c->class, DDPM)) && !json_object_get(c->made, "clip_sample"))
        json_object_set_new(c->made, "clip_sample", json_false());
    // The pipelines hand no predicted variance to their samplers.
    if (!strcmp(c->class, DDPM) && json_is_string(variance) && !strncmp(json_string_value(variance), "learned", 7))
        json_object_set_new(c->made, "variance_type", json_string("fixed_small"));
    if (c->flow && (!strcmp(c->class, DPM) || !strcmp(c->class, UNIPC))) {
        json_object_set_new(c->made, "prediction_type", json_string("flow_prediction"));
        json_object_set_new(c->made, "use_flow_sigmas", json_true());
    }
    // -Infinity is what it is by default, and only the file itself can say so.
    if (json_object_get(c->made, "lambda_min_clipped") &&
        isinf(dit_json_number_or(config, "lambda_min_clipped", -INFINITY, -INFINITY, 1e6, error)))
        json_object_del(c->made, "lambda_min_clipped");
}

// The time shift, by the chosen class's own name for it.
static dit_status adapt_shift(struct change *c, dit_error *error)
{
    if (!c->flow && c->choice->flow_shift > 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--flow-shift: this model predicts no flow");
    if (!c->flow)
        return DIT_OK;
    const bool fixed = c->choice->flow_shift > 0 || !strcmp(c->class, FLOW_HEUN);
    const bool matches = !strcmp(c->class, FLOW_EULER) || !strcmp(c->class, FLOW_HEUN);
    if (fixed)
        json_object_set_new(c->made, "use_dynamic_shifting", json_false());
    if (fixed || !c->own->dynamic_shift)
        json_object_set_new(c->made, matches ? "shift" : "flow_shift", json_real(c->shift));
    return DIT_OK;
}

static dit_status choose_schedule(struct change *c, int64_t steps, dit_sampler_arguments *arguments,
                                  double **made_sigmas, dit_error *error)
{
    const char *name = c->choice->schedule;
    unsigned known = 0, asked = 0;
    int found = -1;
    for (int i = 0; name && i < SCHEDULES; i++)
        if (!strcmp(schedules[i].name, name))
            found = i;
    if (!name)
        return DIT_OK;
    if (found < 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--schedule: there is no %.40s", name);
    for (int i = 0; i < (int)(sizeof class_schedules / sizeof *class_schedules); i++)
        if (!strcmp(class_schedules[i].class, c->class))
            known = c->flow ? class_schedules[i].flow : class_schedules[i].noise;
    asked = schedules[found].bit;
    if ((asked & known) != asked)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--schedule: %s is nothing that %s has for a model that predicts %s",
                        name, c->class, c->flow ? "a flow" : "noise");
    for (int i = 0; i < SCHEDULES; i++)
        if (schedules[i].key)
            json_object_set_new(c->made, schedules[i].key, json_boolean(i == found));
    if (asked != SIGMOID)
        return DIT_OK;
    double *sigmas = malloc((size_t)steps * sizeof *sigmas);
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "--steps: no memory for %lld steps", (long long)steps);
    for (int64_t i = 0; i < steps; i++)
        sigmas[i] = 1 - (double)i / (double)steps;
    json_object_set_new(c->made, "use_dynamic_shifting", json_false());
    json_object_set_new(c->made, "shift", json_real(c->shift));
    json_object_del(c->made, "shift_terminal");
    arguments->sigmas = *made_sigmas = sigmas;
    return DIT_OK;
}

// A copy without the keys that `_use_default_values` takes out.
static json_t *copy_config(dit_json config)
{
    json_t *made = json_deep_copy(config.value), *name;
    size_t i;
    json_array_foreach(json_object_get(config.value, "_use_default_values"), i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), "_use_default_values") != 0)
            json_object_del(made, json_string_value(name));
    }
    json_object_del(made, "_use_default_values");
    return made;
}

dit_status dit_sampler_choose(dit_sampler **s, dit_json config, const dit_sampler_choice *choice, int64_t shift_tokens,
                              int64_t steps, dit_sampler_arguments *arguments, double **made_sigmas, dit_error *error)
{
    struct change c = {.choice = choice};
    *s = NULL;
    *made_sigmas = NULL;
    if (dit_sampler_new(&c.own, NULL, config, error))
        return error->status;
    c.flow = !strncmp(c.own->class->name, "FlowMatch", strlen("FlowMatch")) ||
             text_is(config, "prediction_type", "flow_prediction");
    if (!choice->sampler && !choice->schedule && !(choice->flow_shift > 0)) {
        *s = c.own;
        c.own = NULL;
    } else if (!(c.made = copy_config(config))) {
        dit_fail(error, DIT_NO_MEMORY, "--sampler: no memory for its configuration");
    } else {
        c.shift = shift_of(&c, config, shift_tokens, arguments);
        const dit_json made = {config.file, c.made, config.path};
        if (!choose_class(&c, error)) {
            adapt(&c, config, error);
            if (!adapt_shift(&c, error) && !choose_schedule(&c, steps, arguments, made_sigmas, error))
                dit_sampler_new(s, NULL, made, error);
        }
    }
    if (*s && !(*s)->class->takes_sigmas)
        arguments->sigmas = NULL;
    json_decref(c.made);
    dit_sampler_free(c.own);
    return error->status;
}
