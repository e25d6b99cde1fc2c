//! `littoral-bindgen MODULE.wasm FOLDER`: writes `engine.js`, `engine_bg.wasm` and their types into the folder.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let module = arguments.next().context("the module is missing")?;
    let folder = arguments.next().context("the folder is missing")?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .web(true)?
        .out_name("engine")
        .typescript(true)
        .omit_default_module_path(true)
        // A panic ends this instance and not the page: the next one begins anew in the same realm.
        .reset_state_function(true);
    bindgen.generate(folder)
}
