/* One row of samples between an array's dtype and the dtype of the sums.

   load:  sums[i] = (sum type) array[i·stride]     stride in bytes
   emit:  array[i·stride] = (array type) sums[i]   where that is an integer: rounded half to even,
                                                   and wrapped or clipped if it cannot hold it
   The dtype is a code of the enum below; functions are found in tables by code. */
#pragma once
#include "restrict.h"
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* X(code, C type, least and greatest value) */
#define ROWS_INTEGERS(X)                                                                     \
    X(ROW_INT8, int8_t, INT8_MIN, INT8_MAX)                                                  \
    X(ROW_UINT8, uint8_t, 0, UINT8_MAX)                                                      \
    X(ROW_INT16, int16_t, INT16_MIN, INT16_MAX)                                              \
    X(ROW_UINT16, uint16_t, 0, UINT16_MAX)                                                   \
    X(ROW_INT32, int32_t, INT32_MIN, INT32_MAX)                                              \
    X(ROW_UINT32, uint32_t, 0, UINT32_MAX)                                                   \
    X(ROW_INT64, int64_t, INT64_MIN, INT64_MAX)                                              \
    X(ROW_UINT64, uint64_t, 0, UINT64_MAX)
#define ROWS_FLOATS(X) X(ROW_FLOAT, float, 0, 0) X(ROW_DOUBLE, double, 0, 0)
#define ROWS_TYPES(X) ROWS_INTEGERS(X) ROWS_FLOATS(X)

#define ROWS_CODE(code, type, least, greatest) code,
enum row_type { ROWS_TYPES(ROWS_CODE) ROW_TYPES };
#undef ROWS_CODE

typedef void (*row_load)(const char *array, ptrdiff_t stride, ptrdiff_t n, void *sums);
typedef void (*row_emit)(const void *sums, ptrdiff_t n, char *array, ptrdiff_t stride);

/* Rows that are contiguous, or every 2nd to 4th sample, are loops that vectorise; their samples
   are aligned. Other elements are read byte by byte. */
#define ROWS_LOAD_EVERY(step, LOOP, array_type, sum_type)                                    \
    if (stride == (step) * (ptrdiff_t)sizeof(array_type)) {                                  \
        const array_type *RESTRICT in = (const array_type *)array;                           \
        LOOP for (ptrdiff_t i = 0; i < n; i++) out[i] = (sum_type)in[(step) * i];            \
        return;                                                                              \
    }
#define ROWS_LOAD(array_type, sum_type)                                                      \
    static void load_##array_type##_##sum_type(const char *array, ptrdiff_t stride,          \
                                               ptrdiff_t n, void *sums) {                    \
        sum_type *RESTRICT out = (sum_type *)sums;                                           \
        ROWS_LOAD_EVERY(1, ROW_LOOP, array_type, sum_type)                                   \
        ROWS_LOAD_EVERY(2, STRIDED_ROW_LOOP, array_type, sum_type)                           \
        ROWS_LOAD_EVERY(3, STRIDED_ROW_LOOP, array_type, sum_type)                           \
        ROWS_LOAD_EVERY(4, STRIDED_ROW_LOOP, array_type, sum_type)                           \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            array_type v;                                                                    \
            memcpy(&v, array + i * stride, sizeof v);                                        \
            out[i] = (sum_type)v;                                                            \
        }                                                                                    \
    }
#define ROWS_LOAD_FLOAT(code, type, least, greatest) ROWS_LOAD(type, float)
#define ROWS_LOAD_DOUBLE(code, type, least, greatest) ROWS_LOAD(type, double)
#define ROWS_LOAD_UINT64(code, type, least, greatest) ROWS_LOAD(type, uint64_t)
#define ROWS_LOAD_INT16(code, type, least, greatest) ROWS_LOAD(type, int16_t)
ROWS_TYPES(ROWS_LOAD_FLOAT)
ROWS_TYPES(ROWS_LOAD_DOUBLE)
ROWS_INTEGERS(ROWS_LOAD_UINT64)
ROWS_INTEGERS(ROWS_LOAD_INT16)

#define ROWS_LOAD_FLOAT_ENTRY(code, type, least, greatest) load_##type##_float,
#define ROWS_LOAD_DOUBLE_ENTRY(code, type, least, greatest) load_##type##_double,
#define ROWS_LOAD_UINT64_ENTRY(code, type, least, greatest) load_##type##_uint64_t,
#define ROWS_LOAD_INT16_ENTRY(code, type, least, greatest) load_##type##_int16_t,
static const row_load row_loads_float[] = {ROWS_TYPES(ROWS_LOAD_FLOAT_ENTRY)};
static const row_load row_loads_double[] = {ROWS_TYPES(ROWS_LOAD_DOUBLE_ENTRY)};
static const row_load row_loads_uint64[] = {ROWS_INTEGERS(ROWS_LOAD_UINT64_ENTRY)};
static const row_load row_loads_int16[] = {ROWS_INTEGERS(ROWS_LOAD_INT16_ENTRY)};

#define ROWS_EMIT(name, array_type, sum_type, convert)                                       \
    static void name(const void *sums, ptrdiff_t n, char *array, ptrdiff_t stride) {         \
        const sum_type *RESTRICT in = (const sum_type *)sums;                                \
        if (stride == (ptrdiff_t)sizeof(array_type)) {                                       \
            array_type *RESTRICT out = (array_type *)array;                                  \
            for (ptrdiff_t i = 0; i < n; i++) out[i] = convert(in[i]);                       \
        } else {                                                                             \
            for (ptrdiff_t i = 0; i < n; i++) {                                              \
                array_type v = convert(in[i]);                                               \
                memcpy(array + i * stride, &v, sizeof v);                                    \
            }                                                                                \
        }                                                                                    \
    }
/* A sum that fits the type `whole` wraps by conversion or is clipped to the array type's range,
   which may lie within that of `whole`. */
#define ROWS_WITHIN(whole, least, greatest)                                                  \
    ((whole)(greatest) > 0 && (uint64_t)(whole)(greatest) == (uint64_t)(greatest) &&         \
     (int64_t)(whole)(least) == (int64_t)(least) && ((least) == 0 || (whole)-1 < 0))
#define ROWS_EMIT_INTEGER(type, least, greatest, sum, sum_type, whole, rounded)              \
    static inline type wrap_##sum##_##type(sum_type v) { return (type)(whole)rounded(v); }   \
    static inline type clip_##sum##_##type(sum_type v) {                                     \
        const whole i = (whole)rounded(v);                                                   \
        if (ROWS_WITHIN(whole, least, greatest)) {                                           \
            const whole high = i < (whole)(least) ? (whole)(least) : i;                      \
            return (type)(high > (whole)(greatest) ? (whole)(greatest) : high);              \
        }                                                                                    \
        if (i < 0 && (int64_t)i < (int64_t)(least)) return (type)(least);                    \
        if (i > 0 && (uint64_t)i > (uint64_t)(greatest)) return (type)(greatest);            \
        return (type)i;                                                                      \
    }                                                                                        \
    ROWS_EMIT(emit_wrap_##sum##_##type, type, sum_type, wrap_##sum##_##type)                 \
    ROWS_EMIT(emit_clip_##sum##_##type, type, sum_type, clip_##sum##_##type)
#define AS_IT_IS(v) (v)

/* Rounding half to even, as the processor rounds. SSE2 has no instruction for it: there a number
   of less than 2^(digits − 1) loses its fraction when that is added, and others have none. */
#if (defined(__x86_64__) || defined(_M_X64)) && !defined(__SSE4_1__)
#define ROWS_ROUNDED(real, power, magnitude, sign)                                           \
    static inline real rounded_##real(real v) {                                              \
        const real far = sign((real)power, v);                                               \
        return magnitude(v) < (real)power ? (v + far) - far : v;                             \
    }
#else
#define ROWS_ROUNDED(real, power, magnitude, sign)                                           \
    static inline real rounded_##real(real v) {                                              \
        return sizeof v == sizeof(float) ? (real)nearbyintf((float)v) : (real)nearbyint(v);  \
    }
#endif
ROWS_ROUNDED(float, 8388608.0, fabsf, copysignf)
ROWS_ROUNDED(double, 4503599627370496.0, fabs, copysign)

/* Whether all of a row are less than a power of two, whose bits are `limit`: a comparison of
   exponents, which no NaN passes. */
#define ROWS_NEAR(real, bits, limit)                                                         \
    static inline int near_##real(const void *sums, ptrdiff_t n) {                           \
        const real *in = (const real *)sums;                                                 \
        bits largest = 0;                                                                    \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            bits magnitude;                                                                  \
            memcpy(&magnitude, in + i, sizeof magnitude);                                    \
            magnitude <<= 1;                                                                 \
            if (magnitude > largest) largest = magnitude;                                    \
        }                                                                                    \
        return largest < (bits)(limit) << 1;                                                 \
    }
ROWS_NEAR(float, uint32_t, 0x4f000000)          /* 2^31 */
ROWS_NEAR(double, uint64_t, 0x43e0000000000000) /* 2^63 */

/* Sums that fit no `whole`, NaN among them, which becomes 0: one by one. What wraps does so modulo
   2^64, and infinity becomes 0. */
#define TWO_63 9223372036854775808.0
static inline int64_t wrapped_far(double v) {
    if (!(fabs(v) <= DBL_MAX)) return 0;
    v = fmod(v, 2 * TWO_63);
    if (v >= TWO_63) v -= 2 * TWO_63;
    if (v < -TWO_63) v += 2 * TWO_63;
    return (int64_t)v;
}
#define ROWS_EMIT_FAR(type, least, greatest, real, policy, convert)                          \
    static void emit_##policy##_##real##_##type(const void *sums, ptrdiff_t n, char *array,  \
                                                ptrdiff_t stride) {                          \
        const real *in = (const real *)sums;                                                 \
        if (near_##real(sums, n)) {                                                          \
            emit_##policy##_near_##real##_##type(sums, n, array, stride);                    \
            return;                                                                          \
        }                                                                                    \
        for (ptrdiff_t i = 0; i < n; i++) {                                                  \
            const double v = rounded_##real(in[i]);                                          \
            const type y = convert(v, type, least, greatest);                                \
            memcpy(array + i * stride, &y, sizeof y);                                        \
        }                                                                                    \
    }
#define WRAPPED_FAR(v, type, least, greatest) (type) wrapped_far(v)
#define CLIPPED_FAR(v, type, least, greatest)                                                \
    ((v) != (v)                      ? (type)0                                               \
     : (v) <= (double)(least)        ? (type)(least)                                         \
     : (v) >= (double)(greatest)     ? (type)(greatest)                                      \
                                     : (type)(v))
#define ROWS_EMIT_REAL(type, least, greatest, real, whole)                                   \
    ROWS_EMIT_INTEGER(type, least, greatest, near_##real, real, whole, rounded_##real)       \
    ROWS_EMIT_FAR(type, least, greatest, real, wrap, WRAPPED_FAR)                            \
    ROWS_EMIT_FAR(type, least, greatest, real, clip, CLIPPED_FAR)
#define ROWS_EMIT_FLOAT(type, sum, sum_type)                                                 \
    static inline type cast_##sum##_##type(sum_type v) { return (type)v; }                   \
    ROWS_EMIT(emit_wrap_##sum##_##type, type, sum_type, cast_##sum##_##type)

#define FROM_FLOAT(code, type, least, greatest)                                              \
    ROWS_EMIT_REAL(type, least, greatest, float, int32_t)
#define FROM_DOUBLE(code, type, least, greatest)                                             \
    ROWS_EMIT_REAL(type, least, greatest, double, int64_t)
#define FROM_INT64(code, type, least, greatest)                                              \
    ROWS_EMIT_INTEGER(type, least, greatest, int64, int64_t, int64_t, AS_IT_IS)
#define FROM_UINT64(code, type, least, greatest)                                             \
    ROWS_EMIT_INTEGER(type, least, greatest, uint64, uint64_t, uint64_t, AS_IT_IS)
#define FROM_INT16(code, type, least, greatest)                                              \
    ROWS_EMIT_INTEGER(type, least, greatest, int16, int16_t, int16_t, AS_IT_IS)
ROWS_INTEGERS(FROM_FLOAT)
ROWS_INTEGERS(FROM_DOUBLE)
ROWS_INTEGERS(FROM_INT64)
ROWS_INTEGERS(FROM_UINT64)
ROWS_INTEGERS(FROM_INT16)
#define FLOATS_FROM_ALL(code, type, least, greatest)                                         \
    ROWS_EMIT_FLOAT(type, float, float)                                                      \
    ROWS_EMIT_FLOAT(type, double, double)                                                    \
    ROWS_EMIT_FLOAT(type, int64, int64_t)                                                    \
    ROWS_EMIT_FLOAT(type, uint64, uint64_t)                                                  \
    ROWS_EMIT_FLOAT(type, int16, int16_t)
ROWS_FLOATS(FLOATS_FROM_ALL)

/* row_emits[sums][clip][array]; floats have nothing to clip. */
enum row_sums { SUMS_FLOAT, SUMS_DOUBLE, SUMS_INT64, SUMS_UINT64, SUMS_INT16, ROW_SUMS };
#define WRAP_FLOAT(code, type, least, greatest) emit_wrap_float_##type,
#define WRAP_DOUBLE(code, type, least, greatest) emit_wrap_double_##type,
#define WRAP_INT64(code, type, least, greatest) emit_wrap_int64_##type,
#define WRAP_UINT64(code, type, least, greatest) emit_wrap_uint64_##type,
#define WRAP_INT16(code, type, least, greatest) emit_wrap_int16_##type,
#define CLIP_FLOAT(code, type, least, greatest) emit_clip_float_##type,
#define CLIP_DOUBLE(code, type, least, greatest) emit_clip_double_##type,
#define CLIP_INT64(code, type, least, greatest) emit_clip_int64_##type,
#define CLIP_UINT64(code, type, least, greatest) emit_clip_uint64_##type,
#define CLIP_INT16(code, type, least, greatest) emit_clip_int16_##type,
static const row_emit row_emits[ROW_SUMS][2][ROW_TYPES] = {
    {{ROWS_TYPES(WRAP_FLOAT)}, {ROWS_INTEGERS(CLIP_FLOAT) ROWS_FLOATS(WRAP_FLOAT)}},
    {{ROWS_TYPES(WRAP_DOUBLE)}, {ROWS_INTEGERS(CLIP_DOUBLE) ROWS_FLOATS(WRAP_DOUBLE)}},
    {{ROWS_TYPES(WRAP_INT64)}, {ROWS_INTEGERS(CLIP_INT64) ROWS_FLOATS(WRAP_INT64)}},
    {{ROWS_TYPES(WRAP_UINT64)}, {ROWS_INTEGERS(CLIP_UINT64) ROWS_FLOATS(WRAP_UINT64)}},
    {{ROWS_TYPES(WRAP_INT16)}, {ROWS_INTEGERS(CLIP_INT16) ROWS_FLOATS(WRAP_INT16)}},
};

/* The same from double, but cut towards zero; the sums fit 64 bits. */
#define ROWS_CUT(code, type, least, greatest)                                                \
    static inline type cut_##type(double v) { return (type)(int64_t)v; }                     \
    ROWS_EMIT(emit_cut_##type, type, double, cut_##type)
#define ROWS_CUT_ENTRY(code, type, least, greatest) emit_cut_##type,
ROWS_INTEGERS(ROWS_CUT)
static const row_emit row_cuts[] = {ROWS_INTEGERS(ROWS_CUT_ENTRY)};
