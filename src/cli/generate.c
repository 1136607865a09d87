// cli/generate.c: `dit generate`: pictures from a prompt or a class.
#include "base/clock.h"
#include "cli/adapters.h"
#include "cli/command.h"
#include "cli/interactive.h"
#include "cli/interrupt.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "media/image.h"
#include "media/png.h"
#include "pipelines/grid.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    MODEL,
    BASE,
    PART,
    PIPELINE,
    VARIANT,
    DTYPE,
    PROMPT,
    NEGATIVE,
    WEIGHTING,
    CLASS,
    STEPS,
    SAMPLER,
    SCHEDULE,
    FLOW_SHIFT,
    GUIDANCE,
    TRUE_CFG,
    GUIDANCE_KIND,
    GUIDANCE_RESCALE,
    GUIDANCE_START,
    GUIDANCE_STOP,
    CFG_NORMALIZATION,
    CFG_TRUNCATION,
    SKIP_LAYERS,
    SKIP_SCALE,
    SKIP_START,
    SKIP_STOP,
    SEED,
    WIDTH,
    HEIGHT,
    NUM,
    PREVIEW,
    PREVIEW_DECODER,
    INIT_IMAGE,
    STRENGTH,
    MASK,
    IMAGE,
    LATENTS,
    GRID,
    OUTPUT,
    MEMORY,
    LORA,
    LORA_DIR,
    INTERACTIVE,
    JSON
};
static const struct option options[] = {
    [MODEL] = {"model", OPTION_PATH, 'm', .value = "DIR|FILE", .unset = "the model that comes with dit",
               .help = "folder with model_index.json, or a file that holds the transformer and perhaps other parts"},
    [BASE] = {"base", OPTION_PATH, .value = "DIR", .unset = "the file's own folder",
              .help = "folder with model_index.json, for what the file of --model lacks"},
    [PART] = {"part", OPTION_TEXTS, .value = "NAME=PATH",
              .help = "take one part (transformer, vae, text_encoder, tokenizer, scheduler, ...) from elsewhere"},
    [PIPELINE] = {"pipeline", OPTION_TEXT, .value = "CLASS", .unset = "the model's own",
                  .help = "draw as this published class does, such as FluxKontextPipeline"},
    [VARIANT] = {"variant", OPTION_TEXT, .value = "NAME", .unset = "none, or the only one",
                 .help = "of the folder's weights: fp16 for diffusion_pytorch_model.fp16.safetensors"},
    [DTYPE] = {"dtype", OPTION_TEXT, .value = "TYPE", .choices = "f32|bf16|f16", .unset = "f32",
               .help = "the transformer computes in; bf16 takes half the time on processors with AVX512_BF16"},
    [PROMPT] = {"prompt", OPTION_TEXT, 'p', .value = "TEXT", .help = "what to draw"},
    [NEGATIVE] = {"negative-prompt", OPTION_TEXT, .value = "TEXT", .help = "what to steer away from"},
    [WEIGHTING] = {"prompt-weighting", OPTION_TEXT, .value = "KIND", .choices = "comfyui|a1111", .unset = "none",
                   .help =
                       "(word:1.2), [word] and BREAK in prompts, and prompts of any length, as that program has it"},
    [CLASS] = {"class", OPTION_INT, .value = "N", .min = 0, .max = 1 << 24,
               .help = "what to draw, for a model of classes"},
    [STEPS] = {"steps", OPTION_INT, .value = "N", .min = 1, .max = 10000, .unset = "the model's own",
               .help = "sampler steps"},
    [SAMPLER] = {"sampler", OPTION_TEXT, .value = "NAME",
                 .choices = "euler|euler-ancestral|heun|dpm++2m|dpm++2m-sde|dpm++3m|unipc|ddim|ddpm|lcm",
                 .unset = "the model's own", .help = "how steps are taken"},
    [SCHEDULE] = {"schedule", OPTION_TEXT, .value = "NAME", .choices = "uniform|karras|exponential|beta|sigmoid",
                  .unset = "the model's own", .help = "where steps are taken; sigmoid is Lumina's"},
    [FLOW_SHIFT] = {"flow-shift", OPTION_FLOAT, .value = "X", .min = 0.01, .max = 100, .unset = "the model's own",
                    .help = "for models of flow: take more steps where it is noisy (above 1) or clean (below)"},
    [GUIDANCE] = {"guidance-scale", OPTION_FLOAT, .value = "G", .min = 0, .max = 1000, .unset = "the model's own",
                  .help = "how closely to follow the prompt; 1: no guidance"},
    [TRUE_CFG] = {"true-cfg-scale", OPTION_FLOAT, .value = "G", .min = 1, .max = 1000, .preset = "1",
                  .help = "for FLUX: guide away from --negative-prompt too, in twice the time"},
    [GUIDANCE_KIND] = {"guidance", OPTION_TEXT, .value = "KIND", .choices = "cfg|apg|cfg-zero",
                       .unset = "the model's own",
                       .help = "how guidance is done: classifier-free, adaptive projected, CFG-Zero*"},
    [GUIDANCE_RESCALE] = {"guidance-rescale", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "0",
                          .help = "share of answers brought back to the unguided contrast"},
    [GUIDANCE_START] = {"guidance-start", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "0",
                        .help = "guide from this share of the steps"},
    [GUIDANCE_STOP] = {"guidance-stop", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "1",
                       .help = "guide up to this share of the steps; what is not guided takes half the time"},
    [CFG_NORMALIZATION] = {"cfg-normalization", OPTION_FLOAT, .value = "X", .min = 0, .max = 1000,
                           .unset = "the model's own",
                           .help = "for Z-Image and Lumina 2: bound on the length of guided answers; 0: none"},
    [CFG_TRUNCATION] = {"cfg-truncation", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "1",
                        .help = "for Z-Image and Lumina 2: guide until this time"},
    [SKIP_LAYERS] = {"skip-layers", OPTION_TEXT, .value = "N,N,...", .unset = "none",
                     .help = "guide also away from what the model draws without these layers, such as 7,8,9"},
    [SKIP_SCALE] = {"skip-layers-scale", OPTION_FLOAT, .value = "X", .min = 0, .max = 1000, .preset = "2.8",
                    .help = "how strongly"},
    [SKIP_START] = {"skip-layers-start", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "0.01",
                    .help = "after this share of the steps"},
    [SKIP_STOP] = {"skip-layers-stop", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .preset = "0.2",
                   .help = "before this share of the steps"},
    [SEED] = {"seed", OPTION_UINT64, 's', .value = "S", .unset = "a new one each time",
              .help = "of the starting noise"},
    [WIDTH] = {"width", OPTION_INT, .value = "W", .min = 1, .max = 65535, .unset = "the model's own", .help = "pixels"},
    [HEIGHT] = {"height", OPTION_INT, .value = "H", .min = 1, .max = 65535, .unset = "the model's own",
                .help = "pixels"},
    [NUM] = {"num", OPTION_INT, 'n', .value = "N", .min = 1, .max = 10000, .preset = "1",
             .help = "pictures: 3 writes out-1.png, out-2.png, out-3.png"},
    [PREVIEW] = {"preview", OPTION_INT, .value = "N", .min = 1, .max = 10000, .unset = "none",
                 .help = "show the picture in the terminal every N steps"},
    [PREVIEW_DECODER] = {"preview-decoder", OPTION_PATH, .value = "DIR",
                         .help = "AutoencoderTiny for previews; without it they are small, in rough colours"},
    [INIT_IMAGE] = {"init-image", OPTION_PATH, .value = "FILE", .help = "start from this picture (PNG, JPEG, WebP)"},
    [STRENGTH] = {"strength", OPTION_FLOAT, .value = "X", .min = 0, .max = 1, .unset = "the model's own",
                  .help = "how much of the start picture is drawn anew: 0 none, 1 all"},
    [MASK] = {"mask", OPTION_PATH, .value = "FILE",
              .help = "where the start picture is drawn anew: white; black stays"},
    [IMAGE] = {"image", OPTION_PATHS, .value = "FILE",
               .help = "a picture that the prompt is about, for models that edit; may be given several times"},
    [GRID] = {"grid", OPTION_TEXTS, .value = "TEXT",
              .help = "a prompt of one picture that holds several; give it for each"},
    [LATENTS] = {"latents", OPTION_PATH, .value = "FILE",
                 .help = "also write what the decoder is given, as safetensors"},
    [OUTPUT] = {"output", OPTION_PATH, 'o', .value = "FILE", .unset = "out.png", .help = "PNG to write"},
    [MEMORY] = {"memory", OPTION_BYTES, .value = "SIZE", .unset = "no bound",
                .help = "hold at most this much memory, such as 8G; other weights are streamed"},
    [LORA] = {"lora", OPTION_PATHS, .value = "FILE[=S]",
              .help = "low-rank adapters, and what they count (1); may be given several times"},
    [LORA_DIR] = {"lora-dir", OPTION_PATH, .value = "DIR",
                  .help = "take <lora:name:0.8> out of --prompt and add name.safetensors of this folder"},
    [INTERACTIVE] = {"interactive", OPTION_FLAG, 'i', .help = "type one prompt after another"},
    [JSON] = {"json", OPTION_FLAG, .help = "print one JSON object about the pictures"},
    {0},
};

// The pictures of a request.
struct pictures {
    dit_image init, mask, *references;
    int count; // of references
};

static dit_status open_pictures(struct pictures *p, const struct option_value *o, dit_error *error)
{
    if ((o[INIT_IMAGE].given && dit_image_load(&p->init, o[INIT_IMAGE].text, 0, error)) ||
        (o[MASK].given && dit_image_load(&p->mask, o[MASK].text, 0, error)))
        return error->status;
    p->references = calloc(o[IMAGE].count + 1, sizeof *p->references);
    if (!p->references)
        return dit_fail(error, DIT_NO_MEMORY, "--image: no memory for %zu pictures", o[IMAGE].count);
    for (size_t i = 0; i < o[IMAGE].count && !dit_image_load(&p->references[i], o[IMAGE].texts[i], 3, error); i++)
        p->count++;
    return error->status;
}

static void close_pictures(struct pictures *p)
{
    dit_image_free(&p->init);
    dit_image_free(&p->mask);
    for (int i = 0; i < p->count; i++)
        dit_image_free(&p->references[i]);
    free(p->references);
}

// One invocation: the model stays open between the prompts of the interactive mode.
struct session {
    const struct call *call;
    dit_model *model;
    const char *model_name;
    const char *output;
    struct pictures pictures;
    int *skip_layers, skip_layer_count;
    double load_seconds;
    int drawn;              // pictures written by the interactive mode
    int own_loras;          // that --lora names, for every picture
    dit_prompt_loras loras; // of the prompt before
    bool reset;             // the model may hold other ones than these
};

static uint64_t new_seed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)(t.tv_nsec ^ (t.tv_sec << 10) ^ getpid()) & 0xffffffffu; // as long as torch's generator keeps
}

// "out.png" -> "out-2.png" for picture 2 of several.
static dit_status numbered(char *path, size_t size, const char *output, int number, int count, dit_error *error)
{
    const char *slash = strrchr(output, '/'), *dot = strrchr(output, '.');
    int stem = (int)(dot && (!slash || dot > slash + 1) && dot > output ? dot - output : (ptrdiff_t)strlen(output));
    int n = count == 1 ? snprintf(path, size, "%s", output)
                       : snprintf(path, size, "%.*s-%d%s", stem, output, number, output + stem);
    if (n < 0 || (size_t)n >= size)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--output: the name is too long");
    return DIT_OK;
}

// What other programs call `parameters`: the prompt, then the settings in one line.
static void describe(char *text, size_t size, const struct session *s, const dit_request *r, const dit_job *job,
                     uint64_t seed)
{
    char subject[64] = "";
    if (!r->prompt && r->class_label >= 0)
        snprintf(subject, sizeof subject, "class %d", r->class_label);
    snprintf(text, size,
             "%s%s%s\nSteps: %d, %s%s%s%s%s%sCFG scale: %g, Seed: %llu, Size: %lldx%lld, Model: %s, Version: dit %s",
             r->prompt ? r->prompt : subject, r->negative_prompt ? "\nNegative prompt: " : "",
             r->negative_prompt ? r->negative_prompt : "", job->steps, r->sampler ? "Sampler: " : "",
             r->sampler ? r->sampler : "", r->sampler ? ", " : "", r->schedule ? "Schedule type: " : "",
             r->schedule ? r->schedule : "", r->schedule ? ", " : "", job->guidance_scale, (unsigned long long)seed,
             (long long)job->output_width, (long long)job->output_height, s->model_name, dit_version());
}

// Where the pictures of a draw go as they come, so that an end half way loses none that is finished.
struct saving {
    const struct session *session;
    const dit_request *request;
    const dit_job *job;
    const char *output;
    double seconds;
};

static dit_status save(void *context, int index, const dit_image *image, dit_error *error)
{
    enum { MOST_SHOWN = 4 };
    struct saving *saving = context;
    const struct session *s = saving->session;
    const dit_request *r = saving->request;
    const double start = dit_seconds_now();
    char parameters[8192], seed[32], path[4096];
    describe(parameters, sizeof parameters, s, r, saving->job, r->seed);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)r->seed);
    const dit_text_pair texts[] = {
        {"parameters", parameters}, {"seed", seed}, {"model", s->model_name}, {"prompt", r->prompt ? r->prompt : ""}};
    if (numbered(path, sizeof path, saving->output, index + 1, r->count, error) ||
        dit_png_save(path, image, texts, r->prompt ? 4 : 3, error))
        return error->status;
    if (terminal_is_interactive(STDERR_FILENO) && !s->call->quiet && index < MOST_SHOWN) {
        progress_hide();
        terminal_picture(STDERR_FILENO, image, 16);
    }
    say(s->call, "%s  seed %llu%s", path, (unsigned long long)r->seed, r->count > 1 ? " (one draw for all)" : "");
    saving->seconds += dit_seconds_now() - start;
    return DIT_OK;
}

static dit_status draw(struct session *s, const dit_request *r, const char *output, dit_error *error)
{
    dit_job job;
    dit_image *images = calloc((size_t)r->count, sizeof *images);
    if (!images)
        return dit_fail(error, DIT_NO_MEMORY, "--num: no memory for %d pictures", r->count);
    struct saving saving = {s, r, &job, output, 0};
    if (!dit_job_start(s->model, r, &job, error)) {
        job.sink = (dit_picture_sink){save, &saving};
        if (!dit_generate_job(s->model, &job, s->call->watch, images, s->call->option[LATENTS].text, error)) {
            const double peak = (double)dit_peak_memory() / 0x1p20;
            const double encode = s->model->seconds.encode, sample = s->model->seconds.sample;
            const double decode = s->model->seconds.decode - saving.seconds;
            say(s->call,
                "load %.2f s  encode %.2f s  sample %.2f s (%d steps, %.2f s a step)  decode %.2f s  save %.2f s  peak "
                "memory %.0f MiB",
                s->load_seconds, encode, sample, job.steps, sample / job.steps, decode, saving.seconds, peak);
            if (s->call->option[JSON].given)
                printf("{\"seed\": %llu, \"pictures\": %d, \"width\": %lld, \"height\": %lld, \"steps\": %d, "
                       "\"guidance_scale\": %g, \"load_s\": %.4f, \"encode_s\": %.4f, \"sample_s\": %.4f, "
                       "\"decode_s\": %.4f, \"peak_rss_mb\": %.1f}\n",
                       (unsigned long long)r->seed, r->count, (long long)job.output_width, (long long)job.output_height,
                       job.steps, job.guidance_scale, s->load_seconds, encode, sample, decode, peak);
        }
    }
    dit_job_end(&job);
    for (int i = 0; i < r->count; i++)
        dit_image_free(&images[i]);
    free(images);
    return error->status;
}

// All prompts of --grid in one picture, each drawn with the next seed.
static dit_status draw_grid(struct session *s, const dit_request *r, dit_error *error)
{
    const struct option_value *prompts = &s->call->option[GRID];
    const dit_grid grid = {.prompts = prompts->texts, .count = (int)prompts->count, .gap = 4, .seed = r->seed};
    char text[32];
    dit_image image = {0};
    snprintf(text, sizeof text, "%llu", (unsigned long long)r->seed);
    const dit_text_pair texts[] = {{"seed", text}, {"model", s->model_name}};
    if (!dit_draw_grid(s->model, &grid, s->call->watch, &image, error) &&
        !dit_png_save(s->output, &image, texts, 2, error)) {
        if (terminal_is_interactive(STDERR_FILENO) && !s->call->quiet)
            terminal_picture(STDERR_FILENO, &image, 0);
        say(s->call, "%s  seeds %llu to %llu", s->output, (unsigned long long)r->seed,
            (unsigned long long)(r->seed + prompts->count - 1));
    }
    dit_image_free(&image);
    return error->status;
}

// "7,8,9" as integers, of malloc.
static dit_status read_layers(const struct option_value *value, int **layers, int *count, dit_error *error)
{
    size_t most = 1;
    for (const char *c = value->text; c && *c; c++)
        most += *c == ',';
    if (!value->given)
        return DIT_OK;
    if (!(*layers = malloc(most * sizeof **layers)))
        return dit_fail(error, DIT_NO_MEMORY, "--skip-layers: no memory for %zu layers", most);
    for (const char *at = value->text; *count < (int)most && !error->status; at += strcspn(at, ",") + 1) {
        char number[16];
        int64_t layer;
        snprintf(number, sizeof number, "%.*s", (int)strcspn(at, ","), at);
        if (!parse_int(number, "--skip-layers", &layer, error) && (layer < 0 || layer > 10000))
            return dit_fail(error, DIT_BAD_ARGUMENT, "--skip-layers: there is no layer %lld", (long long)layer);
        if (!error->status)
            (*layers)[(*count)++] = (int)layer;
    }
    return error->status;
}

static dit_request request_of(const struct session *s)
{
    const struct option_value *o = s->call->option;
    const struct pictures *p = &s->pictures;
    dit_request r = dit_request_default();
    r.init_image = p->init.pixels ? &p->init : NULL;
    r.mask = p->mask.pixels ? &p->mask : NULL;
    r.references = p->references;
    r.reference_count = p->count;
    r.strength = o[STRENGTH].given ? o[STRENGTH].number : -1;
    r.prompt = o[PROMPT].text;
    r.negative_prompt = o[NEGATIVE].text;
    r.prompt_weighting = o[WEIGHTING].text;
    r.class_label = o[CLASS].given ? (int)o[CLASS].integer : -1;
    r.width = (int)o[WIDTH].integer;
    r.height = (int)o[HEIGHT].integer;
    r.steps = (int)o[STEPS].integer;
    r.sampler = o[SAMPLER].text;
    r.schedule = o[SCHEDULE].text;
    r.flow_shift = o[FLOW_SHIFT].given ? o[FLOW_SHIFT].number : 0;
    r.guidance_scale = o[GUIDANCE].given ? o[GUIDANCE].number : -1;
    r.true_cfg_scale = o[TRUE_CFG].given ? o[TRUE_CFG].number : -1;
    r.cfg_normalization = o[CFG_NORMALIZATION].given ? o[CFG_NORMALIZATION].number : -1;
    r.cfg_truncation = o[CFG_TRUNCATION].given ? o[CFG_TRUNCATION].number : -1;
    r.guidance = o[GUIDANCE_KIND].text;
    r.guidance_rescale = o[GUIDANCE_RESCALE].number;
    r.guidance_start = o[GUIDANCE_START].number;
    r.guidance_stop = o[GUIDANCE_STOP].number;
    r.skip_layers = s->skip_layers;
    r.skip_layer_count = s->skip_layer_count;
    r.skip_layer_scale = o[SKIP_SCALE].number;
    r.skip_layer_start = o[SKIP_START].number;
    r.skip_layer_stop = o[SKIP_STOP].number;
    r.seed = o[SEED].given ? o[SEED].natural : new_seed();
    r.count = (int)o[NUM].integer;
    r.preview_decoder = o[PREVIEW_DECODER].text;
    r.preview_every = (int)o[PREVIEW].integer;
    return r;
}

static bool are_same(const dit_prompt_loras *a, const dit_prompt_loras *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->lora[i].weight == b->lora[i].weight && !strcmp(a->lora[i].name, b->lora[i].name);
    return same;
}

// Brings the model's adapters from those of the last prompt to those of this one, whose other words become
// s->loras.prompt.
static dit_status change_loras(struct session *s, const char *prompt, dit_error *error)
{
    const char *folder = s->call->option[LORA_DIR].text;
    dit_prompt_loras next = {0};
    if (adapters_in_prompt(prompt, &next, error))
        return error->status;
    const bool changes = s->reset || !are_same(&next, &s->loras);
    dit_prompt_loras_free(&s->loras);
    s->loras = next;
    if (!changes)
        return DIT_OK;
    s->reset = true; // until all have been added
    if (!dit_model_keep_loras(s->model, s->own_loras, error) && !adapters_add_named(s->model, folder, &next, error))
        s->reset = false;
    return error->status;
}

static dit_status draw_prompt(void *context, const struct interactive_settings *settings, const char *prompt,
                              dit_error *error)
{
    struct session *s = context;
    char output[4096];
    dit_request r = request_of(s);
    r.prompt = prompt;
    if (s->call->option[LORA_DIR].given) {
        if (change_loras(s, prompt, error))
            return error->status;
        r.prompt = s->loras.prompt;
    }
    if (settings->negative_prompt[0])
        r.negative_prompt = settings->negative_prompt;
    r.seed = settings->seed;
    r.width = settings->width;
    r.height = settings->height;
    r.steps = settings->steps;
    r.sampler = *settings->sampler ? settings->sampler : NULL;
    r.schedule = *settings->schedule ? settings->schedule : NULL;
    r.guidance_scale = settings->guidance_scale;
    do { // pictures of earlier sessions stay
        if (numbered(output, sizeof output, s->output, ++s->drawn, 2, error))
            return error->status;
    } while (access(output, F_OK) == 0);
    return draw(s, &r, output, error);
}

static dit_status converse(struct session *s, const dit_request *r, dit_error *error)
{
    struct interactive_settings settings = {.seed = r->seed,
                                            .keep_seed = s->call->option[SEED].given,
                                            .width = r->width,
                                            .height = r->height,
                                            .steps = r->steps,
                                            .guidance_scale = r->guidance_scale};
    snprintf(settings.sampler, sizeof settings.sampler, "%s", r->sampler ? r->sampler : "");
    snprintf(settings.schedule, sizeof settings.schedule, "%s", r->schedule ? r->schedule : "");
    if (r->negative_prompt)
        snprintf(settings.negative_prompt, sizeof settings.negative_prompt, "%s", r->negative_prompt);
    return interactive_run(&settings, draw_prompt, s, error);
}

static void draw_all(struct session *s, const dit_request *r, dit_error *error)
{
    const struct option_value *o = s->call->option;
    const char *slash = strrchr(s->model->folder, '/');
    s->model_name = slash && slash[1] ? slash + 1 : s->model->folder;
    // For several pictures parts stay open, unless memory is bounded.
    dit_model_keep_parts(s->model, (o[INTERACTIVE].given || o[GRID].given) && !o[MEMORY].given);
    if (o[INTERACTIVE].given)
        converse(s, r, error);
    else if (o[GRID].given)
        draw_grid(s, r, error);
    else
        draw(s, r, s->output, error);
}

// A picture under a name of another format would open nowhere, or be taken for what it is not.
static dit_status check_picture_name(const char *path, dit_error *error)
{
    static const char *const others[] = {"jpg", "jpeg", "webp", "gif", "bmp",
                                         "tif", "tiff", "avif", "mp4", "safetensors"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof others / sizeof *others; i++)
        if (!strcasecmp(dot + 1, others[i]))
            return dit_fail(error, DIT_BAD_ARGUMENT, "--output %.200s: pictures are written as PNG; let it end in .png",
                            path);
    return DIT_OK;
}

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    struct session s = {.call = call, .output = o[OUTPUT].given ? o[OUTPUT].text : "out.png"};
    double start = dit_seconds_now();
    if (!o[INTERACTIVE].given && !o[PROMPT].given && !o[CLASS].given && !o[GRID].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw (or --class N, or -i to type prompts)");
    if (!check_picture_name(s.output, error) && !check_output_path(s.output, "--output", 0, error) &&
        (!o[LATENTS].given || !check_output_path(o[LATENTS].text, "--latents", 0, error)) &&
        !read_layers(&o[SKIP_LAYERS], &s.skip_layers, &s.skip_layer_count, error) &&
        !open_pictures(&s.pictures, o, error) &&
        !model_open(&o[MODEL], &o[BASE], &o[PART], &o[PIPELINE], &o[VARIANT], o[DTYPE].text, &s.model, error)) {
        dit_request r = request_of(&s);
        dit_model_set_memory(s.model, (size_t)o[MEMORY].natural);
        if (!adapters_add(s.model, &o[LORA], error)) {
            s.own_loras = s.model->lora_count;
            if (r.prompt && o[LORA_DIR].given && !adapters_in_prompt(r.prompt, &s.loras, error) &&
                !adapters_add_named(s.model, o[LORA_DIR].text, &s.loras, error))
                r.prompt = s.loras.prompt;
        }
        if (!error->status) {
            s.load_seconds = dit_seconds_now() - start;
            draw_all(&s, &r, error);
        }
    }
    dit_model_close(s.model);
    close_pictures(&s.pictures);
    free(s.skip_layers);
    dit_prompt_loras_free(&s.loras);
    return error->status;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "draw pictures from a prompt or a class",
    .options = options,
    .details =
        "The seed gives the noise that torch.Generator(\"cpu\").manual_seed gives, so pictures compare with other\n"
        "programs'. It is printed and stored in the PNG, with prompt, model and settings under `parameters`. What is\n"
        "not given comes from the model.\n"
        "--model may be a single file: safetensors, GGUF or by torch.save, in original names or published ones.\n"
        "It holds the transformer, which says what model it is, and perhaps autoencoder and text encoders. What it\n"
        "lacks comes from --part, from --base or, where the file lies in a model's folder, from that; tokenizers\n"
        "also from GGUF files of text encoders, schedulers from what is known of the published models. What is\n"
        "then still missing is named.\n",
    .examples =
        (const char *const[]){
            "dit generate --prompt \"red apple\" -o apple.png", "one picture with the model that comes with dit",
            "dit generate --model runs/fashion/model --class 9 --num 4 --seed 1 -o boot.png", "four ankle boots",
            "dit generate --model FLUX.1-dev/ --part transformer=flux1-dev-Q4_K_S.gguf -p \"a fox\"",
            "a folder's model with a quantised transformer in the place of its own",
            "dit generate --model flux1-dev-Q4_K_S.gguf --base FLUX.1-dev/ -p \"a fox\"", "the same",
            "dit generate --model DiT-XL-2-256x256.pt --part vae=sd-vae-ft-ema/ --class 207",
            "a golden retriever by an original file", "dit generate -i", "type prompts; !help lists the commands",
            NULL},
    .run = run,
};
