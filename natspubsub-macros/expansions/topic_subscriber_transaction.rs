async fn my_order(
    my_order: MyOrder,
    my_tx: &mut MyTx<MyDb>,
    my_ctx: MyContext,
) -> MyResult<(), MyFault> {
    Ok(())
}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_order {}
#[allow(unused_qualifications)]
const _: () = {
    const _: () = {
        #[allow(unused_imports)]
        use ::natspubsub::__private::NoTopic as _;
        ::core::assert!(
            ::natspubsub::__private::can_deliver(::natspubsub::__private::TopicOf:: <
            MyOrder > ::TOPIC, & ["order.created"]), "{}",
            "my_order: \"order.created\" can never deliver the topic of its payload `MyOrder`; compare the pattern with the payload's #[event(topic = ..)]"
        );
    };
    fn __natspubsub_call(
        __natspubsub_delivery: ::natspubsub::__private::Delivery,
    ) -> ::natspubsub::__private::CallFuture {
        #[allow(unused_imports)]
        use ::natspubsub::__private::{ByError as _, ByNothing as _, ByPolicy as _};
        fn __natspubsub_returns<R: ::natspubsub::__private::HandlerReturn>() {}
        __natspubsub_returns::<MyResult<(), MyFault>>();
        ::std::boxed::Box::pin(
            ::natspubsub::__private::require_send(async move {
                let __natspubsub_payload = match <MyOrder as ::natspubsub::__private::Payload>::from_body(
                    &__natspubsub_delivery,
                ) {
                    ::core::result::Result::Ok(__natspubsub_read) => __natspubsub_read,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                if let ::core::result::Result::Err(__natspubsub_failure) = {
                    #[allow(unused_imports)]
                    use ::natspubsub::__private::{ByAnything as _, ByEvent as _};
                    (&&::natspubsub::__private::Checked::of(&__natspubsub_payload))
                        .check(&__natspubsub_payload)
                } {
                    return ::natspubsub::__private::Outcome::Failed(
                        __natspubsub_failure,
                    );
                }
                let __natspubsub_argument_1 = match <MyContext as ::natspubsub::__private::FromDelivery>::from_delivery(
                        &__natspubsub_delivery,
                    )
                    .await
                {
                    ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                let mut __natspubsub_argument_0 = match <MyTx<
                    MyDb,
                > as ::natspubsub::__private::TakesTransaction>::begin(
                        &__natspubsub_delivery,
                        true,
                    )
                    .await
                {
                    ::core::result::Result::Ok(
                        ::natspubsub::__private::Begun::First(__natspubsub_transaction),
                    ) => __natspubsub_transaction,
                    ::core::result::Result::Ok(
                        ::natspubsub::__private::Begun::Processed,
                    ) => return ::natspubsub::__private::Outcome::Duplicate,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                let __natspubsub_returned = my_order(
                        __natspubsub_payload,
                        &mut __natspubsub_argument_0,
                        __natspubsub_argument_1,
                    )
                    .await;
                <MyTx<
                    MyDb,
                > as ::natspubsub::__private::TakesTransaction>::end(
                        __natspubsub_argument_0,
                        (&&&::natspubsub::__private::Probe::of(&__natspubsub_returned))
                            .conversion()
                            .outcome(__natspubsub_returned),
                    )
                    .await
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::SubscriberDescriptor = ::natspubsub::__private::SubscriberDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_order",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::natspubsub::__private::Source::Topic,
        patterns: &["order.created"],
        options: ::natspubsub::__private::SubscriberOptions {
            ..::natspubsub::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::natspubsub::__private::type_name::<MyOrder>,
        requirements: || ::natspubsub::__private::needed([
            <MyTx<MyDb> as ::natspubsub::__private::TakesTransaction>::requirement(),
            <MyContext as ::natspubsub::__private::FromDelivery>::requirement(),
        ]),
        transaction: true,
        call: ::natspubsub::__private::Call::Each(__natspubsub_call),
    };
    impl ::natspubsub::__private::Subscribe for my_order {
        fn descriptor(&self) -> &'static ::natspubsub::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
