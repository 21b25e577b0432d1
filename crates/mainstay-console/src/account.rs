//! Pages of the account, the same for every service.
//!
//! Reading order: [`gate`] (signing in and registering), [`settings`] (what can be set, password and sign-ins),
//! [`keys`] (API keys), [`device`] (a program in words).

pub mod gate;

pub mod settings;

pub mod keys;

pub mod device;
