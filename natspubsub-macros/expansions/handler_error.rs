impl ::natspubsub::__private::HandlerError for MyFault {
    fn policy(&self) -> ::natspubsub::__private::FailureClass {
        match self {
            Self::MyBusy { .. } => {
                const CURVE: ::natspubsub::__private::RetryCurve = ::natspubsub::__private::RetryCurve::new(
                    &[
                        ::core::time::Duration::from_nanos(1000000000u64),
                        ::core::time::Duration::from_nanos(2000000000u64),
                    ],
                    true,
                );
                ::natspubsub::__private::FailureClass::TransientCurve {
                    curve: CURVE,
                }
            }
            Self::MyOld { .. } => ::natspubsub::__private::FailureClass::Discard,
            Self::MyOther { .. } => {
                ::natspubsub::__private::FailureClass::Transient {
                    after: ::core::option::Option::None,
                }
            }
        }
    }
}
