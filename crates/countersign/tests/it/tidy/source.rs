//! Which lines of a file are compiled for tests only, as the parser sees it.

use std::ops::RangeInclusive;

use syn::visit::Visit;

/// The lines of every item under `#[cfg(test)]`, from 1, attributes included.
pub(super) fn test_lines(path: &str, text: &str) -> Vec<RangeInclusive<usize>> {
    let Ok(file) = syn::parse_file(text) else { panic!("{path} is not Rust") };
    let mut found = Tests::default();
    found.visit_file(&file);
    found.0
}

/// The names of the types that a file defines outside its tests, with their lines from 1.
pub(super) fn types(path: &str, text: &str) -> Vec<(usize, String)> {
    let Ok(file) = syn::parse_file(text) else { panic!("{path} is not Rust") };
    let mut found = Types { tests: test_lines(path, text), found: Vec::new() };
    found.visit_file(&file);
    found.found
}

/// The paths into its own crate that a file names outside its tests: in imports, types and expressions.
pub(super) fn own_paths(path: &str, text: &str) -> Vec<Vec<String>> {
    let Ok(file) = syn::parse_file(text) else { panic!("{path} is not Rust") };
    let mut found = Paths { tests: test_lines(path, text), found: Vec::new() };
    found.visit_file(&file);
    found.found
}

struct Paths {
    tests: Vec<RangeInclusive<usize>>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn keep(&mut self, line: usize, path: Vec<String>) {
        let ours = path.first().is_some_and(|first| ["crate", "super", "self"].contains(&first.as_str()));
        if ours && !self.tests.iter().any(|range| range.contains(&line)) {
            self.found.push(path);
        }
    }

    fn tree(&mut self, line: usize, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(line, &with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.keep(line, with(&name.ident)),
            syn::UseTree::Rename(name) => self.keep(line, with(&name.ident)),
            syn::UseTree::Glob(_) => self.keep(line, before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(line, before, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(item.use_token.span.start().line, &[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let Some(first) = path.segments.first() else { return };
        let names = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.keep(first.ident.span().start().line, names);
        syn::visit::visit_path(self, path);
    }
}

struct Types {
    tests: Vec<RangeInclusive<usize>>,
    found: Vec<(usize, String)>,
}

impl Types {
    fn keep(&mut self, name: &syn::Ident) {
        let line = name.span().start().line;
        if !self.tests.iter().any(|range| range.contains(&line)) {
            self.found.push((line, name.to_string()));
        }
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.keep(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.keep(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.keep(&item.ident);
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.keep(&item.ident);
    }
}

#[derive(Default)]
struct Tests(Vec<RangeInclusive<usize>>);

impl Tests {
    /// Keeps the lines of an item that is for tests only. Gives whether it was one.
    fn keep(&mut self, attributes: &[syn::Attribute], item: &impl syn::spanned::Spanned) -> bool {
        let is_test = attributes.iter().any(for_tests);
        if is_test {
            let span = item.span();
            self.0.push(span.start().line..=span.end().line);
        }
        is_test
    }
}

/// `#[cfg(test)]`, also in `all` and `any`; what is compiled when it is no test is product code.
fn for_tests(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let words = list.tokens.to_string();
    list.path.is_ident("cfg")
        && !words.contains("not")
        && words.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
}

impl<'ast> Visit<'ast> for Tests {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the enum is open; what else there is holds no code of ours"
    )]
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return,
        };
        if !self.keep(attributes, item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.keep(&item.attrs, item);
    }
}

#[test]
fn what_stands_behind_the_tests_of_a_file_is_product_code() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\nimpl X {\n    #[cfg(test)]\n    \
                fn d() {}\n    fn e() {}\n}\n#[cfg(not(test))]\nfn f() {}\n";
    let found: Vec<(usize, usize)> =
        test_lines("x.rs", text).iter().map(|r| (*r.start(), *r.end())).collect();
    assert_eq!(found, [(2, 5), (8, 9)]);
}
