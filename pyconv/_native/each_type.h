/* Includes TEMPLATE once for each type of sums, with SCALAR, SUFFIX(name) and LANES, the SCALARs of a
   vector: float, double and, with WITH_INTEGERS, uint64_t, for which SCALAR_IS_INTEGER is defined,
   with WITH_SHORTS, int16_t, the same. SCALAR_IS_DOUBLE, SCALAR_IS_UINT64 and SCALAR_IS_INT16 name one. */

#define SCALAR float
#define SUFFIX(name) name##_float
#if STENCIL_VECTOR_BYTES == 64
#define LANES 16
#elif STENCIL_VECTOR_BYTES == 32
#define LANES 8
#else
#define LANES 4
#endif
#include TEMPLATE
#undef SCALAR
#undef SUFFIX
#undef LANES

#if STENCIL_VECTOR_BYTES == 64
#define LANES 8
#elif STENCIL_VECTOR_BYTES == 32
#define LANES 4
#else
#define LANES 2
#endif

#define SCALAR double
#define SUFFIX(name) name##_double
#define SCALAR_IS_DOUBLE
#include TEMPLATE
#undef SCALAR_IS_DOUBLE
#undef SCALAR
#undef SUFFIX

#ifdef WITH_INTEGERS
/* Unsigned, so that sums wrap instead of being undefined; the bits serve both signs. */
#define SCALAR uint64_t
#define SUFFIX(name) name##_uint64
#define SCALAR_IS_INTEGER
#define SCALAR_IS_UINT64
#include TEMPLATE
#undef SCALAR_IS_UINT64
#undef SCALAR_IS_INTEGER
#undef SCALAR
#undef SUFFIX
#undef WITH_INTEGERS
#endif

#undef LANES

#ifdef WITH_SHORTS
#if STENCIL_VECTOR_BYTES == 64
#define LANES 32
#elif STENCIL_VECTOR_BYTES == 32
#define LANES 16
#else
#define LANES 8
#endif
#define SCALAR int16_t
#define SUFFIX(name) name##_int16
#define SCALAR_IS_INTEGER
#define SCALAR_IS_INT16
#include TEMPLATE
#undef SCALAR_IS_INT16
#undef SCALAR_IS_INTEGER
#undef SCALAR
#undef SUFFIX
#undef LANES
#undef WITH_SHORTS
#endif

#undef TEMPLATE
