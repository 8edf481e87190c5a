/* A name service for the scenarios of names.rs: nss-switch source `jittest`.
 *
 * /etc/jittest says what it does, a word a line, to jitd alone (and to whoever its threads are): sshd, sudo and the
 * tools of the machine are always answered at once. Words:
 *   hang    every question waits until the word is gone
 *   fail    the source is unavailable
 *   slow    every question takes 300 ms
 *   shout   accounts come back under a name in capitals
 *   fold    however an account is spelled, it is that account, as with SSSD (case_sensitive = false); for all programs
 *   lose    accounts are not there
 * It knows the accounts remote and rNNN (uid 7000 and 7001+NNN), all of the group staff2 (gid 7700), and of the
 * group empty2 (gid 7701) nobody. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int is_jitd(void)
{
    char exe[64];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return 0;
    exe[n] = 0;
    return strstr(exe, "/jitd") != NULL;
}

/* Whether the file has this word. */
static int told(const char *word)
{
    char text[256] = "";
    int fd = open("/etc/jittest", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, word) != NULL;
}

static enum nss_status behave(int *errnop)
{
    if (!is_jitd())
        return NSS_STATUS_SUCCESS;
    while (told("hang"))
        usleep(250 * 1000);
    if (told("slow"))
        usleep(300 * 1000);
    if (told("fail")) {
        *errnop = ENOENT;
        return NSS_STATUS_UNAVAIL;
    }
    return NSS_STATUS_SUCCESS;
}

static enum nss_status account(unsigned uid, struct passwd *pw, char *buffer, size_t length, int *errnop)
{
    char name[32];
    if (uid == 7000)
        strcpy(name, "remote");
    else
        snprintf(name, sizeof name, "r%03u", uid - 7001);
    if (is_jitd() && told("shout"))
        for (char *c = name; *c; c++)
            *c = (char)toupper(*c);
    int used = snprintf(buffer, length, "%s%c*%c%c/home/%s%c/bin/bash", name, 0, 0, 0, name, 0);
    if (used < 0 || (size_t)used + 1 > length) {
        *errnop = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    pw->pw_name = buffer;
    pw->pw_passwd = pw->pw_name + strlen(pw->pw_name) + 1;
    pw->pw_gecos = pw->pw_passwd + strlen(pw->pw_passwd) + 1;
    pw->pw_dir = pw->pw_gecos + 1;
    pw->pw_shell = pw->pw_dir + strlen(pw->pw_dir) + 1;
    pw->pw_uid = uid;
    pw->pw_gid = uid;
    return NSS_STATUS_SUCCESS;
}

static unsigned uid_of(const char *name)
{
    if (strcmp(name, "remote") == 0 || (told("fold") && strcasecmp(name, "remote") == 0))
        return 7000;
    if (name[0] == 'r' && strlen(name) == 4 && isdigit(name[1]) && isdigit(name[2]) && isdigit(name[3]))
        return 7001 + (unsigned)atoi(name + 1);
    return 0;
}

enum nss_status _nss_jittest_getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t length, int *errnop)
{
    enum nss_status status = behave(errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    unsigned uid = uid_of(name);
    if (uid == 0 || (is_jitd() && told("lose")))
        return NSS_STATUS_NOTFOUND;
    return account(uid, pw, buffer, length, errnop);
}

enum nss_status _nss_jittest_getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t length, int *errnop)
{
    enum nss_status status = behave(errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (uid < 7000 || uid > 8000 || (is_jitd() && told("lose")))
        return NSS_STATUS_NOTFOUND;
    return account(uid, pw, buffer, length, errnop);
}

static enum nss_status group(const char *name, gid_t gid, struct group *gr, char *buffer, size_t length, int *errnop)
{
    size_t need = strlen(name) + 1 + 2 + sizeof(char *);
    if (need + sizeof(char *) > length) {
        *errnop = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    char **members = (char **)(((size_t)buffer + sizeof(char *) - 1) & ~(sizeof(char *) - 1));
    members[0] = NULL;
    char *text = (char *)(members + 1);
    strcpy(text, name);
    gr->gr_name = text;
    gr->gr_passwd = strcpy(text + strlen(name) + 1, "*");
    gr->gr_gid = gid;
    gr->gr_mem = members;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_jittest_getgrnam_r(const char *name, struct group *gr, char *buffer, size_t length, int *errnop)
{
    enum nss_status status = behave(errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (strcmp(name, "staff2") == 0)
        return group(name, 7700, gr, buffer, length, errnop);
    if (strcmp(name, "empty2") == 0)
        return group(name, 7701, gr, buffer, length, errnop);
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_jittest_getgrgid_r(gid_t gid, struct group *gr, char *buffer, size_t length, int *errnop)
{
    enum nss_status status = behave(errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (gid == 7700)
        return group("staff2", gid, gr, buffer, length, errnop);
    if (gid == 7701)
        return group("empty2", gid, gr, buffer, length, errnop);
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_jittest_initgroups_dyn(const char *name, gid_t skip, long *start, long *size, gid_t **groups,
                                            long limit, int *errnop)
{
    enum nss_status status = behave(errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    (void)skip;
    (void)limit;
    if (uid_of(name) == 0)
        return NSS_STATUS_NOTFOUND;
    if (*start == *size) {
        gid_t *more = realloc(*groups, (size_t)(*size + 8) * sizeof **groups);
        if (!more) {
            *errnop = ENOMEM;
            return NSS_STATUS_TRYAGAIN;
        }
        *groups = more;
        *size += 8;
    }
    (*groups)[(*start)++] = 7700;
    return NSS_STATUS_SUCCESS;
}
