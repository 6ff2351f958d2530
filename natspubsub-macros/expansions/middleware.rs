async fn my_audit(my_delivery: MyDelivery, my_next: MyNext<'_>) -> MyOutcome {
    next.run(delivery).await
}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_audit {}
#[allow(unused_qualifications)]
const _: () = {
    impl ::core::default::Default for my_audit {
        fn default() -> Self {
            Self {}
        }
    }
    impl ::natspubsub::__private::Middleware for my_audit {
        async fn handle(
            &self,
            __natspubsub_delivery: ::natspubsub::__private::Delivery,
            __natspubsub_next: ::natspubsub::__private::Next<'_>,
        ) -> ::natspubsub::__private::Outcome {
            my_audit(__natspubsub_delivery, __natspubsub_next).await
        }
    }
};
#[allow(unused_qualifications)]
const _: () = {
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::MiddlewareDescriptor = ::natspubsub::__private::MiddlewareDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_audit",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        order: -10i32,
        make: || ::natspubsub::__private::MadeMiddleware::new(my_audit {}),
    };
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Middleware(& __NATSPUBSUB_DESCRIPTOR)
    }
};
