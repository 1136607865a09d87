// backend/cpu/isa.h: one kernel source, compiled once for each instruction set.
//
// The build compiles every kernels/*.c with -DDIT_ISA=<isa> -DDIT_ISA_<isa>=1 for portable, avx2 and avx512. What a
// kernel file gives to others carries the set's name, so that all three live in one program:
//
//     static void run(const dit_op_call *call) { ... }
//     DIT_KERNEL(silu) = {.run = run, .layout = DIT_DENSE};
//
// defines dit_kernel_silu_avx512 in the third compilation, which table.c finds. Everything else in it is static.
#ifndef DIT_BACKEND_CPU_ISA_H
#define DIT_BACKEND_CPU_ISA_H

#include "backend/kernel.h"

#ifndef DIT_ISA
#error "backend/cpu/isa.h is for files of backend/cpu/kernels, which the build compiles with -DDIT_ISA=..."
#endif

// DIT_CPU_SYMBOL(dit_gemm) is dit_gemm_avx512, dit_gemm_avx2 or dit_gemm_portable.
#define DIT_CPU_SYMBOL(name) DIT_CPU_JOIN(name, DIT_ISA)
#define DIT_CPU_JOIN(name, isa) DIT_CPU_JOIN_(name, isa)
#define DIT_CPU_JOIN_(name, isa) name##_##isa

// DIT_KERNEL(silu) = {...}; defines the kernel of the op named silu.
#define DIT_KERNEL(name)                                                                                               \
    extern const dit_kernel DIT_CPU_SYMBOL(dit_kernel_##name);                                                         \
    const dit_kernel DIT_CPU_SYMBOL(dit_kernel_##name)

// Floats in one vector register.
#if defined DIT_ISA_avx512
enum { DIT_LANES = 16 };
#elif defined DIT_ISA_avx2
enum { DIT_LANES = 8 };
#else
enum { DIT_LANES = 4 };
#endif

#endif
