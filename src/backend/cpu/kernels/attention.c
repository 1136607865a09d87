// backend/cpu/kernels/attention.c: softmax(scale q k^T + mask) v for each head, without ever holding all scores: blocks
// of keys are packed once and met by all queries of a head, a register tile of queries at a time, with a running
// maximum and sum (Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135).
#include "backend/cpu/attention.h"
#include "backend/cpu/cpu.h"
#include <omp.h>

enum {
    ROWS = DIT_TILE_ROWS,
    COLUMNS = DIT_TILE_COLUMNS,
    KEYS = 256,           // of a block: its panels of k and v stay in the second-level cache
    FEWEST_QUERIES = 112, // that packing a block pays for
    TASKS_A_THREAD = 4,
};

// A thread's scratch, in floats.
struct scratch {
    float *keys;          // panels of k^T, (D, KEYS)
    float *values;        // panels of v, (KEYS, D)
    float *scores;        // (ROWS, KEYS)
    float *product;       // (ROWS, D padded)
    float *largest, *sum; // of each query of a head so far
};

static int64_t scratch_floats(const dit_attention_call *a)
{
    int64_t d = dit_padded(a->D), queries = dit_divide_up(a->Tq, 16) * 16;
    return KEYS * a->D + KEYS * d + ROWS * KEYS + ROWS * d + 2 * queries;
}

static struct scratch scratch_of(const dit_attention_call *a, float *memory)
{
    int64_t d = dit_padded(a->D), queries = dit_divide_up(a->Tq, 16) * 16;
    struct scratch s;
    s.keys = memory;
    s.values = s.keys + KEYS * a->D;
    s.scores = s.values + KEYS * d;
    s.product = s.scores + ROWS * KEYS;
    s.largest = s.product + ROWS * d;
    s.sum = s.largest + queries;
    return s;
}

// Turns a row of scores into exp(score - largest so far), adds them up, and gives the factor by which what was summed
// before shrinks, since the maximum may have grown.
static float soften(float *scores, int64_t keys, float *largest, float *sum)
{
    int64_t width = dit_divide_up(keys, DIT_LANES) * DIT_LANES;
    vec top = vec_splat(*largest), total = {0};
    for (int64_t j = 0; j < width; j += DIT_LANES)
        top = vec_max(vec_load(scores + j), top);
    float before = *largest, now = vec_largest(top),
          base = now == -INFINITY ? 0 : now; // nothing open yet: all become 0
    for (int64_t j = 0; j < width; j += DIT_LANES) {
        vec p = vec_exp2(vec_load(scores + j) - base);
        vec_store(scores + j, p);
        total += p;
    }
    float shrink = before == now ? 1 : exp2f(before - base);
    *sum = *sum * shrink + vec_sum(total);
    *largest = now;
    return shrink;
}

// Queries i0 to i1 of head h meet the block of keys j to j + keys, which is packed. y: rows of head h of sample b.
static void meet(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i0, int64_t i1,
                 int64_t j, int64_t keys, float *y)
{
    int64_t tiles = dit_divide_up(i1 - i0, ROWS), y_row = a->H * a->D, d = dit_padded(a->D);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t i = i0 + dit_part(i1 - i0, tiles, tile);
        int rows = (int)(i0 + dit_part(i1 - i0, tiles, tile + 1) - i);
        if (a->causal && i + rows <= j)
            continue; // all of these keys come later
        float shrink[ROWS];
        dit_score_rows(a, b, h, i, rows, j, keys, s->keys, s->scores, KEYS);
        for (int r = 0; r < rows; r++)
            shrink[r] = soften(s->scores + r * KEYS, keys, &s->largest[i + r], &s->sum[i + r]);
        dit_tiles_across(rows, a->D, keys, s->scores, KEYS, 1, s->values, s->product, d);
        for (int r = 0; r < rows; r++) {
            float *to = y + (i + r) * y_row;
            const float *from = s->product + r * d;
            if (j == 0)
                memcpy(to, from, (size_t)a->D * sizeof(float));
            else
                for (int64_t c = 0; c < a->D; c++)
                    to[c] = to[c] * shrink[r] + from[c];
        }
    }
}

// Divides by the sums, and writes lse.
static void conclude(const dit_attention_call *a, const struct scratch *s, int64_t i0, int64_t i1, float *y, float *lse)
{
    for (int64_t i = i0; i < i1; i++) {
        float *to = y + i * a->H * a->D, sum = s->sum[i];
        bool shut = sum == 0; // nothing to attend to; the largest score alone adds 1
        float factor = shut ? 0 : 1 / sum;
        for (int64_t c = 0; c < a->D; c++)
            to[c] = shut ? 0 : to[c] * factor;
        lse[i] = shut ? -INFINITY : (float)((double)s->largest[i] * DIT_LN_2 + log((double)sum));
    }
}

// Queries i0 to i1 of head h of sample b.
static void attend(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i0, int64_t i1,
                   float *y, float *lse)
{
    int64_t kv_head = h / a->group, blocks = dit_divide_up(a->Tk, KEYS);
    y += b * a->Tq * a->H * a->D + h * a->D;
    lse += (b * a->H + h) * a->Tq;
    for (int64_t i = i0; i < i1; i++) {
        s->largest[i] = -INFINITY;
        s->sum[i] = 0;
    }
    for (int64_t block = 0; block < blocks; block++) {
        int64_t j = dit_part(a->Tk, blocks, block), keys = dit_part(a->Tk, blocks, block + 1) - j;
        if (a->causal && j >= i1)
            break;
        dit_pack_keys(a, b, kv_head, j, keys, s->keys);
        dit_pack_straight(&a->v, b, kv_head, j, keys, a->D, s->values);
        meet(a, s, b, h, i0, i1, j, keys, y);
    }
    conclude(a, s, i0, i1, y, lse);
}

static dit_attention_call call_of(const dit_op_call *call)
{
    const struct dit_attention_attributes *attributes = call->attributes;
    return dit_attention_call_of(call->in, attributes->scale, attributes->causal);
}

static void run(const dit_op_call *call)
{
    dit_attention_call a = call_of(call);
    int64_t heads = a.B * a.H, size = scratch_floats(&a);
    int64_t wanted = dit_divide_up((int64_t)TASKS_A_THREAD * dit_cpu_threads(), heads > 0 ? heads : 1);
    int64_t most = a.Tq / FEWEST_QUERIES, parts = wanted < most ? wanted : most > 1 ? most : 1;
#pragma omp parallel num_threads(dit_cpu_threads())
    {
        struct scratch s = scratch_of(&a, (float *)call->workspace + size * omp_get_thread_num());
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < heads * parts; task++) {
            int64_t head = task / parts, part = task % parts;
            attend(&a, &s, head / a.H, head % a.H, dit_part(a.Tq, parts, part), dit_part(a.Tq, parts, part + 1),
                   call->out[0].data, call->out[1].data);
        }
    }
}

static size_t workspace(const dit_op_call *call)
{
    dit_attention_call a = call_of(call);
    return (size_t)(scratch_floats(&a) * dit_cpu_most_threads()) * sizeof(float);
}

DIT_KERNEL(attention) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_ROWS,
};
