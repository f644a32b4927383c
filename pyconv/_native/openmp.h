/* What GCC makes of an OpenMP region, on the threads of pool.c instead of the compiler's run-time.
 *
 * GCC turns `prange` into calls of the functions below, which are hidden in the extension that
 * includes this file, so that another OpenMP in the process never meets them. There is no
 * GOMP_barrier, nor anything that waits inside a region: the shares of a region need not run at the
 * same time, as a share is begun only when a thread is free for it. Loops that would need to wait
 * therefore fail to load. */
#include <stdint.h>

#if defined(PYCONV_POOL) && defined(_OPENMP)

/* Cython copies the loop variable into each share before its loop sets it, and GCC guards that copy
 * from the last share, which writes the variable back, with a barrier. Nobody reads the copy. */
#define firstprivate(...)

static void (*pool_run_)(void (*)(void*), void*, int);
static int (*pool_share_)(void);
static int (*pool_shares_)(void);

void GOMP_parallel(void (*function)(void*), void* data, unsigned shares, unsigned flags) {
    (void)flags;
    pool_run_(function, data, (int)shares);
}

int omp_get_thread_num(void) { return pool_share_(); }

int omp_get_num_threads(void) { return pool_shares_(); }

int omp_get_max_threads(void) { return 1; }

/* Say where the functions of pool.h are: one pool serves every extension of the process. */
static void openmp_use_pool(uintptr_t run, uintptr_t share, uintptr_t shares) {
    pool_run_ = (void (*)(void (*)(void*), void*, int))run;
    pool_share_ = (int (*)(void))share;
    pool_shares_ = (int (*)(void))shares;
}
#define PYCONV_USES_POOL 1
#else
static void openmp_use_pool(uintptr_t run, uintptr_t share, uintptr_t shares) {
    (void)run, (void)share, (void)shares;
}
#define PYCONV_USES_POOL 0
#endif
