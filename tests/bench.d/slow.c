/* A disk on which each sync takes 5 ms more, for a program that this is loaded into
 * before its libc (LD_PRELOAD), and a count of the syncs in SLOW_COUNT, a file of 8
 * bytes. What SQLite calls is fdatasync. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic long *count;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("SLOW_COUNT");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED)
        count = page;
}

static int slowly(const char *name, int file)
{
    static const struct timespec delay = {0, 5000000};
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

    nanosleep(&delay, NULL);
    if (count)
        atomic_fetch_add(count, 1);
    return real(file);
}

int fdatasync(int file) { return slowly("fdatasync", file); }
int fsync(int file) { return slowly("fsync", file); }
