//! The examples run.

#[path = "../examples/document.rs"]
mod document;
#[path = "../examples/pair.rs"]
mod pair;
#[path = "../examples/volume.rs"]
mod volume;

#[test]
fn a_pair_over_http_brings_to_the_remote_what_was_put_while_it_was_down() {
    pair::main().unwrap();
}

#[test]
fn a_store_works_over_a_volume_of_ones_own() {
    volume::main().unwrap();
}

#[test]
fn a_document_is_changed_drafted_and_traded() {
    document::main().unwrap();
}
