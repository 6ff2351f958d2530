async fn my_orders(
    my_orders: MyBatch<MyOrder>,
    MyState(my_db): MyState<MyDb>,
) -> MyResult<(), MyFault> {
    Ok(())
}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_orders {}
#[allow(unused_qualifications)]
const _: () = {
    const _: () = {
        #[allow(unused_imports)]
        use ::natspubsub::__private::NoTopic as _;
        ::core::assert!(
            ::natspubsub::__private::can_deliver(::natspubsub::__private::TopicOf:: <
            MyBatch < MyOrder > > ::TOPIC, & ["order.created"]), "{}",
            "my_orders: \"order.created\" can never deliver the topic of its payload `MyBatch<MyOrder>`; compare the pattern with the payload's #[event(topic = ..)]"
        );
    };
    fn __natspubsub_call(
        __natspubsub_deliveries: ::std::vec::Vec<::natspubsub::__private::Delivery>,
    ) -> ::natspubsub::__private::BatchFuture {
        #[allow(unused_imports)]
        use ::natspubsub::__private::{ByError as _, ByNothing as _, ByPolicy as _};
        fn __natspubsub_returns<R: ::natspubsub::__private::HandlerReturn>() {}
        __natspubsub_returns::<MyResult<(), MyFault>>();
        ::std::boxed::Box::pin(
            ::natspubsub::__private::require_send(async move {
                let (__natspubsub_payload, __natspubsub_gathered) = <MyBatch<
                    MyOrder,
                > as ::natspubsub::__private::BatchOf>::gather(
                    __natspubsub_deliveries,
                    |__natspubsub_item| {
                        #[allow(unused_imports)]
                        use ::natspubsub::__private::{ByAnything as _, ByEvent as _};
                        (&&::natspubsub::__private::Checked::of(__natspubsub_item))
                            .check(__natspubsub_item)
                    },
                );
                if __natspubsub_gathered.is_void() {
                    return __natspubsub_gathered.outcomes();
                }
                let __natspubsub_argument_0 = match <MyState<
                    MyDb,
                > as ::natspubsub::__private::FromServices>::from_services(
                    &__natspubsub_gathered.services(),
                ) {
                    ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return __natspubsub_gathered
                            .settled(
                                ::natspubsub::__private::Outcome::Failed(
                                    __natspubsub_failure,
                                ),
                            );
                    }
                };
                let __natspubsub_returned = my_orders(
                        __natspubsub_payload,
                        __natspubsub_argument_0,
                    )
                    .await;
                __natspubsub_gathered
                    .settled(
                        (&&&::natspubsub::__private::Probe::of(&__natspubsub_returned))
                            .conversion()
                            .outcome(__natspubsub_returned),
                    )
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::SubscriberDescriptor = ::natspubsub::__private::SubscriberDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_orders",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::natspubsub::__private::Source::Topic,
        patterns: &["order.created"],
        options: ::natspubsub::__private::SubscriberOptions {
            batch_max: ::core::option::Option::Some(100u32),
            batch_wait_ns: ::core::option::Option::Some(50000000u64),
            ..::natspubsub::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::natspubsub::__private::type_name::<MyBatch<MyOrder>>,
        requirements: || ::natspubsub::__private::needed([
            <MyState<MyDb> as ::natspubsub::__private::FromServices>::requirement(),
        ]),
        transaction: false,
        call: ::natspubsub::__private::Call::Batch(__natspubsub_call),
    };
    impl ::natspubsub::__private::Subscribe for my_orders {
        fn descriptor(&self) -> &'static ::natspubsub::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
