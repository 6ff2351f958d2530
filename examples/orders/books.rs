//! The books of the shop: who has how much, and what became of each order.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// One order, with all payments that were taken for it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) amount: i64,
    /// `new`, `paid` or `refused`.
    pub(crate) status: String,
    /// How many payments there are, and their sum.
    pub(crate) payments: i64,
    pub(crate) paid: i64,
}

/// Everything, as of one moment.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Books {
    pub(crate) accounts: BTreeMap<String, i64>,
    pub(crate) orders: Vec<Order>,
    /// Messages of the outbox that are not published yet, and those that never will be.
    pub(crate) waiting: u64,
    pub(crate) failed: u64,
}

impl Books {
    /// Without the orders of others.
    pub(crate) fn of(mut self, customer: &str) -> Self {
        self.orders.retain(|order| order.customer.starts_with(customer));
        self
    }

    /// All the money there is.
    pub(crate) fn money(&self) -> i64 {
        self.accounts.values().sum()
    }

    pub(crate) fn count(&self, status: &str) -> usize {
        self.orders.iter().filter(|order| order.status == status).count()
    }

    /// Whether nothing is under way any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.waiting == 0 && self.count("new") == 0
    }

    /// Everything that is not as it must be, when these orders were posted and there was so much money before.
    pub(crate) fn faults(&self, money: i64, posted: &BTreeSet<String>) -> Vec<String> {
        let mut faults = Vec::new();
        if self.money() != money {
            faults.push(format!("there is {} of money, and there was {money}", self.money()));
        }
        if self.failed > 0 {
            faults.push(format!("{} messages of the outbox have failed", self.failed));
        }
        let known: BTreeSet<String> = self.orders.iter().map(|order| order.id.clone()).collect();
        faults.extend(posted.difference(&known).map(|id| format!("{id} was answered and is not there")));
        for Order { id, amount, status, payments, paid, .. } in &self.orders {
            let is_right = match status.as_str() {
                "paid" => (*payments, paid) == (1, amount),
                "refused" => *payments == 0,
                _ => false,
            };
            if !is_right {
                faults.push(format!("{id} for {amount} is {status}, with {payments} payments of {paid}"));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(id: &str, status: &str, payments: i64) -> Order {
        Order { id: id.into(), customer: "ann".into(), amount: 7, status: status.into(), payments, paid: 7 * payments }
    }

    fn books(orders: Vec<Order>) -> Books {
        Books { accounts: [("ann".into(), 93), ("shop".into(), 7)].into(), orders, ..Books::default() }
    }

    #[test]
    fn books_that_are_right_have_no_fault() {
        let books = books(vec![order("a", "paid", 1), order("b", "refused", 0)]);
        assert!(books.is_settled());
        assert_eq!(books.faults(100, &["a".into(), "b".into()].into()), Vec::<String>::new());
    }

    #[test]
    fn what_is_lost_or_doubled_is_told() {
        for (books, fault) in [
            (books(vec![order("a", "paid", 2)]), "a for 7 is paid, with 2 payments of 14"),
            (books(vec![order("a", "paid", 0)]), "a for 7 is paid, with 0 payments of 0"),
            (books(vec![order("a", "refused", 1)]), "a for 7 is refused, with 1 payments of 7"),
            (books(vec![order("a", "new", 0)]), "a for 7 is new, with 0 payments of 0"),
            (books(vec![]), "a was answered and is not there"),
            (Books { failed: 2, ..books(vec![order("a", "paid", 1)]) }, "2 messages of the outbox have failed"),
        ] {
            assert_eq!(books.faults(100, &["a".into()].into()), [fault]);
        }
        let poorer = Books { accounts: [("ann".into(), 99)].into(), ..books(vec![order("a", "paid", 1)]) };
        assert_eq!(poorer.faults(100, &["a".into()].into()), ["there is 99 of money, and there was 100"]);
    }
}
