/* Shares of work on the threads of pool.c, which every compiler with POSIX threads can use, or else on
 * those of the compiler's OpenMP; without either the caller runs them one after the other. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Runs one share, and returns a count of what the caller wants to know. */
typedef ptrdiff_t (*share_function)(const void* data, int share);

#ifdef PYCONV_POOL
typedef void (*pool_run_function)(void (*)(void*, int), void*, int);
static pool_run_function pool_run_;

/* Say where `pool_run` is: one pool serves every extension of the process. */
static void shares_use_pool(uintptr_t run) { pool_run_ = (pool_run_function)run; }

typedef struct {
    share_function function;
    const void* data;
    ptrdiff_t count;
} counted_shares;

static void run_counted_share(void* shares, int share) {
    counted_shares* all = shares;
    const ptrdiff_t count = all->function(all->data, share);
    if (count) __atomic_fetch_add(&all->count, count, __ATOMIC_RELAXED);
}

/* Run shares 0 … n − 1, in any order; return the sum of their counts. No share waits for another:
 * they need not run at the same time. */
static ptrdiff_t run_shares(share_function function, const void* data, int n) {
    counted_shares all = {function, data, 0};
    pool_run_(run_counted_share, &all, n);
    return __atomic_load_n(&all.count, __ATOMIC_RELAXED);
}
#define PYCONV_USES_POOL 1
#else
static void shares_use_pool(uintptr_t run) { (void)run; }

static ptrdiff_t run_shares(share_function function, const void* data, int n) {
    ptrdiff_t count = 0;
    int share;
#ifdef _OPENMP
#pragma omp parallel for num_threads(n) schedule(static) reduction(+ : count)
#endif
    for (share = 0; share < n; share++) count += function(data, share);
    return count;
}
#define PYCONV_USES_POOL 0
#endif
