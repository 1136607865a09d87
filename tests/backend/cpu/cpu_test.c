// The choice of an instruction set: forced by DIT_CPU, refused with a message when it cannot be.
#include "backend/cpu/cpu.h"
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// The first success of dit_cpu_start holds for the process, so each choice is made in a child. Returns 100 + the set
// that runs, or the status of the refusal; its message must hold `expected` when that is given.
static int choose(const char *value, const char *expected)
{
    pid_t child = fork();
    if (child == 0) {
        if (value)
            setenv("DIT_CPU", value, 1);
        else
            unsetenv("DIT_CPU");
        dit_error error = {0};
        dit_status status = dit_cpu_start(&error);
        if (status == DIT_OK)
            _exit(dit_cpu_start(NULL) == DIT_OK ? 100 + (int)dit_cpu_isa() : 99);
        _exit(status == error.status && (!expected || strstr(error.message, expected)) ? (int)status : 98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void unset_or_empty_chooses_the_best(void **state)
{
    (void)state;
    int best = DIT_AVX512;
    while (!dit_cpu_has((dit_isa)best))
        best--;
    assert_int_equal(choose(NULL, NULL), 100 + best);
    assert_int_equal(choose("", NULL), 100 + best);
}

static void every_set_can_be_forced_or_is_refused_by_name(void **state)
{
    (void)state;
    assert_true(dit_cpu_has(DIT_PORTABLE));
    for (int isa = 0; isa < DIT_ISAS; isa++) {
        const char *name = dit_isa_name((dit_isa)isa);
        if (dit_cpu_has((dit_isa)isa))
            assert_int_equal(choose(name, NULL), 100 + isa);
        else
            assert_int_equal(choose(name, name), DIT_BAD_ARGUMENT);
    }
}

static void an_unknown_set_is_refused_by_name(void **state)
{
    (void)state;
    assert_int_equal(choose("avx1024", "\"avx1024\" is no instruction set"), DIT_BAD_ARGUMENT);
    assert_int_equal(choose("AVX2", "\"AVX2\""), DIT_BAD_ARGUMENT);
    assert_int_equal(choose("avx2\n\033[31m", "\"avx2??[31m\""), DIT_BAD_ARGUMENT);
}

static void a_view_has_no_kernel(void **state)
{
    (void)state;
    for (int isa = 0; isa < DIT_ISAS; isa++)
        assert_null(dit_cpu_kernel_of((dit_isa)isa, DIT_OP_reshape));
    assert_null(dit_cpu_kernel(DIT_OP_permute));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unset_or_empty_chooses_the_best),
        cmocka_unit_test(every_set_can_be_forced_or_is_refused_by_name),
        cmocka_unit_test(an_unknown_set_is_refused_by_name),
        cmocka_unit_test(a_view_has_no_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
