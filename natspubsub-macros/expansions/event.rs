impl ::natspubsub::__private::Event for MyOrder {
    const TOPIC: &'static str = "order.created";
    const MESSAGE_TYPE: &'static str = "MyOrder";
    const VERSION: u32 = 2u32;
    fn key(&self) -> ::core::option::Option<::std::string::String> {
        ::core::option::Option::Some(::std::string::ToString::to_string(&self.my_id))
    }
    fn id(&self) -> ::core::option::Option<::std::string::String> {
        ::core::option::Option::Some(::std::format!("order-{}", self.my_id))
    }
}
