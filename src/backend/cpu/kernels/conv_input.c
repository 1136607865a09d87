// backend/cpu/kernels/conv_input.c: the gradient of a convolution with respect to its input, as products.
//
// An input position i sees outputs (i + padding - tap * dilation) / stride, for the taps that divide. Positions with
// the same (i + padding) mod stride, a phase, see the same taps, and neighbours in a phase see neighbouring outputs:
// each phase is a convolution of stride 1 with its own taps of the weight, (C, O * taps), turned around.
#include "backend/cpu/conv_input.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/depthwise.h"
#include "backend/cpu/patches.h"

// One phase along one axis: positions first + j * stride, j < count, see taps tap + m * every, m < taps, and output
// base - m * step + j with them.
struct axis {
    int64_t first, count, tap, every, taps, base, step;
};

static int64_t common_divisor(int64_t a, int64_t b)
{
    return b == 0 ? a : common_divisor(b, a % b);
}

static struct axis axis_of(const dit_conv_geometry *c, int i, int64_t phase)
{
    int64_t stride = c->stride[i], dilation = c->dilation[i], padding = c->padding[i];
    struct axis a = {.first = ((phase - padding) % stride + stride) % stride};
    a.count = a.first < c->in[i] ? (c->in[i] - 1 - a.first) / stride + 1 : 0;
    a.every = stride / common_divisor(stride, dilation);
    while (a.tap < a.every && a.tap < c->kernel[i] && a.tap * dilation % stride != phase)
        a.tap++;
    bool none = a.tap >= c->kernel[i] || a.tap >= a.every;
    a.taps = none ? 0 : (c->kernel[i] - 1 - a.tap) / a.every + 1;
    a.base = none ? 0 : (a.first + padding - a.tap * dilation) / stride;
    a.step = a.every * dilation / stride;
    return a;
}

// Number `phase` of all phases of three axes.
struct phase {
    struct axis axis[3];
    int64_t positions, taps;
};

static struct phase phase_of(const dit_conv_geometry *c, int64_t phase)
{
    struct phase p = {.positions = 1, .taps = 1};
    for (int i = 2; i >= 0; i--) {
        p.axis[i] = axis_of(c, i, phase % c->stride[i]);
        phase /= c->stride[i];
        p.positions *= p.axis[i].count;
        p.taps *= p.axis[i].taps;
    }
    return p;
}

// What the products of a phase share.
struct plan {
    const dit_conv_geometry *c;
    dit_patches patches;
    struct phase phase;
    dit_gemm product; // of the first group of the first picture
    bool in_place;    // the phase is all of dx; otherwise the product goes to scratch and is dealt out
};

static struct plan plan_of(const dit_conv_geometry *c, int64_t phase)
{
    struct plan plan = {.c = c, .phase = phase_of(c, phase), .in_place = dit_volume(c->stride) == 1};
    for (int i = 0; i < 3; i++) {
        const struct axis *a = &plan.phase.axis[i];
        plan.patches.picture[i] = c->out[i];
        plan.patches.grid[i] = a->count;
        plan.patches.taps[i] = a->taps;
        plan.patches.step[i] = 1;
        plan.patches.tap_step[i] = -a->step;
        plan.patches.base[i] = a->base;
    }
    plan.product = (dit_gemm){.m = c->C,
                              .n = plan.phase.positions,
                              .k = c->O * plan.phase.taps,
                              .a_row = c->O * plan.phase.taps,
                              .a_k = 1,
                              .pack = dit_pack_patches,
                              .c_row = plan.phase.positions};
    return plan;
}

static int64_t phases_of(const dit_conv_geometry *c)
{
    return dit_volume(c->stride);
}

static int64_t in_lanes(int64_t floats)
{
    return dit_divide_up(floats, 16) * 16;
}

// Floats of the three parts of the workspace: a phase's weights, its product where that is dealt out, the product's
// own.
struct sizes {
    int64_t weights, product, own;
};

static struct sizes sizes_of(const dit_conv_geometry *c)
{
    static const float here;
    struct sizes s = {0};
    if (dit_is_depthwise(c))
        return s;
    for (int64_t phase = 0; phase < phases_of(c); phase++) {
        struct plan plan = plan_of(c, phase);
        int64_t weights = c->groups * c->C * plan.product.k, product = plan.in_place ? 0 : c->C * plan.product.n;
        plan.product.row_bias = &here;
        int64_t own = (int64_t)(dit_gemm_workspace(&plan.product) / sizeof(float));
        s.weights = weights > s.weights ? weights : s.weights;
        s.product = product > s.product ? product : s.product;
        s.own = own > s.own ? own : s.own;
    }
    s.weights = in_lanes(s.weights);
    s.product = in_lanes(s.product);
    return s;
}

size_t dit_conv_input_workspace(const dit_conv_geometry *c)
{
    struct sizes s = sizes_of(c);
    return (size_t)(s.weights + s.product + s.own) * sizeof(float);
}

// to[group][c][o][tap of the phase] = weight[group][o][c][tap].
static void turn_weights(const struct plan *plan, const float *weight, float *to)
{
    const dit_conv_geometry *c = plan->c;
    const struct axis *axis = plan->phase.axis;
    int64_t all = dit_volume(c->kernel), taps = plan->phase.taps;
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t row = 0; row < c->groups * c->C; row++) {
        int64_t group = row / c->C, channel = row % c->C;
        for (int64_t o = 0; o < c->O; o++)
            for (int64_t tap = 0; tap < taps; tap++) {
                int64_t m[3] = {tap / axis[2].taps / axis[1].taps, tap / axis[2].taps % axis[1].taps,
                                tap % axis[2].taps};
                int64_t from = 0;
                for (int i = 0; i < 3; i++)
                    from = from * c->kernel[i] + axis[i].tap + m[i] * axis[i].every;
                to[(row * c->O + o) * taps + tap] = weight[((group * c->O + o) * c->C + channel) * all + from];
            }
    }
}

// Puts a phase's product (C, positions) to its places in one group of dx.
static void deal_out(const struct plan *plan, const float *product, float *dx)
{
    const dit_conv_geometry *c = plan->c;
    const struct axis *axis = plan->phase.axis;
    int64_t lines = axis[0].count * axis[1].count;
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t n = 0; n < c->C * lines; n++) {
        int64_t channel = n / lines, d = n % lines / axis[1].count, h = n % axis[1].count;
        float *to =
            dx +
            ((channel * c->in[0] + axis[0].first + d * c->stride[0]) * c->in[1] + axis[1].first + h * c->stride[1]) *
                c->in[2] +
            axis[2].first;
        for (int64_t w = 0; w < axis[2].count; w++)
            to[w * c->stride[2]] = product[n * axis[2].count + w];
    }
}

void dit_conv_input(const dit_conv_geometry *c, const float *dy, const float *weight, const float *bias, float *dx,
                    void *workspace)
{
    if (dit_is_depthwise(c)) {
        dit_depthwise_input(c, dy, weight, bias, dx);
        return;
    }
    struct sizes sizes = sizes_of(c);
    float *turned = workspace, *product = turned + sizes.weights, *own = product + sizes.product;
    for (int64_t phase = 0; phase < phases_of(c); phase++) {
        struct plan plan = plan_of(c, phase);
        if (plan.phase.positions == 0)
            continue;
        turn_weights(&plan, weight, turned);
        for (int64_t n = 0; n < c->B * c->groups; n++) {
            int64_t group = n % c->groups;
            float *to = dx + n * c->C * dit_volume(c->in);
            dit_gemm g = plan.product;
            g.pack_context = &plan.patches;
            g.a = turned + group * c->C * g.k;
            g.b = dy + n * c->O * dit_volume(c->out);
            g.c = plan.in_place ? to : product;
            g.row_bias = bias ? bias + group * c->C : NULL;
            dit_gemm_run(&g, 1, NULL, NULL, own);
            if (!plan.in_place)
                deal_out(&plan, product, to);
        }
    }
}
