//! Builds the script that pages load: the glue and the loader in one function, minified.

use super::glue::Glue;
use anyhow::{Result, anyhow, ensure};
use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_compat::EngineTargets;
use oxc_minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions};
use oxc_parser::Parser;
use oxc_span::SourceType;

/// The language of the oldest browsers that can run the module. Newer syntax would cause a syntax
/// error in an older browser, which the page would see.
const LANGUAGE: &str = "es2020";

/// Joins glue and loader; `file` is the name of the module's file next to the script.
pub(super) fn join(loader: &str, glue: &Glue, file: &str) -> Result<String> {
    let Glue { statements, imports } = glue;
    // The whole script is one `try`, so that even a browser without basic features reports no
    // error.
    let script = format!(
        "try {{ (() => {{\n{statements}\nconst MODULE = '{file}';\nconst IMPORTS = {imports};\n{loader}\n}})() }} catch {{}}"
    );
    minify(&script)
}

/// Minifies a script.
pub(super) fn minify(text: &str) -> Result<String> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::script()).parse();
    ensure!(parsed.diagnostics.is_empty(), "the script does not parse: {:?}", parsed.diagnostics);
    let mut program = parsed.program;
    let target = EngineTargets::from_target(LANGUAGE).map_err(|error| anyhow!(error))?;
    let options = MinifierOptions {
        mangle: Some(MangleOptions::default()),
        compress: Some(CompressOptions { target, ..CompressOptions::smallest() }),
        ..MinifierOptions::default()
    };
    let minified = Minifier::new(options).minify(&allocator, &mut program);
    let output = CodegenOptions {
        minify: true,
        comments: CommentOptions::disabled(),
        ..CodegenOptions::default()
    };
    Ok(Codegen::new().with_options(output).with_scoping(minified.scoping).build(&program).code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_shrink() {
        let script = "(() => { const unused = 1; const long = window.a; long(long) })()";
        assert_eq!(minify(script).unwrap(), "(()=>{let e=window.a;e(e)})();");
        assert!(minify("const = 1").is_err());
    }
}
