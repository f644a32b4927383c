/* A place for one block of memory, which threads exchange without a lock. */
#ifndef PYCONV_SPARE_H
#define PYCONV_SPARE_H

#ifdef _MSC_VER
#include <intrin.h>
typedef void *volatile spare_place;

static inline void *spare_exchange(spare_place *place, void *block) {
    return _InterlockedExchangePointer(place, block);
}

/* Leave a block there if nothing is; return whether it was left. */
static inline int spare_leave(spare_place *place, void *block) {
    return _InterlockedCompareExchangePointer(place, block, (void *)0) == (void *)0;
}
#else
typedef void *spare_place;

static inline void *spare_exchange(spare_place *place, void *block) {
    return __atomic_exchange_n(place, block, __ATOMIC_ACQ_REL);
}

/* Leave a block there if nothing is; return whether it was left. */
static inline int spare_leave(spare_place *place, void *block) {
    void *none = (void *)0;
    return __atomic_compare_exchange_n(place, &none, block, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
#endif

#endif
