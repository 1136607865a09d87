// backend/cpu/kernels/attention_backward.c: dq, dk and dv of attention, from the log-sum-exp that it kept: blocks of
// probabilities are computed again, never all of them (Dao et al. 2022, arXiv 2205.14135, algorithm 4).
//
// A task works on one key head and the query heads that share it. Where there are fewer of these than threads could
// use, dk and dv are made in parts of the keys and then dq in parts of the queries, so that no two threads add to one
// place.
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include "backend/swallowed.h"
#include <omp.h>

enum { DY, Q, Y = 5, LSE };
enum { DQ, DK, DV };
enum {
    ROWS = DIT_TILE_ROWS,
    QUERIES = 168, // of a block: its probabilities and their gradients stay in the second-level cache,
    KEYS = 192,    // and sums over either are long enough for the tile
    FEWEST = 64,   // queries or keys of a part
    TASKS_A_THREAD = 4,
};

struct call {
    dit_attention_call a;
    dit_heads dy, y;
    const float *lse;
    int64_t lse_stride[3]; // along B, H, Tq
    float *dq, *dk, *dv;
};

// A thread's scratch, in floats.
struct scratch {
    float *keys_across, *values_across; // panels of k^T (scaled, see attention.h) and v^T, (D, KEYS)
    float *keys;                        // panels of k, (KEYS, D)
    float *queries, *dy;                // panels of q and dy, (QUERIES, D)
    float *p, *ds;                      // probabilities, and the gradients of scores, (QUERIES, KEYS)
    float *product;                     // (ROWS, D padded)
    float *delta;                       // dy . y of each query of the heads that share the keys
};

static int64_t scratch_lay_out(const dit_attention_call *a, struct scratch *s, float *memory)
{
    int64_t d = dit_padded(a->D), across = KEYS * a->D, block = QUERIES * KEYS, used = 0;
    const struct {
        float **part;
        int64_t floats;
    } parts[] = {{&s->keys_across, across},
                 {&s->values_across, across},
                 {&s->keys, KEYS * d},
                 {&s->queries, QUERIES * d},
                 {&s->dy, QUERIES * d},
                 {&s->p, block},
                 {&s->ds, block},
                 {&s->product, ROWS * d},
                 {&s->delta, a->group * a->Tq}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].part = memory ? memory + used : NULL;
        used += dit_divide_up(parts[i].floats, 16) * 16;
    }
    return used;
}

// What a task makes, and of which queries and keys.
struct task {
    int64_t b, kv_head, i0, i1, j0, j1;
    bool dq, dkv;
};

static float lse_of(const struct call *c, int64_t b, int64_t h, int64_t i)
{
    return c->lse[b * c->lse_stride[0] + h * c->lse_stride[1] + i * c->lse_stride[2]];
}

// a b + c, rounded as a tile's sums are.
static inline float multiply_add(float a, float b, float c)
{
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

// Sums in the order in which a tile sums dy . v, so that the two agree to the last bit, and cancel, where all of a
// row's attention goes to one key. Rows side by side hide the latency of that order.
static void find_deltas(const struct call *c, const struct task *t, float *delta)
{
    enum { TOGETHER = 8 };
    for (int64_t g = 0; g < c->a.group; g++)
        for (int64_t i = t->i0; i < t->i1; i += TOGETHER) {
            int rows = t->i1 - i < TOGETHER ? (int)(t->i1 - i) : TOGETHER;
            const float *dy[TOGETHER], *y[TOGETHER];
            float sum[TOGETHER] = {0};
            for (int r = 0; r < TOGETHER; r++) {
                int64_t at = i + (r < rows ? r : 0);
                dy[r] = dit_heads_at(&c->dy, t->b, at, t->kv_head * c->a.group + g);
                y[r] = dit_heads_at(&c->y, t->b, at, t->kv_head * c->a.group + g);
            }
            for (int64_t d = 0; d < c->a.D; d++)
                for (int r = 0; r < TOGETHER; r++)
                    sum[r] = multiply_add(dy[r][d], y[r][d], sum[r]);
            memcpy(delta + g * c->a.Tq + i, sum, (size_t)rows * sizeof(float));
        }
}

// Row i of head h of sample b is shut by a bias that swallows its scores (backend/swallowed.h): how much of it each
// of the keys with the largest score gets. Scores are as dit_score_rows makes them; *largest is in their unit.
static float even_share(const dit_attention_call *a, int64_t b, int64_t h, int64_t i, float *largest)
{
    const float *bias = (const float *)a->mask + b * a->mask_stride[0] + h * a->mask_stride[1] + i * a->mask_stride[2];
    int64_t open = a->causal && i + 1 < a->Tk ? i + 1 : a->Tk, count = 0;
    *largest = -INFINITY;
    for (int64_t j = 0; j < open; j++) {
        float s = bias[j * a->mask_stride[3]] * (float)DIT_LOG2_E;
        count = s > *largest ? 1 : count + (s == *largest);
        *largest = s > *largest ? s : *largest;
    }
    return 1 / (float)count;
}

// Probabilities p and the gradients ds of scores for queries i to i + count of head h and a block of keys.
static void find_gradients(const struct call *c, const struct scratch *s, int64_t b, int64_t h, int64_t i,
                           int64_t count, int64_t j, int64_t keys)
{
    const dit_attention_call *a = &c->a;
    const float *delta = s->delta + h % a->group * a->Tq;
    int64_t tiles = dit_divide_up(count, ROWS), width = dit_divide_up(keys, DIT_LANES) * DIT_LANES;
    for (int64_t t = 0; t < tiles; t++) {
        int64_t first = dit_part(count, tiles, t);
        int rows = (int)(dit_part(count, tiles, t + 1) - first);
        float *p = s->p + first * KEYS, *ds = s->ds + first * KEYS;
        dit_score_rows(a, b, h, i + first, rows, dit_heads_at(&a->q, b, i + first, h), a->q.t, j, keys, s->keys_across,
                       p, KEYS);
        dit_tiles_across(rows, keys, a->D, dit_heads_at(&c->dy, b, i + first, h), c->dy.t, 1, s->values_across, ds,
                         KEYS);
        for (int r = 0; r < rows; r++) {
            // In two parts: an error in lse would be an error of every probability of the row.
            double exact = (double)lse_of(c, b, h, i + first + r) * DIT_LOG2_E;
            float lse = (float)exact, rest = isfinite(lse) ? (float)(exact - (double)lse) : 0,
                  mean = delta[i + first + r];
            if (dit_swallowed((double)lse)) {
                float largest, share = even_share(a, b, h, i + first + r, &largest);
                for (int64_t n = r * KEYS; n < r * KEYS + width; n++) {
                    p[n] = p[n] >= largest ? share : 0;
                    ds[n] = p[n] * (ds[n] - mean) * a->scale;
                }
                continue;
            }
            lse = lse == -INFINITY ? INFINITY : lse; // a row that attends to nothing has probabilities 0
            for (int64_t n = r * KEYS; n < r * KEYS + width; n += DIT_LANES) {
                vec probability = vec_exp2((vec_load(p + n) - lse) - rest);
                vec_store(p + n, probability);
                vec_store(ds + n, probability * (vec_load(ds + n) - mean) * a->scale);
            }
        }
    }
}

// to[row] += left right for `count` rows, each D long; rows of `left` are `left_row` apart, its columns `left_k`.
static void add_product(const dit_attention_call *a, const struct scratch *s, int64_t count, int64_t k,
                        const float *left, int64_t left_row, int64_t left_k, const float *panels, float *to,
                        int64_t to_row)
{
    int64_t tiles = dit_divide_up(count, ROWS), d = dit_padded(a->D);
    for (int64_t t = 0; t < tiles; t++) {
        int64_t first = dit_part(count, tiles, t), rows = dit_part(count, tiles, t + 1) - first;
        dit_tiles_across((int)rows, a->D, k, left + first * left_row, left_row, left_k, panels, s->product, d);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t n = 0; n < a->D; n++)
                to[(first + r) * to_row + n] += s->product[r * d + n];
    }
}

// A block of keys, which is packed, meets queries i to i + count of head h.
static void meet(const struct call *c, const struct scratch *s, const struct task *t, int64_t h, int64_t i,
                 int64_t count, int64_t j, int64_t keys)
{
    const dit_attention_call *a = &c->a;
    int64_t q_row = a->H * a->D, k_row = a->Hkv * a->D, k_at = ((t->b * a->Tk + j) * a->Hkv + t->kv_head) * a->D;
    find_gradients(c, s, t->b, h, i, count, j, keys);
    if (t->dq)
        add_product(a, s, count, keys, s->ds, KEYS, 1, s->keys, c->dq + ((t->b * a->Tq + i) * a->H + h) * a->D, q_row);
    if (!t->dkv)
        return;
    dit_pack_straight(&a->q, t->b, h, i, count, a->D, s->queries);
    dit_pack_straight(&c->dy, t->b, h, i, count, a->D, s->dy);
    add_product(a, s, keys, count, s->p, 1, KEYS, s->dy, c->dv + k_at, k_row);
    add_product(a, s, keys, count, s->ds, 1, KEYS, s->queries, c->dk + k_at, k_row);
}

// Zeroes rows t0 to t1 of one head of x (B, T, heads, D).
static void clear(float *x, int64_t b, int64_t T, int64_t heads, int64_t D, int64_t h, int64_t t0, int64_t t1)
{
    for (int64_t t = t0; t < t1; t++)
        memset(x + ((b * T + t) * heads + h) * D, 0, (size_t)D * sizeof(float));
}

static void perform(const struct call *c, const struct scratch *s, const struct task *t)
{
    const dit_attention_call *a = &c->a;
    int64_t key_blocks = dit_divide_up(t->j1 - t->j0, KEYS), query_blocks = dit_divide_up(t->i1 - t->i0, QUERIES);
    for (int64_t g = 0; t->dq && g < a->group; g++)
        clear(c->dq, t->b, a->Tq, a->H, a->D, t->kv_head * a->group + g, t->i0, t->i1);
    if (t->dkv) {
        clear(c->dk, t->b, a->Tk, a->Hkv, a->D, t->kv_head, t->j0, t->j1);
        clear(c->dv, t->b, a->Tk, a->Hkv, a->D, t->kv_head, t->j0, t->j1);
    }
    find_deltas(c, t, s->delta);
    for (int64_t kb = 0; kb < key_blocks; kb++) {
        int64_t j = t->j0 + dit_part(t->j1 - t->j0, key_blocks, kb);
        int64_t keys = t->j0 + dit_part(t->j1 - t->j0, key_blocks, kb + 1) - j;
        dit_pack_keys(a, t->b, t->kv_head, j, keys, s->keys_across);
        dit_pack_transposed(&a->v, t->b, t->kv_head, j, keys, a->D, s->values_across);
        if (t->dq)
            dit_pack_straight(&a->k, t->b, t->kv_head, j, keys, a->D, s->keys);
        for (int64_t g = 0; g < a->group; g++)
            for (int64_t qb = 0; qb < query_blocks; qb++) {
                int64_t i = t->i0 + dit_part(t->i1 - t->i0, query_blocks, qb);
                int64_t count = t->i0 + dit_part(t->i1 - t->i0, query_blocks, qb + 1) - i;
                if (!a->causal || j < i + count) // otherwise all of these keys come later
                    meet(c, s, t, t->kv_head * a->group + g, i, count, j, keys);
            }
    }
}

static struct call call_of(const dit_op_call *call)
{
    const struct dit_attention_backward_attributes *attributes = call->attributes;
    const dit_view *lse = &call->in[LSE];
    return (struct call){
        .a = dit_attention_call_of(call->in + Q, attributes->scale, attributes->causal),
        .dy = dit_heads_of(&call->in[DY]),
        .y = dit_heads_of(&call->in[Y]),
        .lse = lse->data,
        .lse_stride = {lse->stride[0], lse->stride[1], lse->stride[2]},
        .dq = call->out[DQ].data,
        .dk = call->out[DK].data,
        .dv = call->out[DV].data,
    };
}

// Part `part` of `parts` of the queries (dq) or of the keys (dkv) of key head `head`; all of both when parts is 1.
static struct task task_of(const dit_attention_call *a, int64_t head, int64_t parts, int64_t part, bool dq, bool dkv)
{
    struct task t = {head / a->Hkv, head % a->Hkv, 0, a->Tq, 0, a->Tk, dq, dkv};
    if (!dkv) {
        t.i0 = dit_part(a->Tq, parts, part);
        t.i1 = dit_part(a->Tq, parts, part + 1);
    } else if (!dq) {
        t.j0 = dit_part(a->Tk, parts, part);
        t.j1 = dit_part(a->Tk, parts, part + 1);
    }
    return t;
}

static void run(const dit_op_call *call)
{
    struct call c = call_of(call);
    const dit_attention_call *a = &c.a;
    struct scratch none;
    int64_t size = scratch_lay_out(a, &none, NULL), heads = a->B * a->Hkv, threads = dit_cpu_threads();
    // Computing the probabilities twice costs 7 products for 5, so heads are only parted when threads would stand idle.
    bool whole = heads % threads == 0 || heads >= TASKS_A_THREAD * threads;
    int64_t wanted = dit_divide_up(TASKS_A_THREAD * threads, heads > 0 ? heads : 1);
    int64_t key_parts = wanted < a->Tk / FEWEST ? wanted : a->Tk / FEWEST,
            query_parts = wanted < a->Tq / FEWEST ? wanted : a->Tq / FEWEST;
    key_parts = whole || key_parts < 1 ? 1 : key_parts;
    query_parts = whole ? 0 : query_parts < 1 ? 1 : query_parts;
#pragma omp parallel num_threads(dit_cpu_threads())
    {
        struct scratch s;
        scratch_lay_out(a, &s, (float *)call->workspace + size * omp_get_thread_num());
#pragma omp for schedule(dynamic)
        for (int64_t n = 0; n < heads * (key_parts + query_parts); n++) {
            int64_t head = n % heads, part = n / heads;
            bool queries = part >= key_parts;
            struct task t = queries ? task_of(a, head, query_parts, part - key_parts, true, false)
                                    : task_of(a, head, key_parts, part, whole, true);
            perform(&c, &s, &t);
        }
    }
}

static size_t workspace(const dit_op_call *call)
{
    struct call c = call_of(call);
    struct scratch none;
    return (size_t)(scratch_lay_out(&c.a, &none, NULL) * dit_cpu_most_threads()) * sizeof(float);
}

DIT_KERNEL(attention_backward) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_ROWS,
};
