//! Naming the crates that hold handlers.

/// Names the crates that hold handlers, so that the linker keeps what they registered.
///
/// Rust does not link a library crate that nothing names (measured, in every profile), and its subscribers would
/// silently not run. A named crate without a single declaration is a fault at start.
///
/// ```ignore
/// natspubsub::link!(billing, orders);
/// ```
#[macro_export]
macro_rules! link {
    ($($name:ident),+ $(,)?) => {
        $(
            const _: () = {
                use $name as _;
                static __NATSPUBSUB_LINK: $crate::__private::LinkDescriptor = $crate::__private::LinkDescriptor {
                    name: ::core::stringify!($name),
                    file: ::core::file!(),
                    line: ::core::line!(),
                };
                $crate::__private::inventory::submit! {
                    $crate::__private::Registration::Link(&__NATSPUBSUB_LINK)
                }
            };
        )+
    };
}
