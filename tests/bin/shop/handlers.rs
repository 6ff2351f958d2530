//! The subscribers of the shop, the same for each database.

use natspubsub::prelude::*;
use natspubsub_tests::shop::{HOPELESS, OrderCreated, PaymentTaken, REFUSED};

/// Whether the payments that could never be taken can be taken now.
#[derive(Clone, Copy)]
pub(crate) struct Mended(pub(crate) bool);

/// Why a payment was not taken.
#[derive(Debug, thiserror::Error, natspubsub::HandlerError)]
pub(crate) enum PaymentError {
    /// This attempt fails.
    #[error("payment of order {0} was not taken")]
    #[transient(after = "500ms")]
    Refused(u64),
    /// Every attempt fails.
    #[error("payment of order {0} can never be taken")]
    #[permanent]
    Hopeless(u64),
    /// The database said no.
    #[error(transparent)]
    #[transient(after = "50ms")]
    Database(#[from] sqlx::Error),
    /// The outbox said no.
    #[error(transparent)]
    #[transient(after = "50ms")]
    Outbox(#[from] natspubsub::Error),
}

fn verdict(order: &OrderCreated, ctx: &Context, mended: Mended) -> std::result::Result<(), PaymentError> {
    match order.fails {
        HOPELESS | REFUSED if mended.0 => Ok(()),
        HOPELESS => Err(PaymentError::Hopeless(order.number)),
        fails if ctx.attempt() <= u64::from(fails) => Err(PaymentError::Refused(order.number)),
        _ => Ok(()),
    }
}

const EFFECT: &str = "INSERT INTO effects (event_id, consumer, key, n) VALUES ($1, $2, $3, $4)";

macro_rules! handlers {
    ($name:ident, $database:ident, $store:ident) => {
        /// On one database.
        pub(crate) mod $name {
            use natspubsub::AppBuilder;
            use natspubsub::store::{SqlStore, $store};

            use super::*;

            type Done = std::result::Result<(), PaymentError>;

            /// Fails after its effect is written, if it is to fail: nothing of it may remain.
            #[topic_subscriber(
                "order.created",
                concurrency = 8,
                prefetch = 8,
                ack_wait = "2s",
                max_attempts = 10_000,
                inbox = true
            )]
            async fn charge(
                order: OrderCreated,
                ctx: Context,
                State(mended): State<Mended>,
                tx: &mut Tx<$database>,
            ) -> Done {
                let effect = sqlx::query(EFFECT).bind(ctx.event_id()).bind("charge").bind(&order.key).bind(order.n);
                effect.execute(&mut **tx).await?;
                tx.publish(&PaymentTaken { number: order.number, key: order.key.clone(), n: order.n }).await?;
                verdict(&order, &ctx, mended)
            }

            #[topic_subscriber("order.created", concurrency = 8, prefetch = 8, ack_wait = "2s", inbox = true)]
            async fn ship(order: OrderCreated, ctx: Context, State(store): State<$store>) -> Done {
                let effect = sqlx::query(EFFECT).bind(ctx.event_id()).bind("ship").bind(&order.key).bind(order.n);
                effect.execute(store.pool()).await?;
                Ok(())
            }

            #[topic_subscriber("payment.taken", concurrency = 8, prefetch = 8, ack_wait = "2s", inbox = true)]
            async fn book(payment: PaymentTaken, ctx: Context, tx: &mut Tx<$database>) -> Done {
                let effect = sqlx::query(EFFECT).bind(ctx.event_id()).bind("book").bind(&payment.key).bind(payment.n);
                effect.execute(&mut **tx).await?;
                Ok(())
            }

            /// The application; `SHOP_MENDED` says whether everything can be paid.
            pub(crate) fn app(store: $store) -> AppBuilder {
                let mended = Mended(std::env::var_os("SHOP_MENDED").is_some());
                let app = App::builder().store(store).state(mended);
                app.subscriber(charge {}).subscriber(ship {}).subscriber(book {})
            }
        }
    };
}

handlers! { sqlite, Sqlite, SqliteStore }
handlers! { postgres, Postgres, PostgresStore }
