//! Policies for other actions must not make a decision slower.

use std::fmt::Write as _;

use super::*;

/// Policies that concern another action than the one that is asked for.
fn others(count: usize) -> String {
    let mut text = REFUNDS.to_owned();
    for index in 0..count {
        let _ = writeln!(
            text,
            "@id(\"o{index}\") permit (principal, action == Action::\"crm.contact.get\", resource == Contact::\"c{index}\");"
        );
    }
    text
}

#[test]
fn a_slice_holds_only_the_policies_of_its_action() {
    let world = world(&others(200));
    let size = |action: &str| world.policies.slices[action].set.num_of_policies();
    assert_eq!(size("stripe.refund.create"), 3);
    assert_eq!(size("crm.contact.get"), 200);
}
