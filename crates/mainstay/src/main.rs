//! The program: `mainstay serve`, `mainstay demo`, and the rest of the command line.
//!
//! Reading order: [`cmd`] (the command line, one file for each command), [`services`] (what the program is made of),
//! [`shutdown`] and [`exit`] (how it ends), [`output`] (what it prints).

mod cmd;
mod services;

mod exit;
mod output;
mod shutdown;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cmd::run()
}
