async fn my_database(MyState(my_db): MyState<MyDb>) -> MyResult<(), MyFault> {
    Ok(())
}
#[doc(hidden)]
#[allow(non_camel_case_types, unreachable_pub, missing_debug_implementations)]
pub struct my_database {}
#[allow(unused_qualifications)]
const _: () = {
    fn __natspubsub_call(
        __natspubsub_services: ::std::sync::Arc<::natspubsub::__private::Services>,
    ) -> ::natspubsub::__private::CheckFuture {
        ::std::boxed::Box::pin(
            ::natspubsub::__private::require_send(async move {
                let __natspubsub_argument_0 = match <MyState<
                    MyDb,
                > as ::natspubsub::__private::FromServices>::from_services(
                    &__natspubsub_services,
                ) {
                    ::core::result::Result::Ok(__natspubsub_taken) => __natspubsub_taken,
                    ::core::result::Result::Err(__natspubsub_failure) => {
                        return ::natspubsub::__private::CheckReturn::into_check(
                            ::core::result::Result::<(), _>::Err(__natspubsub_failure),
                        );
                    }
                };
                let __natspubsub_returned = my_database(__natspubsub_argument_0).await;
                ::natspubsub::__private::CheckReturn::into_check(__natspubsub_returned)
            }),
        )
    }
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::HealthCheckDescriptor = ::natspubsub::__private::HealthCheckDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "my_database",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        title: "database",
        options: ::natspubsub::__private::HealthCheckOptions {
            kind: ::core::option::Option::Some("liveness"),
            ..::natspubsub::__private::HealthCheckOptions::UNWRITTEN
        },
        requirements: || ::natspubsub::__private::needed([
            <MyState<MyDb> as ::natspubsub::__private::FromServices>::requirement(),
        ]),
        call: __natspubsub_call,
    };
    impl ::natspubsub::__private::DeclaredHealthCheck for my_database {
        fn descriptor(&self) -> &'static ::natspubsub::__private::HealthCheckDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::HealthCheck(& __NATSPUBSUB_DESCRIPTOR)
    }
};
