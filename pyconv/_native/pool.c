/* A pool of threads for shares of work: see pool.h.
 *
 * A region is one call of pool_run: a place in a fixed table, so that a thread that comes late
 * never reads memory of a caller who has gone on. `unclaimed` has a bit for each share that nobody
 * has begun. To clear a bit is to claim the share; only then are the other members read, which the
 * region keeps until all of its shares are done.
 *
 * Threads are created when a region could use them, and never end. They wait on a futex, after a
 * short spin, and so does a caller whose last shares are with others. No lock is held anywhere:
 * a thread that loses its CPU delays nobody but who waits for the share that it has begun.
 *
 * Where that happens the machine is busy with other work. A region that took longer than its caller
 * alone would have taken is followed by regions of one thread, for a multiple of what was lost. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "pool.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

enum {
    MAX_SHARES = 64,            /* of a region at a time: the bits of `unclaimed` */
    MAX_THREADS = 63,
    MAX_REGIONS = 32,           /* at once; a caller beyond them runs its shares alone */
    CACHE_LINE = 128,           /* two of x86, which fetches them in pairs */
    STACK_BYTES = 2 << 20,
};

/* Nanoseconds that an idle thread looks for work before it sleeps: more while calls follow each other
 * so closely that it finds some. It offers its CPU to others all the time, and sleeps as soon as one
 * takes it. To wake a thread took 20 µs, 5 of them of the caller's (Zen 4, KVM). */
static const int64_t MIN_PATIENCE = 20000, MAX_PATIENCE = 2000000;
static const int64_t TAKEN = 50000;     /* without the CPU, which another thread has had meanwhile */
/* Nanoseconds that a caller waits for the end of shares that others have begun before it sleeps. */
static const int64_t SPIN = 50000;
/* Nanoseconds until the system is asked again for a thread that it has refused. */
static const int64_t REFUSAL = 1000000000;
/* Regions run on one thread for so many times what was lost to other work, and for so many
 * nanoseconds at most. Tests set it to 0. */
#ifndef POOL_CAUTION
#define POOL_CAUTION 16
#endif
static const int64_t CAUTION = POOL_CAUTION;
static const int64_t MAX_CAUTION = 250000000;

/* ---- waiting -------------------------------------------------------------------------------- */

/* A number to wait at until it changes. */
struct gate {
    _Atomic uint32_t value;
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
};

#ifdef __linux__
static void gate_wait(struct gate* gate, uint32_t value) {
    syscall(SYS_futex, &gate->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void gate_wake(struct gate* gate) {
    syscall(SYS_futex, &gate->value, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void gate_renew(struct gate* gate) { atomic_store(&gate->value, 0); }
#else
static void gate_wait(struct gate* gate, uint32_t value) {
    pthread_mutex_lock(&gate->mutex);
    while (atomic_load(&gate->value) == value) pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_wake(struct gate* gate) {
    pthread_mutex_lock(&gate->mutex);
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_renew(struct gate* gate) {
    atomic_store(&gate->value, 0);
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
}
#endif

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* How this thread rounds, and whether it flushes subnormal numbers. */
static uint64_t arithmetic(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & ~UINT64_C(0x3f);      /* without what has happened so far */
#elif defined(__aarch64__)
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
#else
    return 0;
#endif
}

static void set_arithmetic(uint64_t control) {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr((unsigned)control);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" :: "r"(control));
#else
    (void)control;
#endif
}

/* How often this thread has lost its CPU to another. */
static long preemptions(void) {
#ifdef RUSAGE_THREAD
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
#else
    return 0;
#endif
}

/* ---- the pool ------------------------------------------------------------------------------- */

struct region {
    _Alignas(CACHE_LINE) _Atomic uint64_t unclaimed;
    void (*function)(void*, int);
    void* data;
    int first, count;                   /* shares first … first + count − 1 are here */
    uint64_t arithmetic;                /* the caller's, for the same bits in every thread */
    _Alignas(CACHE_LINE) struct gate done;      /* shares that are; CALLER_SLEEPS */
    _Atomic int preempted;              /* whether a thread lost its CPU in a share */
};
static const uint32_t CALLER_SLEEPS = 1u << 31;

struct thread {
    _Alignas(CACHE_LINE) struct gate asleep;    /* 1 until it is woken */
#ifdef __linux__
    _Atomic int cpu;        /* where it looked for work last */
    _Atomic int sent;       /* whether it may not run on a caller's CPU until it has begun */
    cpu_set_t allowed;      /* where it may run then */
#endif
    int id;                 /* the system's */
};

static struct region regions[MAX_REGIONS];
static struct thread threads[MAX_THREADS + 1];  /* from 1: share 0 is the caller's */
static _Alignas(CACHE_LINE) _Atomic uint32_t open_regions;      /* a bit each */
static _Alignas(CACHE_LINE) _Atomic uint64_t sleeping;          /* a bit for each thread */
static _Atomic uint64_t looking;                /* a bit for each thread that looks for work */
static _Alignas(CACHE_LINE) _Atomic int created;
static _Atomic int creating;                    /* whether a caller is creating threads */
static _Atomic int64_t refused_until, careful_until;

int pool_is_careful(void) {
    const int64_t until = atomic_load_explicit(&careful_until, memory_order_relaxed);
    return until && now() < until;
}

int pool_threads(void) { return atomic_load(&created); }

/* Claim a share, `wanted` if it is left; return −1 if none is. */
static int claim(struct region* r, int wanted) {
    uint64_t left = atomic_load(&r->unclaimed);
    while (left) {
        const int share = left >> wanted & 1 ? wanted : __builtin_ctzll(left);
        if (atomic_compare_exchange_weak(&r->unclaimed, &left, left & ~(UINT64_C(1) << share)))
            return share;
    }
    return -1;
}

/* Claim the last share that is left: the thread whose it is has the furthest to come. */
static int claim_last(struct region* r) {
    const uint64_t left = atomic_load(&r->unclaimed);
    return left ? claim(r, 63 - __builtin_clzll(left)) : -1;
}

/* ---- threads of the pool -------------------------------------------------------------------- */

static int is_work_left(void) {
    for (uint32_t open = atomic_load(&open_regions); open; open &= open - 1)
        if (atomic_load(&regions[__builtin_ctz(open)].unclaimed)) return 1;
    return 0;
}

/* Run one share; return whether there was one. */
static int help(int self, long* lost) {
    for (uint32_t open = atomic_load(&open_regions); open; open &= open - 1) {
        struct region* r = &regions[__builtin_ctz(open)];
        const int share = claim(r, self);
        if (share < 0) continue;
        const uint32_t count = (uint32_t)r->count;
        if (arithmetic() != r->arithmetic) set_arithmetic(r->arithmetic);
        r->function(r->data, r->first + share);
        const long lost_now = preemptions();
        if (lost_now != *lost) atomic_store_explicit(&r->preempted, 1, memory_order_relaxed);
        *lost = lost_now;
        if (atomic_fetch_add(&r->done.value, 1) + 1 == (count | CALLER_SLEEPS))
            gate_wake(&r->done);
        return 1;
    }
    return 0;
}

/* A system that takes a halted CPU of a virtual machine for a busy one may put a thread that is woken
 * on its caller's CPU, where it waits for the caller's share: calls of 0.7 ms had ended before their
 * second thread began. A caller keeps the threads that it needs away from its own CPU until they run. */
#ifdef __linux__
enum { HERE, BEING_SENT, SENT };

static void note_place(struct thread* t) {
    atomic_store_explicit(&t->cpu, sched_getcpu(), memory_order_relaxed);
}

static int is_at(struct thread* t, int cpu) {
    return atomic_load_explicit(&t->cpu, memory_order_relaxed) == cpu;
}

static void send_elsewhere(struct thread* t, int here) {
    int place = HERE;
    if (here < 0 || here >= CPU_SETSIZE
        || !atomic_compare_exchange_strong(&t->sent, &place, BEING_SENT))
        return;
    place = HERE;
    if (!sched_getaffinity(t->id, sizeof t->allowed, &t->allowed)) {
        cpu_set_t others = t->allowed;
        CPU_CLR(here, &others);
        if (CPU_COUNT(&others) && !sched_setaffinity(t->id, sizeof others, &others)) place = SENT;
    }
    atomic_store(&t->sent, place);
}

/* The thread may run everywhere again that it might before. */
static void settle(struct thread* t) {
    if (atomic_load(&t->sent) != SENT) return;
    sched_setaffinity(0, sizeof t->allowed, &t->allowed);
    atomic_store(&t->sent, HERE);
}

static pid_t thread_id(void) { return (pid_t)syscall(SYS_gettid); }
static int current_cpu(void) { return sched_getcpu(); }
#else
static void note_place(struct thread* t) { (void)t; }
static void send_elsewhere(struct thread* t, int here) { (void)t; (void)here; }
static void settle(struct thread* t) { (void)t; }
static int is_at(struct thread* t, int cpu) { (void)t; (void)cpu; return 0; }
static int thread_id(void) { return 0; }
static int current_cpu(void) { return -1; }
#endif

/* Look for work for a while; return whether there is some. */
static int look(int self, int64_t* patience) {
    const int64_t start = now();
    const uint64_t bit = UINT64_C(1) << self;
    struct thread* t = &threads[self];
    int found = 0;
    if (start < atomic_load_explicit(&careful_until, memory_order_relaxed)) return 0;
    atomic_fetch_or(&looking, bit);
    for (int64_t before = start; !(found = is_work_left());) {
        note_place(t);
        for (int i = 0; i < 8; i++) relax();
        sched_yield();
        const int64_t time = now();
        if (time - before > TAKEN) *patience = MIN_PATIENCE;
        if (time - start > *patience) break;
        before = time;
    }
    atomic_fetch_and(&looking, ~bit);
    settle(t);
    return found;
}

static void sleep_until_woken(int self) {
    struct gate* asleep = &threads[self].asleep;
    const uint64_t bit = UINT64_C(1) << self;
    atomic_store(&asleep->value, 1);
    atomic_fetch_or(&sleeping, bit);
    settle(&threads[self]);     /* sent by a caller that saw it look a moment too late */
    /* A caller either sees the bit or has published its shares before. */
    if (!is_work_left())
        while (atomic_load(&asleep->value)) gate_wait(asleep, 1);
    atomic_fetch_and(&sleeping, ~bit);
    settle(&threads[self]);
}

static void* work(void* index) {
    const int self = (int)(intptr_t)index;
    threads[self].id = thread_id();
    long lost = preemptions();
    int64_t patience = MIN_PATIENCE;
    for (;;) {
        while (help(self, &lost)) {}
        const int64_t idle_from = now();
        if (look(self, &patience)) continue;
        sleep_until_woken(self);
        patience = now() - idle_from < MAX_PATIENCE ? MAX_PATIENCE : MIN_PATIENCE;
        lost = preemptions();
    }
    return NULL;
}

/* ---- callers -------------------------------------------------------------------------------- */

/* A forked child has none of the threads, and the regions of the parent's are nobody's. */
static void forget(void) {
    atomic_store(&open_regions, 0);
    atomic_store(&sleeping, 0);
    atomic_store(&looking, 0);
    atomic_store(&created, 0);
    atomic_store(&creating, 0);
    atomic_store(&refused_until, 0);
    atomic_store(&careful_until, 0);
    for (int i = 0; i < MAX_REGIONS; i++) {
        atomic_store(&regions[i].unclaimed, 0);
        gate_renew(&regions[i].done);
    }
    for (int i = 0; i <= MAX_THREADS; i++) {
        gate_renew(&threads[i].asleep);
#ifdef __linux__
        atomic_store(&threads[i].sent, 0);
#endif
    }
}

static int prepare(void) {
    static _Atomic int prepared;        /* 1 while somebody does, then 2 */
    int none = 0;
    if (atomic_load(&prepared) == 2) return 1;
    if (!atomic_compare_exchange_strong(&prepared, &none, 1)) return 0;
    forget();
    const int failed = pthread_atfork(NULL, NULL, forget);
    atomic_store(&prepared, failed ? 0 : 2);
    return !failed;
}

/* The CPUs that a thread of this one may run on; 2 of one, so that the pool is used at all. */
static int cpus(void) {
#ifdef POOL_CPUS        /* of a test */
    return POOL_CPUS;
#endif
#ifdef __linux__
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) ? 0 : CPU_COUNT(&set);
    if (n) return n < 2 ? 2 : n;
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 2 ? 2 : online > INT_MAX ? INT_MAX : (int)online;
}

static int start_thread(int index) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes)) return 0;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* Signals are for the threads of the process, but for those that a share itself raises. */
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, &attributes, work, (void*)(intptr_t)index);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

static void create_threads(int wanted) {
    if (now() < atomic_load_explicit(&refused_until, memory_order_relaxed)) return;
    if (atomic_exchange(&creating, 1)) return;
    const int possible = cpus() - 1;
    const int most = wanted < possible ? wanted : possible;
    int n = atomic_load(&created);
    while (n < most && start_thread(n + 1)) atomic_store(&created, ++n);
    if (n < wanted) atomic_store(&refused_until, now() + REFUSAL);
    atomic_store(&creating, 0);
}

/* Wake threads for so many shares, or create them. */
static void call_threads(int wanted) {
    const int here = current_cpu();
    int missing = wanted;
    for (uint64_t awake = atomic_load(&looking); awake && missing > 0; awake &= awake - 1) {
        struct thread* t = &threads[__builtin_ctzll(awake)];
        if (is_at(t, here)) send_elsewhere(t, here);
        missing--;
    }
    for (uint64_t idle = atomic_load(&sleeping); idle && missing > 0; idle &= idle - 1) {
        const uint64_t bit = idle & -idle;
        struct thread* t = &threads[__builtin_ctzll(idle)];
        if (!(atomic_fetch_and(&sleeping, ~bit) & bit)) continue;
        send_elsewhere(t, here);
        atomic_store(&t->asleep.value, 0);
        gate_wake(&t->asleep);
        missing--;
    }
    if (missing > 0 && atomic_load(&created) < wanted) create_threads(wanted);
}

static struct region* open_region(void) {
    for (;;) {
        const uint32_t free_ = ~atomic_load(&open_regions);
        if (!free_) return NULL;
        const uint32_t bit = free_ & -free_;
        if (!(atomic_fetch_or(&open_regions, bit) & bit)) return &regions[__builtin_ctz(bit)];
    }
}

static void close_region(struct region* r) {
    atomic_fetch_and(&open_regions, ~(UINT32_C(1) << (r - regions)));
}

/* Wait for the shares that others have begun, of which the caller has run `own`. */
static void wait_for_others(struct region* r, int own, int64_t start) {
    const uint32_t count = (uint32_t)r->count;
    struct gate* done = &r->done;
    uint32_t value = atomic_fetch_add(&done->value, (uint32_t)own) + (uint32_t)own;
    if (value == count) return;
    const int64_t ready = now();
    while ((value = atomic_load(&done->value)) != count) {
        if (now() - ready > SPIN) break;
        for (int i = 0; i < 4; i++) relax();
    }
    if (value == count) return;
    value = atomic_fetch_or(&done->value, CALLER_SLEEPS) | CALLER_SLEEPS;
    while (value != (count | CALLER_SLEEPS)) {
        gate_wait(done, value);
        value = atomic_load(&done->value);
    }
    const int64_t end = now(), alone = (ready - start) * (int64_t)count / own;
    const int64_t lost = end - start - alone;
    if (lost < alone && !atomic_load_explicit(&r->preempted, memory_order_relaxed)) return;
    int64_t caution = CAUTION * lost;
    if (caution > MAX_CAUTION) caution = MAX_CAUTION;
    if (caution > 0) atomic_store_explicit(&careful_until, end + caution, memory_order_relaxed);
}

static void run_region(void (*function)(void*, int), void* data, int first, int count) {
    const int64_t start = now();
    struct region* r = NULL;
    if (count > 1 && start >= atomic_load_explicit(&careful_until, memory_order_relaxed)
        && prepare())
        r = open_region();
    if (!r) {
        for (int share = first; share < first + count; share++) function(data, share);
        return;
    }
    r->function = function;
    r->data = data;
    r->first = first;
    r->count = count;
    r->arithmetic = arithmetic();
    atomic_store_explicit(&r->preempted, 0, memory_order_relaxed);
    atomic_store_explicit(&r->done.value, 0, memory_order_relaxed);
    atomic_store(&r->unclaimed, (~UINT64_C(0) >> (MAX_SHARES - count)) & ~UINT64_C(1));
    call_threads(count - 1);
    int own = 0;
    for (int share = 0; share >= 0; share = claim_last(r), own++)
        function(data, first + share);
    wait_for_others(r, own, start);
    close_region(r);
}

void pool_run(void (*function)(void*, int), void* data, int shares) {
    for (int first = 0; first < shares; first += MAX_SHARES)
        run_region(function, data, first,
                   shares - first < MAX_SHARES ? shares - first : MAX_SHARES);
}
