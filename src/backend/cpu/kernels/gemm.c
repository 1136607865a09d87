// backend/cpu/kernels/gemm.c: products tile by tile, spread over threads.
//
// The unit of work is a strip: one panel of B (DIT_TILE_COLUMNS columns) against a range of rows. Its thread packs the
// panel into its own scratch (unless it was prepared, or is used only once) where it stays in the second-level cache
// while the rows of A pass by, which lie as they lie. So threads share nothing and wait for nothing, scratch is one
// panel a thread, and packing costs 1/m of the work. What else was tried: docs/speed.md.
#include "backend/cpu/gemm.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/vmath.h"
#include <omp.h>

enum {
    ROWS = DIT_TILE_ROWS,
    COLUMNS = DIT_TILE_COLUMNS,
    FEW_ROWS = 16,         // up to here a stored weight is not rearranged, see dots.c
    LONGEST = 4608,        // k beyond this is summed in several passes, so that a panel stays in the cache,
    LONGEST_ACROSS = 2048, // or beyond this when every step along A's k is another cache line
    STRIPS_A_THREAD = 8,   // wanted, so that a thread that was held up does not hold up the others
    FEWEST_ROWS = 192,     // but a strip of fewer rows does not pay for packing its panel
};

static const double SERIAL_FLOPS = 1e5; // not worth waking the other threads

// How the product is cut: k into passes, rows into parts.
struct cut {
    int64_t panels, passes, parts;
};

static bool plain(const dit_gemm *g)
{
    return !g->bias && !g->row_bias && !g->gate && !g->residual && g->activation == DIT_NO_ACTIVATION;
}

static bool uses_dots(const dit_gemm *g)
{
    return g->m <= FEW_ROWS && !g->b_panels && !g->pack && g->a_k == 1 && g->b_row == 1 && g->b_col != 1;
}

static struct cut cut_of(const dit_gemm *g, int64_t count)
{
    struct cut cut = {.panels = dit_divide_up(g->n, COLUMNS), .passes = 1, .parts = 1};
    int64_t longest = g->a_k == 1 ? LONGEST : LONGEST_ACROSS;
    if (!uses_dots(g) && g->k > longest)
        cut.passes = dit_divide_up(g->k, longest);
    int64_t wanted = dit_divide_up((int64_t)STRIPS_A_THREAD * dit_cpu_threads(), cut.panels * count);
    int64_t most = g->m / (g->b_panels ? 4 * ROWS : FEWEST_ROWS);
    cut.parts = wanted < most ? wanted : most;
    if (cut.parts < 1)
        cut.parts = 1;
    return cut;
}

// A thread's scratch: floats for its panel, and for partial sums where c cannot hold them, since it may hold the
// residual.
static int64_t panel_floats(const dit_gemm *g, const struct cut *cut)
{
    return g->b_panels || uses_dots(g) ? 0 : dit_divide_up(g->k, cut->passes) * COLUMNS;
}

static int64_t partial_floats(const dit_gemm *g, const struct cut *cut)
{
    return g->residual && cut->passes > 1 ? g->m * COLUMNS : 0;
}

size_t dit_gemm_workspace(const dit_gemm *g)
{
    struct cut cut = cut_of(g, 1);
    return (size_t)((panel_floats(g, &cut) + partial_floats(g, &cut)) * dit_cpu_most_threads()) * sizeof(float);
}

static void activate(dit_activation activation, float *t, int count)
{
    switch (activation) {
    case DIT_NO_ACTIVATION:
        break;
    case DIT_SILU:
#pragma omp simd
        for (int i = 0; i < count; i++)
            t[i] = vsilu(t[i]);
        break;
    case DIT_GELU_TANH:
#pragma omp simd
        for (int i = 0; i < count; i++)
            t[i] = vgelu_tanh(t[i]);
        break;
    case DIT_GELU_ERF:
#pragma omp simd
        for (int i = 0; i < count; i++)
            t[i] = vgelu_erf(t[i]);
        break;
    case DIT_RELU:
#pragma omp simd
        for (int i = 0; i < count; i++)
            t[i] = t[i] < 0 ? 0 : t[i]; // NaN stays
        break;
    }
}

// t (rows, COLUMNS) += x, and x = t, for the columns that exist; a row of x follows the former after `x_row` floats.
static void add(float *t, const float *x, int64_t x_row, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            t[i * COLUMNS + j] += x[i * x_row + j];
}

static void store(const float *t, float *x, int64_t x_row, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            x[i * x_row + j] = t[i * COLUMNS + j];
}

// Does what follows the sums to t (rows, COLUMNS), rows m0.. and columns n0.. of the product, and stores it in c.
static void finish(const dit_gemm *g, int64_t m0, int rows, int64_t n0, int columns, float *t)
{
    float *c = g->c + m0 * g->c_row + n0;
    if (g->bias)
        add(t, g->bias + n0, 0, rows, columns);
    if (g->row_bias)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < COLUMNS; j++)
                t[i * COLUMNS + j] += g->row_bias[m0 + i];
    activate(g->activation, t, rows * COLUMNS);
    if (g->gate)
        for (int i = 0; i < rows; i++) {
            const float *gate = g->gate + (m0 + i) / g->gate_rows * g->gate_row + n0;
            for (int j = 0; j < columns; j++)
                t[i * COLUMNS + j] *= gate[j];
        }
    if (g->residual)
        add(t, g->residual + m0 * g->residual_row + n0, g->residual_row, rows, columns);
    store(t, c, g->c_row, rows, columns);
}

// A panel, or rows of b that serve as one.
struct right {
    dit_dtype dtype;
    const void *b;
    int64_t b_k;
};

static struct right right_of(const dit_gemm *g, int64_t n0, int columns, int64_t k0, int64_t k, bool once, float *panel)
{
    size_t size = dit_dtype_size(g->b_dtype);
    if (g->b_panels)
        return (struct right){g->b_dtype, (const char *)g->b_panels + (size_t)(n0 * g->k + k0 * COLUMNS) * size,
                              COLUMNS};
    if (g->pack) {
        g->pack(g->pack_context, k0, k, n0, columns, panel);
        return (struct right){DIT_F32, panel, COLUMNS};
    }
    const char *b = (const char *)g->b + (k0 * g->b_row + n0 * g->b_col) * (int64_t)size;
    if (once && g->b_col == 1 && columns % DIT_LANES == 0)
        return (struct right){g->b_dtype, b, g->b_row};
    dit_pack_panel(g->b_dtype, b, g->b_row, g->b_col, k, columns, panel);
    return (struct right){DIT_F32, panel, COLUMNS};
}

// Columns n0 to n0 + columns of rows m0 to m1. `partial` (m1 - m0, COLUMNS) keeps sums from pass to pass; NULL: c does.
static void strip(const dit_gemm *g, int64_t passes, int64_t m0, int64_t m1, int64_t n0, int columns, float *panel,
                  float *partial)
{
    float t[ROWS * COLUMNS] __attribute__((aligned(64)));
    int64_t tiles = dit_divide_up(m1 - m0, ROWS);
    int vectors = columns <= DIT_LANES ? 1 : DIT_TILE_VECTORS;
    bool direct = passes == 1 && plain(g) && columns == vectors * DIT_LANES;
    for (int64_t pass = 0; pass < passes; pass++) {
        int64_t k0 = dit_part(g->k, passes, pass), k = dit_part(g->k, passes, pass + 1) - k0;
        struct right right = right_of(g, n0, columns, k0, k, tiles == 1, panel);
        for (int64_t i = 0; i < tiles; i++) {
            int64_t row = m0 + dit_part(m1 - m0, tiles, i);
            int rows = (int)(m0 + dit_part(m1 - m0, tiles, i + 1) - row);
            dit_tile tile = dit_tiles[right.dtype][vectors - 1][rows - 1];
            const float *a = g->a + row * g->a_row + k0 * g->a_k;
            float *c = g->c + row * g->c_row + n0, *kept = partial ? partial + (row - m0) * COLUMNS : c;
            int64_t kept_row = partial ? COLUMNS : g->c_row;
            if (direct) {
                tile(k, a, g->a_row, g->a_k, right.b, right.b_k, c, g->c_row);
                continue;
            }
            tile(k, a, g->a_row, g->a_k, right.b, right.b_k, t, COLUMNS);
            if (pass > 0)
                add(t, kept, kept_row, rows, columns);
            if (pass < passes - 1)
                store(t, kept, kept_row, rows, columns);
            else
                finish(g, row, rows, n0, columns, t);
        }
    }
}

// The same for few rows and a weight as it is stored.
static void strip_of_dots(const dit_gemm *g, int64_t n0, int columns)
{
    float t[FEW_ROWS * COLUMNS];
    const char *b = (const char *)g->b + n0 * g->b_col * (int64_t)dit_dtype_size(g->b_dtype);
    dit_gemm_dots(g->b_dtype, (int)g->m, columns, g->k, g->a, g->a_row, b, g->b_col, t);
    finish(g, 0, (int)g->m, n0, columns, t);
}

void dit_gemm_run(const dit_gemm *product, int64_t count, dit_gemm_at at, const void *context, void *workspace)
{
    if (product->m == 0 || product->n == 0 || count == 0)
        return;
    struct cut cut = cut_of(product, count);
    int64_t panel_size = panel_floats(product, &cut), partial_size = partial_floats(product, &cut);
    int64_t each = cut.panels * cut.parts;
    bool dots = uses_dots(product);
    double flops = 2.0 * (double)product->m * (double)product->n * (double)product->k * (double)count;
#pragma omp parallel num_threads(dit_cpu_threads()) if (flops > SERIAL_FLOPS)
    {
        float *panel = (float *)workspace + (panel_size + partial_size) * omp_get_thread_num();
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < each * count; i++) {
            dit_gemm g = *product;
            if (at)
                at(context, i / each, &g);
            int64_t n0 = i % each / cut.parts * COLUMNS, part = i % each % cut.parts;
            int columns = (int)(g.n - n0 < COLUMNS ? g.n - n0 : COLUMNS);
            if (dots)
                strip_of_dots(&g, n0, columns);
            else
                strip(&g, cut.passes, dit_part(g.m, cut.parts, part), dit_part(g.m, cut.parts, part + 1), n0, columns,
                      panel, partial_size ? panel + panel_size : NULL);
        }
    }
}

size_t dit_gemm_prepared_bytes(const dit_gemm *g)
{
    return (size_t)(dit_divide_up(g->n, COLUMNS) * COLUMNS * g->k) * dit_dtype_size(g->b_dtype);
}

void dit_gemm_prepare(const dit_gemm *g, void *panels)
{
    int64_t size = (int64_t)dit_dtype_size(g->b_dtype);
#pragma omp parallel for num_threads(dit_cpu_threads()) schedule(dynamic)
    for (int64_t n0 = 0; n0 < g->n; n0 += COLUMNS)
        dit_pack_panel_as_stored(g->b_dtype, (const char *)g->b + n0 * g->b_col * size, g->b_row, g->b_col, g->k,
                                 (int)(g->n - n0 < COLUMNS ? g->n - n0 : COLUMNS), (char *)panels + n0 * g->k * size);
}
