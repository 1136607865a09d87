// train/optimizer.c: one pass over weights, moments and averages a step.
#include "train/optimizer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_matrix(const dit_shape *shape)
{
    int long_axes = 0;
    for (int i = 0; i < shape->rank; i++)
        long_axes += shape->dim[i] > 1;
    return long_axes >= 2;
}

static dit_status open_item(dit_optimized *item, const dit_weight *w, const dit_optimizer_options *o, dit_error *error)
{
    *item = (dit_optimized){.name = w->name,
                            .shape = w->array.shape,
                            .count = dit_shape_count(&w->array.shape),
                            .weight = w->array.data,
                            .is_matrix = is_matrix(&w->array.shape)};
    size_t n = (size_t)item->count;
    size_t size = dit_dtype_size(o->moments);
    bool ok = (item->m = calloc(n, size)) && (item->v = calloc(n, size));
    for (int e = 0; e < o->ema_count && ok; e++)
        if ((ok = (item->ema[e] = malloc(n * sizeof(float) + 1))))
            memcpy(item->ema[e], item->weight, n * sizeof(float));
    if (!ok)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the optimizer's state", w->name);
    return DIT_OK;
}

dit_status dit_optimizer_open(dit_optimizer *o, const dit_weights *weights, const dit_optimizer_options *options,
                              dit_error *error)
{
    *o = (dit_optimizer){.options = *options};
    o->items = calloc((size_t)dit_weights_count(weights) + 1, sizeof *o->items);
    if (!o->items)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the optimizer's state");
    for (int i = 0; i < dit_weights_count(weights); i++) {
        const dit_weight *w = dit_weights_at(weights, i);
        if (w->array.dtype != DIT_F32)
            continue;
        o->count++;
        if (open_item(&o->items[o->count - 1], w, options, error))
            return error->status;
    }
    return DIT_OK;
}

void dit_optimizer_close(dit_optimizer *o)
{
    for (int i = 0; i < o->count; i++) {
        free(o->items[i].m);
        free(o->items[i].v);
        for (int e = 0; e < DIT_MAX_EMA; e++)
            free(o->items[i].ema[e]);
    }
    free(o->items);
    *o = (dit_optimizer){0};
}

double dit_optimizer_norm(const dit_optimizer *o, double scale)
{
    enum { CHUNK = 4096 }; // summed in f32; chunks in double, in order, so that threads do not show
    double total = 0;
    for (int i = 0; i < o->count; i++) {
        const float *g = o->items[i].gradient;
        int64_t n = o->items[i].count, chunks = (n + CHUNK - 1) / CHUNK;
        double sum = 0;
#pragma omp parallel for ordered schedule(static, 1) if (chunks > 64)
        for (int64_t c = 0; c < chunks; c++) {
            int64_t end = (c + 1) * CHUNK < n ? (c + 1) * CHUNK : n;
            float part = 0;
#pragma omp simd reduction(+ : part)
            for (int64_t k = c * CHUNK; k < end; k++)
                part += g[k] * g[k];
#pragma omp ordered
            sum += (double)part;
        }
        total += sum;
    }
    return sqrt(total) * scale;
}

// What one step does with every element of a parameter.
struct rates {
    float scale;          // of gradients
    float b1, b2, c2;     // 1 - beta1, beta2, 1 - beta2
    float keep, step;     // of weights, of their change
    float root, eps;      // of the second moment's correction
    uint32_t random_seed; // of the rounding of moments
};

static void update_f32(const struct rates *a, dit_optimized *p)
{
    float *restrict w = p->weight, *restrict m = p->m, *restrict v = p->v;
    const float *restrict gradient = p->gradient;
#pragma omp parallel for simd schedule(static) if (p->count > 1 << 14)
    for (int64_t i = 0; i < p->count; i++) {
        float g = gradient[i] * a->scale;
        m[i] += (g - m[i]) * a->b1;
        v[i] = v[i] * a->b2 + a->c2 * g * g;
        w[i] = w[i] * a->keep - a->step * m[i] / (sqrtf(v[i]) / a->root + a->eps);
    }
}

// 32 random bits for an element (the finaliser of MurmurHash3).
static inline uint32_t random_bits(uint32_t seed, int64_t i)
{
    uint32_t x = (uint32_t)i * 0x9e3779b1u ^ seed;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

// Up or down with the chance of its distance; `random` below 2^16.
static inline uint16_t round_at_random(float x, uint32_t random)
{
    union {
        float f;
        uint32_t u;
    } bits = {x};
    return (uint16_t)((bits.u + random) >> 16);
}

static void update_bf16(const struct rates *a, dit_optimized *p)
{
    float *restrict w = p->weight;
    uint16_t *restrict moment1 = p->m, *restrict moment2 = p->v;
    const float *restrict gradient = p->gradient;
#pragma omp parallel for simd schedule(static) if (p->count > 1 << 14)
    for (int64_t i = 0; i < p->count; i++) {
        float g = gradient[i] * a->scale, m = dit_bf16_to_f32(moment1[i]), v = dit_bf16_to_f32(moment2[i]);
        uint32_t random = random_bits(a->random_seed, i);
        m += (g - m) * a->b1;
        v = v * a->b2 + a->c2 * g * g;
        w[i] = w[i] * a->keep - a->step * m / (sqrtf(v) / a->root + a->eps);
        moment1[i] = round_at_random(m, random & 0xffff);
        moment2[i] = round_at_random(v, random >> 16);
    }
}

static void average(const dit_optimizer_options *o, dit_optimized *p)
{
    const float *restrict w = p->weight;
    for (int e = 0; e < o->ema_count; e++) {
        float *restrict mean = p->ema[e];
        const float share = (float)(1 - o->ema[e]);
#pragma omp parallel for simd schedule(static) if (p->count > 1 << 14)
        for (int64_t i = 0; i < p->count; i++)
            mean[i] += (w[i] - mean[i]) * share;
    }
}

static void update(const dit_optimizer *o, int item, double rate, float scale)
{
    const dit_optimizer_options *a = &o->options;
    dit_optimized *p = &o->items[item];
    double t = (double)o->steps, correction1 = 1 - pow(a->beta1, t), correction2 = 1 - pow(a->beta2, t);
    double decay = p->is_matrix ? a->weight_decay : a->bias_weight_decay;
    const struct rates rates = {.scale = scale,
                                .b1 = (float)(1 - a->beta1),
                                .b2 = (float)a->beta2,
                                .c2 = (float)(1 - a->beta2),
                                .keep = (float)(1 - rate * decay),
                                .step = (float)(rate / correction1),
                                .root = (float)sqrt(correction2),
                                .eps = (float)a->eps,
                                .random_seed = random_bits((uint32_t)o->steps, item)};
    if (a->moments == DIT_BF16)
        update_bf16(&rates, p);
    else
        update_f32(&rates, p);
    average(a, p);
}

void dit_optimizer_step(dit_optimizer *o, double learning_rate, double scale, double norm)
{
    if (o->options.clip_norm > 0) // as torch.nn.utils.clip_grad_norm_
        scale *= fmin(1, o->options.clip_norm / (norm + 1e-6));
    o->steps++;
    for (int i = 0; i < o->count; i++)
        update(o, i, learning_rate, (float)scale);
}
