use proptest::prelude::*;
use regex::Regex;

use super::*;

/// An independent list of what must never come out: the tables of another crate.
fn forbidden() -> Regex {
    Regex::new(concat!(
        r"[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}[\p{Zs}--\x20]\p{Default_Ignorable_Code_Point}",
        r"\p{Variation_Selector}\p{Bidi_Control}\p{White_Space}--\x20]"
    ))
    .unwrap()
}

fn shown(text: &str) -> String {
    visible(text).text
}

#[test]
fn no_code_point_of_the_hidden_classes_comes_out_raw_t23_t27() {
    let forbidden = forbidden();
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    assert_eq!(all.len(), 1_112_064);
    for part in all.chunks(4096) {
        let mut page = String::new();
        for c in part {
            // Alone, inside a word, and as a flood.
            let text = format!("{c} a{c}b a{c}{c}{c}{c}{c}{c}");
            let made = visible(&text);
            assert!(made.altered || made.text == text, "U+{:04X}", u32::from(*c));
            page.push_str(&made.text);
        }
        assert_eq!(forbidden.find(&page).map(|m| m.as_str().escape_unicode().to_string()), None);
    }
}

#[test]
fn what_people_write_is_shown_as_it_is() {
    for text in [
        "Refund $12.50 to Zoë Müller (ch_1) — “as agreed”…",
        "Привет, мир",
        "返金 12,50 円",
        "नमस्ते दुनिया",
        "สวัสดีชาวโลก",
        "שלום",
        "مرحبا",
        "Tiếng Việt e\u{301}\u{302}",
        "three   spaces",
        "😀",
        "",
    ] {
        assert_eq!(visible(text), Shown { text: text.into(), altered: false, bytes: text.len() });
    }
}

#[test]
fn what_hides_is_made_visible_t23_t27() {
    for (text, expect) in [
        ("invoice\u{202E}fdp.exe", "invoice<U+202E>fdp.exe"),
        ("a\tb\nc\rd\0", "a<U+0009>b<U+000A>c<U+000D>d<U+0000>"),
        ("\u{1b}[2J\u{9b}2J\u{1b}]8;;http://x\u{7}", "<U+001B>[2J<U+009B>2J<U+001B>]8;;http://x<U+0007>"),
        ("pay\u{200B}pal\u{AD}", "pay<U+200B>pal<U+00AD>"),
        ("x\u{FE0F}\u{E0041}\u{E0100}", "x<U+FE0F><U+E0041><U+E0100>"),
        ("a\u{A0}b\u{3000}c\u{2028}d", "a<U+00A0>b<U+3000>c<U+2028>d"),
        ("\u{3164}\u{2800}\u{FFFC}", "<U+3164><U+2800><U+FFFC>"),
        ("a    b", "a <spaces ×4> b"),
        ("end     ", "end <spaces ×5> "),
        ("\u{301}a", "<U+0301>a"),
        ("a \u{301}", "a <U+0301>"),
        ("a\u{200B}\u{301}", "a<U+200B><U+0301>"),
        (
            "a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}b\u{301}",
            "a\u{301}\u{302}\u{303}\u{304}<U+0305><U+0306>b\u{301}",
        ),
    ] {
        assert_eq!(visible(text), Shown { text: expect.into(), altered: true, bytes: text.len() });
    }
}

#[test]
fn lines_are_kept_and_a_page_of_nothing_is_named_t25() {
    let texts = |text: &str| -> Vec<String> { visible_lines(text).into_iter().map(|l| l.text).collect() };
    assert_eq!(texts("a\n\nb\r\n"), ["a", "", "b<U+000D>", ""]);
    assert_eq!(texts(&format!("a{}b", "\n".repeat(10_001))), ["a", "<empty lines ×10000>", "b"]);
    assert_eq!(texts(""), [""]);
}

#[test]
fn what_is_cut_is_named_and_both_ends_stay_t25() {
    assert_eq!(shorten("0123456789", 5, 5), visible("0123456789"));
    // SHA-256 of the text, as `printf %s 0123456789a | sha256sum` gives it.
    let cut = shorten("0123456789a", 3, 2);
    assert_eq!(cut.text, "012 … 6 characters hidden, sha256 73ceda67679033f4 … 9a");
    assert_eq!((cut.altered, cut.bytes), (true, 11));
    assert_eq!(shorten("ab\u{1b}cd\u{202E}", 3, 1).text.matches("<U+").count(), 2);
    assert!(shorten("abc", 0, 0).text.starts_with(" … 3 characters hidden"));
}

#[test]
fn a_payload_changes_what_is_shown_wherever_it_stands_t25() {
    let length = 1024 * 1024;
    let plain = shorten(&"x".repeat(length), 200, 100).text;
    for position in [0, 1, 199, 200, 201, length / 2, length - 101, length - 100, length - 1] {
        let mut text = vec![b'x'; length];
        text[position] = b'!';
        let made = shorten(std::str::from_utf8(&text).unwrap(), 200, 100).text;
        assert_ne!(made, plain, "{position}");
        assert!(made.contains("characters hidden"));
        assert!(made.len() < 500);
    }
}

#[test]
fn look_alikes_are_flagged_and_languages_are_not_t24() {
    for (text, expect) in [
        ("paypal", false),
        ("Refund for Zoë Müller — naïve café", false),
        ("Привет, это Stripe", false),
        ("Καλημέρα από το Stripe", false),
        ("返金 Tokyo", false),
        ("It’s “fine”…", false),
        ("Вася съел обед", false),
        ("", false),
        ("paypаl", true),           // Cyrillic а
        ("аdmin wants this", true), // Cyrillic а
        ("gοοgle", true),           // Greek ο
        ("аррӏе", true),            // all Cyrillic
        ("ｐａｙｐａｌ", true),     // full width
        ("𝐩𝐚𝐲𝐩𝐚𝐥", true),           // mathematical
        ("see https://münchen.example/x", true),
        ("mail ann@exämple.com", true),
        ("example。com", true), // ideographic full stop
        ("https://пример.рф/", true),
    ] {
        assert_eq!(is_suspicious(text), expect, "{text}");
        assert_eq!(!look_alikes(text).is_empty(), expect, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_comes_out_clean_and_twice_is_the_same(text: String, head in 0_usize..9, tail in 0_usize..9) {
        let forbidden = forbidden();
        let made = visible(&text);
        prop_assert!(!forbidden.is_match(&made.text));
        prop_assert_eq!(shown(&made.text), made.text);
        prop_assert!(!forbidden.is_match(&shorten(&text, head, tail).text));
        prop_assert_eq!(made.bytes, text.len());
    }
}

#[test]
fn each_look_alike_is_named_with_its_place_t24() {
    let found = look_alikes("pay p\u{430}ypal at \u{435}xample.com");
    assert_eq!(found, [(5, '\u{430}'), (14, '\u{435}')]);
    assert_eq!(what_is('\u{430}'), "“\u{430}” is Cyrillic (U+0430) and looks like Latin “a”");
    assert_eq!(what_is('\u{4e2d}'), "“\u{4e2d}” is Han (U+4E2D)");
}
