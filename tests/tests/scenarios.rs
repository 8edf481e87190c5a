//! The rules that the product keeps, each held in a booted Debian machine with the package installed, by the real
//! sshd, login, su, sudo, cron, systemd, logind, D-Bus and rsyslog.
//!
//! Runs as root. `JIT_LAYER`, `JIT_LAYER_TRIXIE` and `JIT_LAYER_PROGRAMS` name the layers with the package (see tests/bed/layer); without
//! them, the package is built and installed first. A scenario that cannot run fails.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic here is a failed test")]

#[path = "scenarios/access.rs"]
mod access;
#[path = "scenarios/address.rs"]
mod address;
#[path = "scenarios/asking.rs"]
mod asking;
#[path = "scenarios/attacks.rs"]
mod attacks;
#[path = "scenarios/audit.rs"]
mod audit;
#[path = "scenarios/auditd.rs"]
mod auditd;
#[path = "scenarios/authority.rs"]
mod authority;
#[path = "scenarios/backup.rs"]
mod backup;
#[path = "scenarios/bed.rs"]
mod bed;
#[path = "scenarios/before.rs"]
mod before;
#[path = "scenarios/bounds.rs"]
mod bounds;
#[path = "scenarios/claims.rs"]
mod claims;
#[path = "scenarios/clock.rs"]
mod clock;
#[path = "scenarios/clocks_and_ends.rs"]
mod clocks_and_ends;
#[path = "scenarios/codes.rs"]
mod codes;
#[path = "scenarios/connections.rs"]
mod connections;
#[path = "scenarios/crash.rs"]
mod crash;
#[path = "scenarios/daemon.rs"]
mod daemon;
#[path = "scenarios/debts.rs"]
mod debts;
#[path = "scenarios/disk.rs"]
mod disk;
#[path = "scenarios/doctor.rs"]
mod doctor;
#[path = "scenarios/door.rs"]
mod door;
#[path = "scenarios/elevation.rs"]
mod elevation;
#[path = "scenarios/enabling.rs"]
mod enabling;
#[path = "scenarios/ends.rs"]
mod ends;
#[path = "scenarios/entering.rs"]
mod entering;
#[path = "scenarios/escapes.rs"]
mod escapes;
#[path = "scenarios/evidence.rs"]
mod evidence;
#[path = "scenarios/exchange.rs"]
mod exchange;
#[path = "scenarios/fold.rs"]
mod fold;
#[path = "scenarios/following.rs"]
mod following;
#[path = "scenarios/guard.rs"]
mod guard;
#[path = "scenarios/jobs.rs"]
mod jobs;
#[path = "scenarios/keys.rs"]
mod keys;
#[path = "scenarios/kills.rs"]
mod kills;
#[path = "scenarios/kiosk.rs"]
mod kiosk;
#[path = "scenarios/lasting.rs"]
mod lasting;
#[path = "scenarios/limits.rs"]
mod limits;
#[path = "scenarios/lineless.rs"]
mod lineless;
#[path = "scenarios/lockout.rs"]
mod lockout;
#[path = "scenarios/locks.rs"]
mod locks;
#[path = "scenarios/logins.rs"]
mod logins;
#[path = "scenarios/logs.rs"]
mod logs;
#[path = "scenarios/long_log.rs"]
mod long_log;
#[path = "scenarios/names.rs"]
mod names;
#[path = "scenarios/offline.rs"]
mod offline;
#[path = "scenarios/package.rs"]
mod package;
#[path = "scenarios/people.rs"]
mod people;
#[path = "scenarios/policy_change.rs"]
mod policy_change;
#[path = "scenarios/programs.rs"]
mod programs;
#[path = "scenarios/quiet.rs"]
mod quiet;
#[path = "scenarios/readme.rs"]
mod readme;
#[path = "scenarios/recovery.rs"]
mod recovery;
#[path = "scenarios/remote.rs"]
mod remote;
#[path = "scenarios/report.rs"]
mod report;
#[path = "scenarios/requests.rs"]
mod requests;
#[path = "scenarios/retire.rs"]
mod retire;
#[path = "scenarios/runbook.rs"]
mod runbook;
#[path = "scenarios/shares.rs"]
mod shares;
#[path = "scenarios/site.rs"]
mod site;
#[path = "scenarios/stage.rs"]
mod stage;
#[path = "scenarios/statements.rs"]
mod statements;
#[path = "scenarios/store.rs"]
mod store;
#[path = "scenarios/telling.rs"]
mod telling;
#[path = "scenarios/tokens.rs"]
mod tokens;
#[path = "scenarios/trial.rs"]
mod trial;
#[path = "scenarios/unbound.rs"]
mod unbound;
#[path = "scenarios/unreviewed.rs"]
mod unreviewed;
#[path = "scenarios/uses.rs"]
mod uses;
#[path = "scenarios/ways.rs"]
mod ways;
#[path = "scenarios/why.rs"]
mod why;

use std::process::ExitCode;

use jit_tests::machine::{Boot, Tree};
use stage::{Scenario, own, own_of, shared};

fn main() -> ExitCode {
    stage::run(SCENARIOS)
}

const BROKER: Boot = Boot { broker: true, ..Boot::USUAL };
const BARE: Boot = Boot { bare: true, ..Boot::USUAL };
const TRIXIE: Boot = Boot { tree: Tree::Trixie, ..Boot::USUAL };
const PROGRAMS: Boot = Boot { tree: Tree::Programs, ..Boot::USUAL };

/// In the order in which they are started: those that wait for long come first.
#[rustfmt::skip] // a table: the rule, and who holds it
const SCENARIOS: &[Scenario] = &[
    own("idle_jitd_wakes_at_most_twice_a_minute_and_with_an_idle_login_four_times", quiet::wakes),
    own("who_is_no_longer_in_the_group_of_a_role_is_put_out", ends::out_of_the_group),
    own("a_clock_that_is_stepped_keeps_no_session_past_its_window", clocks_and_ends::a_clock_that_is_stepped),
    own("a_program_that_hangs_is_killed_and_delays_no_decision_and_no_log", telling::a_program_that_hangs),
    own_of(TRIXIE, "no_other_name_keeps_what_a_session_started_on_debian_13", ways::by_another_name),
    own("a_killed_jitd_keeps_its_promise_when_it_is_back_and_the_host_keeps_it_without_jitd", ends::jitd_is_killed),
    own("a_client_that_stalls_between_check_and_session_never_makes_two_logins_of_one_use", claims::a_stalled_client),
    own("cron_and_at_start_jobs_inside_a_window_only_and_its_end_ends_them", jobs::cron_and_at),
    own("however_often_jitd_is_killed_no_session_outlives_its_window_and_none_ends_before_it", kills::ends_are_kept),

    // sshd and console logins
    shared("identical_refusals_within_a_minute_are_one_record_with_a_count", audit::denials_are_counted),
    shared("roots_own_su_and_sudo_and_cron_jobs_need_no_window", elevation::roots_own_su_and_cron),
    shared("a_login_by_key_follows_the_window", logins::by_key),
    shared("a_login_by_password_follows_the_window", logins::by_password),
    shared("a_login_by_keyboard_interactive_follows_the_window", logins::by_keyboard_interactive),
    shared("a_login_at_the_console_follows_the_window", logins::at_the_console),
    shared("a_revoked_window_refuses_new_connections_and_ends_a_multiplexed_one", logins::revoking_ends_an_open_connection),
    shared("a_login_session_ends_when_its_window_ends", logins::a_session_ends_with_its_window),
    shared("an_expired_password_is_asked_about_only_inside_a_window", logins::an_expired_password),
    shared("somebody_exempt_gets_in_without_a_window", logins::somebody_exempt),
    shared("a_service_that_no_role_names_is_refused", logins::a_service_without_a_role),
    shared("the_end_of_one_window_takes_nothing_from_another", logins::two_windows),
    shared("files_and_forwarded_ports_follow_the_window_and_go_with_it", logins::files_and_ports),
    shared("a_uid_above_two_to_the_31st_is_a_uid_like_others", logins::with_a_high_uid),
    shared("a_late_login_gets_the_time_that_is_left_and_no_more", logins::a_login_gets_what_is_left),

    // sudo and su
    shared("sudo_without_a_password_follows_the_window", elevation::sudo_without_a_password),
    shared("sudo_dash_i_follows_the_window", elevation::sudo_dash_i),
    shared("sudo_with_the_targets_password_follows_the_callers_window", elevation::sudo_with_targetpw),
    shared("a_cached_sudo_ticket_does_not_outlive_the_window", elevation::sudo_with_a_cached_ticket),
    shared("su_follows_the_callers_window", elevation::su),
    shared("su_dash_follows_the_callers_window", elevation::su_dash),
    shared("sudo_that_skips_the_account_stage_is_refused_at_the_session", elevation::sudo_without_account),
    shared("a_window_of_one_kind_of_sudo_opens_what_its_lines_of_sudoers_give_and_no_more", elevation::kinds_of_sudo),
    shared("the_window_of_whom_one_becomes_does_not_admit_the_caller", elevation::the_targets_window_is_not_the_callers),

    // locks
    own("a_lock_on_any_form_of_sudo_or_su_shuts_all_of_them", locks::every_form_of_sudo_and_su),
    own("a_lock_on_a_user_shuts_every_name_of_their_uid", locks::every_name_of_a_uid),
    own("a_lock_on_what_does_not_exist_is_refused_and_says_what_was_meant", locks::on_what_is_not_there),

    // asking while logging in
    own("who_has_no_window_asks_for_one_at_sshs_prompts_and_goes_on_when_it_opens", asking::over_ssh),
    own("a_request_stays_when_the_time_for_logging_in_is_over", asking::until_time_runs_out),
    own("who_has_no_window_asks_for_one_at_the_console", asking::at_the_console),
    own("who_has_no_window_asks_for_one_at_sudos_prompts", asking::with_sudo),
    own("what_an_approver_answered_is_typed_at_the_prompt_of_a_login_and_lets_in_whoever_waits_there", entering::at_logins),
    own("without_jitd_nothing_is_asked_and_nobody_gets_in_by_it", asking::without_jitd),
    own("a_refusal_names_the_ways_to_ask_that_are_set_up", asking::refusals_name_the_ways),
    shared("nobody_but_roots_modules_asks_for_others", asking::by_whoever_is_not_a_module),
    // the window ends, and so does the access
    shared("when_an_ssh_window_ends_nothing_that_the_session_left_runs_on", ends::ssh_with_all_that_it_left),
    shared("when_a_console_window_ends_the_login_ends_and_its_terminal_is_told", ends::a_console_login),
    own("a_console_is_told_as_well_as_a_terminal", ends::a_real_console),
    own("when_a_sudo_window_ends_what_sudo_started_ends_and_the_login_goes_on", ends::sudo),
    own("when_a_su_window_ends_what_su_started_ends_and_the_login_goes_on", ends::su),
    own("a_session_of_sudo_changes_no_exit_status_and_no_job_control", ends::sudo_is_as_it_was),
    shared("a_window_that_is_locked_or_given_back_ends_its_sessions", ends::locked_or_given_back),
    shared("a_role_that_leaves_policy_ends_its_sessions", ends::a_role_that_leaves_policy),
    shared("what_a_person_left_goes_when_their_role_leaves_policy_though_nobody_is_logged_in", ends::what_was_left_when_a_role_leaves_policy),
    shared("while_another_window_covers_it_no_session_ends", ends::two_windows),
    own("a_window_that_is_extended_keeps_its_session_also_while_jitd_is_down", ends::an_extended_window),
    shared("drain_lets_work_finish_and_keep_lets_it_go_on_to_its_cap", ends::drain_and_keep),
    shared("a_person_is_warned_before_the_end", ends::a_warning),
    // Alone: nothing but the login itself makes jitd look.
    own("session_list_shows_who_is_in_and_session_end_puts_one_out", ends::listed_and_put_out),
    own("a_jitd_that_was_down_over_the_end_of_a_window_carries_it_through_when_it_is_back", clocks_and_ends::jitd_is_down_over_the_end),
    own("a_process_that_ignores_sigterm_goes_after_the_end_and_the_grace_and_before_the_hosts_own_limit", ends::how_long_it_takes),

    // what the window did not bring
    own("what_ran_or_lingered_before_somebody_came_stays_when_their_window_ends", before::a_service_of_before),
    shared("what_was_started_in_one_window_goes_with_the_next_that_overlaps_it", before::two_windows),
    own("the_end_of_a_window_takes_no_session_by_which_another_became_its_holder", before::whom_somebody_has_become),

    // people who try to stay
    own("no_other_name_keeps_what_a_session_started", ways::by_another_name),
    own("a_process_whose_first_thread_has_ended_is_found_and_ended", escapes::behind_a_thread_that_has_ended),
    own("a_process_that_forks_faster_than_one_can_look_is_ended", escapes::by_forking_faster_than_one_can_look),
    own("thousands_of_processes_in_groups_as_deep_as_can_be_end_in_time_and_hold_nobody_up", escapes::in_deep_groups),
    own("a_fork_bomb_ends_with_its_window_and_keeps_nobody_else_out", escapes::by_a_fork_bomb),
    own("a_job_sudo_or_su_without_the_session_line_is_found_and_ends_with_its_window", lineless::jobs),
    own("a_session_that_is_found_around_another_leaves_that_its_own_end", lineless::around_another),
    own("a_login_without_the_session_line_is_found_listed_and_ends_with_its_window", lineless::logins),
    own("a_login_without_the_session_line_that_is_over_at_once_is_found_and_one_from_outside_is_spared", lineless::over_at_once),
    own_of(TRIXIE, "a_login_without_the_session_line_that_is_over_at_once_is_found_on_debian_13", lineless::over_at_once),
    own("a_jitd_that_is_killed_between_a_check_and_a_login_without_the_session_line_finds_that_login", lineless::while_jitd_is_killed),
    own("a_later_session_that_logind_gave_the_same_name_is_not_ended_in_the_place_of_an_earlier_one", lineless::another_of_the_same_name),
    own("a_login_that_is_ended_while_it_comes_in_leaves_no_scope_and_no_session_behind", lineless::ended_while_it_comes_in),
    own("a_flood_of_calls_to_systemd_leaves_no_session_unbound", unbound::while_systemd_is_flooded),
    own_of(BROKER, "a_flood_of_calls_to_systemd_over_dbus_broker_leaves_no_session_unbound", unbound::while_systemd_is_flooded),
    own("while_systemd_hangs_su_and_sudo_are_refused_with_the_reason_and_spend_no_use", unbound::while_systemd_hangs),
    own("a_session_that_is_found_while_systemd_hangs_is_bound_once_it_answers", unbound::adopted_while_systemd_hangs),
    shared("a_frozen_session_ends_with_its_window", escapes::frozen),
    own("what_a_login_left_that_was_over_before_jitd_knew_where_it_ran_ends_with_the_window", escapes::a_login_that_jitd_never_saw_run),
    own("sessions_end_while_logind_has_forgotten_them_and_neither_it_nor_systemd_answers", escapes::while_nobody_answers),
    own("a_manager_that_lingers_does_not_start_again_after_a_window_that_a_reboot_ended", escapes::over_a_reboot),
    own("where_proc_hides_processes_sessions_end_all_the_same", escapes::where_proc_hides_processes),
    own("locks_of_every_kind_close_live_sessions_and_those_that_may_finish", escapes::locks_of_every_kind),
    shared("a_session_that_goes_on_by_a_counted_window_takes_its_use", escapes::a_counted_window_goes_on_with_a_session),

    // uses
    shared("a_single_use_admits_one_login", uses::one_login),
    own("of_fifty_logins_or_sudos_at_once_a_single_use_admits_one", claims::fifty_at_once),
    own("with_session_on_the_account_line_a_use_is_claimed_at_the_check_and_used_at_the_session", uses::a_held_use),

    // jitctl and who may do what
    shared("without_privileges_jitctl_shows_ones_own_and_changes_nothing", people::without_privileges),
    shared("becoming_root_by_sudo_makes_nobody_a_reviewer_of_anything", people::becoming_root_makes_no_reviewer),
    shared("where_two_must_agree_root_alone_opens_nothing", people::two_must_agree),
    shared("an_auditor_sees_everything_and_decides_nothing", people::an_auditor),
    shared("an_order_against_policy_changes_nothing_and_says_why", people::wrong_orders),
    shared("orders_that_somebody_may_not_give_are_on_record_and_a_minute_of_them_is_one_record", people::orders_of_strangers),

    // asking and reviewing
    shared("an_extension_leaves_no_gap_for_whoever_is_logged_in", requests::extending),
    shared("what_nobody_decides_passes_to_the_next_people_then_lapses_and_never_opens", requests::a_lapse),
    shared("two_stages_of_one_and_two_open_with_the_last_of_three_people", requests::two_stages),
    shared("a_denial_ends_a_request_and_says_who_and_why", requests::a_denial),
    shared("of_taking_back_and_approving_at_once_one_happens", requests::taking_back),
    shared("a_short_look_for_a_ticket_opens_at_once_from_where_policy_says_and_nothing_longer_does", unreviewed::opens_at_once),
    shared("of_a_role_with_limits_each_gets_one_window_two_have_it_at_once_and_an_hour_lies_between", bounds::limits),
    shared("nobody_has_two_roles_that_are_apart_and_when_the_one_is_over_the_other_opens", bounds::duties_apart),
    shared("who_approved_takes_it_back_while_it_waits_and_ends_it_once_it_is_open", unreviewed::taken_back),
    shared("a_scheduled_window_opens_at_its_time", requests::a_scheduled_start),
    shared("a_grant_that_needs_a_second_person_waits_for_them", requests::a_grant_for_two),
    shared("what_two_reviewers_narrow_opens_as_what_both_leave", requests::narrowing),
    shared("an_emergency_opens_at_once_loudly_and_owes_a_review", requests::an_emergency),
    shared("what_an_emergency_owes_is_paid_whatever_becomes_of_its_role_and_jitd_stays_up", debts::of_a_role_that_changes),
    shared("whoever_is_root_by_a_window_approves_nothing_as_somebody_else", requests::as_somebody_else),
    shared("a_review_that_does_not_count_is_refused_and_says_why", requests::wrong_reviews),
    shared("an_id_one_may_not_see_looks_like_none_and_signals_tell_ids_alone", requests::what_strangers_learn),
    shared("one_persons_flood_of_requests_stops_nobody_else", requests::a_flood_of_requests),
    shared("a_lock_ends_windows_refuses_with_its_message_and_is_lifted_by_order_or_time", requests::locking),
    shared("a_reason_with_controls_is_refused_on_every_road", requests::what_people_type),
    own("killed_between_any_two_steps_jitd_keeps_requests_and_reviews_whole", requests::kills_between_any_two_steps),

    shared("waiting_for_a_request_ends_with_what_becomes_of_it", following::waiting_for_it),
    shared("pending_follow_prints_each_new_request_once", following::following_what_waits),
    shared("a_reviewer_who_watches_sees_a_request_come_approves_it_and_sees_it_go", following::watching),

    shared("what_explain_says_is_what_a_refused_login_prints", why::explained_as_it_is_refused),
    shared("an_order_for_several_hosts_goes_there_by_ssh_and_each_answers_for_itself", remote::several_hosts),
    shared("people_see_the_roles_that_they_may_ask_for", why::what_one_may_ask_for),

    // the kiosk
    shared("who_cannot_get_in_asks_at_the_kiosk_and_is_let_in_once_another_approved_there", kiosk::from_asking_to_getting_in),
    shared("the_kiosk_gives_its_menu_and_nothing_else", kiosk::the_menu_alone),
    shared("at_the_kiosk_the_menu_runs_as_the_person_who_logged_in_and_nothing_runs_beside_it", kiosk::what_runs),
    shared("on_a_console_the_kiosk_asks_for_a_password_and_gives_the_menu", kiosk::on_a_console),
    own("the_kiosk_is_off_until_it_is_enabled_and_goes_with_the_package", kiosk::off_until_enabled),

    // where a login comes from
    shared("sudo_inherits_the_address_of_the_ssh_login_around_it_and_of_nothing_else", address::sudo_inherits_it),
    own("a_restarted_jitd_learns_from_logind_where_an_open_login_came_from", address::a_restarted_jitd_asks_logind),

    // attacks
    shared("a_service_that_forges_a_login_uid_is_answered_nothing", authority::a_forged_login_uid),
    own("a_pid_that_comes_round_to_somebody_else_is_nobodys_word", authority::a_pid_that_comes_round),
    own("who_has_no_login_does_their_own_and_no_review_and_no_admins_order", authority::without_a_login),
    shared("nobody_but_root_can_own_the_bus_name", attacks::owning_the_name),
    shared("nobody_but_root_can_ask_about_others_or_give_orders", attacks::asking_about_others),
    shared("words_that_are_too_long_or_no_words_are_refused_and_harm_nothing", attacks::words_that_are_too_long_or_not_words),
    shared("a_hostile_environment_changes_no_verdict_and_is_never_connected_to", attacks::a_hostile_environment),
    own("stopping_ones_own_su_halfway_keeps_nobody_else_out", attacks::stopping_ones_own_su),

    // shares
    own("people_have_the_names_that_directories_give_them", people::with_names_of_a_directory),
    own("however_many_su_a_user_stops_nobody_else_waits_for_an_answer", shares::stopped_su),
    own("however_many_sudo_a_user_freezes_nobody_else_waits_for_an_answer", shares::frozen_sudo),
    own("however_many_connections_to_dbus_daemon_one_user_has_anothers_call_is_answered", shares::strangers_on_dbus_daemon),
    own_of(BROKER, "however_many_connections_to_dbus_broker_one_user_has_anothers_call_is_answered", shares::strangers_on_dbus_broker),
    own("a_flood_on_dbus_daemon_takes_no_memory_and_holds_up_no_login_and_no_order", shares::flooded_dbus_daemon),
    own_of(BROKER, "a_flood_on_dbus_broker_takes_no_memory_and_holds_up_no_login_and_no_order", shares::flooded_dbus_broker),
    own("each_limit_of_the_private_socket_is_passed_by_one_by_a_hundred_and_by_root_and_others_are_answered", limits::of_the_private_socket),
    own("each_limit_of_the_bus_is_passed_by_one_by_a_hundred_and_by_root_and_others_are_answered", limits::of_the_bus),
    own("roots_orders_need_no_bus_and_are_under_the_same_rules_without_one", shares::orders_without_a_bus),
    own("a_jitd_that_reaches_the_limits_of_its_unit_answers_or_is_back_at_once_with_nothing_lost", limits::of_the_unit),
    own("whoever_holds_the_kiosks_connections_keeps_neither_the_console_nor_the_network_from_it", shares::the_kiosk_is_held),
    own_of(TRIXIE, "on_debian_13_whoever_holds_the_kiosks_connections_keeps_nobody_else_from_it", shares::the_kiosk_is_held_on_trixie),
    own("while_somebody_floods_the_kiosk_the_console_and_the_network_get_its_menu", door::flooded),
    own("of_one_persons_logins_to_the_kiosk_that_come_at_once_four_get_in", door::one_person_at_once),
    shared("the_kiosks_door_alone_hands_connections_on_and_nothing_else_is_taken", door::handed_over),

    // records
    shared("every_step_is_in_the_journal_and_in_syslog_with_its_fields", audit::both_logs),
    shared("what_people_type_cannot_forge_a_line_or_reach_a_terminal", audit::what_people_type),
    own("a_dead_rsyslog_delays_nothing_and_misses_nothing", audit::a_dead_rsyslog),
    own("a_syslog_whose_queue_is_full_or_whose_socket_is_replaced_delays_nothing_and_misses_nothing", logs::full_and_replaced),
    own("a_burst_that_journald_drops_of_others_is_in_the_journal_whole", logs::a_small_burst),
    own("another_machine_gets_every_record_over_tls_by_the_shipped_example_and_an_impostor_none", logs::another_machine_over_tls),

    // evidence
    own("whoever_rewrites_or_cuts_off_the_log_and_signs_it_anew_is_caught_by_what_had_left", evidence::caught_by_what_left),
    own("a_host_key_that_is_missing_is_named_and_nobody_gets_in_until_it_is_back", evidence::a_missing_key),
    own("who_takes_the_modules_line_out_of_a_pam_file_is_on_record_also_if_it_is_put_back", guard::pam_files),
    own("a_login_that_jitd_was_not_asked_about_is_on_record_and_in_the_report_and_no_other_is", guard::unasked),
    own("a_machine_that_was_copied_has_none_of_the_others_windows_and_a_key_of_its_own", evidence::a_copied_machine),
    own("an_archive_makes_room_on_a_disk_that_is_full_to_the_last_byte", long_log::makes_room_on_a_full_disk),
    own("a_long_log_costs_an_order_and_memory_what_a_short_one_does", long_log::costs_what_a_short_one_does),
    own("jitd_killed_while_records_move_into_archives_loses_and_doubles_none", long_log::killed_while_records_move),
    own("an_export_is_verified_where_there_is_no_jitd", evidence::exported_and_verified_without_jitd),
    own("a_report_says_what_happened_as_another_program_reads_it_from_the_log_to_auditors_alone", report::what_happened),
    own("who_may_ask_is_attested_on_record_what_is_overdue_is_named_and_a_removal_is_a_change_of_policy", report::attested),
    shared("an_access_is_two_records_that_say_what_the_machine_says_of_it", access::one_story),
    shared("an_access_that_is_open_has_its_audit_session_in_its_story", access::while_it_is_open),
    shared("auditors_read_verify_and_export_the_log_and_nobody_else_does", evidence::who_may_read),
    own_of(PROGRAMS, "what_somebody_ran_in_a_window_is_shown_from_auditds_own_record", auditd::what_was_run),
    shared("what_is_exported_reads_back_field_by_field_in_other_programs", evidence::read_by_other_programs),

    // being told
    own("a_sites_programs_get_each_event_as_nobody_in_particular_and_what_others_can_write_is_not_run", telling::programs_are_told),
    own("the_message_of_the_day_says_how_many_requests_wait_while_they_do", telling::the_message_of_the_day),
    own("a_reviewer_is_told_on_a_terminal_unless_it_takes_no_messages_and_who_asks_is_not", telling::reviewers_terminals),

    // programs besides sshd
    own_of(PROGRAMS, "postgresql_asks_as_itself_for_its_services_alone_and_a_window_lets_its_user_in", programs::postgresql),
    own_of(PROGRAMS, "a_connection_to_postgresql_ends_with_its_window_by_a_sites_program_and_the_record_has_its_answer", programs::connections_end),

    own_of(PROGRAMS, "an_ftp_connection_ends_with_its_window_where_policy_ends_its_process_and_nobody_elses_does", connections::vsftpd),
    own_of(PROGRAMS, "who_has_a_process_run_on_stays_no_longer_and_a_process_of_others_is_not_ended", connections::attacks),
    own_of(PROGRAMS, "a_login_at_cockpit_is_under_its_window_and_ends_with_it", connections::cockpit),

    // these machines themselves
    own("a_fido_key_approves_with_a_touch_and_not_without", tokens::a_touch_counts),
    own("a_technician_brings_a_signed_grant_and_logs_in_once_by_it", statements::a_technician_comes),
    own("an_admin_elsewhere_locks_and_says_what_time_it_is_by_signed_files", statements::an_admin_is_elsewhere),
    own("two_people_approve_from_another_machine_by_files_and_what_does_not_count_says_why", offline::two_people_approve),
    own("two_people_answer_by_codes_from_another_machine_and_five_wrong_ones_void_codes_and_nothing_else", codes::two_people_answer),
    own("what_waits_on_a_host_is_answered_in_a_folder_that_is_carried_and_a_log_that_shrank_is_told", exchange::inbox_approves),
    own_of(BARE, "machines_that_start_at_once_clear_up_what_a_killed_run_left_and_all_come_up", bed::after_a_killed_run),

    // what breaks
    own("when_jitd_cannot_be_started_root_alone_recovers_loudly", recovery::jitd_cannot_be_started),
    own("when_jitd_and_the_bus_are_down_root_alone_recovers", recovery::jitd_and_the_bus_are_down),
    own("when_the_bus_alone_is_down_windows_admit_as_always", recovery::the_bus_alone_is_down),
    own("when_jitd_hangs_the_deadline_holds_and_uid_0_alone_recovers", recovery::jitd_hangs),
    own("a_bus_flooded_with_half_open_connections_keeps_nobody_from_their_window_nor_root_from_recovering", recovery::the_bus_is_flooded),
    own("a_name_service_that_hangs_refuses_only_those_whose_answer_depends_on_it", names::hangs),
    own("a_name_service_that_fails_is_slow_or_answers_wrongly_refuses_only_whom_it_alone_knows", names::other_answers),
    own("where_a_directory_folds_case_a_person_is_one_person_however_they_type_their_name", names::folds_case),
    own("a_store_that_was_backed_up_comes_back_here_and_on_new_hardware_with_nothing_open", backup::and_restored),
    own("everything_that_the_readme_says_to_type_does_what_it_is_for", readme::everything),
    own("everything_that_the_runbook_says_to_type_does_what_it_is_for", runbook::typed),
    own("of_an_account_that_several_use_the_record_and_the_list_say_by_which_key_each_came", keys::of_a_shared_account),
    own_of(TRIXIE, "of_an_account_that_several_use_the_record_says_by_which_key_each_came_on_debian_13_too", keys::of_a_shared_account),
    own("a_window_for_one_person_on_a_shared_account_admits_their_key_and_no_other_and_its_end_is_theirs", keys::a_window_is_one_persons),
    own_of(TRIXIE, "a_window_for_one_person_on_a_shared_account_is_theirs_alone_on_debian_13_too", keys::a_window_is_one_persons),
    own("who_asks_reviews_or_takes_back_from_a_shared_account_is_known_by_their_key", keys::orders_are_one_persons),
    own("a_session_line_that_does_not_end_the_login_lets_nobody_in_to_a_shared_account", keys::a_session_line_that_does_not_bind_lets_nobody_in_until_then),
    own("who_comes_to_a_shared_account_and_is_asked_for_no_session_is_put_out", keys::who_skips_the_session_line_is_put_out),
    own("a_name_service_that_does_not_answer_ends_no_session_and_one_that_says_gone_does", names::ends_no_session),
    own("a_name_service_that_fails_in_front_of_another_ends_no_session_and_unbinds_no_lock", names::fails_unheard),
    own("a_recovery_note_that_cannot_be_read_is_on_record_and_keeps_no_other_from_it", debts::unreadable_notes),
    own("a_killed_jitd_comes_back_with_what_it_confirmed", crash::a_kill),
    own("killed_at_random_moments_jitd_keeps_every_confirmed_change_and_its_log_agrees", crash::kills_at_random_moments),
    own("a_full_disk_refuses_everybody_says_so_and_loses_nothing", disk::full),
    own("a_disk_that_somebody_keeps_full_opens_no_window_and_revokes_ends_emergencies_and_recovery_work", disk::nearly_full),
    own("a_read_only_disk_refuses_everybody_says_so_and_loses_nothing", disk::read_only),
    own("a_damaged_or_newer_store_refuses_everybody_and_says_why", disk::damaged),

    // jitd's own life
    own("jitd_is_ready_when_systemctl_returns_and_asking_does_not_start_a_stopped_one", daemon::start_and_stop),
    own("a_login_while_jitd_starts_is_answered_as_soon_as_it_can_decide", daemon::a_login_while_it_starts),
    own("a_reload_takes_a_good_policy_and_refuses_a_broken_one_loudly", daemon::reload),
    own("a_policy_that_would_leave_nobody_who_gives_orders_is_refused_with_their_names", lockout::of_every_admin),
    own("a_policy_on_trial_that_nobody_confirms_goes_back", trial::nobody_confirms),
    own("a_policy_on_trial_is_kept_from_a_new_login_and_from_no_other", trial::somebody_confirms),
    own("a_restart_or_reboot_ends_a_trial", trial::a_restart_ends_it),
    own("after_a_reboot_with_broken_policy_files_people_get_in_under_the_last_accepted_policy", trial::files_that_broke),
    own("another_policy_waits_until_somebody_else_has_approved_its_very_bytes", policy_change::one_loads_and_another_approves),
    own("no_reboot_takes_policy_files_that_were_not_approved", policy_change::a_reboot_takes_nothing_unapproved),
    own("root_at_the_console_alone_overrides_the_approvers_and_they_are_told", policy_change::root_at_the_console_overrides),
    own("a_policy_that_others_signed_elsewhere_is_carried_here_and_an_older_one_never_comes_back", policy_change::signed_elsewhere),
    own("a_role_that_leaves_policy_closes_its_windows", daemon::a_role_that_leaves_policy),
    own("a_reboot_ends_windows", daemon::a_reboot),
    own("a_window_that_survives_a_reboot_goes_on_after_it_with_what_is_left", clock::surviving_a_reboot),

    // the clock
    own("a_clock_that_is_stepped_back_opens_nothing_until_an_admin_accepts_it", clock::stepped_back),
    own("a_clock_ten_years_ahead_ends_windows_opens_none_and_goes_as_it_came", clock::ten_years_ahead),
    own("with_a_dead_battery_an_emergency_lets_in_whoever_sets_the_clock_right", clock::a_dead_battery),
    own("a_clock_stepped_back_before_a_reboot_lengthens_no_window", clocks_and_ends::stepped_back_before_a_reboot),
    own_of(BROKER, "on_dbus_broker_all_is_the_same", daemon::on_dbus_broker),
    own_of(TRIXIE, "on_debian_13_all_is_the_same", daemon::on_debian_13),
    own_of(BARE, "without_systemd_the_first_check_starts_jitd", daemon::without_systemd),

    // the package
    own("a_host_that_is_retired_is_locked_and_its_log_and_checkpoint_go_along", retire::taken_out_of_service),
    own("the_package_is_not_removed_while_a_pam_file_names_the_module", package::removal),
    own("each_installation_that_only_looks_guarded_is_found_by_doctor", doctor::finds),
    own("doctor_works_without_jitd_and_says_what_it_could_not_see", doctor::without_jitd),
    own("a_change_of_pam_files_goes_back_though_the_connection_is_lost_and_jitd_dies", enabling::a_lost_connection),
    own("a_reboot_before_the_confirmation_brings_the_old_pam_files_back", enabling::a_reboot),
    own_of(TRIXIE, "on_debian_13_a_reboot_brings_the_old_pam_files_back_too", enabling::a_reboot),
    own("a_change_of_pam_files_is_kept_from_a_new_login_and_from_no_other", enabling::a_new_login_confirms),
    own("what_cannot_be_enabled_is_refused_with_what_to_type_and_changes_nothing", enabling::what_is_refused),
    own("installed_and_named_by_no_pam_file_the_package_changes_no_login", package::installed_and_unused),
];
