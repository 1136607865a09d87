// tests/backend/cpu/check.h: cmocka with the standard headers that it needs before it.
#ifndef DIT_TESTS_BACKEND_CPU_CHECK_H
#define DIT_TESTS_BACKEND_CPU_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#endif
