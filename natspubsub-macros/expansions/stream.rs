struct MyStream;
#[allow(unused_qualifications)]
const _: () = {
    static __NATSPUBSUB_DESCRIPTOR: ::natspubsub::__private::StreamDescriptor = ::natspubsub::__private::StreamDescriptor {
        origin: ::natspubsub::__private::Origin {
            name: "MyStream",
            module: ::core::module_path!(),
            crate_name: ::core::env!("CARGO_PKG_NAME"),
            file: ::core::file!(),
            line: ::core::line!(),
        },
        options: ::natspubsub::__private::StreamOptions {
            name: ::core::option::Option::Some("S"),
            subjects: ::core::option::Option::Some(&["s.>"]),
            max_age_ns: ::core::option::Option::Some(3600000000000u64),
            metadata: ::core::option::Option::Some(&[("team", "rides")]),
            ..::natspubsub::__private::StreamOptions::UNWRITTEN
        },
    };
    impl ::natspubsub::__private::DeclaredStream for MyStream {
        fn descriptor(&self) -> &'static ::natspubsub::__private::StreamDescriptor {
            &__NATSPUBSUB_DESCRIPTOR
        }
    }
    ::natspubsub::__private::inventory::submit! {
        ::natspubsub::__private::Registration::Stream(& __NATSPUBSUB_DESCRIPTOR)
    }
    let _ = MyStream;
};
