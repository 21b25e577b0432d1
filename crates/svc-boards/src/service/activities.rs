//! People's activity.
