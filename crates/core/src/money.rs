//! Money as text: the right number of digits for its currency (ISO 4217), for machines and for people.

use iso_currency::Currency;

/// Digits after the point of a currency, by its code in any case; none when ISO 4217 does not have the code.
pub fn digits(code: &str) -> Option<usize> {
    let code = code.to_ascii_uppercase();
    // The ariary has fifths, which payment providers treat as whole units. Reading an amount as whole units can only
    // overstate it.
    if code == "MGA" {
        return Some(0);
    }
    Currency::from_code(&code)?.exponent().map(usize::from)
}

/// An amount of the smallest unit as exact decimal text without separators: `900.00`. None when the number of digits
/// of the currency is not known.
pub fn decimal(minor: i64, code: &str) -> Option<String> {
    let digits = digits(code)?;
    let sign = if minor < 0 { "-" } else { "" };
    let all = minor.unsigned_abs().to_string();
    if digits == 0 {
        return Some(format!("{sign}{all}"));
    }
    let width = digits.saturating_add(1);
    let padded = format!("{all:0>width$}");
    let (whole, fraction) = padded.split_at_checked(padded.len().saturating_sub(digits))?;
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Decimal text as people read it: `12,500.00 USD`, `980,000 JPY`. Nothing is rounded: digits beyond the currency's own
/// stay unless they are zeros. Text that is not a decimal number is shown as it is.
pub fn shown(decimal: &str, code: &str) -> String {
    let code = code.to_ascii_uppercase();
    let (sign, number) = decimal.strip_prefix('-').map_or(("", decimal), |rest| ("-", rest));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return format!("{decimal} {code}");
    }
    let least = digits(&code).unwrap_or(0);
    let kept = fraction.trim_end_matches('0');
    let fraction = format!("{kept:0<least$}");
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction} {code}", grouped(whole))
}

/// Groups of three from the right.
fn grouped(whole: &str) -> String {
    let mut text = String::with_capacity(whole.len().saturating_mul(2));
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len().saturating_sub(at);
        if at > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_unit_is_written_with_the_digits_of_its_currency() {
        let table = [
            (90_000, "usd", Some("900.00")),
            (5, "USD", Some("0.05")),
            (-5, "eur", Some("-0.05")),
            (980_000, "jpy", Some("980000")),
            (5, "kwd", Some("0.005")),
            (1, "clf", Some("0.0001")),
            (7, "mga", Some("7")),
            (i64::MIN, "usd", Some("-92233720368547758.08")),
            (1, "xyz", None),
            (1, "euro", None),
        ];
        for (minor, code, expect) in table {
            assert_eq!(decimal(minor, code).as_deref(), expect, "{minor} {code}");
        }
    }

    #[test]
    fn people_read_separators_and_the_digits_of_the_currency() {
        let table = [
            ("900.0", "usd", "900.00 USD"),
            ("12500.00", "usd", "12,500.00 USD"),
            ("980000.0", "jpy", "980,000 JPY"),
            ("0.5", "kwd", "0.500 KWD"),
            ("1234567.891", "eur", "1,234,567.891 EUR"),
            ("-1000", "eur", "-1,000.00 EUR"),
            ("999", "usd", "999.00 USD"),
            ("100000.50", "xyz", "100,000.5 XYZ"),
            ("about ten", "usd", "about ten USD"),
            ("", "usd", " USD"),
        ];
        for (text, code, expect) in table {
            assert_eq!(shown(text, code), expect, "{text} {code}");
        }
    }

    #[test]
    fn currencies_without_two_digits_are_those_that_payment_providers_know() {
        let none = "bif clp djf gnf isk jpy kmf krw mga pyg rwf ugx uyi vnd vuv xaf xof xpf";
        let three = "bhd iqd jod kwd lyd omr tnd";
        for (codes, expect) in [(none, 0), (three, 3), ("clf uyw", 4), ("usd eur gbp huf twd", 2)] {
            for code in codes.split(' ') {
                assert_eq!(digits(code), Some(expect), "{code}");
            }
        }
    }
}
