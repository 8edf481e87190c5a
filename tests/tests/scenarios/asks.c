/*
 * A program that asks PAM about people and opens no session for them, as an
 * FTP server does: asks SERVICE HOW USER...
 *
 *   stays    it serves whoever it let in itself, until it is ended
 *   leaves   it has somebody else serve them, out of its sight, and goes
 *   late     the same, and that becomes the person only when it has gone for long
 *   deaf     it stays, and so does a child that is the person; neither hears SIGTERM
 *
 * What it was told of each goes to stdout. It needs no privileges but to ask.
 */
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int nothing_to_say(int count, const struct pam_message **messages,
                          struct pam_response **responses, void *data)
{
    (void)messages;
    (void)data;
    *responses = calloc((size_t)count, sizeof **responses);
    return *responses ? PAM_SUCCESS : PAM_BUF_ERR;
}

static int let_in(const char *service, const char *user)
{
    struct pam_conv talk = {nothing_to_say, NULL};
    pam_handle_t *pam;
    int answer = pam_start(service, user, &talk, &pam);

    if (answer == PAM_SUCCESS)
        answer = pam_acct_mgmt(pam, 0);
    printf("%s: %s\n", user, answer == PAM_SUCCESS ? "in" : "out");
    fflush(stdout);
    pam_end(pam, answer);
    return answer == PAM_SUCCESS;
}

/* A child that runs as the person, in the same service. */
static void serve(const char *user, int leave)
{
    struct passwd *person = getpwnam(user);

    if (!person || fork() != 0)
        return;
    if (leave && (setsid() < 0 || fork() != 0))
        _exit(0);
    if (leave > 1)
        sleep(3);
    if (setgroups(0, NULL) || setgid(person->pw_gid) || setuid(person->pw_uid))
        _exit(1);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *service = argv[1], *how = argv[2];
    int is_in = 0;

    if (!strcmp(how, "deaf"))
        signal(SIGTERM, SIG_IGN);
    for (char **user = argv + 3; *user; user++) {
        is_in |= let_in(service, *user);
        if (strcmp(how, "stays"))
            serve(*user, !strcmp(how, "leaves") ? 1 : !strcmp(how, "late") ? 2 : 0);
    }
    if (!is_in)
        return 1;
    while (strcmp(how, "leaves") && strcmp(how, "late"))
        pause();
    return 0;
}
