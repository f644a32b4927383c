/* Many callers of the pool at once, regions inside regions, and forks meanwhile: pool_stress ROUNDS
 * FORKS. Nothing is printed but what there was; a wrong share aborts. ThreadSanitizer sees the rest:
 * shares write without locks what their caller reads. */
#include "pool.h"

#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLERS = 6, SHARES = 100 };

struct job {
    int shares, depth;
    double third;               /* as the caller rounds it */
    int share[SHARES];          /* written by the shares without locks, read by the caller */
};

static double third(void) {
    const volatile double one = 1, three = 3;
    return one / three;
}

static void run_share(void* data, int share) {
    struct job* job = data;
    if (share >= job->shares || third() != job->third) abort();
    for (volatile int i = 0; i < 200 * (share % 5); i++) {}
    if (job->depth) {
        struct job inner = {.shares = 1 + share % 4, .third = job->third};
        pool_run(run_share, &inner, inner.shares);
        for (int i = 0; i < inner.shares; i++) if (inner.share[i] != 1) abort();
    }
    job->share[share]++;
}

static int rounds, forks;

/* A child has the pool of its own, whatever the threads of its parent were doing. */
static void fork_and_run(void) {
    const pid_t child = fork();
    int status = 0;
    if (child == 0) {
        struct job job = {.shares = 4, .third = third()};
        for (int i = 0; i < 10; i++) pool_run(run_share, &job, job.shares);
        _exit(job.share[0] == 10 && job.share[3] == 10 && pool_threads() ? 0 : 1);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || status) abort();
}

static void* call(void* seed) {
    unsigned state = (unsigned)(size_t)seed;
    fesetround(state % 2 ? FE_UPWARD : FE_TONEAREST);
    for (int i = 0; i < rounds; i++) {
        struct job job;
        memset(&job, 0, sizeof job);
        job.shares = i % 100 == 0 ? SHARES : 1 + rand_r(&state) % 6;
        job.depth = rand_r(&state) % 8 == 0;
        job.third = third();
        pool_run(run_share, &job, job.shares);
        for (int k = 0; k < SHARES; k++) if (job.share[k] != (k < job.shares)) abort();
        if (rand_r(&state) % 64 == 0) usleep(100);
        if (seed == NULL && i < forks) fork_and_run();
    }
    return NULL;
}

/* A region is done while the threads of the pool are held in shares of another. */
static _Atomic int released;

static void wait_for_release(void* data, int share) {
    (void)data;
    if (share) while (!released) usleep(100);
}

static void* hold_threads(void* data) {
    pool_run(wait_for_release, data, 64);
    return NULL;
}

static void run_beside_held_threads(void) {
    struct job job = {.shares = 64, .third = third()};
    pthread_t holder;
    if (pthread_create(&holder, NULL, hold_threads, NULL)) abort();
    usleep(50000);
    pool_run(run_share, &job, job.shares);
    for (int k = 0; k < job.shares; k++) if (job.share[k] != 1) abort();
    released = 1;
    pthread_join(holder, NULL);
}

int main(int argc, char** argv) {
    pthread_t callers[CALLERS];
    rounds = argc > 1 ? atoi(argv[1]) : 2000;
    forks = argc > 2 ? atoi(argv[2]) : 0;
    for (size_t i = 0; i < CALLERS; i++)
        if (pthread_create(&callers[i], NULL, call, (void*)i)) abort();
    for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], NULL);
    run_beside_held_threads();
    printf("%d threads of the pool, %d callers, %d regions each\n", pool_threads(), CALLERS, rounds);
    return 0;
}
