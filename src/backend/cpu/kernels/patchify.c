// backend/cpu/kernels/patchify.c: every element of the image goes to its token.
#include "backend/cpu/patch_rows.h"

DIT_PATCH_LOOPS(cut, *feature = *pixel)

static void run(const dit_op_call *call)
{
    const struct dit_patchify_attributes *a = call->attributes;
    dit_patch_rows p = dit_patch_rows_of(&call->in[0], &call->out[0], a->patch, a->order);
    cut(&p, dit_dtype_size(call->in[0].dtype));
}

DIT_KERNEL(patchify) = {.run = run, .layout = DIT_DENSE, .any_dtype = true};
