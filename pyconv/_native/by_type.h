/* The function, or the table of functions, of the type that p points to: OF_REAL(p, f) is f_float if
   that is float. So the loops name each function once, and the compiler checks its arguments. */
#pragma once
#include <stdint.h>

#define OF_REAL(p, name) _Generic(*(p), float: name##_float, double: name##_double)
#define OF_SUMS(p, name) \
    _Generic(*(p), float: name##_float, double: name##_double, uint64_t: name##_uint64)
#define OF_TILE(p, name)            \
    _Generic(*(p),                  \
        float: name##_float,        \
        double: name##_double,      \
        uint64_t: name##_uint64,    \
        int16_t: name##_int16)
