// What people might run so that it is not found when their window ends. Each holds a
// lock on a file, by a descriptor that all it forks inherits: whoever can take the
// lock alone knows that nothing of it is left (flock(2)).
//
//   hidden LOCK    its first thread ends, another runs on: it reads as a zombie
//   hopper LOCK    forks and ends, without a pause: no pid lives for long
//   bomb LOCK      forks as often as it may
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *stay(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int lock = open(argv[2], O_RDWR | O_CREAT, 0666);
    if (lock < 0 || flock(lock, LOCK_SH) != 0)
        return 1;
    // No text, and a bracket where a reader of /proc/PID/stat may look for the last.
    prctl(PR_SET_NAME, "\xff) Z (");
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);

    if (strcmp(argv[1], "hidden") == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, stay, NULL) != 0)
            return 1;
        syscall(SYS_exit, 0);
    } else if (strcmp(argv[1], "hopper") == 0) {
        for (;;)
            if (fork() > 0)
                _exit(0);
    } else if (strcmp(argv[1], "bomb") == 0) {
        // As many as do not choke the machine that the test runs on.
        struct rlimit most = {200, 200};
        setrlimit(RLIMIT_NPROC, &most);
        for (;;)
            if (fork() < 0)
                usleep(10000);
    }
    return 2;
}
