/*
 * Faults inside a gate process, loaded with LD_PRELOAD: a clock that is off, a disk that is slow, full or broken.
 *
 * The chaos program writes the numbers below into a file that this library maps, so they change while the
 * process runs. Only files under CHAOS_STATE are touched; the process's own output is not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    /* Written by the chaos program. */
    int64_t clock_ns;    /* added to the wall clock; the monotonic clock is not touched */
    int64_t sync_us;     /* each fsync of a state file takes this much longer */
    int64_t write_errno; /* each write to a state file fails with this; 0 is no fault */
    int64_t sync_errno;  /* the same for fsync */
    /* Counted here, so that a fault that met nothing is not reported as one. */
    int64_t syncs_slowed;
    int64_t writes_failed;
    int64_t syncs_failed;
};

static volatile struct control *control;
static const char *state;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("CHAOS_CONTROL");
    state = getenv("CHAOS_STATE");
    if (!path || !state)
        return;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        control = map;
}

/* Looked up at the first call: the linker resolves every later one to the same function. */
#define REAL(type, name) \
    static type real; \
    if (!real) \
        real = (type)dlsym(RTLD_NEXT, name)

static int is_state_file(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, state, strlen(state)) == 0;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    typedef int (*fn)(clockid_t, struct timespec *);
    REAL(fn, "clock_gettime");
    int done = real(id, ts);
    if (done == 0 && control && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = (int64_t)ts->tv_nsec + control->clock_ns % 1000000000;
        ts->tv_sec += control->clock_ns / 1000000000;
        if (ns < 0) {
            ns += 1000000000;
            ts->tv_sec -= 1;
        } else if (ns >= 1000000000) {
            ns -= 1000000000;
            ts->tv_sec += 1;
        }
        ts->tv_nsec = (long)ns;
    }
    return done;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    struct timespec ts;
    int done = clock_gettime(CLOCK_REALTIME, &ts);
    if (done == 0) {
        tv->tv_sec = ts.tv_sec;
        tv->tv_usec = ts.tv_nsec / 1000;
    }
    return done;
}

time_t time(time_t *out)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return (time_t)-1;
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

/* True when this write must fail; errno is set. */
static int write_fails(int fd)
{
    if (!control || control->write_errno == 0 || !is_state_file(fd))
        return 0;
    __atomic_add_fetch(&control->writes_failed, 1, __ATOMIC_RELAXED);
    errno = (int)control->write_errno;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    typedef ssize_t (*fn)(int, const void *, size_t);
    REAL(fn, "write");
    return write_fails(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    typedef ssize_t (*fn)(int, const void *, size_t, off_t);
    REAL(fn, "pwrite");
    return write_fails(fd) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    typedef ssize_t (*fn)(int, const void *, size_t, off64_t);
    REAL(fn, "pwrite64");
    return write_fails(fd) ? -1 : real(fd, bytes, count, at);
}

/* True when this sync must fail; errno is set. A slow one takes its time here. */
static int sync_fails(int fd)
{
    if (!control || (control->sync_us == 0 && control->sync_errno == 0) || !is_state_file(fd))
        return 0;
    if (control->sync_us > 0) {
        __atomic_add_fetch(&control->syncs_slowed, 1, __ATOMIC_RELAXED);
        usleep((useconds_t)control->sync_us);
    }
    if (control->sync_errno == 0)
        return 0;
    __atomic_add_fetch(&control->syncs_failed, 1, __ATOMIC_RELAXED);
    errno = (int)control->sync_errno;
    return 1;
}

int fsync(int fd)
{
    typedef int (*fn)(int);
    REAL(fn, "fsync");
    return sync_fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    typedef int (*fn)(int);
    REAL(fn, "fdatasync");
    return sync_fails(fd) ? -1 : real(fd);
}
