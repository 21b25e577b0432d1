//! Writes every page of Feed with made-up content into a folder, to be looked at without a server's data.
//!
//! `cargo run -p svc-feed --example preview -- PHOTOS OUT`: `PHOTOS` is a folder of pictures, `OUT` gets the pages, the
//! assets and copies of the pictures. Serve `OUT` by any file server and open `/`.

mod fixtures;
mod sheets;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use fixtures::Fixtures;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(photos), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("give a folder of pictures and a folder for the pages".into());
    };
    fs::create_dir_all(out.join("photos"))?;
    write_assets(&out)?;
    let fixtures = Fixtures::load(&photos, &out.join("photos"))?;
    let mut index =
        String::from("<!doctype html><html lang=en><title>Pages</title><h1>Pages</h1><ul>");
    for (name, page) in sheets::all(&fixtures) {
        fs::write(out.join(format!("{name}.html")), page.into_string())?;
        index.push_str(&format!("<li><a href=\"/{name}.html\">{name}</a>"));
    }
    fs::write(out.join("index.html"), index)?;
    Ok(())
}

fn write_assets(out: &Path) -> Result<(), Box<dyn Error>> {
    for asset in mainstay_console::assets::all() {
        let path = out.join(asset.path.trim_start_matches('/'));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, &asset.bytes)?;
    }
    Ok(())
}
