//! Rules.

use mainstay_core::http::Route;

use crate::service::Boards;

pub(super) fn routes(_boards: &Boards) -> Vec<Route> {
    Vec::new()
}
