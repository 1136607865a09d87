// train/blueprint.c: the files that make a trained model a folder that others open.
#define _GNU_SOURCE // vasprintf
#include "train/blueprint.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text_of(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    return text;
}

static char *dit_config(const dit_recipe *r, int classes)
{
    return text_of("{\n  \"_class_name\": \"DiTTransformer2DModel\",\n  \"activation_fn\": \"gelu-approximate\",\n"
                   "  \"attention_bias\": true,\n  \"attention_head_dim\": %d,\n  \"dropout\": 0.0,\n"
                   "  \"in_channels\": %d,\n  \"norm_elementwise_affine\": false,\n  \"norm_eps\": 1e-05,\n"
                   "  \"norm_num_groups\": 32,\n  \"norm_type\": \"ada_norm_zero\",\n  \"num_attention_heads\": %d,\n"
                   "  \"num_embeds_ada_norm\": %d,\n  \"num_layers\": %d,\n  \"out_channels\": %d,\n"
                   "  \"patch_size\": %d,\n  \"sample_size\": %d,\n  \"upcast_attention\": false\n}\n",
                   r->model.width / r->model.heads, r->data.channels, r->model.heads, classes, r->model.layers,
                   r->data.channels * (r->objective.learned_variance ? 2 : 1), r->model.patch, r->data.size);
}

static char *text_dit_config(const dit_recipe *r, int classes)
{
    (void)classes;
    return text_of("{\n  \"_class_name\": \"TextDiTTransformer2DModel\",\n  \"attention_head_dim\": %d,\n"
                   "  \"in_channels\": %d,\n  \"max_text_length\": %d,\n  \"num_attention_heads\": %d,\n"
                   "  \"num_layers\": %d,\n  \"num_text_layers\": %d,\n  \"patch_size\": %d,\n"
                   "  \"sample_size\": %d,\n  \"vocab_size\": %d\n}\n",
                   r->model.width / r->model.heads, r->data.channels, r->model.text_length, r->model.heads,
                   r->model.layers, r->model.text_layers, r->model.patch, r->data.size, r->model.vocabulary);
}

static char *classifier_config(const dit_recipe *r, int classes)
{
    char channels[256] = "";
    for (int i = 0; i < r->model.layers; i++) {
        size_t n = strlen(channels);
        snprintf(channels + n, sizeof channels - n, "%s%lld", i ? ", " : "", (long long)r->model.width << i);
    }
    return text_of("{\n  \"_class_name\": \"ImageClassifier\",\n  \"block_out_channels\": [%s],\n"
                   "  \"in_channels\": %d,\n  \"layers_per_block\": 1,\n  \"norm_eps\": 1e-05,\n"
                   "  \"norm_num_groups\": %d,\n  \"num_classes\": %d,\n  \"sample_size\": %d\n}\n",
                   channels, r->data.channels, DIT_CLASSIFIER_GROUPS, classes, r->data.size);
}

static const dit_blueprint blueprints[] = {
    {"DiTTransformer2DModel", "DiTPipeline", false, dit_config},
    {"TextDiTTransformer2DModel", "TextDiTPipeline", true, text_dit_config},
    {"ImageClassifier", NULL, false, classifier_config},
};
enum { BLUEPRINTS = sizeof blueprints / sizeof *blueprints };

// Only classifiers are trained to classify, and they only so.
static const dit_blueprint *check_kind(const dit_blueprint *b, const dit_recipe *r, dit_error *error)
{
    bool classifies = r->objective.process == DIT_CLASSIFICATION;
    if (classifies == !b->pipeline)
        return b;
    dit_fail(error, DIT_BAD_FILE, "objective.kind: %s is trained by %s", b->class,
             b->pipeline ? "diffusion or flow" : "classify");
    return NULL;
}

const dit_blueprint *dit_blueprint_find(const dit_recipe *recipe, dit_error *error)
{
    char known[200] = "";
    for (int i = 0; i < BLUEPRINTS; i++) {
        if (!strcmp(blueprints[i].class, recipe->model.class))
            return check_kind(&blueprints[i], recipe, error);
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", blueprints[i].class);
    }
    dit_fail(error, DIT_BAD_FILE, "model.class is %.80s; what can be trained is %s", recipe->model.class, known);
    return NULL;
}

char *dit_blueprint_scheduler(const dit_recipe *r)
{
    static const char *const predictions[] = {"epsilon", "sample", "v_prediction"};
    const dit_objective *o = &r->objective;
    if (o->process == DIT_FLOW)
        return text_of("{\n  \"_class_name\": \"FlowMatchEulerDiscreteScheduler\",\n  \"num_train_timesteps\": 1000,\n"
                       "  \"shift\": 1.0\n}\n");
    return text_of("{\n  \"_class_name\": \"DDIMScheduler\",\n  \"beta_end\": %.9g,\n  \"beta_schedule\": \"linear\",\n"
                   "  \"beta_start\": %.9g,\n  \"clip_sample\": true,\n  \"num_train_timesteps\": %d,\n"
                   "  \"prediction_type\": \"%s\",\n  \"set_alpha_to_one\": true,\n  \"steps_offset\": 0\n}\n",
                   o->beta_end, o->beta_start, o->steps, predictions[o->target]);
}

char *dit_blueprint_index(const dit_recipe *r, const dit_blueprint *b)
{
    const dit_objective *o = &r->objective;
    return text_of("{\n  \"_class_name\": \"%s\",\n  \"_dit_flow_prediction\": \"%s\",\n"
                   "  \"_dit_guidance_scale\": %g,\n  \"_dit_steps\": %d,\n"
                   "  \"scheduler\": [\"diffusers\", \"%s\"],\n%s  \"transformer\": [\"%s\", \"%s\"]\n}\n",
                   b->pipeline, o->process == DIT_FLOW && o->target == DIT_TARGET_SAMPLE ? "sample" : "velocity",
                   r->samples.guidance_scale, r->samples.steps,
                   o->process == DIT_FLOW ? "FlowMatchEulerDiscreteScheduler" : "DDIMScheduler",
                   b->is_text ? "  \"tokenizer\": [\"transformers\", \"PreTrainedTokenizerFast\"],\n" : "",
                   b->is_text ? "dit" : "diffusers", b->class);
}
