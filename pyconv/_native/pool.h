/* A pool of threads for shares of work: whoever comes first claims the next share. */
#ifndef PYCONV_POOL_H
#define PYCONV_POOL_H

/* Run `function(data, share)` for each share from 0 to `shares` − 1; return when all of them are done.
 *
 * The caller takes shares too, and waits only for those that another thread has begun: a thread
 * that the system does not schedule, or could not create, is done without. Any number of threads
 * may call at once, and a share may call again. */
void pool_run(void (*function)(void* data, int share), void* data, int shares);

/* The threads that the pool has created in this process. */
int pool_threads(void);

/* Whether regions run on one thread for a while, because other work has the CPUs. */
int pool_is_careful(void);

#endif
