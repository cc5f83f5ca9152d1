//! What the shop knows, in memory, and the one rule check that live requests and the replay at start share.
//!
//! A change is applied only after [`Book::admits`] said yes to it, so a journal that was edited by hand stops
//! the shop at start instead of giving balances that never existed.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::problem::Problem;

/// Somebody who buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    /// `cus_…`
    pub(crate) id: String,
    /// Their name.
    pub(crate) name: String,
    /// Where to write to.
    pub(crate) email: Option<String>,
    /// What they pay for.
    pub(crate) plan: String,
    /// RFC 3339.
    pub(crate) created: String,
    /// Counts the changes of this record; the entity tag is made of it.
    pub(crate) version: u64,
}

impl Customer {
    /// The strong entity tag (RFC 9110 section 8.8.3). An id is never used again, so the version is enough.
    pub(crate) fn etag(&self) -> String {
        format!("\"v{}\"", self.version)
    }
}

/// Something that support wrote about a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// `note_…`
    pub(crate) id: String,
    /// Whom it is about.
    pub(crate) customer: String,
    /// The text.
    pub(crate) text: String,
    /// RFC 3339.
    pub(crate) created: String,
}

/// What a customer owes or has paid. Money is in the currency's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invoice {
    /// `inv_…`
    pub(crate) id: String,
    /// Who got it.
    pub(crate) customer: String,
    /// What it is for.
    pub(crate) description: String,
    /// ISO 4217 in lower case.
    pub(crate) currency: String,
    /// The whole sum.
    pub(crate) amount: u64,
    /// What went back already; never more than `amount`.
    pub(crate) amount_refunded: u64,
    /// Only what was paid can be refunded.
    pub(crate) paid: bool,
}

impl Invoice {
    /// What could still be refunded.
    pub(crate) fn balance(&self) -> u64 {
        self.amount.saturating_sub(self.amount_refunded)
    }

    /// `open`, `paid`, `partially_refunded` or `refunded`.
    pub(crate) fn status(&self) -> &'static str {
        match (self.paid, self.amount_refunded) {
            (false, _) => "open",
            (true, 0) => "paid",
            (true, n) if n < self.amount => "partially_refunded",
            (true, _) => "refunded",
        }
    }
}

/// Money that went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refund {
    /// `re_…`
    pub(crate) id: String,
    /// The invoice it belongs to.
    pub(crate) invoice: String,
    /// How much, in the currency's smallest unit.
    pub(crate) amount: u64,
    /// As on the invoice.
    pub(crate) currency: String,
    /// The caller's own name for it.
    pub(crate) reference: String,
    /// RFC 3339.
    pub(crate) created: String,
}

/// The answer to a request that carried an `Idempotency-Key`, kept in the same journal line as its effect:
/// neither is ever there without the other. Keys are never forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Keys of different clients never meet.
    pub(crate) client: String,
    /// As it was sent.
    pub(crate) key: String,
    /// Digest of path and body.
    pub(crate) request: Digest,
    /// Status of the answer.
    pub(crate) status: u16,
    /// Body of the answer.
    pub(crate) body: String,
}

/// Everything that can happen to the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// The first line of every journal.
    Opened {
        /// Customers to begin with.
        customers: Vec<Customer>,
        /// Invoices to begin with.
        invoices: Vec<Invoice>,
    },
    /// A note was written.
    NoteAdded {
        /// The note.
        note: Note,
    },
    /// A customer's record was replaced by its next version.
    CustomerChanged {
        /// The whole record.
        customer: Customer,
    },
    /// A customer and the notes about them are gone. Invoices stay: the tax office wants them.
    CustomerDeleted {
        /// Whose.
        customer: String,
    },
    /// Money went back.
    RefundMade {
        /// The refund.
        refund: Refund,
    },
}

/// The whole state.
#[derive(Debug, Default)]
pub(crate) struct Book {
    opened: bool,
    customers: BTreeMap<String, Customer>,
    invoices: BTreeMap<String, Invoice>,
    notes: Vec<Note>,
    refunds: Vec<Refund>,
    kept: BTreeMap<(String, String), Kept>,
}

impl Book {
    /// Whether the first line was read or written.
    pub(crate) fn is_open(&self) -> bool {
        self.opened
    }

    /// All customers by id.
    pub(crate) fn customers(&self) -> impl Iterator<Item = &Customer> {
        self.customers.values()
    }

    /// One customer.
    pub(crate) fn customer(&self, id: &str) -> Result<&Customer, Problem> {
        self.customers.get(id).ok_or_else(|| Problem::not_found("customer", id))
    }

    /// One invoice.
    pub(crate) fn invoice(&self, id: &str) -> Result<&Invoice, Problem> {
        self.invoices.get(id).ok_or_else(|| Problem::not_found("invoice", id))
    }

    /// Notes about a customer, oldest first.
    pub(crate) fn notes_about<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes.iter().filter(move |n| n.customer == customer)
    }

    /// All refunds, oldest first.
    pub(crate) fn refunds(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter()
    }

    /// The kept answer to a client's key.
    pub(crate) fn kept(&self, client: &str, key: &str) -> Option<&Kept> {
        self.kept.get(&(client.to_owned(), key.to_owned()))
    }

    /// Whether `change` may happen now.
    pub(crate) fn admits(&self, change: &Change) -> Result<(), Problem> {
        match change {
            Change::Opened { .. } if self.opened => Err(Problem::invalid("The book is open already.")),
            Change::Opened { .. } => Ok(()),
            Change::NoteAdded { note } => self.customer(&note.customer).map(|_| ()),
            Change::CustomerChanged { customer } => {
                let now = self.customer(&customer.id)?;
                if now.version.checked_add(1) == Some(customer.version) {
                    Ok(())
                } else {
                    Err(Problem::invalid("A customer's record changes one version at a time."))
                }
            }
            Change::CustomerDeleted { customer } => self.customer(customer).map(|_| ()),
            Change::RefundMade { refund } => self.admits_refund(refund),
        }
    }

    fn admits_refund(&self, refund: &Refund) -> Result<(), Problem> {
        let invoice = self.invoice(&refund.invoice)?;
        let conflict = |code, detail| Err(Problem::new(StatusCode::CONFLICT, code, detail));
        if refund.amount == 0 || refund.currency != invoice.currency {
            return Err(Problem::invalid("A refund has an amount above zero in the invoice's currency."));
        }
        if !invoice.paid {
            return conflict("invoice_not_paid", format!("Invoice `{}` is not paid.", invoice.id));
        }
        if refund.amount > invoice.balance() {
            let (id, left) = (&invoice.id, invoice.balance());
            return conflict("amount_too_large", format!("Invoice `{id}` has {left} left to refund."));
        }
        Ok(())
    }

    /// Makes an admitted change true, and keeps the answer that was given for it.
    pub(crate) fn apply(&mut self, change: Change, kept: Option<Kept>) {
        match change {
            Change::Opened { customers, invoices } => {
                self.opened = true;
                self.customers = customers.into_iter().map(|c| (c.id.clone(), c)).collect();
                self.invoices = invoices.into_iter().map(|i| (i.id.clone(), i)).collect();
            }
            Change::NoteAdded { note } => self.notes.push(note),
            Change::CustomerChanged { customer } => {
                self.customers.insert(customer.id.clone(), customer);
            }
            Change::CustomerDeleted { customer } => {
                self.customers.remove(&customer);
                self.notes.retain(|n| n.customer != customer);
            }
            Change::RefundMade { refund } => {
                if let Some(invoice) = self.invoices.get_mut(&refund.invoice) {
                    invoice.amount_refunded = invoice.amount_refunded.saturating_add(refund.amount);
                }
                self.refunds.push(refund);
            }
        }
        if let Some(kept) = kept {
            self.kept.insert((kept.client.clone(), kept.key.clone()), kept);
        }
    }
}
