//! Writes the kept store files that are not there yet.

use littoral_tests::golden::{FILES, FOLDER};
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(FOLDER)?;
    for (name, make) in FILES {
        let path = Path::new(FOLDER).join(name);
        if path.exists() {
            println!("{name} is there and stays as it is");
            continue;
        }
        let bytes = make()?;
        fs::write(&path, &bytes)?;
        println!("{name}: {} bytes", bytes.len());
    }
    Ok(())
}
