// backend/cpu/cpu.c: which instruction set runs, and the kernels compiled for it.
#include "backend/cpu/cpu.h"
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// One table an instruction set, from kernels/table.c.
extern const dit_kernel *const dit_kernel_table_portable[DIT_OPS];
#ifdef __x86_64__
extern const dit_kernel *const dit_kernel_table_avx2[DIT_OPS];
extern const dit_kernel *const dit_kernel_table_avx512[DIT_OPS];
#endif

static const struct {
    const char *name;
    const dit_kernel *const *table; // NULL: this program holds no code for the set
} sets[DIT_ISAS] = {
    [DIT_PORTABLE] = {"portable", dit_kernel_table_portable},
#ifdef __x86_64__
    [DIT_AVX2] = {"avx2", dit_kernel_table_avx2},
    [DIT_AVX512] = {"avx512", dit_kernel_table_avx512},
#else
    [DIT_AVX2] = {"avx2", NULL},
    [DIT_AVX512] = {"avx512", NULL},
#endif
};

static atomic_int chosen = DIT_ISAS; // DIT_ISAS: nothing is settled yet

const char *dit_isa_name(dit_isa isa)
{
    return sets[isa].name;
}

// The compiler's builtins look at cpuid and, by xgetbv, at whether the system saves the wide registers.
bool dit_cpu_has(dit_isa isa)
{
    if (!sets[isa].table)
        return false;
#ifdef __x86_64__
    __builtin_cpu_init();
    unsigned eax, ebx, ecx, edx;
    bool f16c =
        __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_F16C; // a feature that clang's builtin does not know
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c;
    if (isa == DIT_AVX2)
        return avx2;
    if (isa == DIT_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return true;
}

bool dit_cpu_has_bf16_dots(void)
{
    static atomic_int known; // 0: not asked yet, 1: no, 2: yes
    int has = atomic_load(&known);
    if (has == 0) {
        has = 1;
#ifdef __x86_64__
        unsigned eax, ebx, ecx, edx;
        if (dit_cpu_has(DIT_AVX512) && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && eax & 1u << 5)
            has = 2;
#endif
        atomic_store(&known, has);
    }
    return has == 2;
}

static dit_isa best(void)
{
    dit_isa isa = DIT_ISAS - 1;
    while (isa > DIT_PORTABLE && !dit_cpu_has(isa))
        isa--;
    return isa;
}

dit_status dit_cpu_start(dit_error *error)
{
    if (atomic_load(&chosen) != DIT_ISAS)
        return DIT_OK;
    dit_isa isa = best();
    const char *name = getenv("DIT_CPU");
    if (name && *name) {
        isa = DIT_PORTABLE;
        while (isa < DIT_ISAS && strcmp(name, sets[isa].name) != 0)
            isa++;
        if (isa == DIT_ISAS)
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "DIT_CPU: \"%.40s\" is no instruction set; use portable, avx2 or avx512, or unset it",
                            name);
        if (!dit_cpu_has(isa))
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "DIT_CPU: this machine cannot run %s; the best that it can is %s, which unsetting it gives",
                            name, sets[best()].name);
    }
    atomic_store(&chosen, isa);
    return DIT_OK;
}

dit_isa dit_cpu_isa(void)
{
    int isa = atomic_load(&chosen);
    return isa == DIT_ISAS ? best() : (dit_isa)isa;
}

int dit_cpu_threads(void)
{
    int most = dit_cpu_most_threads(), now = omp_get_max_threads();
    return now < most ? now : most;
}

int dit_cpu_most_threads(void)
{
    static atomic_int threads;
    int n = atomic_load(&threads), none = 0;
    if (n == 0) {
        n = omp_get_max_threads();
        if (!atomic_compare_exchange_strong(&threads, &none, n))
            n = none;
    }
    return n;
}

const dit_kernel *dit_cpu_kernel(dit_op_id op)
{
    return dit_cpu_kernel_of(dit_cpu_isa(), op);
}

const dit_kernel *dit_cpu_kernel_of(dit_isa isa, dit_op_id op)
{
    return sets[isa].table ? sets[isa].table[op] : NULL;
}
