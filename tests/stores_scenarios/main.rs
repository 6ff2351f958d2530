//! The scenarios that inbox and outbox must survive, on PostgreSQL and SQLite. The letter says what is at stake: C the
//! worker, D dead letters, E the outbox, F the inbox, K all of it, one part after the other killed. Each test proves that
//! its fault happened. Long ones are `#[ignore]`d and run with `scripts/test.sh --long`.

mod c1_killed_workers;
mod c2_death_after_the_commit;
mod d10_replayed_dead_letters;
mod e10_restarted_database;
mod e11_half_a_million_sent;
mod e1_rolled_back_orders;
mod e2_killed_relays;
mod e4_order_of_keys;
mod e5_relay_that_lost_its_lead;
mod e7_poison;
mod e8_server_away;
mod e9_deaf_relay;
mod f1_duplicates;
mod f2_failure_after_the_effect;
mod f4_two_consumers;
mod f6_short_memory;
mod k1_everything_is_killed;

/// The program with the processes of the shop.
const SHOP: &str = env!("CARGO_BIN_EXE_shop");
