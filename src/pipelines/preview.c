// pipelines/preview.c: cheap pictures of unfinished states.
#include "pipelines/preview.h"
#include "base/memory.h"
#include "media/image.h"
#include "models/autoencoder.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- The clean part of a state

static int kind_of_output(dit_model *m)
{
    static const char *const names[] = {"epsilon", "sample", "v_prediction", "flow_prediction"};
    const json_t *config = dit_json_root(m->scheduler).value;
    const char *class = json_string_value(json_object_get(config, "_class_name"));
    const char *type = json_string_value(json_object_get(config, "prediction_type"));
    if (class && !strncmp(class, "FlowMatch", strlen("FlowMatch")))
        return DIT_SAYS_FLOW;
    for (int i = 0; type && i < 4; i++)
        if (!strcmp(type, names[i]))
            return i;
    return class && !strcmp(class, "SCMScheduler") ? DIT_SAYS_OTHER : DIT_SAYS_NOISE;
}

void dit_preview_estimate(int says, float clean, float noise, const float *state, const float *output, float *x0,
                          int64_t n)
{
    const float length = sqrtf(clean * clean + noise * noise); // 1 where variance is preserved
    for (int64_t i = 0; i < n; i++) {
        float x = state[i], said = output[i];
        x0[i] = says == DIT_SAYS_FLOW                 ? x - noise * said
                : says == DIT_SAYS_SAMPLE             ? said
                : says == DIT_SAYS_V                  ? (clean * x / length - noise * said) / length
                : says == DIT_SAYS_NOISE && clean > 0 ? (x - noise * said) / clean
                                                      : x;
    }
}

// ---- The linear map

// Solves a x = b for `columns` right sides, a (n, n) symmetric and positive: Cholesky, in place; x replaces b (n,
// columns).
static void solve(double *a, double *b, int64_t n, int64_t columns)
{
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = j; i < n; i++) {
            double sum = a[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    for (int64_t c = 0; c < columns; c++) {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t k = 0; k < i; k++)
                b[i * columns + c] -= a[i * n + k] * b[k * columns + c];
            b[i * columns + c] /= a[i * n + i];
        }
        for (int64_t i = n - 1; i >= 0; i--) {
            for (int64_t k = i + 1; k < n; k++)
                b[i * columns + c] -= a[k * n + i] * b[k * columns + c];
            b[i * columns + c] /= a[i * n + i];
        }
    }
}

dit_status dit_preview_fit(const float *latents, int64_t C, int64_t H, int64_t W, const float *pixels, int64_t ratio,
                           float *map, dit_error *error)
{
    const int64_t n = C + 1, positions = H * W;
    double *a = calloc((size_t)(n * n + 3 * n), sizeof *a), *b = a ? a + n * n : NULL;
    if (!a)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for previews");
    for (int64_t p = 0; p < positions; p++) {
        double colour[3] = {0};
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < ratio * ratio; i++)
                colour[c] +=
                    (double)
                        pixels[(c * H * ratio + p / W * ratio + i / ratio) * W * ratio + p % W * ratio + i % ratio] /
                    (double)(ratio * ratio);
        for (int64_t i = 0; i < n; i++) {
            const double x = i < C ? (double)latents[i * positions + p] : 1;
            for (int64_t j = 0; j <= i; j++)
                a[i * n + j] += x * (j < C ? (double)latents[j * positions + p] : 1);
            for (int64_t c = 0; c < 3; c++)
                b[i * 3 + c] += x * colour[c];
        }
    }
    for (int64_t i = 0; i < n; i++)
        a[i * n + i] += 1e-6 * (double)positions; // where there are fewer positions than channels
    solve(a, b, n, 3);
    for (int64_t i = 0; i < 3 * n; i++)
        map[i % 3 * n + i / 3] = (float)b[i];
    free(a);
    return DIT_OK;
}

// Latents (1, C, SIDE, SIDE) that vary little between neighbours, as those of pictures do.
static void draw_latents(float *latents, int64_t channels, int64_t side)
{
    enum { BLOCK = 4 };
    const float within = 0.3f;
    const int64_t blocks = side / BLOCK, n = channels * side * side;
    float *coarse = latents + n; // room for (C, SIDE / BLOCK, SIDE / BLOCK)
    dit_generator generator;
    dit_generator_seed(&generator, 0);
    dit_randn(&generator, latents, (size_t)(n + channels * blocks * blocks));
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = i / (side * side), y = i / side % side, x = i % side;
        latents[i] = within * latents[i] + coarse[(c * blocks + y / BLOCK) * blocks + x / BLOCK];
    }
}

static dit_status make_map(dit_preview *p, dit_model *m, const dit_job *job, dit_error *error)
{
    enum { SIDE = 16 };
    const int64_t C = job->channels, n = C * SIDE * SIDE;
    dit_array pixels = {0};
    float *latents = malloc((size_t)(2 * n) * sizeof *latents);
    p->map = malloc((size_t)(3 * (C + 1)) * sizeof *p->map);
    if (!latents || !p->map) {
        dit_fail(error, DIT_NO_MEMORY, "no memory for previews");
    } else {
        draw_latents(latents, C, SIDE);
        const dit_array in = {DIT_F32, DIT_SHAPE(1, C, SIDE, SIDE), latents};
        if (!dit_decode_pixels(m, &in, &pixels, error) && pixels.shape.dim[1] == 3 &&
            !dit_preview_fit(latents, C, SIDE, SIDE, pixels.data, pixels.shape.dim[2] / SIDE, p->map, error))
            p->kind = DIT_PREVIEW_LINEAR;
    }
    dit_model_part_done(m, "vae");
    free(pixels.data);
    free(latents);
    return error->status;
}

// ---- Opening and showing

static dit_status open_small(dit_preview *p, dit_model *m, const dit_job *job, dit_error *error)
{
    const char *folder = job->request->preview_decoder;
    dit_autoencoder_facts facts;
    if (dit_component_open(&p->small, folder, DIT_F32, error)) {
        dit_error_locate(error, "--preview-decoder");
        return error->status;
    }
    p->kind = DIT_PREVIEW_SMALL;
    p->small.memory = m->memory;
    if (!dit_autoencoder_facts_of(&p->small, &facts) || facts.latent_channels != job->channels)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--preview-decoder: %s is no autoencoder of latents with %lld channels, which this model draws",
                        folder, (long long)job->channels);
    return DIT_OK;
}

dit_status dit_preview_open(dit_preview *p, dit_model *m, const dit_job *job, const dit_sampler *sampler,
                            dit_error *error)
{
    dit_error ignored = {0};
    p->sampler = sampler;
    p->says = kind_of_output(m);
    if (job->request->preview_decoder && dit_model_has_part(m, "vae"))
        return open_small(p, m, job, error);
    if (!dit_model_has_part(m, "vae")) {
        p->kind = DIT_PREVIEW_STATE;
        return DIT_OK;
    }
    const dit_component *vae = dit_model_part(m, "vae", error);
    if (vae && !strcmp(vae->class->name, "AutoencoderTiny"))
        p->kind = DIT_PREVIEW_STATE;
    else if (vae)
        make_map(p, m, job, &ignored);
    return error->status;
}

void dit_preview_close(dit_preview *p)
{
    if (p->kind == DIT_PREVIEW_SMALL || p->small.folder)
        dit_component_close(&p->small);
    free(p->map);
    *p = (dit_preview){0};
}

static void show_linear(const float *map, const dit_array *x0, dit_image *image, dit_error *error)
{
    const int64_t C = x0->shape.dim[1], H = x0->shape.dim[2], W = x0->shape.dim[3], inner = H * W;
    const float *latents = x0->data;
    float *planes = malloc((size_t)(3 * inner) * sizeof *planes);
    if (!planes)
        return;
    for (int64_t i = 0; i < 3 * inner; i++) {
        const float *row = map + i / inner * (C + 1);
        planes[i] = row[C];
        for (int64_t c = 0; c < C; c++)
            planes[i] += row[c] * latents[c * inner + i % inner];
    }
    if (!dit_image_alloc(image, (int)W, (int)H, 3, error))
        dit_image_from_planes(image, planes);
    free(planes);
}

static void show_small(const dit_preview *p, const dit_array *x0, dit_image *image, dit_error *error)
{
    dit_autoencoder_facts facts;
    dit_array pixels = {0};
    const dit_autoencoder_options options = {.slice = true, .memory = dit_memory_left(p->small.memory)};
    if (!dit_autoencoder_facts_of(&p->small, &facts))
        return;
    for (int64_t i = 0; i < dit_shape_count(&x0->shape); i++) {
        float *x = (float *)x0->data + i;
        *x = *x / (float)facts.scaling_factor + (float)facts.shift_factor;
    }
    if (!dit_autoencoder_decode(&p->small, x0, &options, &pixels, error) && pixels.shape.dim[1] == 3 &&
        !dit_image_alloc(image, (int)pixels.shape.dim[3], (int)pixels.shape.dim[2], 3, error))
        dit_image_from_planes(image, pixels.data);
    free(pixels.data);
}

void dit_preview_make(const dit_preview *p, dit_model *m, const dit_job *job, const float *state, const float *output,
                      dit_image *image)
{
    dit_error ignored = {0};
    dit_array x0 = {0};
    dit_job one = *job;
    float clean = 1, noise = 0;
    one.count = 1;
    one.sink.take = NULL;
    if (p->kind == DIT_PREVIEW_NONE ||
        dit_array_alloc(&x0, DIT_F32, DIT_SHAPE(1, job->channels, job->height, job->width), &ignored))
        return;
    const int64_t n = dit_shape_count(&x0.shape);
    if (p->sampler->class->noise_level && p->sampler->next < p->sampler->calls)
        p->sampler->class->noise_level(p->sampler, p->sampler->next, &clean, &noise);
    dit_preview_estimate(p->says, clean, noise, state, output, x0.data, n);
    for (int64_t i = 0; job->state_scale != 0 && i < n; i++)
        ((float *)x0.data)[i] /= (float)job->state_scale;
    if (p->kind == DIT_PREVIEW_LINEAR)
        show_linear(p->map, &x0, image, &ignored);
    else if (p->kind == DIT_PREVIEW_SMALL)
        show_small(p, &x0, image, &ignored);
    else
        dit_decode_latents(m, &one, &x0, NULL, image, &ignored);
    if (ignored.status)
        dit_image_free(image);
    free(x0.data);
}
