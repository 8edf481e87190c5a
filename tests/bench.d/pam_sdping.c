/* The same client as a PAM module: libsystemd is loaded while the clock runs, as
 * it would be in sshd or sudo. It decides nothing. */
#include <security/pam_modules.h>

#include "ping.h"

int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam;
    (void)flags;
    (void)argc;
    (void)argv;
    return ping() == 0 ? PAM_SUCCESS : PAM_AUTHINFO_UNAVAIL;
}
