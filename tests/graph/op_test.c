// tests/graph/op_test.c: every op, on every instruction set that the machine has: kernels against float64 references,
// in every dtype and memory layout, and gradient rules against finite differences. An op without a case fails.
//
//     op_test [test | grad | self | perf] [part of an op's name] [--isa portable|avx2|avx512|all]
//
// Without a mode: test, grad and self. self puts faults into results and fails when one goes unnoticed; perf prints the
// speed of large cases. Cases are in op_test/cases_*.c; op_test/case.h says how to write one.
#include "graph/op_test/harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const op_group *const groups[] = {
#define GROUP(NAME) &op_group_##NAME,
#include "graph/op_test/groups.def"
};
enum { GROUPS = sizeof groups / sizeof *groups };

typedef struct options {
    bool test, grad, self, perf;
    const char *filter;
    dit_isa isa;
} options;

// What happened to one op.
typedef struct tally {
    int cases, gradient_cases, refusals, failures;
    double worst, worst_gradient;
} tally;

static bool selected(const options *o, dit_op_id op)
{
    return !o->filter || strstr(dit_op_of(op)->name, o->filter);
}

static bool has_gradient(const op_case *c)
{
    bool any = false;
    for (int i = 0; i < OP_MAX_INPUTS; i++)
        any |= op_is_differentiated(&c->in[i]);
    return any && dit_op_of(c->op)->gradient && !c->forward_only;
}

static void run_case(const options *o, const op_case *c, tally *t)
{
    if (c->refused) {
        t->refusals++;
        t->failures += o->test ? op_test_refusal(c) : 0;
        return;
    }
    t->cases++;
    if (o->test)
        t->failures += op_test_forward(c, o->isa, false, &t->worst);
    if (has_gradient(c)) {
        t->gradient_cases++;
        if (o->grad)
            t->failures += op_test_gradient(c, false, &t->worst_gradient);
    }
}

// The faulty runs of a case must all be noticed.
static int run_faults(const options *o, const op_case *c)
{
    static const char *const names[] = {"", "a wrong value", "an element not written", "a write behind the output"};
    int unnoticed = 0;
    double worst = 0;
    for (op_injected = OP_FAULT_VALUE; op_injected <= OP_FAULT_OVERRUN; op_injected++)
        if (!op_test_forward(c, o->isa, true, &worst)) {
            printf("FAILED %s: %s goes unnoticed\n", dit_op_of(c->op)->name, names[op_injected]);
            unnoticed++;
        }
    op_injected = OP_FAULT_VALUE;
    if (has_gradient(c) && !op_test_gradient(c, true, &worst)) {
        printf("FAILED %s: a wrong gradient goes unnoticed\n", dit_op_of(c->op)->name);
        unnoticed++;
    }
    op_injected = OP_NO_FAULT;
    return unnoticed;
}

static void report(const options *o, dit_op_id op, tally *t)
{
    const char *name = dit_op_of(op)->name;
    if (t->cases == 0) {
        printf("FAILED %s: no case\n", name);
        t->failures++;
    } else if (dit_op_of(op)->gradient && t->gradient_cases == 0) {
        printf("FAILED %s: no case for its gradient\n", name);
        t->failures++;
    }
    printf("%s %-24s %3d cases", t->failures ? "FAILED" : "    ok", name, t->cases);
    if (o->test)
        printf("   error %5.2f", t->worst);
    if (o->grad && t->gradient_cases)
        printf("   gradients %3d   error %5.2f", t->gradient_cases, t->worst_gradient);
    if (o->test && t->refusals)
        printf("   refusals %d", t->refusals);
    printf("\n");
}

static int run_op(const options *o, dit_op_id op)
{
    tally t = {0};
    bool faulted = false;
    for (int i = 0; i < GROUPS; i++)
        for (int k = 0; k < groups[i]->count; k++) {
            const op_case *c = &groups[i]->cases[k];
            if (c->op != op || c->perf)
                continue;
            if (o->test || o->grad)
                run_case(o, c, &t);
            if (o->self && !faulted && !c->refused) {
                t.failures += run_faults(o, c);
                faulted = true;
            }
        }
    if (o->test || o->grad)
        report(o, op, &t);
    return t.failures;
}

static void measure(const options *o)
{
    for (int i = 0; i < GROUPS; i++)
        for (int k = 0; k < groups[i]->count; k++)
            if (groups[i]->cases[k].perf && selected(o, groups[i]->cases[k].op))
                op_measure(&groups[i]->cases[k], o->isa);
}

// Everything that was asked for, on one instruction set. Plans take theirs from the environment, once a process.
static int run_isa(const options *o)
{
    dit_error error = {0};
    int failures = 0, ops = 0;
    setenv("DIT_CPU", dit_isa_name(o->isa), 1);
    if (dit_cpu_start(&error)) {
        printf("FAILED: %s\n", error.message);
        return 1;
    }
    if (o->perf)
        measure(o);
    for (int op = 0; op < DIT_OPS && !o->perf; op++)
        if (selected(o, (dit_op_id)op)) {
            failures += run_op(o, (dit_op_id)op);
            ops++;
        }
    if (!o->perf)
        printf("%s: %d ops, %d failures (errors are relative to what is allowed)\n\n", dit_isa_name(o->isa), ops,
               failures);
    fflush(stdout);
    return failures;
}

static int run_in_child(const options *o)
{
    int status = 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(run_isa(o) ? 1 : 0);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 1;
    if (WIFSIGNALED(status))
        printf("FAILED %s: stopped by signal %d\n", dit_isa_name(o->isa), WTERMSIG(status));
    return status != 0;
}

static bool parse(int argc, char **argv, options *o, bool *all)
{
    bool any = false;
    *all = true;
    for (int i = 1; i < argc; i++) {
        bool *mode = !strcmp(argv[i], "test")   ? &o->test
                     : !strcmp(argv[i], "grad") ? &o->grad
                     : !strcmp(argv[i], "self") ? &o->self
                     : !strcmp(argv[i], "perf") ? &o->perf
                                                : NULL;
        if (mode) {
            *mode = any = true;
        } else if (!strcmp(argv[i], "--isa") && i + 1 < argc) {
            const char *name = argv[++i];
            *all = !strcmp(name, "all");
            o->isa = DIT_PORTABLE;
            while (o->isa < DIT_ISAS && !*all && strcmp(name, dit_isa_name(o->isa)) != 0)
                o->isa++;
            if (o->isa == DIT_ISAS)
                return false;
        } else if (argv[i][0] == '-' || o->filter) {
            return false;
        } else {
            o->filter = argv[i];
        }
    }
    if (!any)
        o->test = o->grad = o->self = true;
    return true;
}

int main(int argc, char **argv)
{
    options o = {0};
    bool all;
    if (!parse(argc, argv, &o, &all)) {
        fprintf(stderr, "usage: op_test [test|grad|self|perf] [part of a name] [--isa portable|avx2|avx512|all]\n");
        return 2;
    }
    int failures = 0;
    for (int isa = all ? 0 : (int)o.isa; isa <= (all ? DIT_ISAS - 1 : (int)o.isa); isa++) {
        o.isa = (dit_isa)isa;
        if (dit_cpu_has(o.isa))
            failures += run_in_child(&o);
        else
            printf("%s: this machine cannot run it\n\n", dit_isa_name(o.isa));
    }
    return failures ? 1 : 0;
}
