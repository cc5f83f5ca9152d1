//! A manifest is loaded or refused with places that exist, whatever its text; nothing panics or takes long.
#![no_main]

use countersign_core::action::Registry;
use countersign_core::problem::SourceFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = "actions/shop.toml".to_owned();
    let file = SourceFile { path: path.clone(), text: text.to_owned() };
    let problems = match Registry::load(&[file], &["staging".to_owned()]) {
        Ok((_, warnings)) => warnings,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            errors
        }
    };
    let lines = text.split('\n').count();
    for problem in problems {
        assert_eq!(problem.file, path);
        // A table that is not there has no line, and TOML does not say where it is nested too deeply.
        let placeless = ["missing", "nested too deeply"].iter().any(|known| problem.message.contains(known));
        assert!(problem.line > 0 || placeless, "{problem:?} has no place");
        assert!(problem.line <= lines, "{problem:?} is behind line {lines}");
        assert!(!problem.message.trim().is_empty() && !problem.remedy.trim().is_empty(), "{problem:?}");
        assert!(!problem.message.contains('\n'), "{problem:?}");
    }
});
