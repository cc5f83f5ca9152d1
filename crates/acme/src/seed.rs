//! What a new shop begins with.

use crate::book::{Change, Customer, Invoice};

/// The first line of a new journal.
pub(crate) fn opening() -> Change {
    let customers = [
        ("cus_ada", "Ada Lovelace", "ada@example.com", "business"),
        ("cus_grace", "Grace Hopper", "grace@example.com", "enterprise"),
        ("cus_linus", "Linus Pauling", "linus@example.com", "starter"),
        ("cus_marie", "Marie Curie", "marie@example.com", "business"),
    ];
    let invoices = [
        ("inv_1001", "cus_ada", "Business plan, October", 12_000, true),
        ("inv_1002", "cus_grace", "Enterprise plan, a year", 240_000, true),
        ("inv_1003", "cus_linus", "Starter plan, October", 1_900, true),
        ("inv_1004", "cus_marie", "Business plan, October", 12_000, true),
        ("inv_1005", "cus_ada", "Business plan, November", 12_000, false),
    ];
    Change::Opened {
        customers: customers.map(customer).into_iter().collect(),
        invoices: invoices.map(invoice).into_iter().collect(),
    }
}

fn customer((id, name, email, plan): (&str, &str, &str, &str)) -> Customer {
    Customer {
        id: id.to_owned(),
        name: name.to_owned(),
        email: Some(email.to_owned()),
        plan: plan.to_owned(),
        created: "2026-01-05T09:00:00.000000Z".to_owned(),
        version: 1,
    }
}

fn invoice((id, customer, description, amount, paid): (&str, &str, &str, u64, bool)) -> Invoice {
    Invoice {
        id: id.to_owned(),
        customer: customer.to_owned(),
        description: description.to_owned(),
        currency: "usd".to_owned(),
        amount,
        amount_refunded: 0,
        paid,
    }
}
