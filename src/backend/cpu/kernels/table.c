// backend/cpu/kernels/table.c: the kernels of one instruction set by op number, made from backend/ops.def.
#include "backend/cpu/isa.h"

#define OP(name, parameters, ...) extern const dit_kernel DIT_CPU_SYMBOL(dit_kernel_##name);
#define VIEW_OP(name, parameters, ...)
#include "backend/ops.def"

extern const dit_kernel *const DIT_CPU_SYMBOL(dit_kernel_table)[DIT_OPS];

#define OP(name, parameters, ...) [DIT_OP_##name] = &DIT_CPU_SYMBOL(dit_kernel_##name),
#define VIEW_OP(name, parameters, ...) [DIT_OP_##name] = NULL,
const dit_kernel *const DIT_CPU_SYMBOL(dit_kernel_table)[DIT_OPS] = {
#include "backend/ops.def"
};
