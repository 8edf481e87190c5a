/* One account check in a process of its own: once CONFDIR SERVICE USER.
 *
 * The clock runs from just before pam_start, which loads the modules, to just
 * after pam_end, which unloads them. Compiled with -DSDBUS it also pings jitd
 * over sd-bus in between: with a service of pam_permit alone, that is what any C
 * client of the bus costs. libsystemd is then loaded before the clock starts, in
 * that client's favour. */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "once.h"
#ifdef SDBUS
#include "ping.h"
#endif

/* A program like sshd shows messages; this one takes them and shows nothing. */
static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    (void)messages;
    (void)data;
    *responses = calloc((size_t)count, sizeof **responses);
    return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

int main(int argc, char **argv)
{
    const struct pam_conv conversation = {converse, NULL};
    struct report report = {0};
    pam_handle_t *pam = NULL;

    if (argc != 4)
        return 2;
    int64_t began = now();
    report.code = pam_start_confdir(argv[2], argv[3], &conversation, argv[1], &pam);
    if (report.code == PAM_SUCCESS) {
        report.code = pam_acct_mgmt(pam, 0);
#ifdef SDBUS
        report.pinged = ping();
#endif
        int ended = pam_end(pam, report.code);
        if (report.code == PAM_SUCCESS)
            report.code = ended;
    }
    report.nanoseconds = now() - began;
    return write(REPORT_FD, &report, sizeof report) == sizeof report ? 0 : 1;
}
