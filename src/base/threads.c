// base/threads.c: how many threads compute.
#include "dit/dit.h"
#include <omp.h>

void dit_set_threads(int threads)
{
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
}
