/*
 * pamrun: a program that uses PAM as login, su and sudo do, and looks at itself before and after.
 *
 *   pamrun [-r RUSER] [-h RHOST] [-t TTY] [-u UID] [-U UID] [-insx] [-a ANSWER] [-c CYCLES] REPORT CONFDIR SERVICE USER STAGE...
 *   pamrun -d CYCLES REPORT MODULE
 *
 *   -u UID     run with this real uid and effective uid 0, as a setuid program does
 *   -U UID     run as this uid alone, as a screen locker does
 *   -i         interrupt the stages by a signal each millisecond
 *   -n         leave no file descriptor for the stages
 *   -s         pass PAM_SILENT
 *   -x         fail clock_gettime(2) in the stages, which Rust's std takes for impossible and panics at
 *   -a ANSWER  type this at the next PAM_PROMPT_ECHO_ON; with none left, the conversation fails
 *   -c CYCLES  run all stages, from pam_start to pam_end, this many times; look "before" after the first ten
 *   -d CYCLES  only load and unload the module, with dlopen(3) and dlclose(3)
 *
 * Stages are auth, setcred, account, open, close and chauthtok. The report is lines of `KEY VALUE`, written to a
 * file at the end: standard output and error are for the module to stay away from.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Static, so that writing the report allocates nothing while the heap is being measured. */
static char report[1 << 20];
static size_t used;

static void say(const char *format, ...)
{
	va_list arguments;
	int more;

	va_start(arguments, format);
	more = vsnprintf(report + used, sizeof report - used, format, arguments);
	va_end(arguments);
	if (more < 0 || (used += more) >= sizeof report)
		errx(1, "report too long");
}

static void say_escaped(const char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\\')
			say("\\x%02x", (unsigned char)*text);
		else
			say("%c", *text);
}

static void say_directory(const char *when, const char *key, const char *path, int with_links)
{
	struct dirent *entry;
	DIR *directory = opendir(path);

	if (!directory) {
		say("%s %s unreadable\n", when, key);
		return;
	}
	say("%s %s", when, key);
	while ((entry = readdir(directory))) {
		char link[PATH_MAX], target[PATH_MAX];
		ssize_t length;

		if (entry->d_name[0] == '.' || (with_links && atoi(entry->d_name) == dirfd(directory)))
			continue;
		snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
		length = with_links ? readlink(link, target, sizeof target - 1) : 0;
		target[length > 0 ? length : 0] = 0;
		say(" %s:%s", entry->d_name, target);
	}
	say("\n");
	closedir(directory);
}

static void say_status(const char *when)
{
	static const char *const kept[] = { "Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:", "SigCgt:", "Threads:",
		"NoNewPrivs:", "Seccomp:" };
	char line[4096];
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		err(1, "/proc/self/status");
	while (fgets(line, sizeof line, status))
		for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
			if (!strncmp(line, kept[i], strlen(kept[i])))
				say("%s %s", when, line);
	fclose(status);
}

static long status_kib(const char *key)
{
	char line[4096];
	long kib = -1;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof line, status))
		if (!strncmp(line, key, strlen(key)))
			kib = atol(line + strlen(key));
	if (status)
		fclose(status);
	return kib;
}

/* Everything that a module could leave behind. `same` must not change, `size` may not grow. */
static void look(const char *when, const char *module)
{
	char same[32], size[32], cwd[PATH_MAX], line[4096];
	struct itimerval timer;
	mode_t mask = umask(0);
	int mapped = 0;
	FILE *maps;

	umask(mask);
	snprintf(same, sizeof same, "%s same", when);
	snprintf(size, sizeof size, "%s size", when);
	say_status(same);
	say_directory(same, "tasks", "/proc/self/task", 0);
	say_directory(same, "fds", "/proc/self/fd", 1);
	say("%s umask %o\n", same, (unsigned)mask);
	say("%s cwd %s\n", same, getcwd(cwd, sizeof cwd) ? cwd : "?");
	say("%s locale %s\n", same, setlocale(LC_ALL, NULL));
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (!sigaction(number, NULL, &action))
			say("%s signal%d %p %x\n", same, number, (void *)action.sa_handler, (unsigned)action.sa_flags);
	}
	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		if (!getitimer(which, &timer))
			say("%s timer%d %ld.%06ld\n", same, which, (long)timer.it_interval.tv_sec,
			    (long)timer.it_interval.tv_usec);
	for (char **variable = environ; *variable; variable++) {
		say("%s env ", same);
		say_escaped(*variable);
		say("\n");
	}
	say("%s heap %zu\n", size, mallinfo2().uordblks);
	say("%s data %ld\n", size, status_kib("VmData:"));
	say("%s resident %ld\n", size, status_kib("VmRSS:"));
	if ((maps = fopen("/proc/self/maps", "re"))) {
		while (fgets(line, sizeof line, maps))
			mapped |= !!strstr(line, module);
		fclose(maps);
	}
	say("%s mapped %d\n", when, mapped);
}

/* What is typed in each cycle, and how much of it has been. */
static const char *answers[64];
static int given, typed;

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	for (int i = 0; *(int *)data && i < count; i++) {
		say("said %d ", messages[i]->msg_style);
		say_escaped(messages[i]->msg);
		say("\n");
	}
	*responses = calloc(count, sizeof **responses);
	for (int i = 0; *responses && i < count; i++) {
		if (messages[i]->msg_style != PAM_PROMPT_ECHO_ON)
			continue;
		if (typed == given) {
			free(*responses);
			*responses = NULL;
		} else
			(*responses)[i].resp = strdup(answers[typed++]);
	}
	return *responses ? PAM_SUCCESS : PAM_CONV_ERR;
}

/* In place of libc's, for whatever this program loads: see room.rs, which has the linker export it. */
static int clock_fails;

int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!clock_fails)
		return syscall(SYS_clock_gettime, clock, time);
	errno = EINVAL;
	return -1;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void ignore(int number)
{
	(void)number;
}

/* Without SA_RESTART, so that system calls fail with EINTR. */
static void interrupt_each_millisecond(void)
{
	const struct sigaction action = { .sa_handler = ignore };
	const struct timeval millisecond = { .tv_usec = 1000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ millisecond, millisecond }, NULL);
}

static int run_stage(pam_handle_t *handle, const char *stage, int flags)
{
	if (!strcmp(stage, "auth"))
		return pam_authenticate(handle, flags);
	if (!strcmp(stage, "setcred"))
		return pam_setcred(handle, PAM_ESTABLISH_CRED | flags);
	if (!strcmp(stage, "account"))
		return pam_acct_mgmt(handle, flags);
	if (!strcmp(stage, "open"))
		return pam_open_session(handle, flags);
	if (!strcmp(stage, "close"))
		return pam_close_session(handle, flags);
	if (!strcmp(stage, "chauthtok"))
		return pam_chauthtok(handle, flags);
	errx(1, "no stage %s", stage);
}

static void write_report(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(report, 1, used, file) != used || fclose(file))
		err(1, "%s", path);
}

static void load_and_unload(const char *module, int cycles)
{
	for (int cycle = 0; cycle < cycles; cycle++) {
		void *loaded;

		if (cycle == 10)
			look("before", module), say("cycles %d\n", cycles);
		loaded = dlopen(module, RTLD_NOW);
		if (!loaded)
			errx(1, "%s", dlerror());
		if (!dlsym(loaded, "pam_sm_acct_mgmt"))
			errx(1, "%s", dlerror());
		dlclose(loaded);
	}
	look("after", module);
}

int main(int argc, char **argv)
{
	int last_cycle = 0;
	const struct pam_conv conversation = { converse, &last_cycle };
	const char *ruser = NULL, *rhost = NULL, *tty = NULL;
	int option, cycles = 1, flags = 0, no_descriptors = 0, only_load = 0, interrupted = 0, no_clock = 0;
	uid_t real = -1, whole = -1;
	char **stages;

	while ((option = getopt(argc, argv, "+r:h:t:u:U:insxa:c:d:")) != -1)
		switch (option) {
		case 'r': ruser = optarg; break;
		case 'h': rhost = optarg; break;
		case 't': tty = optarg; break;
		case 'u': real = atol(optarg); break;
		case 'U': whole = atol(optarg); break;
		case 'i': interrupted = 1; break;
		case 'n': no_descriptors = 1; break;
		case 's': flags |= PAM_SILENT; break;
		case 'x': no_clock = 1; break;
		case 'a':
			if (given == sizeof answers / sizeof *answers)
				errx(2, "too many answers");
			answers[given++] = optarg;
			break;
		case 'c': cycles = atoi(optarg); break;
		case 'd': only_load = 1; cycles = atoi(optarg); break;
		default: return 2;
		}
	argv += optind;
	argc -= optind;

	/* As every login program does before it calls PAM; libc keeps this descriptor. */
	openlog("pamrun", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);

	if (only_load) {
		if (argc != 2)
			return 2;
		load_and_unload(argv[1], cycles);
		write_report(argv[0]);
		return 0;
	}
	if (argc < 5)
		return 2;
	stages = argv + 4;
	if (real != (uid_t)-1 && setresuid(real, 0, 0))
		err(1, "setresuid");
	if (whole != (uid_t)-1 && setresuid(whole, whole, whole))
		err(1, "setresuid");

	if (interrupted)
		interrupt_each_millisecond();

	/* The module's file name is what the services in CONFDIR name it by. */
	if (cycles == 1)
		look("before", "pam_jit.so");
	for (int cycle = 0; cycle < cycles; cycle++) {
		struct rlimit limit;
		pam_handle_t *handle;
		int code;

		last_cycle = cycle == cycles - 1;
		typed = 0;
		if (cycles > 1 && cycle == 10)
			look("before", "pam_jit.so"), say("cycles %d\n", cycles);
		code = pam_start_confdir(argv[2], argv[3], &conversation, argv[1], &handle);
		if (code != PAM_SUCCESS)
			errx(1, "pam_start: %d", code);
		if ((ruser && pam_set_item(handle, PAM_RUSER, ruser)) || (rhost && pam_set_item(handle, PAM_RHOST, rhost)) ||
		    (tty && pam_set_item(handle, PAM_TTY, tty)))
			errx(1, "pam_set_item");
		if (no_descriptors) {
			/* The first call loads the modules, which takes descriptors. */
			pam_setcred(handle, PAM_ESTABLISH_CRED);
			getrlimit(RLIMIT_NOFILE, &limit);
			setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, limit.rlim_max });
		}
		for (char **stage = stages; *stage; stage++) {
			double start = now();

			clock_fails = no_clock;
			code = run_stage(handle, *stage, flags);
			clock_fails = 0;
			if (last_cycle) {
				say("took %s %.3f\n", *stage, now() - start);
				say("code %s %d\n", *stage, code);
			}
		}
		if (no_descriptors)
			setrlimit(RLIMIT_NOFILE, &limit);
		pam_end(handle, code);
	}
	look("after", "pam_jit.so");
	write_report(argv[0]);
	return 0;
}
