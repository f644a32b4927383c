/* A pool of threads for shares of work: whoever comes first claims the next share. */
#ifndef PYCONV_POOL_H
#define PYCONV_POOL_H

/* Run `function(data)` once for each of `shares` shares; return when all of them are done.
 *
 * The caller takes shares too, and waits only for those that another thread has begun: a thread
 * that the system does not schedule, or could not create, is done without. Any number of threads
 * may call at once, and a share may call again. */
void pool_run(void (*function)(void* data), void* data, int shares);

/* The number of the share that this thread runs, from 0, and of all shares of its region; 0 and 1
 * outside a region. */
int pool_share(void);
int pool_shares(void);

/* The threads that the pool has created in this process. */
int pool_threads(void);

/* Whether regions run on one thread for a while, because other work has the CPUs. */
int pool_is_careful(void);

#endif
