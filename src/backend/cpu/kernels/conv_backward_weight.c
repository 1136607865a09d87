// backend/cpu/kernels/conv_backward_weight.c: dweight as a product of dy (O, positions) with the transposed patches of
// the picture (positions, C * taps), added up over the pictures of a batch.
#include "backend/cpu/depthwise.h"
#include "backend/cpu/patches.h"

enum { DY, X };

static dit_conv_geometry geometry_of(const dit_op_call *call)
{
    const struct dit_conv_backward_weight_attributes *a = call->attributes;
    return dit_conv_geometry_of(&call->in[X].shape, &a->weight, &call->in[DY].shape, &a->window);
}

static dit_gemm product_of(const dit_conv_geometry *c, const dit_patches *patches)
{
    int64_t columns = c->C * dit_volume(c->kernel), positions = dit_volume(c->out);
    return (dit_gemm){.m = c->O,
                      .n = columns,
                      .k = positions,
                      .a_row = positions,
                      .a_k = 1,
                      .pack = dit_pack_patches_transposed,
                      .pack_context = patches,
                      .c_row = columns,
                      .residual_row = columns};
}

// Number i: group i of one picture.
static void at(const void *context, int64_t i, dit_gemm *g)
{
    const dit_conv_geometry *c = context;
    g->a += i * c->O * g->a_row;
    g->b = (const float *)g->b + i * c->C * dit_volume(c->in);
    g->c += i * c->O * g->c_row;
    if (g->residual)
        g->residual += i * c->O * g->c_row;
}

static void run(const dit_op_call *call)
{
    dit_conv_geometry c = geometry_of(call);
    const float *dy = call->in[DY].data, *x = call->in[X].data;
    float *dweight = call->out[0].data;
    if (dit_is_depthwise(&c)) {
        dit_depthwise_weight(&c, dy, x, dweight);
        return;
    }
    dit_patches patches = dit_patches_of(&c);
    dit_gemm g = product_of(&c, &patches);
    if (c.B == 0)
        memset(dweight, 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(float));
    for (int64_t b = 0; b < c.B; b++) {
        g.a = dy + b * c.groups * c.O * dit_volume(c.out);
        g.b = x + b * c.groups * c.C * dit_volume(c.in);
        g.c = dweight;
        g.residual = b > 0 ? dweight : NULL;
        dit_gemm_run(&g, c.groups, at, &c, call->workspace);
    }
}

static size_t workspace(const dit_op_call *call)
{
    static const float here;
    dit_conv_geometry c = geometry_of(call);
    dit_patches patches = dit_patches_of(&c);
    dit_gemm g = product_of(&c, &patches);
    g.residual = &here;
    return dit_is_depthwise(&c) ? 0 : dit_gemm_workspace(&g);
}

DIT_KERNEL(conv_backward_weight) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_DENSE,
};
