// backend/cpu/cpu.h: which instruction set runs, and the kernels compiled for it.
#ifndef DIT_BACKEND_CPU_CPU_H
#define DIT_BACKEND_CPU_CPU_H

#include "backend/kernel.h"

typedef enum dit_isa {
    DIT_PORTABLE, // what the compiler assumes by default
    DIT_AVX2,     // AVX2, FMA, F16C
    DIT_AVX512,   // AVX-512 F, BW, DQ, VL, and the former
    DIT_ISAS,
} dit_isa;

// "portable", "avx2", "avx512".
const char *dit_isa_name(dit_isa isa);
// Whether this machine and its system can run code compiled for `isa`, and this program holds such code.
bool dit_cpu_has(dit_isa isa);

// Settles which set runs: the one that the environment variable DIT_CPU names, otherwise the best that the machine has.
// An unknown name, or a set that the machine lacks, is DIT_BAD_ARGUMENT. The first success holds for the process.
dit_status dit_cpu_start(dit_error *error);
// The set that dit_cpu_start settled on; before that, the best that the machine has.
dit_isa dit_cpu_isa(void);

// Whether kernels of DIT_AVX512 may use the dot products of AVX512_BF16, which a later generation of processors has.
bool dit_cpu_has_bf16_dots(void);

// How many threads a kernel that runs now uses, and the most that any will ever use, which scratch is planned for: what
// OpenMP allowed when one of the two was first asked.
int dit_cpu_threads(void);
int dit_cpu_most_threads(void);

// The kernel of an op in the set that runs, or in a given one. NULL: the op only views its input.
const dit_kernel *dit_cpu_kernel(dit_op_id op);
const dit_kernel *dit_cpu_kernel_of(dit_isa isa, dit_op_id op);

#endif
