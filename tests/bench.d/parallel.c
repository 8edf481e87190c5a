/* How many account checks so many clients get through: parallel CLIENTS SECONDS
 * CONFDIR SERVICE USER. Each client is a process of its own that checks again and
 * again. Prints how many checks there were in all; fails if one was refused. */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int talk(int n, const struct pam_message **in, struct pam_response **out, void *data)
{
    (void)n, (void)in, (void)out, (void)data;
    return PAM_CONV_ERR;
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int check(char **argv)
{
    static const struct pam_conv conversation = {talk, NULL};
    pam_handle_t *pam;
    int answer = pam_start_confdir(argv[4], argv[5], &conversation, argv[3], &pam);
    if (answer != PAM_SUCCESS)
        return answer;
    pam_set_item(pam, PAM_RHOST, "");
    answer = pam_acct_mgmt(pam, PAM_SILENT);
    pam_end(pam, answer);
    return answer;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    long clients = atol(argv[1]);
    double seconds = atof(argv[2]);
    long *done = mmap(NULL, (size_t)clients * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (done == MAP_FAILED)
        return 2;
    double begin = now() + 1;
    for (long n = 0; n < clients; n++) {
        if (fork() != 0)
            continue;
        /* Once, so that what is loaded first is not counted; then all at the same time. */
        int answer = check(argv);
        while (now() < begin)
            usleep(500);
        while (answer == PAM_SUCCESS && now() < begin + seconds) {
            answer = check(argv);
            done[n * 8] += answer == PAM_SUCCESS;
        }
        if (answer != PAM_SUCCESS)
            fprintf(stderr, "parallel: %s\n", pam_strerror(NULL, answer));
        _exit(answer != PAM_SUCCESS);
    }
    int status, failed = 0;
    while (wait(&status) > 0)
        failed |= status;
    long sum = 0;
    for (long n = 0; n < clients; n++)
        sum += done[n * 8];
    printf("%ld\n", sum);
    return failed != 0;
}
