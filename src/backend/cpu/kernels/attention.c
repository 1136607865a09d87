// backend/cpu/kernels/attention.c: softmax(scale q k^T + mask) v for each head, without ever holding all scores: the
// keys and values of a head are packed once; then chunks of queries meet them block by block, a register tile of
// queries at a time, with a running maximum and sum (Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022,
// arXiv 2205.14135).
#include "backend/cpu/attention_pairs.h"
#include "backend/cpu/half.h"
#include <omp.h>

enum {
    ROWS = DIT_TILE_ROWS,
    COLUMNS = DIT_TILE_COLUMNS,
    KEYS = 256,           // of a block, at most: its panels of k and v stay in the second-level cache
    QUERIES = 112,        // of a chunk: what they have summed up so far stays there too
    FEWEST_QUERIES = 256, // that packing all keys pays for
    TASKS_A_THREAD = 4,
};

// A thread's scratch, in floats. Keys, values and queries of an attention in pairs are bf16, see in_pairs.
struct scratch {
    float *keys;          // panels of k^T, (D, all keys)
    float *values;        // panels of v, (keys of a block, D) for each block
    float *queries;       // (QUERIES, D)
    float *scores;        // (ROWS, DIT_ATTENTION_KEYS)
    float *weights;       // the same as bf16, of an attention in pairs
    float *product;       // (ROWS, D padded)
    float *y;             // (QUERIES, D padded) so far
    float *largest, *sum; // (QUERIES) so far
};

// Where the results go: y (B, Tq, H, D), of the dtype of q, and lse (B, H, Tq).
struct results {
    void *y;
    float *lse;
};

// In bf16, and on a processor with dot products of bf16: all operands are pairs then.
static bool in_pairs(const dit_attention_call *a)
{
    bool halves = a->q.dtype == DIT_BF16 && a->k.dtype == DIT_BF16 && a->v.dtype == DIT_BF16;
    return halves && a->weights == DIT_BF16 && dit_has_pair_tiles();
}

// bf16 in scratch.
static uint16_t *halves(float *scratch)
{
    return (uint16_t *)(void *)scratch;
}

static int64_t scratch_lay_out(const dit_attention_call *a, struct scratch *s, float *memory)
{
    int64_t D = dit_even(a->D), d = dit_padded(a->D), keys = dit_padded(a->Tk), used = 0;
    const struct {
        float **part;
        int64_t floats;
    } parts[] = {{&s->keys, keys * D},
                 {&s->values, keys * d},
                 {&s->queries, QUERIES * D},
                 {&s->scores, ROWS * DIT_ATTENTION_KEYS},
                 {&s->weights, in_pairs(a) ? ROWS * DIT_ATTENTION_KEYS / 2 : 0},
                 {&s->product, ROWS * d},
                 {&s->y, QUERIES * d},
                 {&s->largest, QUERIES},
                 {&s->sum, QUERIES}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].part = memory ? memory + used : NULL;
        used += dit_divide_up(parts[i].floats, 16) * 16;
    }
    return used;
}

// Block `i` of the keys: whole panels, nearly equal; or all that there is room for, where that shows in the result.
struct block {
    int64_t j, keys;
};

// Whether weights are rounded, to f16 or bf16.
static bool rounds(const dit_attention_call *a)
{
    return a->weights != DIT_F32;
}

static int64_t blocks_of(const dit_attention_call *a)
{
    return dit_divide_up(a->Tk, rounds(a) ? DIT_ATTENTION_KEYS : KEYS);
}

static struct block block_at(const dit_attention_call *a, int64_t i)
{
    if (rounds(a))
        return (struct block){i * DIT_ATTENTION_KEYS, a->Tk - i * DIT_ATTENTION_KEYS < DIT_ATTENTION_KEYS
                                                          ? a->Tk - i * DIT_ATTENTION_KEYS
                                                          : DIT_ATTENTION_KEYS};
    int64_t panels = dit_divide_up(a->Tk, COLUMNS), blocks = blocks_of(a);
    int64_t j = dit_part(panels, blocks, i) * COLUMNS, end = dit_part(panels, blocks, i + 1) * COLUMNS;
    return (struct block){j, (end < a->Tk ? end : a->Tk) - j};
}

// Packs the keys and values that queries before `end` may attend to.
static void pack(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t kv_head, int64_t end)
{
    for (int64_t i = 0; i < blocks_of(a); i++) {
        struct block block = block_at(a, i);
        if (a->causal && block.j >= end)
            break;
        const int64_t k = block.j * dit_even(a->D), v = block.j * dit_padded(a->D);
        if (in_pairs(a)) {
            dit_pack_pairs_transposed(&a->k, b, kv_head, block.j, block.keys, a->D, halves(s->keys) + k);
            dit_pack_pairs_straight(&a->v, b, kv_head, block.j, block.keys, a->D, halves(s->values) + v);
        } else {
            dit_pack_keys(a, b, kv_head, block.j, block.keys, s->keys + k);
            dit_pack_straight(&a->v, b, kv_head, block.j, block.keys, a->D, s->values + v);
        }
    }
}

// Rounds the weights of a block, which have entered the sum as they were.
static void round_weights(dit_dtype dtype, float *weights, int64_t keys)
{
    uint16_t rounded[DIT_ATTENTION_KEYS];
    dit_round(dtype, rounded, weights, keys);
    dit_widen(dtype, weights, rounded, keys);
}

// Turns a row of scores into exp(score - largest so far), adds them up, and gives the factor by which what was summed
// before shrinks, since the maximum may have grown. `weights`: what they will be rounded to.
static float soften(dit_dtype weights, float *scores, int64_t keys, float *largest, float *sum)
{
    int64_t coarse = weights == DIT_F32 ? 0 : keys / DIT_LANES * DIT_LANES; // the rest is torch's scalar code
    int64_t width = dit_divide_up(keys, DIT_LANES) * DIT_LANES;
    vec top = vec_splat(*largest), total = {0};
    for (int64_t j = 0; j < width; j += DIT_LANES)
        top = vec_max(vec_load(scores + j), top);
    float before = *largest, now = vec_largest(top),
          base = now == -INFINITY ? 0 : now; // nothing open yet: all become 0
    for (int64_t j = 0; j < width; j += DIT_LANES) {
        vec x = vec_load(scores + j) - base, p = j < coarse ? vec_exp2_coarse(x) : vec_exp2(x);
        vec_store(scores + j, p);
        total += p;
    }
    float shrink = before == now ? 1 : exp2f(before - base);
    *sum = *sum * shrink + vec_sum(total);
    *largest = now;
    return shrink;
}

// Scores of rows `first` to first + rows of the chunk of queries from i on with one block.
static void score(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i, int64_t first,
                  int rows, struct block block)
{
    const int64_t D = dit_even(a->D);
    if (!in_pairs(a)) {
        dit_score_rows(a, b, h, i + first, rows, s->queries + first * D, D, block.j, block.keys, s->keys + block.j * D,
                       s->scores, DIT_ATTENTION_KEYS);
        return;
    }
    dit_pairs_across(rows, block.keys, D, halves(s->queries) + first * D, D, halves(s->keys) + block.j * D, s->scores,
                     DIT_ATTENTION_KEYS);
    const float factor = (float)((double)a->scale * DIT_LOG2_E);
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < block.keys; j += DIT_LANES)
            vec_store(s->scores + r * DIT_ATTENTION_KEYS + j,
                      vec_load(s->scores + r * DIT_ATTENTION_KEYS + j) * factor);
    dit_shut_keys(a, b, h, i + first, rows, block.j, block.keys, s->scores, DIT_ATTENTION_KEYS);
}

// Weights in pairs: a zero stands beside the last one of an odd number.
static void round_row(uint16_t *row, const float *weights, int64_t keys)
{
    dit_round_bf16(row, weights, keys);
    if (keys % 2)
        row[keys] = 0;
}

// The weights of a block, in the place of its scores, times its values: y (rows, D padded).
static void weigh(const dit_attention_call *a, const struct scratch *s, int rows, struct block block, float *y)
{
    const int64_t d = dit_padded(a->D);
    if (in_pairs(a)) {
        for (int r = 0; r < rows; r++)
            round_row(halves(s->weights) + r * DIT_ATTENTION_KEYS, s->scores + r * DIT_ATTENTION_KEYS, block.keys);
        dit_pairs_across(rows, a->D, dit_even(block.keys), halves(s->weights), DIT_ATTENTION_KEYS,
                         halves(s->values) + block.j * d, y, d);
        return;
    }
    for (int r = 0; rounds(a) && r < rows; r++)
        round_weights(a->weights, s->scores + r * DIT_ATTENTION_KEYS, block.keys);
    dit_tiles_across(rows, a->D, block.keys, s->scores, DIT_ATTENTION_KEYS, 1, s->values + block.j * d, y, d);
}

// Rows `first` to first + rows of the chunk of queries from i on meet one block.
static void meet(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i, int64_t first,
                 int rows, struct block block)
{
    int64_t d = dit_padded(a->D);
    float shrink[ROWS], *y = s->y + first * d;
    score(a, s, b, h, i, first, rows, block);
    for (int r = 0; r < rows; r++)
        shrink[r] = soften(a->weights, s->scores + r * DIT_ATTENTION_KEYS, block.keys, &s->largest[first + r],
                           &s->sum[first + r]);
    if (block.j == 0) {
        weigh(a, s, rows, block, y);
        return;
    }
    weigh(a, s, rows, block, s->product);
    for (int r = 0; r < rows; r++)
        for (int64_t c = 0; c < d; c += DIT_LANES)
            vec_store(y + r * d + c, vec_load(y + r * d + c) * shrink[r] + vec_load(s->product + r * d + c));
}

// Divides queries i to i + count of head h of sample b by their sums, and writes y and lse.
static void conclude(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i,
                     int64_t count, const struct results *to)
{
    for (int64_t r = 0; r < count; r++) {
        float *y = s->y + r * dit_padded(a->D), sum = s->sum[r];
        const int64_t row = (b * a->Tq + i + r) * a->H + h;
        bool shut = sum == 0; // nothing to attend to; the largest score alone adds 1
        float factor = shut ? 0 : 1 / sum;
        for (int64_t c = 0; c < a->D; c++)
            y[c] = shut ? 0 : y[c] * factor;
        if (a->q.dtype == DIT_BF16)
            dit_round_bf16((uint16_t *)to->y + row * a->D, y, a->D);
        else
            memcpy((float *)to->y + row * a->D, y, (size_t)a->D * sizeof *y);
        to->lse[(b * a->H + h) * a->Tq + i + r] =
            shut ? -INFINITY : (float)((double)s->largest[r] * DIT_LN_2 + log((double)sum));
    }
}

// Query r of the chunk, as scores are made of it.
static void take_query(const dit_attention_call *a, const struct scratch *s, int64_t r, const void *q)
{
    const int64_t D = dit_even(a->D);
    if (in_pairs(a)) {
        memcpy(halves(s->queries) + r * D, q, (size_t)a->D * sizeof(uint16_t));
        memset(halves(s->queries) + r * D + a->D, 0, (size_t)(D - a->D) * sizeof(uint16_t));
    } else if (a->q.dtype == DIT_BF16) {
        dit_widen_bf16(s->queries + r * D, q, a->D);
    } else {
        memcpy(s->queries + r * D, q, (size_t)a->D * sizeof(float));
    }
}

// Queries i to i + count, a chunk, of head h of sample b.
static void attend(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t h, int64_t i, int64_t count,
                   const struct results *to)
{
    int64_t tiles = dit_divide_up(count, ROWS);
    for (int64_t r = 0; r < count; r++) {
        take_query(a, s, r, dit_heads_at(&a->q, b, i + r, h));
        s->largest[r] = -INFINITY;
        s->sum[r] = 0;
    }
    for (int64_t n = 0; n < blocks_of(a); n++) {
        struct block block = block_at(a, n);
        for (int64_t t = 0; t < tiles; t++) {
            int64_t first = dit_part(count, tiles, t);
            int rows = (int)(dit_part(count, tiles, t + 1) - first);
            if (!a->causal || block.j < i + first + rows) // otherwise all of these keys come later
                meet(a, s, b, h, i, first, rows, block);
        }
    }
    conclude(a, s, b, h, i, count, to);
}

// Part `part` of `parts` of the queries of all heads that share one key head.
static void perform(const dit_attention_call *a, const struct scratch *s, int64_t b, int64_t kv_head, int64_t part,
                    int64_t parts, const struct results *to)
{
    int64_t u0 = dit_part(a->group * a->Tq, parts, part), u1 = dit_part(a->group * a->Tq, parts, part + 1);
    pack(a, s, b, kv_head, u0 / a->Tq == (u1 - 1) / a->Tq ? (u1 - 1) % a->Tq + 1 : a->Tq);
    for (int64_t g = 0; g < a->group; g++) {
        int64_t h = kv_head * a->group + g;
        int64_t i0 = u0 > g * a->Tq ? u0 - g * a->Tq : 0, i1 = u1 < (g + 1) * a->Tq ? u1 - g * a->Tq : a->Tq;
        int64_t chunks = i1 > i0 ? dit_divide_up(i1 - i0, QUERIES) : 0;
        for (int64_t c = 0; c < chunks; c++) {
            int64_t i = i0 + dit_part(i1 - i0, chunks, c), end = i0 + dit_part(i1 - i0, chunks, c + 1);
            attend(a, s, b, h, i, end - i, to);
        }
    }
}

static dit_attention_call call_of(const dit_op_call *call)
{
    const struct dit_attention_attributes *attributes = call->attributes;
    dit_attention_call a = dit_attention_call_of(call->in, attributes->scale, attributes->causal);
    a.weights = attributes->weights;
    return a;
}

static void run(const dit_op_call *call)
{
    dit_attention_call a = call_of(call);
    const struct results to = {call->out[0].data, call->out[1].data};
    struct scratch none;
    int64_t heads = a.B * a.Hkv, size = scratch_lay_out(&a, &none, NULL);
    if (heads * a.group * a.Tq == 0)
        return;
    int64_t wanted = dit_divide_up((int64_t)TASKS_A_THREAD * dit_cpu_threads(), heads);
    int64_t most = a.group * a.Tq / FEWEST_QUERIES, parts = wanted < most ? wanted : most > 1 ? most : 1;
#pragma omp parallel num_threads(dit_cpu_threads())
    {
        struct scratch s;
        scratch_lay_out(&a, &s, (float *)call->workspace + size * omp_get_thread_num());
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < heads * parts; task++) {
            int64_t head = task / parts;
            perform(&a, &s, head / a.Hkv, head % a.Hkv, task % parts, parts, &to);
        }
    }
}

static size_t workspace(const dit_op_call *call)
{
    dit_attention_call a = call_of(call);
    struct scratch none;
    return (size_t)(scratch_lay_out(&a, &none, NULL) * dit_cpu_most_threads()) * sizeof(float);
}

DIT_KERNEL(attention) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_ROWS,
    .native_floats = 1u << DIT_F32 | 1u << DIT_BF16,
};
