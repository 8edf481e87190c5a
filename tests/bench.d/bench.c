/* Measures the account stage: bench COUNT WARM-UPS CONFDIR USER STORE.
 *
 * Each contender is run COUNT times, each time as a fresh process (`once`). The
 * contenders take turns, in an order that is drawn anew for each round: whatever
 * drifts on this machine hits all alike, and none always runs in the wake of the
 * same other one. Between two runs there is a short rest, so that what a daemon
 * does after it has answered is not charged to whoever comes next.
 *
 * STORE is jitd's folder: what writing 4 KiB there durably costs takes its turn,
 * too. Ends with status 1, and says who, if a contender does not return what it
 * should. No result is ever judged by how long it took. */
#include <fcntl.h>
#include <security/pam_appl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "once.h"

extern char **environ;

enum { BLOCK = 4096 };

static const struct timespec REST = {0, 3000000};

struct contender {
    const char *name;
    const char *program;
    const char *service;
    int expected;
};

static const struct contender CONTENDERS[] = {
    {"pam_permit", "once", "bench-permit", PAM_SUCCESS},
    {"pam_unix", "once", "bench-unix", PAM_SUCCESS},
    {"pam_exec + sqlite3", "once", "bench-exec", PAM_SUCCESS},
    {"sd-bus ping, linked", "once-sdbus", "bench-permit", PAM_SUCCESS},
    {"sd-bus ping, as a module", "once", "bench-sdping", PAM_SUCCESS},
    {"pam_jit, allow, recorded", "once", "bench-allow", PAM_SUCCESS},
    {"pam_jit, deny", "once", "bench-deny", PAM_PERM_DENIED},
    {"pam_jit, deny, over the bus", "once", "bench-deny-bus", PAM_PERM_DENIED},
};
enum { PERMIT, UNIX, EXEC, SDBUS, CONTENDER_COUNT = sizeof CONTENDERS / sizeof *CONTENDERS };

/* What is measured in this process: the disk. */
static const char *const DISK[] = {"appended", "overwritten"};
enum { APPENDED, OVERWRITTEN, DISK_COUNT, RUN_COUNT = CONTENDER_COUNT + DISK_COUNT };

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* One fresh process; its nanoseconds. */
static int64_t run(const struct contender *who, const char *dir, const char *confdir, const char *user)
{
    char *program;
    int ends[2], status;
    pid_t child;
    struct report report;
    posix_spawn_file_actions_t actions;

    if (asprintf(&program, "%s/%s", dir, who->program) < 0)
        die("out of memory");
    char *const argv[] = {program, (char *)confdir, (char *)who->service, (char *)user, NULL};
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe: %m");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], REPORT_FD);
    int failed = posix_spawn(&child, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        die("%s: %s", program, strerror(failed));
    free(program);
    close(ends[1]);
    ssize_t got = read(ends[0], &report, sizeof report);
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || status != 0 || got != sizeof report)
        die("%s: the process did not report (status %d)", who->name, status);
    if (report.code != who->expected)
        die("%s returned %d (%s), expected %d (%s)", who->name, report.code, pam_strerror(NULL, report.code),
            who->expected, pam_strerror(NULL, who->expected));
    if (report.pinged != 0)
        die("%s: jitd does not answer its ping: %s", who->name, strerror(-report.pinged));
    return report.nanoseconds;
}

/* One durable write of 4 KiB into the open file; its nanoseconds. An appended
 * block changes the file's size, too, as a growing write-ahead log does. */
static int64_t write_durably(int file, int how)
{
    static char block[BLOCK];
    off_t at = how == APPENDED ? lseek(file, 0, SEEK_END) : 0;

    memset(block, (int)(at / BLOCK) + 1, sizeof block);
    int64_t began = now();
    if (pwrite(file, block, sizeof block, at) != sizeof block || fdatasync(file) < 0)
        die("writing beside the store: %m");
    return now() - began;
}

static int open_beside(const char *store, int how)
{
    char *path;
    if (asprintf(&path, "%s/bench.XXXXXX", store) < 0)
        die("out of memory");
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        die("%s: %m", path);
    unlink(path);
    free(path);
    write_durably(file, how);
    return file;
}

/* A random order of all runs. Any will do, and the same each time is best. */
static void draw(int order[RUN_COUNT])
{
    for (int i = 0; i < RUN_COUNT; i++) {
        int j = (int)(random() % (i + 1));
        order[i] = order[j];
        order[j] = i;
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct summary {
    double p50, p95;       /* microseconds */
    double lowest, highest; /* the 95 % confidence interval of p50 */
};

/* Nearest ranks. The interval holds for any distribution: the number of samples
 * below the true median is binomial. */
static struct summary summarise(int64_t *samples, int count)
{
    int half = 1;
    while (half * half < count)
        half++;
    int lowest = count / 2 - half, highest = count / 2 + half;
    qsort(samples, (size_t)count, sizeof *samples, ascending);
    return (struct summary){
        .p50 = (double)samples[count / 2] / 1e3,
        .p95 = (double)samples[count * 95 / 100] / 1e3,
        .lowest = (double)samples[lowest > 0 ? lowest : 0] / 1e3,
        .highest = (double)samples[highest < count ? highest : count - 1] / 1e3,
    };
}

/* pam_exec closes every descriptor that there could be, one by one, up to the
 * hard limit. Under systemd's usual one that alone takes milliseconds. A low
 * limit is in its favour, and makes results of two hosts comparable. */
static void limit_descriptors(void)
{
    const struct rlimit low = {1024, 1024};
    if (setrlimit(RLIMIT_NOFILE, &low) < 0)
        die("setrlimit: %m");
}

static int number(const char *text, long least)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || end == text || value < least || value > 1000000)
        die("%s is not a number from %ld to 1000000", text, least);
    return (int)value;
}

static void print(struct summary summaries[RUN_COUNT])
{
    double permit = summaries[PERMIT].p50;
    const int peers[] = {UNIX, EXEC, SDBUS};

    printf("%-28s %8s %17s %8s %8s   %s\n", "", "", "", "", "", "added, as a multiple of");
    printf("%-28s %8s %17s %8s %8s   %8s %8s %8s\n", "account stage (us)", "p50", "95 % of p50", "p95", "added",
           "pam_unix", "pam_exec", "sd-bus");
    for (int i = 0; i < CONTENDER_COUNT; i++) {
        const struct summary *s = &summaries[i];
        char interval[40];
        snprintf(interval, sizeof interval, "%.0f-%.0f", s->lowest, s->highest);
        printf("%-28s %8.0f %17s %8.0f", CONTENDERS[i].name, s->p50, interval, s->p95);
        if (i != PERMIT) {
            printf(" %8.0f  ", s->p50 - permit);
            for (size_t p = 0; p < sizeof peers / sizeof *peers; p++)
                printf(" %8.2f", (s->p50 - permit) / (summaries[peers[p]].p50 - permit));
        }
        putchar('\n');
    }
    printf("\n%-28s %8s %17s %8s\n", "4 KiB + fdatasync (us)", "p50", "95 % of p50", "p95");
    for (int i = 0; i < DISK_COUNT; i++) {
        const struct summary *s = &summaries[CONTENDER_COUNT + i];
        char interval[40];
        snprintf(interval, sizeof interval, "%.0f-%.0f", s->lowest, s->highest);
        printf("%-28s %8.0f %17s %8.0f\n", DISK[i], s->p50, interval, s->p95);
    }
}

int main(int argc, char **argv)
{
    char dir[4096];
    int files[DISK_COUNT], order[RUN_COUNT];
    int64_t *samples[RUN_COUNT];
    struct summary summaries[RUN_COUNT];

    if (argc != 6) {
        fputs("usage: bench COUNT WARM-UPS CONFDIR USER STORE\n", stderr);
        return 2;
    }
    int count = number(argv[1], 1), warm = number(argv[2], 0);
    limit_descriptors();
    ssize_t length = readlink("/proc/self/exe", dir, sizeof dir - 1);
    if (length < 0)
        die("/proc/self/exe: %m");
    dir[length] = '\0';
    *strrchr(dir, '/') = '\0';
    for (int i = 0; i < DISK_COUNT; i++)
        files[i] = open_beside(argv[5], i);
    for (int i = 0; i < RUN_COUNT; i++)
        if (!(samples[i] = calloc((size_t)count, sizeof **samples)))
            die("out of memory");

    srandom(1);
    for (int round = -warm; round < count; round++) {
        draw(order);
        for (int i = 0; i < RUN_COUNT; i++) {
            int who = order[i];
            nanosleep(&REST, NULL);
            int64_t took = who < CONTENDER_COUNT
                               ? run(&CONTENDERS[who], dir, argv[3], argv[4])
                               : write_durably(files[who - CONTENDER_COUNT], who - CONTENDER_COUNT);
            if (round >= 0)
                samples[who][round] = took;
        }
    }
    for (int i = 0; i < RUN_COUNT; i++)
        summaries[i] = summarise(samples[i], count);
    print(summaries);
    return 0;
}
