//! The scenarios that a delivery engine must survive. The letter says what is at stake: A delivery, B the broker, C the
//! worker, D retries and dead letters, G the shutdown, H breakers, S security. Each test proves that its fault happened.
//! Long ones are `#[ignore]`d and run with `scripts/test.sh --long`.

mod a1_round_trip_envelope;
mod a2_competing_consumers;
mod a3_fan_out;
mod a5_backpressure;
mod a6_ordered_key;
mod a7_slow_handler_heartbeat;
mod a8_start_stop_stress;
mod a9_same_id_two_topics;
mod b10_full_stream;
mod b11_upgraded_server;
mod b1_killed_server_in_a_storm;
mod b2_restarted_server_starves_nobody;
mod b3_killed_leader;
mod b5_frozen_server_while_publishing;
mod b6_resets_and_cuts;
mod b8_lame_duck;
mod b9_deleted_consumer_and_stream;
mod c1_kill_one_of_three;
mod c3_death_before_term;
mod c5_frozen_worker;
mod c6_out_of_memory;
mod c7_starved_runtime;
mod d10_replayed_dead_letters;
mod d11_exhausted_deliveries;
mod d1_backoff_is_kept;
mod d2_permanent_and_unknown_errors;
mod d3_undecodable_payloads;
mod d5_dead_letter_at_the_size_limit;
mod d7_handler_panics;
mod d8_handler_timeouts;
mod d9_dead_letters_never_feed_themselves;
mod g1_sigterm_with_jobs_in_hand;
mod g3_handlers_longer_than_the_grace;
mod g6_shutdown_while_publishing;
mod h2_dependency_is_a_blackhole;
mod memory_stays_flat;
mod s1_headers_and_payloads;
mod s1_subject_injection;
mod s3_permission_denied;
mod s3_permission_taken_away;
mod s5_hostile_json;
mod s6_no_secret_is_written;
mod s7_tls_and_login;
mod s8_least_privilege;
