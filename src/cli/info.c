// cli/info.c: `dit info`: what is in a weights file or in a folder of a published model.
#include "cli/command.h"
#include "cli/format.h"
#include "cli/model.h"
#include "cli/probe_options.h"
#include "io/json.h"
#include "io/tensor_file.h"
#include "models/original.h"
#include "pipelines/survey.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TENSORS, PLAN, INPUTS, GRAD, METHOD, DTYPE, MEMORY, BASE, PART, PIPELINE, VARIANT, JSON };
static const struct option options[] = {
    [TENSORS] = {"tensors", OPTION_FLAG, .help = "list every tensor with its type and shape"},
    [PLAN] = {"plan", OPTION_FLAG, .help = "instead print how the network of DIR runs on --inputs, step by step"},
    [INPUTS] = {"inputs", OPTION_PATH, .value = "FILE", .help = "arguments as `dit forward` takes them, for --plan"},
    [GRAD] = {"grad", OPTION_FLAG, .help = "forward and backward, as `dit grad` runs it, for --plan"},
    [METHOD] = PROBE_METHOD,
    [DTYPE] = PROBE_DTYPE,
    [MEMORY] = PROBE_MEMORY,
    [BASE] = {"base", OPTION_PATH, .value = "DIR", .help = "for what a picture takes, as in `dit generate`"},
    [PART] = {"part", OPTION_TEXTS, .value = "NAME=PATH", .help = "the same"},
    [PIPELINE] = {"pipeline", OPTION_TEXT, .value = "CLASS", .help = "the same"},
    [VARIANT] = {"variant", OPTION_TEXT, .value = "NAME", .help = "the same"},
    [JSON] = {"json", OPTION_FLAG, .help = "print everything as one JSON object"},
    {0},
};

// ---- Facts as JSON; the text for people is printed from the same object.

static uint64_t element_count(const dit_tensor_entry *entry)
{
    if (entry->rank > DIT_MAX_RANK)
        return entry->dtype == DIT_DTYPES ? 0
                                          : entry->bytes / dit_dtype_size(entry->dtype); // no block format has so many
    uint64_t count = 1;
    for (int i = 0; i < entry->rank; i++)
        count *= (uint64_t)entry->dim[i]; // the reader has checked that shape and bytes agree
    return count;
}

static json_t *tensor_facts(const dit_tensor_entry *entry)
{
    json_t *shape = json_array();
    for (int i = 0; i < entry->rank && i < DIT_MAX_RANK; i++)
        json_array_append_new(shape, json_integer(entry->dim[i]));
    if (entry->rank > DIT_MAX_RANK) // the reader keeps the first extents only
        json_array_append_new(shape, json_string("..."));
    return json_pack("{s:s, s:s, s:o}", "name", entry->name, "dtype", entry->dtype_name, "shape", shape);
}

static json_t *weights_facts(const dit_tensor_file *set)
{
    json_t *dtypes = json_object(), *tensors = json_array(), *metadata = json_object();
    uint64_t parameters = 0, bytes = 0;
    for (size_t i = 0; i < dit_tensor_file_count(set); i++) {
        dit_tensor_entry e = dit_tensor_file_at(set, i);
        const dit_tensor_entry *entry = &e;
        uint64_t count = element_count(entry);
        json_int_t before = json_integer_value(json_object_get(dtypes, entry->dtype_name));
        json_object_set_new(dtypes, entry->dtype_name, json_integer(before + (json_int_t)count));
        json_array_append_new(tensors, tensor_facts(entry));
        parameters += count;
        bytes += entry->bytes;
    }
    for (size_t i = 0; i < dit_tensor_file_metadata_count(set); i++) {
        dit_text_pair pair = dit_tensor_file_metadata_at(set, i);
        json_object_set_new(metadata, pair.key, json_string(pair.value));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "file", dit_tensor_file_path(set), "kind",
                     dit_tensor_file_kind_name(set), "parameters", (json_int_t)parameters, "bytes", (json_int_t)bytes,
                     "dtypes", dtypes, "metadata", metadata, "tensors", tensors);
}

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    size_t n = strlen(folder);
    return asprintf(&path, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name) < 0 ? NULL : path;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// The JSON file `name` of `folder` as a value of its own; *value stays NULL when there is no such file.
static dit_status read_json(const char *folder, const char *name, json_t **value, dit_error *error)
{
    dit_json_file *file = NULL;
    char *path = join(folder, name);
    *value = NULL;
    if (!path)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    if (is_file(path) && !dit_json_open(&file, path, DIT_JSON_MINUS_INFINITY, error))
        *value = json_deep_copy(dit_json_root(file).value);
    dit_json_close(file);
    free(path);
    return error->status;
}

static bool starts_with(const char *name, const char *start)
{
    return !strncmp(name, start, strlen(start));
}

// One network of an original single file: its configuration follows from the shapes.
static json_t *network_facts(dit_tensor_file *file, const dit_original *original)
{
    uint64_t parameters = 0, bytes = 0;
    for (size_t i = 0; i < dit_tensor_file_count(file); i++) {
        dit_tensor_entry e = dit_tensor_file_at(file, i);
        if (starts_with(e.name, dit_original_prefix(original))) {
            parameters += element_count(&e);
            bytes += e.bytes;
        }
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "original", dit_original_family(original), "class",
                     dit_original_class(original), "prefix", dit_original_prefix(original), "parameters",
                     (json_int_t)parameters, "bytes", (json_int_t)bytes, "config",
                     json_loads(dit_original_config(original), 0, NULL));
}

// What networks an original single file holds: one under its own names, or several under different beginnings of names.
static void add_original_facts(json_t *facts, dit_tensor_file *file)
{
    json_t *networks = json_array();
    for (const char *const *prefix = dit_original_prefixes(); *prefix; prefix++) {
        const dit_original_query query = {.prefixes = (const char *const[]){*prefix, NULL}};
        dit_original *original = NULL;
        dit_error ignored = {0};
        if (!dit_original_find(&original, file, &query, &ignored) && original)
            json_array_append_new(networks, network_facts(file, original));
        dit_original_free(original);
    }
    json_t *first = json_array_get(networks, 0);
    if (first) {
        json_object_set(facts, "original", json_object_get(first, "original"));
        json_object_set(facts, "config", json_object_get(first, "config"));
    }
    if (json_array_size(networks) > 1)
        json_object_set(facts, "networks", networks);
    json_decref(networks);
}

// Facts of one file of weights, or of one component's folder: its weights, and its configuration where it has one.
static dit_status component_facts(const char *path, json_t **facts, dit_error *error)
{
    dit_tensor_file *set = NULL;
    json_t *config = NULL;
    *facts = NULL;
    if (is_folder(path) && read_json(path, "config.json", &config, error))
        return error->status;
    if (!dit_tensor_file_open(&set, path, error)) {
        *facts = weights_facts(set);
        if (config)
            json_object_set(*facts, "config", config);
        else
            add_original_facts(*facts, set);
    }
    dit_tensor_file_close(set);
    json_decref(config);
    return error->status;
}

// Facts of a pipeline's folder: model_index.json names the components, each of which has a folder. What has no weights
// (schedulers, tokenizers) is listed by its class alone.
static dit_status pipeline_facts(const char *path, json_t *index, json_t **facts, dit_error *error)
{
    json_t *components = json_object(), *value;
    const char *name;
    json_object_foreach(index, name, value)
    {
        const char *class_name = json_string_value(json_array_get(value, 1));
        if (!class_name || strchr(name, '/') || name[0] == '.')
            continue;
        char *folder = join(path, name);
        json_t *component = NULL;
        if (folder && is_folder(folder) && dit_tensor_file_is_in(folder))
            component_facts(folder, &component, error);
        free(folder);
        if (error->status)
            break;
        if (!component)
            component = json_object();
        json_object_set_new(component, "class", json_string(class_name));
        json_object_set_new(components, name, component);
    }
    *facts = json_pack("{s:s, s:O?, s:o}", "folder", path, "pipeline", json_object_get(index, "_class_name"),
                       "components", components);
    return error->status;
}

// Whether the facts of a file show a network that draws pictures.
static bool holds_transformer(const json_t *facts)
{
    json_t *network, *networks = json_object_get(facts, "networks");
    const char *own = json_string_value(json_object_get(json_object_get(facts, "config"), "_class_name"));
    size_t i;
    bool found = own && strstr(own, "2DModel");
    json_array_foreach(networks, i, network)
    {
        const char *class_name = json_string_value(json_object_get(network, "class"));
        found = found || (class_name && strstr(class_name, "2DModel"));
    }
    return found;
}

static bool tells_of_model(const struct option_value *o)
{
    return o[BASE].given || o[PART].given || o[PIPELINE].given || o[VARIANT].given;
}

// What drawing a picture takes, of each network at its turn; why it is not known where the model does not open.
static json_t *run_facts(const struct call *call)
{
    const struct option_value *o = call->option, from = {.given = true, .text = call->operand[0]};
    dit_model *model = NULL;
    dit_survey survey;
    dit_error error = {0};
    dit_request request = dit_request_default();
    request.prompt = "x";
    if (!model_open(&from, &o[BASE], &o[PART], &o[PIPELINE], &o[VARIANT], NULL, &model, &error) &&
        dit_model_survey(model, &request, &survey, &error)) {
        dit_error ignored = {0};
        request.prompt = NULL;
        request.class_label = 0;
        if (!dit_model_survey(model, &request, &survey, &ignored)) // a model of classes
            error = (dit_error){0};
    }
    dit_model_close(model);
    if (error.status)
        return json_pack("{s:s}", "unknown", error.message);
    json_t *phases = json_array();
    for (int i = 0; i < survey.count; i++)
        json_array_append_new(phases,
                              json_pack("{s:s, s:I, s:I, s:f}", "part", survey.phase[i].part, "peak_bytes",
                                        (json_int_t)survey.phase[i].peak, "least_bytes",
                                        (json_int_t)survey.phase[i].least, "flop", survey.phase[i].figures.flops));
    return json_pack("{s:I, s:I, s:i, s:f, s:o, s:I, s:I}", "width", (json_int_t)survey.width, "height",
                     (json_int_t)survey.height, "steps", survey.steps, "guidance_scale", survey.guidance_scale,
                     "phases", phases, "peak_bytes", (json_int_t)survey.peak, "least_memory_bytes",
                     (json_int_t)survey.least);
}

// ---- The text for people. Names and values come from files: control characters do not reach the terminal.

static void print_clean(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return;
    dit_make_printable(copy);
    fputs(copy, stdout);
    free(copy);
}

static void print_value(const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    fputs("    ", stdout);
    print_clean(key);
    printf(": %.300s%s\n", text ? text : "?", text && strlen(text) > 300 ? " ..." : "");
    free(text);
}

static void print_object(const char *title, json_t *object)
{
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0)
        return;
    printf("  %s\n", title);
    json_object_foreach(object, key, value) print_value(key, value);
}

static void print_tensors(json_t *tensors)
{
    size_t i;
    json_t *tensor;
    json_array_foreach(tensors, i, tensor)
    {
        char *shape = json_dumps(json_object_get(tensor, "shape"), 0);
        printf("    %-7s %-24s ", json_string_value(json_object_get(tensor, "dtype")), shape ? shape : "?");
        print_clean(json_string_value(json_object_get(tensor, "name")));
        putchar('\n');
        free(shape);
    }
}

// The networks of a file that holds several.
static void print_networks(json_t *networks)
{
    size_t i;
    json_t *n;
    json_array_foreach(networks, i, n)
    {
        char parameters[FORMAT_SIZE], bytes[FORMAT_SIZE];
        const char *prefix = json_string_value(json_object_get(n, "prefix"));
        printf("  %s (%s), %s parameters, %s%s%s\n", json_string_value(json_object_get(n, "class")),
               json_string_value(json_object_get(n, "original")),
               format_count(parameters, json_number_value(json_object_get(n, "parameters"))),
               format_bytes(bytes, json_number_value(json_object_get(n, "bytes"))), *prefix ? ", under " : "", prefix);
        print_object("config", json_object_get(n, "config"));
    }
}

static void print_component(json_t *facts, bool with_tensors)
{
    json_t *dtypes = json_object_get(facts, "dtypes"), *count;
    const char *dtype;
    if (!dtypes)
        return;
    print_clean(json_string_value(json_object_get(facts, "file")));
    char parameters[FORMAT_SIZE], bytes[FORMAT_SIZE];
    const char *original = json_string_value(json_object_get(facts, "original"));
    printf("\n  %s%s%s", json_string_value(json_object_get(facts, "kind")), original ? ", original names of " : "",
           original ? original : "");
    printf("\n  %zu tensors, %s parameters, %s", json_array_size(json_object_get(facts, "tensors")),
           format_count(parameters, json_number_value(json_object_get(facts, "parameters"))),
           format_bytes(bytes, json_number_value(json_object_get(facts, "bytes"))));
    const char *before = " (";
    json_object_foreach(dtypes, dtype, count)
    {
        printf("%s%s", before, dtype);
        before = ", ";
    }
    printf("%s\n", *before == ',' ? ")" : "");
    if (json_object_get(facts, "networks"))
        print_networks(json_object_get(facts, "networks"));
    else
        print_object("config", json_object_get(facts, "config"));
    print_object("metadata", json_object_get(facts, "metadata"));
    if (with_tensors)
        print_tensors(json_object_get(facts, "tensors"));
}

static void print_pipeline(json_t *facts, bool with_tensors)
{
    const char *name, *pipeline = json_string_value(json_object_get(facts, "pipeline"));
    json_t *component;
    if (pipeline) {
        print_clean(pipeline);
        putchar('\n');
    }
    json_object_foreach(json_object_get(facts, "components"), name, component)
    {
        printf("\n");
        print_clean(name);
        printf(": ");
        print_clean(json_string_value(json_object_get(component, "class")));
        printf("\n");
        print_component(component, with_tensors);
    }
}

static void print_run(json_t *run)
{
    const char *unknown = json_string_value(json_object_get(run, "unknown"));
    json_t *phase, *phases = json_object_get(run, "phases");
    char bytes[FORMAT_SIZE];
    size_t i;
    if (unknown) {
        printf("\nmemory of a run: not known: ");
        print_clean(unknown);
        printf("\n");
        return;
    }
    printf("\none picture of %lldx%lld in %lld steps, guidance scale %g, takes up to\n",
           (long long)json_integer_value(json_object_get(run, "width")),
           (long long)json_integer_value(json_object_get(run, "height")),
           (long long)json_integer_value(json_object_get(run, "steps")),
           json_number_value(json_object_get(run, "guidance_scale")));
    json_array_foreach(phases, i, phase) printf(
        "  %-12s %-16s %.4g GFLOP\n", format_bytes(bytes, json_number_value(json_object_get(phase, "peak_bytes"))),
        json_string_value(json_object_get(phase, "part")), json_number_value(json_object_get(phase, "flop")) * 1e-9);
    const double least = json_number_value(json_object_get(run, "least_memory_bytes"));
    printf("  %-12s in all; with --memory %.0fM and more it is drawn in as much\n",
           format_bytes(bytes, json_number_value(json_object_get(run, "peak_bytes"))), ceil(least * 1e-6));
}

// ---- The plan

static void print_plan(const dit_plan *plan, bool as_json)
{
    dit_plan_figures f = dit_plan_figures_of(plan);
    if (as_json)
        printf("{\"nodes\":%d,\"steps\":%d,\"fused\":%d,\"folded\":%d,\"arena_bytes\":%zu,\"replaced_bytes\":%zu,"
               "\"prepared_bytes\":%zu,\"weight_bytes\":%zu,\"kept_bytes\":%zu,\"streamed_bytes\":%zu,"
               "\"least_memory_bytes\":%zu,\"flop\":%.0f}\n",
               f.nodes, f.steps, f.fused, f.folded, f.arena_bytes, f.replaced_bytes, f.prepared_bytes, f.weight_bytes,
               f.kept_bytes, f.streamed_bytes, f.least_memory, f.flops);
    else
        dit_plan_print(plan, stdout);
}

static dit_status show_plan(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option;
    const dit_probe_options options_of = {
        .method = probe_method(&o[METHOD]),
        .dtype = probe_dtype(&o[DTYPE]),
        .gradient = o[GRAD].given,
        .memory = (size_t)o[MEMORY].natural,
        .figures_only = true,
    };
    dit_probe probe = {0};
    if (!o[INPUTS].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--plan needs --inputs FILE: a plan is made for given shapes");
    if (!dit_probe_open(&probe, call->operand[0], o[INPUTS].text, &options_of, error))
        print_plan(probe.plan, o[JSON].given);
    dit_probe_close(&probe);
    return error->status;
}

static dit_status check_plan_options(const struct option_value *o, dit_error *error)
{
    static const int only_with_plan[] = {INPUTS, GRAD, METHOD, DTYPE, MEMORY};
    for (size_t i = 0; !o[PLAN].given && i < sizeof only_with_plan / sizeof *only_with_plan; i++)
        if (o[only_with_plan[i]].given)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--%s is of use with --plan only",
                            options[only_with_plan[i]].name);
    return DIT_OK;
}

static dit_status run(const struct call *call, dit_error *error)
{
    if (check_plan_options(call->option, error))
        return error->status;
    if (call->option[PLAN].given)
        return show_plan(call, error);
    const char *path = call->operand[0];
    json_t *index = NULL, *facts = NULL;
    if (is_folder(path) && read_json(path, "model_index.json", &index, error))
        goto done;
    if (index ? pipeline_facts(path, index, &facts, error) : component_facts(path, &facts, error))
        goto done;
    if (index || tells_of_model(call->option) || (!is_folder(path) && holds_transformer(facts)))
        json_object_set_new(facts, "run", run_facts(call));
    if (call->option[JSON].given) {
        json_dumpf(facts, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        (index ? print_pipeline : print_component)(facts, call->option[TENSORS].given);
        if (json_object_get(facts, "run"))
            print_run(json_object_get(facts, "run"));
    }

done:
    json_decref(facts);
    json_decref(index);
    return error->status;
}

static const char *const examples[] = {
    "dit info model.safetensors --tensors",
    "names, types and shapes",
    "dit info stable-diffusion-3.5-medium/",
    "the components of a published pipeline",
    "dit info transformer/ --json | jq .parameters",
    "one figure, for a script",
    "dit info sd3_medium_incl_clips_t5xxlfp16.safetensors",
    "the networks of a file that holds several: classes, sizes, configurations",
    "dit info flux1-dev-Q4_K_S.gguf --base FLUX.1-dev/",
    "what drawing with a file takes",
    "dit info DiT-XL-2-256/transformer --plan --inputs in.safetensors",
    "which kernels run, what was fused, and how much memory they take",
    NULL,
};

const struct command command_info = {
    .name = "info",
    .summary = "say what is in a weights file or a model's folder",
    .operands = "FILE|DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "FILE is a safetensors file, the index of a set of shards, a GGUF file or one by torch.save (.pt, .bin, "
        ".ckpt);\n"
        "DIR a component's folder (config.json and weights) or a pipeline's (model_index.json). Files are checked\n"
        "whole, but no tensor is read. Of an original single file the networks are shown, with the configurations\n"
        "that follow from their shapes.\n"
        "Of a pipeline's folder, or of a file as `dit generate` takes it, it also says how much memory a picture of\n"
        "the model's own size and steps takes, network by network, and the least --memory that it can be drawn\n"
        "with. What one network takes beside its weights: --plan.",
    .examples = examples,
    .run = run,
};
