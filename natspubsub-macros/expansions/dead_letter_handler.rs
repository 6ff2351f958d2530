async fn my_alert(my_letter: MyLetter) {}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_alert {}
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
                let __natspubsub_payload = match <MyLetter as ::natspubsub::__private::DeadLetterPayload>::from_letter(
                    &__natspubsub_delivery,
                ) {
                    ::core::result::Result::Ok(__natspubsub_read) => __natspubsub_read,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::Outcome::Failed(
                            __natspubsub_failure,
                        );
                    }
                };
                let __natspubsub_returned = my_alert(__natspubsub_payload).await;
                (&&&::natspubsub::__private::Probe::of(&__natspubsub_returned))
                    .conversion()
                    .outcome(__natspubsub_returned)
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::SubscriberDescriptor = ::natspubsub::__private::SubscriberDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_alert",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::natspubsub::__private::Source::DeadLetter,
        patterns: &["order.*"],
        options: ::natspubsub::__private::SubscriberOptions {
            ..::natspubsub::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::natspubsub::__private::type_name::<MyLetter>,
        requirements: || ::natspubsub::__private::needed([]),
        transaction: false,
        call: ::natspubsub::__private::Call::Each(__natspubsub_call),
    };
    impl ::natspubsub::__private::Subscribe for my_alert {
        fn descriptor(&self) -> &'static ::natspubsub::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
