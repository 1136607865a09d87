// backend/cpu/kernels/conv.c: convolution as a product of the weights with the patches of the picture, which are
// gathered a panel at a time where the product packs its right side. 3x3 convolutions of many channels go another way,
// winograd.c, and so do depthwise ones, depthwise.c.
#include "backend/cpu/depthwise.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/nest.h"
#include "backend/cpu/patches.h"
#include "backend/cpu/winograd.h"

enum { X, WEIGHT, BIAS, RESIDUAL };

struct plan {
    dit_conv_geometry geometry; // of the picture that the kernel slides over
    dit_patches patches;
    dit_gemm product;   // of the first group of the first picture
    dit_winograd other; // the same, where it is done that way
    bool winograd, depthwise;
    size_t doubled_bytes; // of the picture, where x has to be doubled in the workspace; else 0
};

static const float *floats_of(const dit_op_call *call, int i)
{
    return call->inputs > i && !dit_is_absent(&call->in[i]) ? call->in[i].data : NULL;
}

static void plan_of(const dit_op_call *call, struct plan *plan)
{
    const struct dit_conv_attributes *a = call->attributes;
    dit_shape x = call->in[X].shape;
    for (int i = 2; a->doubled && i < x.rank; i++)
        x.dim[i] *= 2;
    dit_conv_geometry c = dit_conv_geometry_of(&x, &call->in[WEIGHT].shape, &call->out[0].shape, &a->window);
    bool pointwise = dit_volume(c.kernel) == 1 && dit_volume(c.stride) == 1 && dit_volume(c.in) == dit_volume(c.out);
    *plan = (struct plan){.geometry = c,
                          .patches = dit_patches_of(&c),
                          .product = {
                              .m = c.O,
                              .n = dit_volume(c.out),
                              .k = c.C * dit_volume(c.kernel),
                              .a = call->in[WEIGHT].data,
                              .a_row = c.C * dit_volume(c.kernel),
                              .a_k = 1,
                              .b_dtype = DIT_F32,
                              .b = call->in[X].data,
                              .b_row = dit_volume(c.in),
                              .b_col = 1,
                              .pack = pointwise ? NULL : dit_pack_patches,
                              .pack_context = &plan->patches,
                              .c = call->out[0].data,
                              .c_row = dit_volume(c.out),
                              .row_bias = floats_of(call, BIAS),
                              .activation = a->activation,
                              .residual = floats_of(call, RESIDUAL),
                              .residual_row = dit_volume(c.out),
                          }};
    const dit_gemm *g = &plan->product;
    plan->winograd = dit_winograd_suits(&c, a->doubled);
    plan->depthwise = dit_is_depthwise(&c);
    plan->other = (dit_winograd){c, a->doubled, g->b, g->a, g->row_bias, g->residual, a->activation, g->c};
    if (a->doubled && !plan->winograd)
        plan->doubled_bytes = ((size_t)dit_shape_count(&x) * sizeof(float) + 63) & ~(size_t)63;
}

// x (planes, h, w) with every element repeated along both axes.
static void double_picture(const dit_view *x, float *to)
{
    int64_t h = x->shape.dim[2], w = x->shape.dim[3], rows = x->shape.dim[0] * x->shape.dim[1] * 2 * h;
#pragma omp parallel for schedule(static) if (rows * w >= DIT_PARALLEL_WORK / 4)
    for (int64_t r = 0; r < rows; r++) {
        const float *from = (const float *)x->data + (r / (2 * h) * h + r % (2 * h) / 2) * w;
        for (int64_t j = 0; j < w; j++)
            to[r * 2 * w + 2 * j] = to[r * 2 * w + 2 * j + 1] = from[j];
    }
}

static void activate(dit_activation activation, float *y, int64_t n)
{
#pragma omp parallel for schedule(static) if (n >= DIT_PARALLEL_WORK)
    for (int64_t i = 0; i < n; i += DIT_LANES)
        vec_store_part(y + i, finish_activated(activation, vec_load_part(y + i, 0, n - i)), n - i);
}

static void at(const void *context, int64_t i, dit_gemm *g)
{
    const dit_conv_geometry *c = context;
    int64_t group = i % c->groups;
    g->a += group * c->O * g->a_row;
    g->b = (const float *)g->b + i * c->C * dit_volume(c->in);
    g->c += i * c->O * g->c_row;
    if (g->row_bias)
        g->row_bias += group * c->O;
    if (g->residual)
        g->residual += i * c->O * g->residual_row;
}

static void run(const dit_op_call *call)
{
    struct plan plan;
    plan_of(call, &plan);
    dit_gemm *g = &plan.product;
    if (plan.winograd) {
        dit_winograd_run(&plan.other, call->workspace);
        return;
    }
    if (plan.doubled_bytes) {
        double_picture(&call->in[X], call->workspace);
        g->b = call->workspace;
    }
    if (plan.depthwise) {
        dit_depthwise(&plan.geometry, g->b, g->a, g->row_bias, g->c);
        if (g->activation)
            activate(g->activation, g->c, dit_shape_count(&call->out[0].shape));
    } else {
        dit_gemm_run(g, plan.geometry.B * plan.geometry.groups, at, &plan.geometry,
                     (char *)call->workspace + plan.doubled_bytes);
    }
}

static size_t workspace(const dit_op_call *call)
{
    struct plan plan;
    plan_of(call, &plan);
    // Data is not there yet; whether there will be a residual is what counts.
    static const float here;
    plan.product.residual = call->inputs > RESIDUAL && !dit_is_absent(&call->in[RESIDUAL]) ? &here : NULL;
    if (plan.winograd)
        return dit_winograd_workspace(&plan.other);
    return plan.doubled_bytes + (plan.depthwise ? 0 : dit_gemm_workspace(&plan.product));
}

DIT_KERNEL(conv) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_DENSE,
    .in_place = 1u << RESIDUAL,
};
