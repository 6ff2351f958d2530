async fn my_health(my_ping: MyPing, my_ctx: MyContext) -> MyResult<MyHealth, MyFault> {
    Ok(MyHealth)
}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_health {}
#[allow(unused_qualifications)]
const _: () = {
    fn __natspubsub_call(
        __natspubsub_delivery: ::natspubsub::__private::Delivery,
    ) -> ::natspubsub::__private::ReplyFuture {
        #[allow(unused_imports)]
        use ::natspubsub::__private::{
            ByError as _, ByNothing as _, ByPolicy as _, ByResult as _, ByValue as _,
        };
        ::std::boxed::Box::pin(
            ::natspubsub::__private::require_send(async move {
                let __natspubsub_payload = match <MyPing as ::natspubsub::__private::Payload>::from_body(
                    &__natspubsub_delivery,
                ) {
                    ::core::result::Result::Ok(__natspubsub_read) => __natspubsub_read,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::core::result::Result::Err(__natspubsub_failure);
                    }
                };
                if let ::core::result::Result::Err(__natspubsub_failure) = {
                    #[allow(unused_imports)]
                    use ::natspubsub::__private::{ByAnything as _, ByEvent as _};
                    (&&::natspubsub::__private::Checked::of(&__natspubsub_payload))
                        .check(&__natspubsub_payload)
                } {
                    return ::core::result::Result::Err(__natspubsub_failure);
                }
                let __natspubsub_argument_0 = match <MyContext as ::natspubsub::__private::FromDelivery>::from_delivery(
                        &__natspubsub_delivery,
                    )
                    .await
                {
                    ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::core::result::Result::Err(__natspubsub_failure);
                    }
                };
                let __natspubsub_returned = my_health(
                        __natspubsub_payload,
                        __natspubsub_argument_0,
                    )
                    .await;
                match (&&::natspubsub::__private::Fallible::of(&__natspubsub_returned))
                    .split(__natspubsub_returned)
                {
                    ::core::result::Result::Ok(__natspubsub_value) => {
                        ::natspubsub::__private::encode_reply(&__natspubsub_value)
                    }
                    ::core::result::Result::Err(__natspubsub_error) => {
                        ::core::result::Result::Err(
                            ::natspubsub::__private::failure_of({
                                let __natspubsub_failed: ::core::result::Result<(), _> = ::core::result::Result::Err(
                                    ::natspubsub::__private::require_error(__natspubsub_error),
                                );
                                (&&&::natspubsub::__private::Probe::of(
                                    &__natspubsub_failed,
                                ))
                                    .conversion()
                                    .outcome(__natspubsub_failed)
                            }),
                        )
                    }
                }
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::SubscriberDescriptor = ::natspubsub::__private::SubscriberDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_health",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        source: ::natspubsub::__private::Source::Request,
        patterns: &["chat.${pod_id}.health"],
        options: ::natspubsub::__private::SubscriberOptions {
            ..::natspubsub::__private::SubscriberOptions::UNWRITTEN
        },
        payload: ::natspubsub::__private::type_name::<MyPing>,
        requirements: || ::natspubsub::__private::needed([
            <MyContext as ::natspubsub::__private::FromDelivery>::requirement(),
        ]),
        transaction: false,
        call: ::natspubsub::__private::Call::Reply(__natspubsub_call),
    };
    impl ::natspubsub::__private::Subscribe for my_health {
        fn descriptor(&self) -> &'static ::natspubsub::__private::SubscriberDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Subscriber(& __NATSPUBSUB_DESCRIPTOR)
    }
};
