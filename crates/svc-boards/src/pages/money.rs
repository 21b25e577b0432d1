//! Money on pages: what is read without script; the script writes it in the reader's way.

use maud::{Markup, html};

use crate::{model::money, service::Money};

/// A sum.
pub(crate) fn sum(of: &Money) -> Markup {
    html! {
        span .money data-money=(of.minor) data-currency=(of.currency)
            { (money::shown(of.minor, &of.currency)) }
    }
}

/// A sum that was got or given.
pub(crate) fn moved(of: &Money) -> Markup {
    let got = of.minor > 0;
    html! {
        span .money .in[got] .out[!got] {
            @if got { "+" }
            span data-money=(of.minor) data-currency=(of.currency)
                { (money::shown(of.minor, &of.currency)) }
        }
    }
}

/// What something costs, or that it does not.
pub(crate) fn price(of: &Money) -> Markup {
    html! { @if of.minor == 0 { "Free" } @else { (sum(of)) } }
}
