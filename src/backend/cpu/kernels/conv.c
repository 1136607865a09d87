// backend/cpu/kernels/conv.c: convolution as a product of the weights with the patches of the picture, which are
// gathered a panel at a time where the product packs its right side. Depthwise convolutions go another way,
// depthwise.c.
#include "backend/cpu/depthwise.h"
#include "backend/cpu/patches.h"

enum { X, WEIGHT, BIAS };

struct plan {
    dit_conv_geometry geometry;
    dit_patches patches;
    dit_gemm product; // of the first group of the first picture
};

static void plan_of(const dit_op_call *call, struct plan *plan)
{
    const struct dit_conv_attributes *a = call->attributes;
    dit_conv_geometry c =
        dit_conv_geometry_of(&call->in[X].shape, &call->in[WEIGHT].shape, &call->out[0].shape, &a->window);
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
                              .row_bias = dit_is_absent(&call->in[BIAS]) ? NULL : call->in[BIAS].data,
                          }};
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
}

static void run(const dit_op_call *call)
{
    struct plan plan;
    plan_of(call, &plan);
    const dit_gemm *g = &plan.product;
    if (dit_is_depthwise(&plan.geometry))
        dit_depthwise(&plan.geometry, g->b, g->a, g->row_bias, g->c);
    else
        dit_gemm_run(g, plan.geometry.B * plan.geometry.groups, at, &plan.geometry, call->workspace);
}

static size_t workspace(const dit_op_call *call)
{
    struct plan plan;
    plan_of(call, &plan);
    return dit_is_depthwise(&plan.geometry) ? 0 : dit_gemm_workspace(&plan.product);
}

DIT_KERNEL(conv) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_DENSE,
};
