/* What `once` reports to `bench`, over descriptor 3. */
#ifndef ONCE_H
#define ONCE_H

#include <stdint.h>

enum { REPORT_FD = 3 };

struct report {
    int64_t nanoseconds; /* CLOCK_MONOTONIC, from before pam_start to after pam_end */
    int32_t code;        /* what pam_acct_mgmt returned, or the call that failed before it */
    int32_t pinged;      /* `once-sdbus`: 0, or the negative errno of the ping */
};

#endif
