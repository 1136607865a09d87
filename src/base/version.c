// base/version.c: the version, which CMakeLists.txt holds.
#include "dit/dit.h"

const char *dit_version(void)
{
    return DIT_VERSION;
}
