/* fsync and fdatasync that fail with EIO after OCHRE_CRASH_SYNCS calls, to be loaded before the C library. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long done;

static int sync_or_fail(long call, int fd) {
    const char *most = getenv("OCHRE_CRASH_SYNCS");
    if (most != NULL && atomic_fetch_add(&done, 1) >= atol(most)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_or_fail(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_or_fail(SYS_fdatasync, fd); }
