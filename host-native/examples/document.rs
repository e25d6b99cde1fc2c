//! A document with its history, a draft, and a trade that two have to agree to: `cargo run --example document`.

use littoral::core::{
    Result,
    doc::{Match, Op, Options, Patch, Value},
    engine::Direction,
};
use std::time::Duration;

pub fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    littoral::block_on(async {
        let path = folder.path().join("harbour.littoral");
        let (doc, driver) = littoral::open_documents(&path, Options::default()).await?;

        // Each patch is one commit; a match makes it a compare-and-set.
        let boats = Value::from_json(r#"{"ebb": {"berth": 7}, "flow": {"berth": 8}}"#)?;
        let first = doc.patch("boats", Patch::set(boats), None).await?;
        let still_there = Match::from_json("7")?;
        doc.patch("boats.ebb.berth", Patch::set(9), still_there)
            .await?;
        println!("now   {}", doc.read("boats.ebb.berth").await?);
        println!("then  {}", doc.read_at("boats.ebb.berth", first).await?);

        // A draft sees its own changes and nobody else's, until it is promoted.
        let draft = doc.create_scope("winter").await?;
        draft
            .patch("", Patch::ops([Op::delete("boats.flow")?]), None)
            .await?;
        println!("draft {}", draft.read("boats").await?);
        println!("doc   {}", doc.read("boats").await?);
        draft.drop().await?;

        // Two participants, one commit, or none.
        let trade = doc.begin(2, Value::Null, Duration::from_secs(10)).await?;
        let (ebb, flow) = futures::join!(
            trade.join("boats.ebb.berth", Patch::set(8), Match::from_json("9")?),
            trade.join("boats.flow.berth", Patch::set(9), Match::from_json("8")?),
        );
        println!("trade {} {}", ebb?.committed, flow?.committed);

        let mut history = doc.history("boats.ebb", 0..=u64::MAX, Direction::Forward)?;
        while let Some(commit) = history.next().await? {
            println!("{}", commit.to_value());
        }
        doc.close().await?;
        driver.stop()
    })
}
