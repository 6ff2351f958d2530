async fn my_message(my_message: MyRaw, my_room: MyText) {}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_message {}
#[allow(unused_qualifications)]
const _: () = {
    fn __natspubsub_call(
        __natspubsub_delivery: ::natspubsub::__private::Delivery,
    ) -> ::natspubsub::__private::CallFuture {
        #[allow(unused_imports)]
        use ::natspubsub::__private::{ByError as _, ByNothing as _, ByPolicy as _};
        fn __natspubsub_returns<R: ::natspubsub::__private::HandlerReturn>() {}
        __natspubsub_returns::<()>();
        ::std::boxed::Box::pin(
            ::natspubsub::__private::require_send(async move {
                let __natspubsub_payload = match <MyRaw as ::natspubsub::__private::Payload>::from_body(
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
                let __natspubsub_argument_0 = match ::natspubsub::__private::captured::<
                    MyText,
                >(
                    &__natspubsub_delivery,
                    "my_room",
                    &[
                        ::natspubsub::__private::Place {
                            pattern: "Chat.{my_room..}",
                            token: 1usize,
                            tail: true,
                        },
                    ],
                ) {
                    ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                let __natspubsub_returned = my_message(
                        __natspubsub_payload,
                        __natspubsub_argument_0,
                    )
                    .await;
                (&&&::natspubsub::__private::Probe::of(&__natspubsub_returned))
                    .conversion()
                    .outcome(__natspubsub_returned)
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::SubscriberDescriptor = ::natspubsub::__private::SubscriberDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_message",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::natspubsub::__private::Source::Subject,
        patterns: &["Chat.{my_room..}"],
        options: ::natspubsub::__private::SubscriberOptions {
            transport: ::core::option::Option::Some("core"),
            queue: ::core::option::Option::Some("workers"),
            ..::natspubsub::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::natspubsub::__private::type_name::<MyRaw>,
        requirements: || ::natspubsub::__private::needed([]),
        transaction: false,
        call: ::natspubsub::__private::Call::Each(__natspubsub_call),
    };
    impl ::natspubsub::__private::Subscribe for my_message {
        fn descriptor(&self) -> &'static ::natspubsub::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
