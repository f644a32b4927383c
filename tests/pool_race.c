/* Many callers run regions at once: shares write plain memory, which the caller reads afterwards.
   ThreadSanitizer says whether the pool orders these accesses (test_pool_race.py). */
#include "pool.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CALLERS = 6, REGIONS = 300, SHARES = 7 };

struct region {
    pthread_t caller;
    long given, squares[SHARES];
    int count, helped[SHARES];
};

#ifdef UNORDERED /* a race that must be reported */
static long total;
#endif

static void work(void *data, int share) {
    struct region *r = data;
    struct timespec pause = {0, 20000}; /* so that another thread comes in time */
    nanosleep(&pause, NULL);
    r->helped[share] = !pthread_equal(r->caller, pthread_self());
#ifdef UNORDERED
    total += share;
#endif
    if (share < r->count) r->squares[share] = r->given * r->given + share;
}

static void *call(void *seed) {
    struct region r;
    long wrong = 0, helped = 0;
    for (long k = 0; k < REGIONS; k++) {
        memset(&r, 0, sizeof r);
        r.given = k + *(long *)seed;
        r.caller = pthread_self();
        r.count = 1 + (int)(k % SHARES);
        pool_run(work, &r, r.count);
        for (int s = 0; s < r.count; s++) {
            wrong += r.squares[s] != r.given * r.given + s;
            helped += r.helped[s];
        }
    }
    *(long *)seed = helped;
    return (void *)wrong;
}

int main(void) {
    pthread_t threads[CALLERS];
    long seeds[CALLERS], wrong = 0, helped = 0;
    for (int t = 0; t < CALLERS; t++) {
        seeds[t] = t;
        pthread_create(&threads[t], NULL, call, &seeds[t]);
    }
    for (int t = 0; t < CALLERS; t++) {
        void *result;
        pthread_join(threads[t], &result);
        wrong += (long)result;
        helped += seeds[t];
    }
    printf("%ld shares wrong, %ld by the pool's threads\n", wrong, helped);
    return wrong != 0 || helped == 0;
}
