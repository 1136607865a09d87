// backend/cpu/kernels/gemm.c: products block by block, spread over threads.
//
// The unit of work is a block: some panels of B (DIT_TILE_COLUMNS columns each) against a range of rows. Its thread
// packs the panels into its own scratch (unless they were prepared, or are used only once), where they stay in the
// second-level cache while the rows of A pass by. Rows are read where they lie; only when columns, not rows, lie side
// by side, or when bf16 has to be widened, is a tile of A packed too. So threads share nothing and wait for nothing,
// and scratch is a few panels a thread. What else was tried: docs/speed.md.
#include "backend/cpu/gemm.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/decode.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/half.h"
#include <omp.h>

enum {
    ROWS = DIT_TILE_ROWS,
    COLUMNS = DIT_TILE_COLUMNS,
    FEW_ROWS = 16,               // up to here a stored weight is not rearranged, see dots.c
    LONGEST = 1600,              // k beyond this is summed in several passes
    LONGEST_ACROSS = 384,        // likewise where A is packed
    LONGEST_PAIRS = 2 * LONGEST, // of bf16, as many bytes
#if defined DIT_ISA_avx512
    CACHED = 160 * 1024, // floats of a block's panels: two thirds of a second-level cache of 1 MiB
#else
    CACHED = 64 * 1024, // older machines have 256 to 512 KiB
#endif
    MOST_PANELS = 12,    // of a block
    TILES_ACROSS = 8,    // packed together
    STRETCH = 16,        // steps of k that packing takes at a time, to read whole lines of memory
    BLOCKS_A_THREAD = 4, // wanted, so that a thread that was held up does not hold up the others
};

static const double SERIAL_FLOPS = 1e5; // not worth waking the other threads

// How a product is cut: k into passes, rows and panels into parts.
struct cut {
    int64_t panels, passes, row_parts, panel_parts;
};

static bool plain(const dit_gemm *g)
{
    return !g->c_bf16 && !g->bias && !g->row_bias && !g->gate && !g->residual && g->activation == DIT_NO_ACTIVATION;
}

static bool uses_dots(const dit_gemm *g)
{
    return g->m <= FEW_ROWS && !g->b_panels && !g->pack && g->a_k == 1 && g->b_row == 1 && g->b_col != 1;
}

// Whether every step along k is another cache line of A, which is then packed.
static bool across(const dit_gemm *g)
{
    return !g->a_bf16 && g->a_k != 1 && g->m > FEW_ROWS && !uses_dots(g);
}

// Whether the product is one of bf16 pairs, see pair_tile.c.
static bool in_pairs(const dit_gemm *g)
{
    bool b = g->b_dtype == DIT_BF16 || (dit_dtype_is_quantized(g->b_dtype) && g->b_row == 1);
    return g->a_bf16 && g->a_k == 1 && b && g->k % 2 == 0 && !g->pack && !uses_dots(g) && dit_has_pair_tiles();
}

// Whether A is bf16 and its rows are widened before a tile reads them.
static bool widens(const dit_gemm *g)
{
    return g->a_bf16 && !in_pairs(g);
}

// k is cut at multiples of what is stored together along it.
static int64_t unit_of(const dit_gemm *g)
{
    int unit = g->b_row == 1 && !g->pack ? dit_dtype_block(g->b_dtype) : 1;
    bool pairs = in_pairs(g) || (g->b_dtype == DIT_BF16 && g->b_panels);
    return pairs && unit == 1 ? 2 : unit;
}

// Steps along k of a panel that dit_gemm_prepare makes.
static int64_t prepared_k(const dit_gemm *g)
{
    return g->b_dtype == DIT_BF16 ? (g->k + 1) / 2 * 2 : g->k;
}

// Where pass `pass` begins.
static int64_t pass_start(const dit_gemm *g, int64_t passes, int64_t pass)
{
    int64_t unit = unit_of(g);
    return pass == passes ? g->k : dit_part(g->k / unit, passes, pass) * unit;
}

static int64_t at_least_1(int64_t x)
{
    return x > 1 ? x : 1;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Cuts into at least `wanted` blocks, where that is worth its price: a block of few rows does not pay for packing its
// panels, and one of few panels reads its rows too often. More blocks are never larger ones.
static struct cut cut_of(const dit_gemm *g, int64_t wanted)
{
    struct cut cut = {.panels = dit_divide_up(g->n, COLUMNS), .row_parts = 1};
    int64_t longest = across(g) ? LONGEST_ACROSS : in_pairs(g) ? LONGEST_PAIRS : LONGEST;
    cut.passes = uses_dots(g) ? 1 : at_least_1(dit_divide_up(g->k, longest));
    int64_t k = at_least_1(dit_divide_up(g->k, cut.passes));
    int64_t panels = smaller(at_least_1((in_pairs(g) ? 2 : 1) * CACHED / (k * COLUMNS)), MOST_PANELS);
    cut.panel_parts = dit_divide_up(cut.panels, panels);
    int64_t easily = g->m / (g->b_panels ? 8 * ROWS : 512), hardly = g->m / (g->b_panels ? 4 * ROWS : 128);
    if (cut.row_parts * cut.panel_parts < wanted && easily > cut.row_parts)
        cut.row_parts = smaller(dit_divide_up(wanted, cut.panel_parts), easily);
    if (cut.row_parts * cut.panel_parts < wanted)
        cut.panel_parts = smaller(dit_divide_up(wanted, cut.row_parts), cut.panels);
    if (cut.row_parts * cut.panel_parts < wanted && hardly > cut.row_parts)
        cut.row_parts = smaller(dit_divide_up(wanted, cut.panel_parts), hardly);
    return cut;
}

// A thread's scratch, in floats: packed tiles of A, packed panels of B, and partial sums where c cannot keep them,
// since it may hold the residual or is rounded.
struct sizes {
    int64_t a, b, partial;
};

static struct sizes sizes_of(const dit_gemm *g, const struct cut *cut)
{
    int64_t unit = unit_of(g), k = dit_divide_up(dit_divide_up(g->k, unit), cut->passes) * unit,
            rows = dit_divide_up(g->m, cut->row_parts),
            columns = dit_divide_up(cut->panels, cut->panel_parts) * COLUMNS;
    struct sizes s = {0};
    if (uses_dots(g)) {
        s.a = g->a_bf16 ? dit_divide_up(g->m * g->k, DIT_LANES) * DIT_LANES : 0;
        return s;
    }
    if (across(g))
        s.a = TILES_ACROSS * ROWS * k;
    else if (widens(g))
        s.a = ROWS * k;
    if (!g->b_panels)
        s.b = columns * k;
    if ((g->residual || g->c_bf16) && cut->passes > 1)
        s.partial = rows * columns;
    s.a = dit_divide_up(s.a, DIT_LANES) * DIT_LANES; // what follows is aligned
    return s;
}

size_t dit_gemm_workspace(const dit_gemm *g)
{
    struct cut cut = cut_of(g, 1);
    struct sizes s = sizes_of(g, &cut);
    return (size_t)((s.a + s.b + s.partial) * dit_cpu_most_threads()) * sizeof(float);
}

// Does what follows the sums to t (rows, COLUMNS), rows m0.. and columns n0.. of the product, and stores it in c; or
// leaves it in t and stores it rounded.
static void finish(const dit_gemm *g, int64_t m0, int rows, int64_t n0, int columns, float *t)
{
    bool whole = columns % DIT_LANES == 0;
    float *to = g->c_bf16 ? t : g->c + m0 * g->c_row + n0;
    int64_t to_row = g->c_bf16 ? COLUMNS : g->c_row;
    switch (g->activation) {
#define CASE(activation)                                                                                               \
    case activation:                                                                                                   \
        if (whole)                                                                                                     \
            finish_rows(true, activation, g, m0, rows, n0, columns, t, to, to_row);                                    \
        else                                                                                                           \
            finish_rows(false, activation, g, m0, rows, n0, columns, t, to, to_row);                                   \
        break;
        CASE(DIT_NO_ACTIVATION)
        CASE(DIT_SILU)
        CASE(DIT_GELU_TANH)
        CASE(DIT_GELU_ERF)
        CASE(DIT_RELU)
#undef CASE
    }
    for (int i = 0; g->c_bf16 && i < rows; i++)
        dit_round_bf16(g->c_bf16 + (m0 + i) * g->c_row + n0, t + i * COLUMNS, columns);
}

// t += kept, and kept = t: partial sums from pass to pass.
static void add_kept(float *t, const float *kept, int64_t kept_row, int rows, int columns)
{
    if (columns % DIT_LANES == 0)
        finish_add(true, t, kept, kept_row, rows, columns);
    else
        finish_add(false, t, kept, kept_row, rows, columns);
}

static void keep(const float *t, float *kept, int64_t kept_row, int rows, int columns)
{
    if (columns % DIT_LANES == 0)
        finish_copy(true, t, kept, kept_row, rows, columns);
    else
        finish_copy(false, t, kept, kept_row, rows, columns);
}

// Panels of B, or rows of b that serve as one: element (k, j) of panel i is at b + i * step + k * b_k + j, or in pairs
// as tile.h has it.
struct right {
    dit_dtype dtype;
    const void *b;
    int64_t b_k, step;
};

// The same from a quantised B, whose elements are rounded to bf16 beside a bf16 A.
static struct right decoded(const dit_gemm *g, int64_t n0, int64_t n1, int64_t k0, int64_t k, float *panels)
{
    dit_dtype dtype = in_pairs(g) ? DIT_BF16 : DIT_F32;
    int64_t step = k * COLUMNS, size = (int64_t)dit_dtype_size(dtype);
    if (g->b_row == 1)
        for (int64_t n = n0; n < n1; n += COLUMNS)
            dit_pack_decoded_columns(g->b_dtype, g->b, g->b_col, n, k0, k, (int)smaller(n1 - n, COLUMNS), dtype,
                                     (char *)panels + (n - n0) * k * size);
    else
        dit_pack_decoded_rows(g->b_dtype, g->b, g->b_row, k0, k, n0, n1, panels, step);
    if (widens(g))
        dit_keep_bf16(panels, dit_divide_up(n1 - n0, COLUMNS) * step);
    return (struct right){dtype, panels, COLUMNS, step};
}

// Columns n0 to n1 of rows k0 to k0 + k of B. `once`: they will meet a single tile of rows.
static struct right right_of(const dit_gemm *g, int64_t n0, int64_t n1, int64_t k0, int64_t k, bool once, float *panels)
{
    int64_t size = (int64_t)dit_dtype_size(g->b_dtype);
    if (g->b_panels)
        return (struct right){g->b_dtype, (const char *)g->b_panels + (n0 * prepared_k(g) + k0 * COLUMNS) * size,
                              COLUMNS, prepared_k(g) * COLUMNS};
    if (dit_dtype_is_quantized(g->b_dtype))
        return decoded(g, n0, n1, k0, k, panels);
    const char *b = (const char *)g->b + (k0 * g->b_row + n0 * g->b_col) * size;
    if (in_pairs(g)) {
        for (int64_t n = n0; n < n1; n += COLUMNS)
            dit_pack_panel_as_stored(DIT_BF16, b + (n - n0) * g->b_col * size, g->b_row, g->b_col, k,
                                     (int)smaller(n1 - n, COLUMNS), (uint16_t *)(void *)panels + (n - n0) * k);
        return (struct right){DIT_BF16, panels, COLUMNS, k * COLUMNS};
    }
    if (once && g->b_dtype != DIT_BF16 && !g->pack && g->b_col == 1 && (n1 - n0) % DIT_LANES == 0)
        return (struct right){g->b_dtype, b, g->b_row, COLUMNS};
    // Rows of b that lie side by side are read a few at a time along all panels, as memory likes it.
    int64_t stretch = g->b_col == 1 && !g->pack ? STRETCH : k;
    for (int64_t p = 0; p < k; p += stretch)
        for (int64_t n = n0; n < n1; n += COLUMNS) {
            int columns = (int)smaller(n1 - n, COLUMNS);
            float *panel = panels + (n - n0) * k + p * COLUMNS;
            if (g->pack)
                g->pack(g, k0, k, n, columns, panel);
            else
                dit_pack_panel(g->b_dtype, b + (p * g->b_row + (n - n0) * g->b_col) * size, g->b_row, g->b_col,
                               smaller(k - p, stretch), columns, panel);
        }
    return (struct right){DIT_F32, panels, COLUMNS, k * COLUMNS};
}

// The part of a product that one thread works on, and its scratch.
struct block {
    int64_t m0, m1, n0, n1;
    float *a, *b, *partial; // partial (m1 - m0, n1 - n0 padded) keeps sums from pass to pass; NULL: c does
};

// A tile's rows of A, of k elements: of `bf16` where it is not NULL.
struct left {
    const float *a;
    const uint16_t *bf16;
    int64_t row, k;
};

static void sum_tile(bool pairs, int rows, int vectors, int64_t k, const struct left *left, const struct right *right,
                     float *c, int64_t c_row)
{
    if (pairs)
        dit_pair_tiles[vectors - 1][rows - 1](k / 2, left->bf16, left->row, right->b, right->b_k, c, c_row);
    else
        dit_tiles[right->dtype][vectors - 1][rows - 1](k, left->a, left->row, left->k, right->b, right->b_k, c, c_row);
}

// What a tile will be stored to, and added to, arrives while its sums are made.
static void prefetch_tile(const dit_gemm *g, int64_t i, int rows, int64_t n, int columns)
{
    size_t size = g->c_bf16 ? sizeof *g->c_bf16 : sizeof *g->c;
    const char *c = g->c_bf16 ? (const char *)g->c_bf16 : (const char *)g->c;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j += 64 / (int)sizeof(float)) {
            __builtin_prefetch(c + (size_t)((i + r) * g->c_row + n + j) * size, 1);
            if (g->residual)
                __builtin_prefetch(g->residual + (i + r) * g->residual_row + n + j);
        }
}

// One tile: rows i.. and columns n.. of the product, in pass `pass` of `passes`, from k elements of A and one panel.
static void tile_of(const dit_gemm *g, const struct block *block, int64_t pass, int64_t passes, int64_t i, int rows,
                    int64_t n, int64_t k, const struct left *left, const struct right *right)
{
    float t[ROWS * COLUMNS] __attribute__((aligned(64)));
    int columns = (int)smaller(block->n1 - n, COLUMNS), vectors = columns <= DIT_LANES ? 1 : DIT_TILE_VECTORS;
    bool pairs = left->bf16;
    prefetch_tile(g, i, rows, n, columns);
    if (passes == 1 && columns == vectors * DIT_LANES && plain(g)) {
        sum_tile(pairs, rows, vectors, k, left, right, g->c + i * g->c_row + n, g->c_row);
        return;
    }
    int64_t width = dit_divide_up(block->n1 - block->n0, COLUMNS) * COLUMNS;
    float *kept = block->partial ? block->partial + (i - block->m0) * width + (n - block->n0)
                  : passes > 1   ? g->c + i * g->c_row + n
                                 : NULL;
    int64_t kept_row = block->partial ? width : g->c_row;
    sum_tile(pairs, rows, vectors, k, left, right, t, COLUMNS);
    if (pass > 0)
        add_kept(t, kept, kept_row, rows, columns);
    if (pass < passes - 1)
        keep(t, kept, kept_row, rows, columns);
    else
        finish(g, i, rows, n, columns, t);
}

// Packs tiles t0 to t1 of the block's rows, each (rows, k) as dit_pack_rows does.
static void pack_tiles(const dit_gemm *g, const struct block *block, int64_t tiles, int64_t t0, int64_t t1, int64_t k0,
                       int64_t k)
{
    int64_t size = block->m1 - block->m0;
    int64_t first = block->m0 + dit_part(size, tiles, t0), end = block->m0 + dit_part(size, tiles, t1);
    for (int64_t p = 0; p < k; p += STRETCH) {
        // The next stretch: steps so long no hardware foresees.
        for (int64_t next = p + STRETCH; g->a_row == 1 && next < smaller(p + 2 * STRETCH, k); next++)
            for (int64_t i = first; i < end; i += 64 / (int64_t)sizeof(float))
                __builtin_prefetch(g->a + i + (k0 + next) * g->a_k);
        for (int64_t t = t0; t < t1; t++) {
            int64_t i = block->m0 + dit_part(size, tiles, t), rows = block->m0 + dit_part(size, tiles, t + 1) - i;
            dit_pack_rows(g->a + i * g->a_row + (k0 + p) * g->a_k, g->a_row, g->a_k, smaller(k - p, STRETCH), (int)rows,
                          block->a + (t - t0) * ROWS * k + p * ROWS);
        }
    }
}

// Rows i.. of A, from k0 on, for tile `t` of the block: where they lie, packed or widened.
static struct left left_of(const dit_gemm *g, const struct block *block, int64_t t, int64_t i, int rows, int64_t k0,
                           int64_t k)
{
    if (across(g))
        return (struct left){.a = block->a + t % TILES_ACROSS * ROWS * k, .row = 1, .k = ROWS};
    if (in_pairs(g))
        return (struct left){.bf16 = g->a_bf16 + i * g->a_row + k0, .row = g->a_row, .k = 1};
    if (!g->a_bf16)
        return (struct left){.a = g->a + i * g->a_row + k0 * g->a_k, .row = g->a_row, .k = g->a_k};
    for (int r = 0; r < rows; r++) {
        const uint16_t *from = g->a_bf16 + (i + r) * g->a_row + k0 * g->a_k;
        if (g->a_k == 1)
            dit_widen_bf16(block->a + r * k, from, k);
        else
            for (int64_t p = 0; p < k; p++)
                block->a[r * k + p] = dit_bf16_to_f32(from[p * g->a_k]);
    }
    return (struct left){.a = block->a, .row = k, .k = 1};
}

static void multiply(const dit_gemm *g, const struct block *block, int64_t passes)
{
    int64_t size = block->m1 - block->m0, tiles = dit_divide_up(size, ROWS);
    for (int64_t pass = 0; pass < passes; pass++) {
        int64_t k0 = pass_start(g, passes, pass), k = pass_start(g, passes, pass + 1) - k0;
        struct right right = right_of(g, block->n0, block->n1, k0, k, tiles == 1, block->b);
        int64_t step = right.step * (int64_t)dit_dtype_size(right.dtype);
        for (int64_t t = 0; t < tiles; t++) {
            int64_t i = block->m0 + dit_part(size, tiles, t);
            int rows = (int)(block->m0 + dit_part(size, tiles, t + 1) - i);
            if (across(g) && t % TILES_ACROSS == 0)
                pack_tiles(g, block, tiles, t, smaller(t + TILES_ACROSS, tiles), k0, k);
            struct left left = left_of(g, block, t, i, rows, k0, k);
            struct right panel = right;
            for (int64_t n = block->n0; n < block->n1; n += COLUMNS) {
                tile_of(g, block, pass, passes, i, rows, n, k, &left, &panel);
                panel.b = (const char *)panel.b + step;
            }
        }
    }
}

// Dot products with columns n0.. of a quantised B: t (m, COLUMNS).
static void decoded_dots(const dit_gemm *g, int64_t n0, int columns, float *t)
{
    enum { TOGETHER = 4, RUN = 2048 }; // columns whose runs are decoded together, and stay in the first cache
    float b[TOGETHER * RUN], part[FEW_ROWS * COLUMNS];
    int64_t row = dit_row_bytes(g->b_dtype, g->b_col);
    for (int j = 0; j < columns; j += TOGETHER) {
        int count = (int)smaller(columns - j, TOGETHER);
        for (int64_t i = 0; i < g->m; i++)
            memset(t + i * COLUMNS + j, 0, (size_t)count * sizeof *t);
        for (int64_t p = 0; p < g->k; p += RUN) {
            int64_t k = smaller(g->k - p, RUN);
            for (int c = 0; c < count; c++) {
                dit_decode(g->b_dtype, (const char *)g->b + (n0 + j + c) * row, p, k, b + c * RUN);
                if (g->a_bf16)
                    dit_keep_bf16(b + c * RUN, k);
            }
            dit_gemm_dots(DIT_F32, (int)g->m, count, k, g->a + p, g->a_row, b, RUN, part);
            for (int64_t i = 0; i < g->m; i++)
                for (int c = 0; c < count; c++)
                    t[i * COLUMNS + j + c] += part[i * COLUMNS + c];
        }
    }
}

// A few rows of A in bf16, widened to `rows`, take its place.
static void widen_rows(dit_gemm *g, float *rows)
{
    if (!g->a_bf16)
        return;
    for (int64_t i = 0; i < g->m; i++)
        dit_widen_bf16(rows + i * g->k, g->a_bf16 + i * g->a_row, g->k);
    g->a = rows;
    g->a_row = g->k;
}

// The same for few rows and a weight as it is stored.
static void multiply_dots(const dit_gemm *g, const struct block *block)
{
    float t[FEW_ROWS * COLUMNS];
    for (int64_t n = block->n0; n < block->n1; n += COLUMNS) {
        int columns = (int)smaller(block->n1 - n, COLUMNS);
        const char *b = (const char *)g->b + n * g->b_col * (int64_t)dit_dtype_size(g->b_dtype);
        if (dit_dtype_is_quantized(g->b_dtype))
            decoded_dots(g, n, columns, t);
        else
            dit_gemm_dots(g->b_dtype, (int)g->m, columns, g->k, g->a, g->a_row, b, g->b_col, t);
        finish(g, 0, (int)g->m, n, columns, t);
    }
}

void dit_gemm_run(const dit_gemm *product, int64_t count, dit_gemm_at at, const void *context, void *workspace)
{
    if (product->m == 0 || product->n == 0 || count == 0)
        return;
    struct cut cut = cut_of(product, dit_divide_up((int64_t)BLOCKS_A_THREAD * dit_cpu_threads(), count));
    struct sizes sizes = sizes_of(product, &cut);
    int64_t each = cut.row_parts * cut.panel_parts;
    double flops = 2.0 * (double)product->m * (double)product->n * (double)product->k * (double)count;
#pragma omp parallel num_threads(dit_cpu_threads()) if (flops > SERIAL_FLOPS)
    {
        float *scratch = (float *)workspace + (sizes.a + sizes.b + sizes.partial) * omp_get_thread_num();
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < each * count; i++) {
            dit_gemm g = *product;
            if (at)
                at(context, i / each, &g);
            // Blocks that follow each other share panels of B, which come from memory when they are a weight's.
            int64_t panels = i % each / cut.row_parts, rows = i % each % cut.row_parts;
            struct block block = {
                .m0 = dit_part(g.m, cut.row_parts, rows),
                .m1 = dit_part(g.m, cut.row_parts, rows + 1),
                .n0 = dit_part(cut.panels, cut.panel_parts, panels) * COLUMNS,
                .n1 = smaller(dit_part(cut.panels, cut.panel_parts, panels + 1) * COLUMNS, g.n),
                .a = scratch,
                .b = scratch + sizes.a,
                .partial = sizes.partial ? scratch + sizes.a + sizes.b : NULL,
            };
            if (uses_dots(&g)) {
                widen_rows(&g, block.a);
                multiply_dots(&g, &block);
            } else {
                multiply(&g, &block, cut.passes);
            }
        }
    }
}

size_t dit_gemm_prepared_bytes(const dit_gemm *g)
{
    return (size_t)(dit_divide_up(g->n, COLUMNS) * COLUMNS * prepared_k(g)) * dit_dtype_size(g->b_dtype);
}

void dit_gemm_prepare(const dit_gemm *g, void *panels)
{
    int64_t size = (int64_t)dit_dtype_size(g->b_dtype);
#pragma omp parallel for num_threads(dit_cpu_threads()) schedule(dynamic)
    for (int64_t n0 = 0; n0 < g->n; n0 += COLUMNS)
        dit_pack_panel_as_stored(g->b_dtype, (const char *)g->b + n0 * g->b_col * size, g->b_row, g->b_col, g->k,
                                 (int)(g->n - n0 < COLUMNS ? g->n - n0 : COLUMNS),
                                 (char *)panels + n0 * prepared_k(g) * size);
}
