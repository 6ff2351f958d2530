async fn my_order(my_order: MyOrder) -> MyConfirmed {}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_order {}
#[allow(unused_qualifications)]
const _: () = {
    const _: () = {
        #[allow(unused_imports)]
        use ::renamed::__private::NoTopic as _;
        ::core::assert!(
            ::renamed::__private::can_deliver(::renamed::__private::TopicIn:: <
            MyConfirmed > ::TOPIC, & ["order.confirmed"]), "{}",
            "my_order: it publishes \"order.confirmed\", and the event in `MyConfirmed` has another topic; compare `publishes` with the event's #[event(topic = ..)]"
        );
    };
    fn __natspubsub_call(
        __natspubsub_delivery: ::renamed::__private::Delivery,
    ) -> ::renamed::__private::CallFuture {
        #[allow(unused_imports)]
        use ::renamed::__private::{ByError as _, ByNothing as _, ByPolicy as _};
        ::std::boxed::Box::pin(
            ::renamed::__private::require_send(async move {
                let __natspubsub_payload = match <MyOrder as ::renamed::__private::Payload>::from_body(
                    &__natspubsub_delivery,
                ) {
                    ::core::result::Result::Ok(__natspubsub_read) => __natspubsub_read,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::renamed::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                if let ::core::result::Result::Err(__natspubsub_failure) = {
                    #[allow(unused_imports)]
                    use ::renamed::__private::{ByAnything as _, ByEvent as _};
                    (&&::renamed::__private::Checked::of(&__natspubsub_payload))
                        .check(&__natspubsub_payload)
                } {
                    return ::renamed::__private::Outcome::Failed(__natspubsub_failure);
                }
                let __natspubsub_returned = my_order(__natspubsub_payload).await;
                {
                    #[allow(unused_imports)]
                    use ::renamed::__private::{
                        ByDeclaration as _, ByItem as _, ByItems as _, ByResult as _,
                        ByType as _, ByValue as _,
                    };
                    match (&&::renamed::__private::Fallible::of(&__natspubsub_returned))
                        .split(__natspubsub_returned)
                    {
                        ::core::result::Result::Ok(__natspubsub_value) => {
                            let __natspubsub_values = (&&::renamed::__private::Items::of(
                                &__natspubsub_value,
                            ))
                                .items(__natspubsub_value);
                            let __natspubsub_facts = (&&::renamed::__private::Facts::of(
                                &__natspubsub_values,
                            ))
                                .facts(&__natspubsub_values);
                            ::renamed::__private::publish_returned(
                                    &__natspubsub_delivery,
                                    "order.confirmed",
                                    __natspubsub_values,
                                    __natspubsub_facts,
                                )
                                .await
                        }
                        ::core::result::Result::Err(__natspubsub_error) => {
                            let __natspubsub_failed: ::core::result::Result<(), _> = ::core::result::Result::Err(
                                ::renamed::__private::require_error(__natspubsub_error),
                            );
                            (&&&::renamed::__private::Probe::of(&__natspubsub_failed))
                                .conversion()
                                .outcome(__natspubsub_failed)
                        }
                    }
                }
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::renamed::__private::SubscriberDescriptor = ::renamed::__private::SubscriberDescriptor {
        origin: ::renamed::__private::Origin {
            name: "my_order",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::renamed::__private::Source::Topic,
        patterns: &[<MyOrder as ::renamed::__private::Event>::TOPIC],
        options: ::renamed::__private::SubscriberOptions {
            publishes: ::core::option::Option::Some("order.confirmed"),
            ..::renamed::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::renamed::__private::type_name::<MyOrder>,
        requirements: || ::renamed::__private::needed([]),
        transaction: false,
        call: ::renamed::__private::Call::Each(__natspubsub_call),
    };
    impl ::renamed::__private::Subscribe for my_order {
        fn descriptor(&self) -> &'static ::renamed::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::renamed::__private::inventory::submit! {
        ::renamed::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
