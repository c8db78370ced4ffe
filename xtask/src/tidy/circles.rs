//! Finds cycles of modules: files that depend on each other.
//!
//! A file depends on another if it names an item defined there, outside of tests. Re-exports are
//! followed to the definition and are not a dependency themselves; method calls are not seen.

use anyhow::{Context, Result};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

/// The most files in a cycle: a parent module and its child may depend on each other.
pub(crate) const MOST: usize = 2;

/// The modules of one crate and their dependencies.
pub(crate) struct Crate {
    workspace: PathBuf,
    modules: Vec<Module>,
    /// The dependencies between files, as pairs of indices into `files`.
    needs: BTreeSet<(usize, usize)>,
    files: Vec<PathBuf>,
}

/// A module, in its own file or inline in another's.
struct Module {
    /// The index in `files` of its file.
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// The paths that it re-exports, by their names here.
    exports: BTreeMap<String, Vec<String>>,
    named: Vec<Vec<String>>,
}

impl Crate {
    /// Reads a crate of a workspace from its root file, such as `shared/src/lib.rs`.
    pub(crate) fn read(workspace: &Path, root: &str) -> Result<Self> {
        let root = PathBuf::from(root);
        let (modules, needs, files) = (Vec::new(), BTreeSet::new(), Vec::new());
        let mut read = Self { workspace: workspace.to_owned(), modules, needs, files };
        let children = root.parent().unwrap_or(Path::new("")).to_owned();
        read.read_file(&root, &children, None)?;
        read.connect();
        Ok(read)
    }

    /// The number of files, and of dependencies between them.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.files.len(), self.needs.len())
    }

    /// The cycles, each sorted by name, the largest first.
    pub(crate) fn circles(&self) -> Vec<Vec<&Path>> {
        let graph = DiGraphMap::<usize, ()>::from_edges(self.needs.iter().copied());
        let circles = tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1);
        let named = |circle: Vec<usize>| {
            let mut files: Vec<&Path> = circle.into_iter().map(|it| &*self.files[it]).collect();
            files.sort();
            files
        };
        let mut circles: Vec<Vec<&Path>> = circles.map(named).collect();
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }

    /// The dependencies within a cycle.
    pub(crate) fn within(&self, circle: &[&Path]) -> Vec<(&Path, &Path)> {
        let paths = self.needs.iter().map(|(from, to)| (&*self.files[*from], &*self.files[*to]));
        paths.filter(|(from, to)| circle.contains(from) && circle.contains(to)).collect()
    }

    fn read_file(&mut self, path: &Path, folder: &Path, parent: Option<usize>) -> Result<usize> {
        let text = fs::read_to_string(self.workspace.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let parsed =
            syn::parse_file(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        self.files.push(path.to_owned());
        self.read_items(&parsed.items, self.files.len() - 1, folder, parent)
    }

    fn read_items(
        &mut self,
        items: &[Item],
        file: usize,
        folder: &Path,
        parent: Option<usize>,
    ) -> Result<usize> {
        let place = self.modules.len();
        let (children, exports) = (BTreeMap::new(), BTreeMap::new());
        self.modules.push(Module { file, parent, children, exports, named: Vec::new() });
        for item in items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => {}
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = self.read_module(module, &name, file, folder, place)?;
                    self.modules[place].children.insert(name, child);
                }
                Item::Use(item) if !matches!(item.vis, Visibility::Inherited) => {
                    flatten(&item.tree, &mut Vec::new(), &mut |name, path| {
                        self.modules[place].exports.insert(name, path);
                    });
                }
                item => {
                    let mut names = Names(&mut self.modules[place].named);
                    names.visit_item(item);
                }
            }
        }
        Ok(place)
    }

    fn read_module(
        &mut self,
        module: &ItemMod,
        name: &str,
        file: usize,
        folder: &Path,
        parent: usize,
    ) -> Result<usize> {
        let inside = folder.join(name);
        if let Some((_, items)) = &module.content {
            return self.read_items(items, file, &inside, Some(parent));
        }
        self.read_file(&folder.join(format!("{name}.rs")), &inside, Some(parent))
    }

    /// Resolves all names to the files that define them.
    fn connect(&mut self) {
        for (place, module) in self.modules.iter().enumerate() {
            for path in &module.named {
                if let Some(target) = self.resolve(place, path, 0) {
                    let (from, to) = (module.file, self.modules[target].file);
                    if from != to {
                        self.needs.insert((from, to));
                    }
                }
            }
        }
    }

    /// The module that defines the item of a path; `None` for items of other crates.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        let (first, mut rest) = path.split_first()?;
        let mut place = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            child => *self.modules[from].children.get(child)?,
        };
        while let Some((name, behind)) = rest.split_first() {
            let module = &self.modules[place];
            if name == "super" {
                place = module.parent?;
            } else if let Some(child) = module.children.get(name) {
                place = *child;
            } else if let Some(exported) = module.exports.get(name).filter(|_| depth < 9) {
                let whole: Vec<String> = exported.iter().chain(behind).cloned().collect();
                // A re-export from another crate resolves to `None`.
                return self.resolve(place, &whole, depth + 1);
            } else {
                break;
            }
            rest = behind;
        }
        Some(place)
    }
}

/// Collects the paths that an item names.
struct Names<'a>(&'a mut Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        flatten(&item.tree, &mut Vec::new(), &mut |_, path| self.0.push(path));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    /// `pub(super)` is not a dependency.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, called: &'ast Macro) {
        visit::visit_macro(self, called);
        self.tokens(called.tokens.clone());
    }
}

impl Names<'_> {
    /// Collects the paths in a macro's arguments.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.0.push(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => colons = 0,
            }
        }
        self.0.push(path);
    }
}

/// Calls `found` with each path of a `use` and its local name.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut impl FnMut(String, Vec<String>)) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
        UseTree::Name(name) => found(name.ident.to_string(), with(before, &name.ident)),
        UseTree::Rename(name) => found(name.rename.to_string(), with(before, &name.ident)),
        UseTree::Glob(_) => found("*".into(), before.clone()),
    }
}

fn with(before: &[String], last: &syn::Ident) -> Vec<String> {
    let last = Some(last.to_string()).filter(|last| last != "self");
    before.iter().cloned().chain(last).collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the cycles of some files, given with their texts.
    fn check(files: &[(&str, &str)], expected: &[&[&str]]) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let read = Crate::read(folder.path(), "src/lib.rs").unwrap();
        assert_eq!(read.size().0, files.len());
        let circles = read.circles();
        let circles: Vec<Vec<&str>> = circles
            .iter()
            .map(|circle| circle.iter().map(|file| file.to_str().unwrap()).collect())
            .collect();
        assert_eq!(circles, expected, "{files:?}");
    }

    #[test]
    fn circles_are_found() {
        let root = ("src/lib.rs", "pub mod a; pub mod b;");
        let (a, b) = ("src/a.rs", "src/b.rs");
        check(&[root, (a, "use crate::b::B;"), (b, "pub struct B;")], &[]);
        check(&[root, (a, "use crate::b::B;"), (b, "use super::a;")], &[&[a, b]]);
        // Without `use`, in a macro, and in a signature.
        check(&[root, (a, "fn f(b: crate::b::B) {}"), (b, "use crate::a::f;")], &[&[a, b]]);
        check(&[root, (a, "fn f() { x!(y, crate::b::g()) }"), (b, "use crate::a::f;")], &[&[a, b]]);
        // Tests and visibilities are not dependencies.
        let tests = "#[cfg(test)] mod tests { use crate::b::B; }";
        check(&[root, (a, tests), (b, "pub(super) fn f() { crate::a::g() }")], &[]);
        // A re-export leads to where the item is defined.
        let root = ("src/lib.rs", "pub mod a; pub mod b; pub use b::B;");
        check(&[root, (a, "use crate::B;"), (b, "use crate::a::A;")], &[&[a, b]]);
        check(&[root, (a, "use crate::B;"), (b, "pub struct B;")], &[]);
    }

    #[test]
    fn parents_and_children_are_found() {
        let root = ("src/lib.rs", "mod a;");
        let (a, b, c) = ("src/a.rs", "src/a/b.rs", "src/a/c.rs");
        let parent = (a, "mod b; mod c; fn f() { b::f() }");
        check(&[root, parent, (b, "pub fn f() { super::f() }"), (c, "")], &[&[b, a]]);
        check(&[root, parent, (b, "use super::c::C;"), (c, "use super::f;")], &[&[b, c, a]]);
        check(&[root, parent, (b, "use super::c::C;"), (c, "pub struct C;")], &[]);
    }
}
