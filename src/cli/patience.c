// cli/patience.c: shorter spinning of waiting threads.
#include "cli/patience.h"
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

void shorten_spinning(char **argv)
{
    char program[PATH_MAX];
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    // The file's own name rather than /proc/self/exe, so that `ps` and `top` go on saying "dit".
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return;
    program[n] = 0;
    if (setenv("GOMP_SPINCOUNT", "10000", 1) == 0) // turns of about 10 ns
        execv(program, argv);
}
