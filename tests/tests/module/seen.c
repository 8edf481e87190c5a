/*
 * A PAM module that stands after ours.
 *
 * Without an argument it returns, at every stage, a code that ours never does: to be reached is what it reports.
 * With the argument `tell`, it says what pam_systemd would find when a session opens.
 */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stddef.h>

#define STAGE(name)                                                              \
	int name(pam_handle_t *handle, int flags, int argc, const char **argv)   \
	{                                                                        \
		(void)handle, (void)flags, (void)argc, (void)argv;               \
		return PAM_CRED_EXPIRED;                                         \
	}

STAGE(pam_sm_authenticate)
STAGE(pam_sm_setcred)
STAGE(pam_sm_acct_mgmt)
STAGE(pam_sm_chauthtok)
STAGE(pam_sm_close_session)

int pam_sm_open_session(pam_handle_t *handle, int flags, int argc, const char **argv)
{
	const void *seconds = NULL;

	(void)flags, (void)argv;
	if (argc == 0)
		return PAM_CRED_EXPIRED;
	if (pam_get_data(handle, "systemd.runtime_max_sec", &seconds) != PAM_SUCCESS)
		seconds = "nothing";
	pam_info(handle, "systemd.runtime_max_sec is %s", (const char *)seconds);
	return PAM_SUCCESS;
}
