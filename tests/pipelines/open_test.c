// tests/pipelines/open_test.c: models from files and parts that lack something, hold too much or are no models: each is
// refused in one line that names what and where. That whole ones draw is whole_test.c's business.
#include "../models/distance.h"
#include "pipelines/pipeline.h"
#include <unistd.h>

#define WHOLE DIT_SOURCE_DIR "/tests/fixtures/whole/"
static const char FILE_OF_FLUX[] = WHOLE "file-flux/flux.safetensors";
static const char BASE[] = WHOLE "file-flux/base";

// Opens with at most two parts given; a model that opens is closed again.
static dit_error open_with(const char *path, const char *base, const char *pipeline, const dit_model_source *sources,
                           int count)
{
    dit_error error = {0};
    dit_model *model;
    const dit_model_options options = {.sources = sources, .source_count = count, .base = base, .pipeline = pipeline};
    dit_model_open_with(path, &options, &model, &error);
    assert_true(error.status ? !model : model != NULL);
    assert_null(strchr(error.message, '\n'));
    dit_model_close(model);
    return error;
}

static void what_is_missing_or_misnamed_is_said(void **state)
{
    (void)state;
    static const char vae[] = WHOLE "flux-dev/model/vae", dit[] = WHOLE "file-dit/dit.pt",
                      flux[] = WHOLE "flux-dev/model", clip[] = WHOLE "flux-dev/model/text_encoder";
    const struct {
        const char *path, *base, *pipeline;
        dit_model_source sources[2];
        int count;
        dit_status status;
        const char *word;
    } cases[] = {
        {dit, NULL, NULL, {{0}}, 0, DIT_NO_FILE, "holds no vae; give one as --part vae=PATH"},
        {dit, NULL, NULL, {{"vae", vae}}, 1, DIT_OK, ""},
        {dit, NULL, NULL, {{"vae", flux}}, 1, DIT_OK, ""}, // another model's folder
        {FILE_OF_FLUX, BASE, NULL, {{0}}, 0, DIT_OK, ""},
        {FILE_OF_FLUX, BASE, "FluxKontextPipeline", {{0}}, 0, DIT_OK, ""},
        {FILE_OF_FLUX, BASE, "NoPipeline", {{0}}, 0, DIT_BAD_ARGUMENT, "--pipeline: NoPipeline"},
        {FILE_OF_FLUX, BASE, "SanaPipeline", {{0}}, 0, DIT_UNSUPPORTED, "holds no SanaTransformer2DModel"},
        {WHOLE "flux-dev/model/transformer/diffusion_pytorch_model.safetensors", NULL, NULL, {{0}}, 0, DIT_OK, ""},
        {WHOLE "sd3/model", NULL, NULL, {{"text_encoder_3", ""}}, 1, DIT_OK, ""}, // which may be absent
        {FILE_OF_FLUX, vae, NULL, {{0}}, 0, DIT_NO_FILE, "model_index.json"},
        {BASE, BASE, NULL, {{0}}, 0, DIT_BAD_ARGUMENT, "--base"},
        {FILE_OF_FLUX, BASE, NULL, {{"unet", vae}}, 1, DIT_BAD_ARGUMENT, "a FluxPipeline has no unet"},
        {FILE_OF_FLUX, BASE, NULL, {{"vae", vae}, {"vae", vae}}, 2, DIT_BAD_ARGUMENT, "vae is given twice"},
        {FILE_OF_FLUX, BASE, NULL, {{"vae", "nowhere"}}, 1, DIT_NO_FILE, "nowhere"},
        {FILE_OF_FLUX, BASE, NULL, {{"vae", ""}}, 1, DIT_BAD_ARGUMENT, "vae= leaves out what the model needs"},
        {FILE_OF_FLUX,
         BASE,
         NULL,
         {{"vae", clip}},
         1,
         DIT_BAD_FILE,
         "takes a AutoencoderKL here, this is a CLIPTextModel"},
        {FILE_OF_FLUX, BASE, NULL, {{"scheduler", vae}}, 1, DIT_NO_FILE, "scheduler_config.json"},
        {flux, NULL, NULL, {{"transformer", dit}}, 1, DIT_UNSUPPORTED, "holds no FluxTransformer2DModel"},
        {flux, NULL, NULL, {{"transformer", FILE_OF_FLUX}}, 1, DIT_OK, ""},
        {WHOLE "flux-dev/model/vae/diffusion_pytorch_model.safetensors",
         NULL,
         NULL,
         {{0}},
         0,
         DIT_UNSUPPORTED,
         "holds no transformer"},
        {WHOLE "file-dit/request.json", NULL, NULL, {{0}}, 0, DIT_BAD_FILE, "request.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = open_with(cases[i].path, cases[i].base, cases[i].pipeline, cases[i].sources, cases[i].count);
        if (cases[i].status == DIT_OK)
            assert_fine(error);
        else
            assert_refused(&error, cases[i].status, cases[i].word);
    }
}

// flux.safetensors with a beginning put before every name, and one tensor left out. `wide`: as if a head had 32
// features, of which the axes of the positions follow.
static void write_changed(const char *path, const char *prefix, const char *without, bool wide)
{
    static float ones[32];
    dit_error error = {0};
    dit_safetensors *file;
    dit_safetensors_item items[100];
    char names[100][200];
    size_t count = 0;
    dit_safetensors_open(&file, FILE_OF_FLUX, &error);
    assert_fine(error);
    for (size_t i = 0; i < dit_safetensors_count(file); i++) {
        const char *name = dit_safetensors_at(file, i)->name;
        dit_array a;
        dit_safetensors_array(file, i, &a, &error);
        if (wide && strstr(name, "_norm.scale"))
            a = (dit_array){DIT_F32, DIT_SHAPE(32), ones};
        snprintf(names[count], sizeof names[0], "%s%s", prefix, name);
        if (!without || strcmp(name, without))
            items[count] = (dit_safetensors_item){names[count], a.dtype, a.shape, a.data}, count++;
    }
    dit_safetensors_write(path, items, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_close(file);
}

static void all_that_a_file_lacks_is_named_at_once(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    write_changed(path, "", NULL, true);
    const dit_model_source given[] = {{"vae", WHOLE "flux-dev/model/vae"},
                                      {"text_encoder", WHOLE "flux-dev/model/text_encoder"}};
    dit_error error = open_with(path, NULL, NULL, NULL, 0);
    assert_refused(&error, DIT_NO_FILE,
                   "holds no text_encoder, tokenizer, text_encoder_2, tokenizer_2, vae; give each");
    error = open_with(path, NULL, NULL, given, 2);
    assert_refused(&error, DIT_NO_FILE,
                   "holds no tokenizer, text_encoder_2, tokenizer_2; give each as --part tokenizer=PATH");
    error = open_with(FILE_OF_FLUX, NULL, NULL, NULL, 0); // heads of 16 features have no axes by the table
    assert_refused(&error, DIT_BAD_FILE, "axes_dims_rope");
    scratch_remove(&s);
}

// Opens the file with the base and draws what the case flux-schnell does; writes its latents, unless that is NULL.
static dit_error draw(const char *path, const char *latents)
{
    dit_error error = {0};
    dit_model *model;
    dit_job job = {0};
    dit_image image = {0};
    dit_request request = dit_request_default();
    request.prompt = "";
    request.steps = 3;
    request.width = request.height = 32;
    request.seed = 12;
    const dit_model_options options = {.base = BASE};
    if (!dit_model_open_with(path, &options, &model, &error) && !dit_job_start(model, &request, &job, &error))
        dit_generate_job(model, &job, NULL, &image, latents, &error);
    dit_job_end(&job);
    dit_image_free(&image);
    dit_model_close(model);
    return error;
}

static void a_file_with_a_missing_tensor_is_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    write_changed(path, "model.diffusion_model.", NULL, false);
    dit_error error = draw(path, NULL);
    assert_fine(error);
    write_changed(path, "model.diffusion_model.", "double_blocks.0.img_mlp.2.weight", false);
    error = draw(path, NULL);
    assert_refused(&error, DIT_BAD_FILE, "transformer_blocks.0.ff.net.2.weight: the file lacks this tensor");
    write_changed(path, "no.such.beginning.", NULL, false); // taken for published names, with the base's configuration
    error = draw(path, NULL);
    assert_refused(&error, DIT_BAD_FILE, "the file lacks this tensor");
    scratch_remove(&s);
}

// A folder's configuration and weights but for one tensor, which is left out or, with `cut`, lacks half its rows.
static void copy_part(scratch *s, const char *folder, const char *weights, const char *tensor, bool cut)
{
    enum { MOST = 300 };
    static dit_safetensors_item items[MOST];
    dit_error error = {0};
    dit_safetensors *file;
    char from[1000];
    size_t count = 0;
    bool found = false;
    snprintf(from, sizeof from, "%s/config.json", folder);
    assert_int_equal(symlink(from, scratch_path(s, "config.json")), 0);
    snprintf(from, sizeof from, "%s/%s", folder, weights);
    dit_safetensors_open(&file, from, &error);
    assert_fine(error);
    assert_true(dit_safetensors_count(file) <= MOST);
    for (size_t i = 0; i < dit_safetensors_count(file); i++) {
        const char *name = dit_safetensors_at(file, i)->name;
        const bool is_it = !strcmp(name, tensor);
        dit_array a;
        dit_safetensors_array(file, i, &a, &error);
        if (is_it)
            a.shape.dim[0] /= 2;
        found = found || is_it;
        if (!is_it || cut)
            items[count++] = (dit_safetensors_item){name, a.dtype, a.shape, a.data};
    }
    assert_true(found);
    dit_safetensors_write(scratch_path(s, weights), items, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_close(file);
}

static int count_reports(void *context, const dit_progress *progress)
{
    *(int *)context += progress->total > 0; // one of 0 only asks whether to stop
    return 0;
}

// In any network, for encoding a prompt may take minutes.
static void what_a_network_lacks_shows_before_a_prompt_is_encoded(void **state)
{
    (void)state;
    static const char text[] = "model.safetensors", other[] = "diffusion_pytorch_model.safetensors";
    const struct {
        const char *model, *part, *weights, *tensor;
    } cases[] = {
        {"flux-dev", "transformer", other, "proj_out.weight"},
        {"flux-dev", "text_encoder_2", text, "encoder.block.0.layer.0.SelfAttention.q.weight"},
        {"flux-dev", "vae", other, "decoder.conv_out.weight"},
        {"sd3", "transformer", other, "transformer_blocks.1.attn.to_q.weight"},
        {"sd3", "text_encoder_3", text, "encoder.final_layer_norm.weight"},
        {"hidream", "transformer", other, "final_layer.linear.weight"},
        {"hidream", "text_encoder_4", text, "model.layers.1.mlp.down_proj.weight"},
        {"lumina2", "transformer", other, "norm_out.linear_2.weight"},
        {"sana", "transformer", other, "proj_out.weight"},
        {"z-image", "text_encoder", text, "layers.0.mlp.down_proj.weight"},
        {"hunyuan-dit", "text_encoder_2", text, "encoder.block.0.layer.0.SelfAttention.q.weight"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const bool cut = i % 2;
        char whole[500], folder[600];
        scratch s;
        dit_error error = {0};
        dit_model *model;
        dit_image image = {0};
        int reports = 0;
        snprintf(whole, sizeof whole, WHOLE "%s/model", cases[i / 2].model);
        snprintf(folder, sizeof folder, "%s/%s", whole, cases[i / 2].part);
        scratch_make(&s);
        copy_part(&s, folder, cases[i / 2].weights, cases[i / 2].tensor, cut);
        const dit_model_source source = {cases[i / 2].part, s.folder};
        const dit_watch watch = {count_reports, &reports};
        dit_request request = dit_request_default();
        request.prompt = "a fox";
        if (!dit_model_open_with(whole, &(dit_model_options){.sources = &source, .source_count = 1}, &model, &error))
            dit_generate(model, &request, &watch, &image, &error);
        assert_refused(&error, DIT_BAD_FILE, cases[i / 2].tensor);
        assert_int_equal(reports, 0);
        dit_image_free(&image);
        dit_model_close(model);
        scratch_remove(&s);
    }
}

// Tensors of several files, whose bytes stay the files'.
struct collection {
    dit_tensor_file *files[4];
    int file_count;
    dit_safetensors_item items[300];
    char names[300][200];
    size_t count;
};

// Adds a file's tensors under a beginning of names; with `zeros` none of them says anything.
static void collect(struct collection *c, const char *path, const char *prefix, bool zeros)
{
    static float nothing[1 << 16];
    dit_error error = {0};
    dit_tensor_file **file = &c->files[c->file_count++];
    dit_tensor_file_open(file, path, &error);
    assert_fine(error);
    for (size_t i = 0; i < dit_tensor_file_count(*file); i++, c->count++) {
        dit_array a;
        dit_tensor_file_array(*file, i, &a, &error);
        assert_fine(error);
        snprintf(c->names[c->count], sizeof c->names[0], "%s%s", prefix, dit_tensor_file_at(*file, i).name);
        assert_true(dit_shape_count(&a.shape) <= 1 << 16);
        c->items[c->count] =
            (dit_safetensors_item){c->names[c->count], a.dtype, a.shape, zeros ? (void *)nothing : a.data};
    }
}

static double distance_from_schnell(const char *path)
{
    dit_error error = {0};
    dit_safetensors *found, *wanted;
    dit_array a, b;
    dit_safetensors_open(&found, path, &error);
    dit_safetensors_open(&wanted, WHOLE "flux-schnell/result.safetensors", &error);
    dit_safetensors_get(found, "latents", &a, &error);
    dit_safetensors_get(wanted, "latents", &b, &error);
    assert_fine(error);
    double distance = distance_of(&a, &b, 0).largest;
    dit_safetensors_close(found);
    dit_safetensors_close(wanted);
    return distance;
}

// Text encoders as ComfyUI keeps them beside the transformer. That they are used, and not the base's, shows when the
// file's are zeros.
static void text_encoders_of_the_file_come_before_the_bases(void **state)
{
    (void)state;
    static const char clip[] = WHOLE "flux-schnell/model/text_encoder/model.safetensors";
    static const char t5[] = WHOLE "flux-schnell/model/text_encoder_2/model.safetensors";
    for (int zeros = 0; zeros < 3; zeros++) {
        static struct collection c;
        scratch s;
        dit_error error = {0};
        c = (struct collection){0};
        scratch_make(&s);
        const char *path = scratch_path(&s, "x.safetensors");
        collect(&c, FILE_OF_FLUX, "model.diffusion_model.", false);
        collect(&c, clip, "text_encoders.clip_l.transformer.text_model.", zeros == 1);
        collect(&c, t5, "text_encoders.t5xxl.transformer.", zeros == 2);
        dit_safetensors_write(path, c.items, c.count, NULL, 0, NULL, NULL, &error);
        assert_fine(error);
        char latents[600];
        snprintf(latents, sizeof latents, "%s", scratch_path(&s, "latents.safetensors"));
        error = draw(scratch_path(&s, "x.safetensors"), latents);
        assert_fine(error);
        double distance = distance_from_schnell(latents);
        print_message("%s: %.2g\n", zeros == 0 ? "as they are" : zeros == 1 ? "CLIP zero" : "T5 zero", distance);
        assert_true(zeros ? distance > 1e-3 : distance < 1e-5);
        for (int i = 0; i < c.file_count; i++)
            dit_tensor_file_close(c.files[i]);
        scratch_remove(&s);
    }
}

// Stable Diffusion 3's files keep OpenAI's CLIP without its projection, and take the identity for it.
static void clip_without_a_projection_gives_its_pooled_state(void **state)
{
    (void)state;
    static struct collection c;
    static const char *const classes[] = {"CLIPTextModelWithProjection", NULL};
    static const char config[] = WHOLE "flux-schnell/model/text_encoder/config.json";
    scratch s;
    dit_error error = {0};
    dit_component plain, projected;
    dit_arrays in = {0}, a = {0}, b = {0};
    scratch_make(&s);
    const char *path = scratch_path(&s, "clip_l.safetensors");
    collect(&c, WHOLE "flux-schnell/model/text_encoder/model.safetensors", "text_model.", false);
    dit_safetensors_write(path, c.items, c.count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_component_open_with(&plain, path, &(dit_component_options){.known_path = config}, &error);
    dit_component_open_with(&projected, path,
                            &(dit_component_options){.classes = classes,
                                                     .known_text =
                                                         "{\"num_attention_heads\": 2, \"eos_token_id\": 1153, "
                                                         "\"hidden_act\": \"quick_gelu\", \"projection_dim\": 20}"},
                            &error);
    assert_fine(error);
    assert_string_equal(plain.class->name, "CLIPTextModel");
    dit_array *ids = dit_arrays_add(&in, "input_ids", DIT_I64, DIT_SHAPE(1, 5), &error);
    for (int i = 0; i < 5; i++)
        ((int64_t *)ids->data)[i] = i < 4 ? 7 * i : 1153;
    dit_component_call(&plain, DIT_FORWARD, &in, (const char *const[]){"pooler_output", NULL}, NULL, &a, &error);
    dit_component_call(&projected, DIT_FORWARD, &in, (const char *const[]){"text_embeds", NULL}, NULL, &b, &error);
    assert_fine(error);
    const dit_array *pooled = dit_arrays_find(&a, "pooler_output"), *embeds = dit_arrays_find(&b, "text_embeds");
    assert_true(dit_shape_equal(&pooled->shape, &embeds->shape));
    assert_memory_equal(pooled->data, embeds->data, dit_array_bytes(pooled));
    dit_arrays_free(&in);
    dit_arrays_free(&a);
    dit_arrays_free(&b);
    dit_component_close(&plain);
    dit_component_close(&projected);
    dit_tensor_file_close(c.files[0]);
    scratch_remove(&s);
}

// "sd3.safetensors" holds two CLIPs: a part takes its own out of it, and a file for one part alone under any prefix.
static void a_part_may_come_out_of_a_file_of_many(void **state)
{
    (void)state;
    static const char folder[] = WHOLE "sd3-without-t5/model", file[] = WHOLE "file-sd3/sd3.safetensors";
    static const char *const parts[] = {"transformer", "vae", "text_encoder", "text_encoder_2"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const dit_model_source source = {parts[i], file};
        dit_error error = {0};
        dit_model *model;
        dit_model_open_with(folder, &(dit_model_options){.sources = &source, .source_count = 1}, &model, &error);
        assert_fine(error);
        const dit_component *c = dit_model_part(model, parts[i], &error);
        assert_string_equal(c->folder, file);
        if (i >= 2) // widths 10 and 12
            assert_int_equal(dit_json_int(dit_json_root(c->json), "hidden_size", 1, 99, &error), i == 2 ? 10 : 12);
        dit_model_close(model);
    }
}

// FLUX.1 schnell's transformer, drawn with out of a folder of dev's, keeps schnell's scheduler; one that is given
// counts.
static void the_scheduler_is_of_the_transformers_release(void **state)
{
    (void)state;
    static const char dev[] = WHOLE "flux-dev/model", schnell[] = WHOLE "flux-schnell/model";
    const struct {
        const char *path, *base;
        dit_model_source sources[2];
        int count;
        bool dynamic;
    } cases[] = {
        {FILE_OF_FLUX, schnell, {{0}}, 0, false},
        {FILE_OF_FLUX, dev, {{0}}, 0, false},
        {FILE_OF_FLUX, dev, {{"scheduler", WHOLE "flux-dev/model/scheduler"}}, 1, true},
        {dev, NULL, {{0}}, 0, true},
        {dev, NULL, {{"transformer", FILE_OF_FLUX}}, 1, false},
        {schnell, NULL, {{"transformer", WHOLE "flux-dev/model/transformer"}}, 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_model *model;
        const dit_model_options options = {
            .sources = cases[i].sources, .source_count = cases[i].count, .base = cases[i].base};
        dit_model_open_with(cases[i].path, &options, &model, &error);
        assert_fine(error);
        assert_int_equal(dit_json_bool_or(dit_json_root(model->scheduler), "use_dynamic_shifting", false, &error),
                         cases[i].dynamic);
        dit_model_close(model);
    }
}

static void published_models_have_schedulers(void **state)
{
    (void)state;
    json_t *schnell = json_pack("{s:b}", "guidance_embeds", 0), *dev = json_pack("{s:b}", "guidance_embeds", 1);
    assert_non_null(strstr(dit_published_find("FluxPipeline", schnell).scheduler, "\"shift\": 1.0"));
    assert_non_null(strstr(dit_published_find("FluxPipeline", dev).scheduler, "\"use_dynamic_shifting\": true"));
    assert_null(dit_published_find("TextDiTPipeline", dev).scheduler);
    json_t *early = json_pack("{s:b}", "use_style_cond_and_image_meta_size", 1);
    json_t *late = json_pack("{s:b}", "use_style_cond_and_image_meta_size", 0);
    assert_non_null(strstr(dit_published_find("HunyuanDiTPipeline", early).scheduler, "\"beta_end\": 0.03"));
    assert_non_null(strstr(dit_published_find("HunyuanDiTPipeline", late).scheduler, "\"beta_end\": 0.018"));
    json_decref(early);
    json_decref(late);
    static const char *const pipelines[] = {
        "FluxPipeline",       "FluxKontextPipeline", "FluxFillPipeline",    "StableDiffusion3Pipeline",
        "DiTPipeline",        "PixArtAlphaPipeline", "PixArtSigmaPipeline", "AuraFlowPipeline",
        "LuminaPipeline",     "Lumina2Pipeline",     "ZImagePipeline",      "SanaPipeline",
        "SanaSprintPipeline", "HunyuanDiTPipeline",  "HiDreamImagePipeline"};
    for (size_t i = 0; i < sizeof pipelines / sizeof *pipelines; i++) { // every one is read whole
        dit_error error = {0};
        dit_json_file *json = NULL;
        dit_sampler *sampler = NULL;
        dit_published p = dit_published_find(pipelines[i], dev);
        dit_json_parse(&json, pipelines[i], p.scheduler, strlen(p.scheduler), 0, &error);
        assert_fine(error);
        dit_sampler_new(&sampler, NULL, dit_json_root(json), &error);
        assert_fine(error);
        dit_sampler_free(sampler);
        dit_json_close(json);
        dit_json_parse(&json, pipelines[i], p.autoencoder, strlen(p.autoencoder), 0, &error);
        assert_fine(error);
        assert_true(dit_json_has(dit_json_root(json), "scaling_factor"));
        dit_json_close(json);
    }
    json_decref(schnell);
    json_decref(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_or_misnamed_is_said),
        cmocka_unit_test(all_that_a_file_lacks_is_named_at_once),
        cmocka_unit_test(a_file_with_a_missing_tensor_is_refused),
        cmocka_unit_test(what_a_network_lacks_shows_before_a_prompt_is_encoded),
        cmocka_unit_test(text_encoders_of_the_file_come_before_the_bases),
        cmocka_unit_test(clip_without_a_projection_gives_its_pooled_state),
        cmocka_unit_test(a_part_may_come_out_of_a_file_of_many),
        cmocka_unit_test(the_scheduler_is_of_the_transformers_release),
        cmocka_unit_test(published_models_have_schedulers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
