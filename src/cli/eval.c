// cli/eval.c: `dit eval retrieval`: are pictures what they were asked to be?
#include "cli/command.h"
#include "cli/progress.h"
#include "eval/drawings.h"
#include "media/png.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DATA, PICTURES, MODEL, WITHOUT, QUERIES, CANDIDATES, SEED, STEPS, GUIDANCE, JUDGE, SAVE, LIST, JSON };
static const struct option options[] = {
    [DATA] = {"data", OPTION_PATH, .value = "DIR", .preset = "emoji", .help = "the real pictures, with captions"},
    [PICTURES] = {"pictures", OPTION_PATH, .value = "DIR",
                  .help = "the drawn ones; metadata.jsonl says of each the caption that it was drawn from"},
    [MODEL] = {"model", OPTION_PATH, 'm', .value = "DIR", .unset = "the model that comes with dit",
               .help = "draws them, where no --pictures are given"},
    [WITHOUT] = {"without", OPTION_TEXT, .value = "KEY", .help = "leave out the lines of metadata.jsonl with this key"},
    [QUERIES] = {"queries", OPTION_INT, 'n', .value = "N", .min = 2, .max = 1 << 20, .preset = "300",
                 .help = "pictures to judge, chosen by the seed"},
    [CANDIDATES] = {"candidates", OPTION_INT, .value = "N", .min = 2, .max = 1 << 20, .preset = "100",
                    .help = "real pictures that each is compared with: its own and others"},
    [SEED] = {"seed", OPTION_UINT64, 's', .value = "S", .preset = "1", .help = "of captions, candidates and noise"},
    [STEPS] = {"steps", OPTION_INT, .value = "N", .min = 1, .max = 10000, .unset = "the model's own",
               .help = "sampler steps"},
    [GUIDANCE] = {"guidance-scale", OPTION_FLOAT, .value = "G", .min = 0, .max = 1000, .unset = "the model's own",
                  .help = "how closely to follow the caption"},
    [JUDGE] = {"judge", OPTION_PATH, .value = "DIR", .unset = "what tools/data/judge made",
               .help = "the image network whose features are compared"},
    [SAVE] = {"save", OPTION_PATH, .value = "DIR", .help = "keep the drawn pictures there, as --pictures takes them"},
    [LIST] = {"list", OPTION_FLAG, .help = "print the rank of each picture's own among its candidates"},
    [JSON] = {"json", OPTION_FLAG, .help = "print the result as one JSON object"},
    {0},
};

// ---- Drawing

static dit_status draw_one(dit_model *model, const struct call *call, const char *caption, size_t number,
                           dit_image *image, dit_error *error)
{
    const struct option_value *o = call->option;
    dit_request request = dit_request_default();
    request.prompt = caption;
    request.seed = o[SEED].natural + number;
    request.steps = (int)o[STEPS].integer;
    request.guidance_scale = o[GUIDANCE].given ? o[GUIDANCE].number : -1;
    return dit_generate(model, &request, NULL, image, error);
}

// drawings[i].own is known; the pictures are drawn from the captions of these samples.
static dit_status draw_all(const struct call *call, const dit_dataset *real, dit_drawing *drawings, size_t count,
                           dit_error *error)
{
    dit_model *model = NULL;
    if (dit_model_open(call->option[MODEL].text, &model, error))
        return error->status;
    dit_progress progress = {.phase = "draw", .unit = "picture", .total = count};
    for (size_t i = 0; i < count && !error->status; i++) {
        if (call->watch && call->watch->report(call->watch->context, &progress))
            dit_fail(error, DIT_CANCELLED, "stopped");
        else
            draw_one(model, call, dit_dataset_sample(real, drawings[i].own).text, i, &drawings[i].image, error);
        progress.done = i + 1;
    }
    dit_model_close(model);
    return error->status;
}

static dit_status draw_chosen(const struct call *call, const dit_dataset *real, dit_drawing **drawings, size_t *count,
                              dit_error *error)
{
    *count = (size_t)call->option[QUERIES].integer;
    size_t *own = malloc(*count * sizeof *own);
    *drawings = calloc(*count, sizeof **drawings);
    if (!own || !*drawings)
        dit_fail(error, DIT_NO_MEMORY, "--queries: no memory for %zu pictures", *count);
    else if (!dit_drawings_choose(real, call->option[SEED].natural, *count, own, error)) {
        for (size_t i = 0; i < *count; i++)
            (*drawings)[i].own = own[i];
        draw_all(call, real, *drawings, *count, error);
    }
    free(own);
    return error->status;
}

static dit_status read_pictures(const struct call *call, const dit_dataset *real, dit_drawing **drawings, size_t *count,
                                dit_error *error)
{
    dit_dataset *drawn;
    if (!dit_dataset_open(&drawn, call->option[PICTURES].text, NULL, error))
        dit_drawings_read(drawn, real, call->option[SEED].natural, (size_t)call->option[QUERIES].integer, drawings,
                          count, error);
    dit_dataset_close(drawn);
    return error->status;
}

// Pictures and a metadata.jsonl that names their captions.
static dit_status save_all(const char *folder, const dit_dataset *real, const dit_drawing *drawings, size_t count,
                           dit_error *error)
{
    char path[4096];
    if (mkdir(folder, 0777) && errno != EEXIST)
        return dit_fail_errno(error, errno, "--save %s: cannot make the folder", folder);
    snprintf(path, sizeof path, "%s/metadata.jsonl", folder);
    FILE *list = fopen(path, "w");
    if (!list)
        return dit_fail_errno(error, errno, "--save %s: cannot write", path);
    for (size_t i = 0; i < count && !error->status; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.png", i + 1);
        json_t *line =
            json_pack("{s:s, s:s}", "file_name", name, "text", dit_dataset_sample(real, drawings[i].own).text);
        char *text = json_dumps(line, 0);
        if (!text || fprintf(list, "%s\n", text) < 0)
            dit_fail_errno(error, errno ? errno : ENOMEM, "--save %s: cannot write", path);
        free(text);
        json_decref(line);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (!error->status)
            dit_png_save(path, &drawings[i].image, NULL, 0, error);
    }
    if (fclose(list) && !error->status)
        dit_fail_errno(error, errno, "--save %s: cannot write its metadata.jsonl", folder);
    return error->status;
}

// ---- The result

static void print_list(const dit_dataset *real, const dit_drawing *drawings, size_t count, const int *ranks)
{
    for (size_t i = 0; i < count; i++) {
        char *caption = strdup(dit_dataset_sample(real, drawings[i].own).text);
        if (!caption)
            return;
        dit_make_printable(caption);
        printf("%4d  %s\n", ranks[i], caption);
        free(caption);
    }
}

static void print_result(const struct call *call, size_t count, const dit_drawings_result *r)
{
    const struct option_value *o = call->option;
    if (o[JSON].given) {
        printf(
            "{\"pictures\": %zu, \"candidates\": %lld, \"size\": %d, \"seed\": %llu, \"top1\": %.4f, \"top5\": %.4f, "
            "\"chance_top1\": %.4f, \"chance_top5\": %.4f}\n",
            count, (long long)o[CANDIDATES].integer, r->size, (unsigned long long)o[SEED].natural, r->rates.first,
            r->rates.first_five, r->chance.first, r->chance.first_five);
        return;
    }
    printf("%zu pictures of %dx%d, each among %lld candidates (seed %llu)\n", count, r->size, r->size,
           (long long)o[CANDIDATES].integer, (unsigned long long)o[SEED].natural);
    printf("  its own is the nearest         %5.1f%%    judged by another's drawing %5.1f%%\n", 100 * r->rates.first,
           100 * r->chance.first);
    printf("  its own is in the nearest five %5.1f%%    judged by another's drawing %5.1f%%\n",
           100 * r->rates.first_five, 100 * r->chance.first_five);
}

static dit_status run(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    dit_retrieval_options how = {.candidates = (int)o[CANDIDATES].integer, .seed = o[SEED].natural};
    dit_dataset_options part = {.without = o[WITHOUT].text};
    dit_drawings_result result;
    dit_judge *judge = NULL;
    dit_dataset *real = NULL;
    dit_drawing *drawings = NULL;
    int *ranks = NULL;
    size_t count = 0;
    if (o[PICTURES].given && o[MODEL].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--pictures and --model: give one of them");
    if ((o[SAVE].given && check_output_folder(o[SAVE].text, "--save", error)) ||
        dit_judge_open(&judge, o[JUDGE].text, error) || dit_dataset_open(&real, o[DATA].text, &part, error))
        goto done;
    if (o[PICTURES].given ? read_pictures(call, real, &drawings, &count, error)
                          : draw_chosen(call, real, &drawings, &count, error))
        goto done;
    ranks = malloc(count * sizeof *ranks);
    if (!ranks) {
        dit_fail(error, DIT_NO_MEMORY, "out of memory");
        goto done;
    }
    if ((o[SAVE].given && save_all(o[SAVE].text, real, drawings, count, error)) ||
        dit_drawings_judge(judge, real, drawings, count, &how, call->watch, ranks, &result, error))
        goto done;
    progress_end();
    if (o[LIST].given)
        print_list(real, drawings, count, ranks);
    print_result(call, count, &result);

done:
    free(ranks);
    dit_drawings_free(drawings, count);
    dit_dataset_close(real);
    dit_judge_close(judge);
    return error->status;
}

static const char *const examples[] = {
    "dit eval retrieval --without skin_tone",
    "300 emoji drawn by the model that comes with dit",
    "dit eval retrieval --model runs/emoji/model --save drawn --list",
    "another model; keep its pictures and see which ones fail",
    "dit eval retrieval --data emoji --pictures drawn --json",
    "pictures that are there already",
    NULL,
};

const struct command command_eval_retrieval = {
    .name = "eval retrieval",
    .summary = "measure how often a drawn picture is found by what it was asked to be",
    .options = options,
    .details = "Each drawn picture is compared with the real picture of its caption and with others, by the cosine of\n"
               "the features of an image network that was not trained here (EfficientNet-Lite0, tools/data/judge).\n"
               "Real pictures are first brought to the drawn ones' size. The second column is the same test with\n"
               "every drawing replaced by that of another caption: what pictures without relation reach.",
    .examples = examples,
    .run = run,
};
